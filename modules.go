package p11mux

import (
	"context"
	"crypto/tls"
	"errors"
	"iter"
	"slices"
)

// Modules are the modules of one [Load]. Safe for concurrent use.
type Modules struct {
	all      []*Module // neither is changed
	problems []error
}

// All goes through the modules, in the order of the configuration.
func (ms *Modules) All() iter.Seq[*Module] { return slices.Values(ms.all) }

// Len tells how many modules there are.
func (ms *Modules) Len() int { return len(ms.all) }

// Module gives the module of a name, or nil.
func (ms *Modules) Module(name string) *Module {
	for _, m := range ms.all {
		if m.name == name {
			return m
		}
	}
	return nil
}

// Problems gives what Load met and went on: what is wrong with the configuration, and which modules were left out and why.
// The logger of [WithLogger] was told the same. Empty if all is well.
func (ms *Modules) Problems() []error { return slices.Clone(ms.problems) }

// place is where the modules' things are looked for.
func (ms *Modules) place() place { return place{ms.all, ms.problems} }

// Close closes all modules, see [Module.Close]. Closing twice is harmless.
func (ms *Modules) Close() error {
	var errs []error
	for _, m := range slices.Backward(ms.all) {
		errs = append(errs, m.Close())
	}
	return errors.Join(errs...)
}

// Tokens goes through the tokens of all modules, see [Module.Tokens].
func (ms *Modules) Tokens(ctx context.Context) iter.Seq2[*Token, error] {
	return func(yield func(*Token, error) bool) {
		for _, m := range ms.all {
			for t, err := range m.Tokens(ctx) {
				if !yield(t, err) {
					return
				}
			}
		}
	}
}

// Token finds the one token that a PKCS#11 URI (RFC 7512) names, "pkcs11:token=work". [ErrNotFound] if there is none,
// [ErrAmbiguous] if there are several, and [ErrIncomplete] if there is none among those that could be looked at.
func (ms *Modules) Token(ctx context.Context, uri string) (*Token, error) {
	return find(uri, ms.place(), func(s *search) (*Token, error) { return s.token(ctx) })
}

// FindTokens goes through the tokens that a PKCS#11 URI (RFC 7512) names, those of Tokens that is. What the URI says about
// objects does not matter. An error of a module or a token is yielded, and the search goes on; an error in the URI is the
// only thing that is yielded.
func (ms *Modules) FindTokens(ctx context.Context, uri string) iter.Seq2[*Token, error] {
	return tokensOf(ctx, uri, ms.place())
}

// Find goes through the objects that a PKCS#11 URI (RFC 7512) names, on all tokens that it names. Where a token needs a
// login, it is done with the URI's pin-value or pin-source, or the PIN of [WithPIN]; without any, only what the token
// shows is found. An error of one token is yielded, and the search goes on with the next one; an error in the URI is the
// only thing that is yielded.
func (ms *Modules) Find(ctx context.Context, uri string) iter.Seq2[*Object, error] {
	return objects(ctx, uri, ms.place())
}

// PrivateKey finds the one private key that a PKCS#11 URI names, for use as a crypto.Signer. It logs in as Find does. The
// URI's type does not matter. [ErrNotFound] if there is none, [ErrAmbiguous] if there are several, and [ErrIncomplete] if
// there is none where it could be looked for, because of a PIN that is wrong or missing, for example.
func (ms *Modules) PrivateKey(ctx context.Context, uri string) (*PrivateKey, error) {
	return find(uri, ms.place(), func(s *search) (*PrivateKey, error) { return s.privateKey(ctx) })
}

// TLSCertificate gives what a TLS server or client needs of the one private key that a PKCS#11 URI names: the key, its
// certificate from the same token, and the intermediate certificates that are there too.
func (ms *Modules) TLSCertificate(ctx context.Context, uri string) (tls.Certificate, error) {
	return find(uri, ms.place(), func(s *search) (tls.Certificate, error) { return s.tlsCertificate(ctx) })
}
