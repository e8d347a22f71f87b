package p11mux

import (
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"iter"

	"github.com/p11mux/p11mux/ck"
)

// Certificate gives the X.509 certificate that the object is. [ErrUnsupported] for other objects and other kinds of
// certificates.
func (o *Object) Certificate(ctx context.Context) (*x509.Certificate, error) {
	attrs, err := o.Attributes(ctx, ck.CKA_CERTIFICATE_TYPE, ck.CKA_VALUE)
	if err != nil {
		return nil, err
	}
	if typ, ok := attrs.Uint(ck.CKA_CERTIFICATE_TYPE); o.class != ck.CKO_CERTIFICATE || ok && typ != uint64(ck.CKC_X_509) {
		return nil, o.unsupported("not an X.509 certificate")
	}
	cert, err := x509.ParseCertificate(attrs.Bytes(ck.CKA_VALUE))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.URI(), err)
	}
	return cert, nil
}

// Certificates goes through the X.509 certificates of the token. One that is no X.509 certificate, or no good one, is left
// out; other errors are yielded and end it.
func (t *Token) Certificates(ctx context.Context) iter.Seq2[*x509.Certificate, error] {
	return func(yield func(*x509.Certificate, error) bool) {
		for c, err := range (source{token: t}).certificates(ctx) {
			if !yield(c.Certificate, err) {
				return
			}
		}
	}
}

// A found certificate is one with the CKA_ID that it has on the token.
type foundCertificate struct {
	*x509.Certificate
	id []byte
}

func (x source) certificates(ctx context.Context) iter.Seq2[foundCertificate, error] {
	return func(yield func(foundCertificate, error) bool) {
		for o, err := range x.find(ctx, []ck.Attribute{Attr(ck.CKA_CLASS, ck.CKO_CERTIFICATE)}) {
			c := foundCertificate{}
			if err == nil {
				c.id = o.id
				if c.Certificate, err = o.Certificate(ctx); err != nil && !isOfModule(err) {
					continue
				}
			}
			if !yield(c, err) {
				return
			}
		}
	}
}

// isOfModule tells whether an error is of a call, and not about what a call has given.
func isOfModule(err error) bool {
	_, is := errors.AsType[*ck.CallError](err)
	return is
}

// Chain gives a certificate with those that it was issued by, one after the other, as far as the token has them. A root,
// which is its own issuer, is left out: who verifies must know it anyway.
func (t *Token) Chain(ctx context.Context, leaf *x509.Certificate) ([]*x509.Certificate, error) {
	return source{token: t}.chain(ctx, leaf)
}

func (x source) chain(ctx context.Context, leaf *x509.Certificate) ([]*x509.Certificate, error) {
	var known []*x509.Certificate
	for c, err := range x.certificates(ctx) {
		if err != nil {
			return nil, err
		}
		known = append(known, c.Certificate)
	}
	return chain(leaf, known), nil
}

// maxChain is longer than any chain that is of use.
const maxChain = 16

// chain puts together what Chain gives.
func chain(leaf *x509.Certificate, known []*x509.Certificate) []*x509.Certificate {
	found := []*x509.Certificate{leaf}
	for len(found) < maxChain {
		next := issuer(found[len(found)-1], known)
		if next == nil || isRoot(next) {
			break
		}
		for _, c := range found {
			if c.Equal(next) {
				return found
			}
		}
		found = append(found, next)
	}
	return found
}

func isRoot(c *x509.Certificate) bool { return bytes.Equal(c.RawSubject, c.RawIssuer) }

// issuer finds who issued a certificate: of several certificates of an issuer, the one that is valid longest.
func issuer(c *x509.Certificate, known []*x509.Certificate) (found *x509.Certificate) {
	if isRoot(c) {
		return nil
	}
	for _, k := range known {
		if !bytes.Equal(k.RawSubject, c.RawIssuer) || c.CheckSignatureFrom(k) != nil {
			continue
		}
		if found == nil || k.NotAfter.After(found.NotAfter) {
			found = k
		}
	}
	return found
}

// TLSCertificate gives what a TLS server or client needs of the key: the key itself, its certificate from the same token,
// and the intermediate certificates that are there too. Of several certificates for the key, those of its CKA_ID come
// first, and of these the one that is valid longest. [ErrNotFound] if there is none.
func (k *PrivateKey) TLSCertificate(ctx context.Context) (tls.Certificate, error) {
	var known []*x509.Certificate
	var leaf foundCertificate
	for c, err := range k.object.certificates(ctx) {
		if err != nil {
			return tls.Certificate{}, err
		}
		known = append(known, c.Certificate)
		if equal(k.public, c.PublicKey) && (leaf.Certificate == nil || k.prefers(c, leaf)) {
			leaf = c
		}
	}
	if leaf.Certificate == nil {
		return tls.Certificate{}, fmt.Errorf("%w: no certificate for the key %s", ErrNotFound, k)
	}
	schemes, err := k.schemes(ctx)
	if err != nil {
		return tls.Certificate{}, err
	}
	cert := tls.Certificate{PrivateKey: k, Leaf: leaf.Certificate, SupportedSignatureAlgorithms: schemes}
	if d, err := k.Decrypter(); err == nil {
		cert.PrivateKey = d
	}
	for _, c := range chain(leaf.Certificate, known) {
		cert.Certificate = append(cert.Certificate, c.Raw)
	}
	return cert, nil
}

// prefers tells whether the certificate a is a better one for the key than b.
func (k *PrivateKey) prefers(a, b foundCertificate) bool {
	own, other := bytes.Equal(a.id, k.object.id), bytes.Equal(b.id, k.object.id)
	if own != other {
		return own
	}
	return a.NotAfter.After(b.NotAfter)
}

// schemes keeps crypto/tls from PSS with tokens that do not have it; nil for no limits.
func (k *PrivateKey) schemes(ctx context.Context) ([]tls.SignatureScheme, error) {
	if _, isRSA := k.public.(*rsa.PublicKey); !isRSA {
		return nil, nil
	}
	_, err := k.object.token.MechanismInfo(ctx, ck.CKM_RSA_PKCS_PSS)
	if errors.Is(err, ck.CKR_MECHANISM_INVALID) {
		return []tls.SignatureScheme{tls.PKCS1WithSHA256, tls.PKCS1WithSHA384, tls.PKCS1WithSHA512, tls.PKCS1WithSHA1}, nil
	}
	return nil, err
}
