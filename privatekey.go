package p11mux

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"fmt"
	"io"

	"github.com/p11mux/p11mux/ck"
)

// A PrivateKey is a private key that stays on its token: a crypto.Signer for RSA, ECDSA and Ed25519 keys. It serves
// wherever Go's library takes one, such as crypto/tls and crypto/x509. See [PrivateKey.Decrypter] for decryption.
//
// Safe for concurrent use. Each operation takes a session of the token's pool for its time, so that as many go on at once
// as the token has sessions for. A key that was found in a [Session] uses that one, one operation at a time.
type PrivateKey struct {
	object *Object
	public crypto.PublicKey
	ctx    context.Context
	again  *PIN // for a key that wants the PIN before each use; nil for others
}

// PrivateKey gives the object as a private key of package crypto. Its public key is found as [Object.PublicKey] does. A
// key that wants the PIN before each use (CKA_ALWAYS_AUTHENTICATE) gets that of [WithPIN].
func (o *Object) PrivateKey(ctx context.Context) (*PrivateKey, error) { return o.privateKey(ctx, nil) }

// privateKey is PrivateKey with a PIN that goes before that of WithPIN.
func (o *Object) privateKey(ctx context.Context, pin PIN) (*PrivateKey, error) {
	if o.class != ck.CKO_PRIVATE_KEY {
		return nil, o.unsupported("not a private key")
	}
	public, err := o.PublicKey(ctx)
	if err != nil {
		return nil, err
	}
	k := &PrivateKey{object: o, public: public, ctx: context.Background()}
	attrs, err := o.Attributes(ctx, ck.CKA_ALWAYS_AUTHENTICATE)
	if err != nil {
		return nil, err
	}
	if attrs.Bool(ck.CKA_ALWAYS_AUTHENTICATE) {
		if pin == nil {
			pin = o.token.module().options.pin
		}
		k.again = &pin
	}
	return k, nil
}

// WithContext gives the key with a context that ends its waits: those for a session, and those for a PIN. The crypto
// interfaces have no place for one.
func (k *PrivateKey) WithContext(ctx context.Context) *PrivateKey {
	with := *k
	with.ctx = ctx
	return &with
}

// Object is the key's object on the token.
func (k *PrivateKey) Object() *Object { return k.object }

// Public gives the public key: a *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey.
func (k *PrivateKey) Public() crypto.PublicKey { return k.public }

// String gives the key's URI.
func (k *PrivateKey) String() string { return k.object.URI() }

// Sign signs a digest that was made with opts.HashFunc(), or, for Ed25519, a message. The random source is not used: the
// token has its own. The signature is as the rest of Go's library makes it: of PKCS#1 v1.5, or PSS with *rsa.PSSOptions,
// for RSA; in ASN.1 for ECDSA.
func (k *PrivateKey) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if opts == nil {
		opts = crypto.Hash(0)
	}
	if h := opts.HashFunc(); h != 0 && h.Size() != len(digest) {
		return nil, fmt.Errorf("%w: a digest of %d octets, where %v gives %d", errDigest, len(digest), h, h.Size())
	}
	switch public := k.public.(type) {
	case *rsa.PublicKey:
		if pss, ok := opts.(*rsa.PSSOptions); ok {
			return k.signPSS(public, digest, pss)
		}
		return k.signPKCS1v15(digest, opts.HashFunc())
	case *ecdsa.PublicKey:
		return k.signECDSA(public, digest)
	case ed25519.PublicKey:
		return k.signEd25519(digest, opts)
	}
	return nil, k.object.unsupported(fmt.Sprintf("signatures with a %T", k.public))
}

// A Decrypter is a PrivateKey that decrypts too: a crypto.Decrypter. It is a type of its own, since crypto/tls takes
// whatever has a method Decrypt for an RSA key. Safe for concurrent use, as a PrivateKey is.
type Decrypter struct{ *PrivateKey }

// Decrypter gives the key as a crypto.Decrypter. [ErrUnsupported] if it is no RSA key.
func (k *PrivateKey) Decrypter() (*Decrypter, error) {
	if _, ok := k.public.(*rsa.PublicKey); !ok {
		return nil, k.object.unsupported(fmt.Sprintf("decryption with a %T", k.public))
	}
	return &Decrypter{k}, nil
}

// Decrypt decrypts by PKCS#1 v1.5 if opts is nil or a *rsa.PKCS1v15DecryptOptions, by OAEP if it is a *rsa.OAEPOptions.
// With a SessionKeyLen, bad padding gives a random key and no error, as in rsa.DecryptPKCS1v15SessionKey; random is used
// for that alone, and may be nil. What comes of it is the caller's to wipe.
func (d *Decrypter) Decrypt(random io.Reader, ciphertext []byte, opts crypto.DecrypterOpts) ([]byte, error) {
	switch opts := opts.(type) {
	case nil:
		return d.decrypt(ck.Mechanism{Type: ck.CKM_RSA_PKCS}, ciphertext)
	case *rsa.PKCS1v15DecryptOptions: //lint:ignore SA1019 old TLS and S/MIME have nothing better
		if opts.SessionKeyLen > 0 {
			return d.decryptSessionKey(random, ciphertext, opts.SessionKeyLen)
		}
		return d.decrypt(ck.Mechanism{Type: ck.CKM_RSA_PKCS}, ciphertext)
	case *rsa.OAEPOptions:
		return d.decryptOAEP(ciphertext, opts)
	}
	return nil, fmt.Errorf("%w: options of type %T", ErrUnsupported, opts)
}

// sign has the token sign, in any session that is free.
func (k *PrivateKey) sign(mechanism ck.Mechanism, data []byte) ([]byte, error) {
	s, err := k.object.get(k.ctx)
	if err != nil {
		return nil, err
	}
	defer k.object.put(s)
	return s.signAgain(k.ctx, mechanism, k.object, data, k.again)
}

// decrypt has the token decrypt, in any session that is free.
func (k *PrivateKey) decrypt(mechanism ck.Mechanism, data []byte) ([]byte, error) {
	s, err := k.object.get(k.ctx)
	if err != nil {
		return nil, err
	}
	defer k.object.put(s)
	return s.decryptAgain(k.ctx, mechanism, k.object, data, k.again)
}

// Signer gives the object as a crypto.Signer, see [Object.PrivateKey].
func (o *Object) Signer(ctx context.Context) (crypto.Signer, error) {
	k, err := o.PrivateKey(ctx)
	if err != nil {
		return nil, err // not a Signer that holds a nil key
	}
	return k, nil
}

// Decrypter gives the object as a crypto.Decrypter, see [PrivateKey.Decrypter].
func (o *Object) Decrypter(ctx context.Context) (crypto.Decrypter, error) {
	k, err := o.PrivateKey(ctx)
	if err != nil {
		return nil, err
	}
	d, err := k.Decrypter()
	if err != nil {
		return nil, err // not a Decrypter that holds nothing
	}
	return d, nil
}
