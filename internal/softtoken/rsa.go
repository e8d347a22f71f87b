package softtoken

import (
	"crypto/rand"
	"crypto/rsa"

	"github.com/p11mux/p11mux/ck"
)

// rsaTransform is encryption with RSA, in one part only. The key tells the direction.
type rsaTransform struct {
	key  *object
	oaep *rsa.OAEPOptions // nil for PKCS #1 v1.5
}

func newRSATransform(m *ck.Mechanism, key *object) (transform, error) {
	if m.Type == ck.CKM_RSA_PKCS {
		return &rsaTransform{key: key}, noParam(m)
	}
	p, err := structParam[ck.RSAPKCSOAEPParams](m)
	if err != nil {
		return nil, err
	}
	hash, ok := hashNamed(p.HashAlg)
	mask, known := hashOfMGF(p.MGF)
	switch {
	case !ok, !known:
		return nil, ck.CKR_MECHANISM_PARAM_INVALID
	case p.Source != ck.CKZ_DATA_SPECIFIED && (p.Source != 0 || len(p.SourceData) > 0):
		return nil, ck.CKR_MECHANISM_PARAM_INVALID
	case (key.size()+7)/8 < 2*hash.Size()+2: // RFC 8017 §7.1.1
		return nil, ck.CKR_KEY_SIZE_RANGE
	}
	label := append([]byte{}, p.SourceData...)
	return &rsaTransform{key: key, oaep: &rsa.OAEPOptions{Hash: hash, MGFHash: mask, Label: label}}, nil
}

func (r *rsaTransform) bound(int) int { return (r.key.size() + 7) / 8 }

func (r *rsaTransform) whole(in []byte) (out []byte, err error) {
	size := r.bound(len(in))
	switch k := r.key.key.(type) {
	case *rsa.PublicKey:
		overhead := 11
		if r.oaep != nil {
			overhead = 2*r.oaep.Hash.Size() + 2
		}
		if len(in) > size-overhead {
			return nil, ck.CKR_DATA_LEN_RANGE
		}
		if r.oaep != nil {
			out, err = rsa.EncryptOAEPWithOptions(rand.Reader, k, in, r.oaep)
		} else {
			//lint:ignore SA1019 CKM_RSA_PKCS is what the caller asked for
			out, err = rsa.EncryptPKCS1v15(rand.Reader, k, in)
		}
		return out, failed(err)
	case *rsa.PrivateKey:
		if len(in) != size {
			return nil, ck.CKR_ENCRYPTED_DATA_LEN_RANGE
		}
		if r.oaep != nil {
			out, err = k.Decrypt(nil, in, r.oaep)
		} else {
			//lint:ignore SA1019 CKM_RSA_PKCS is what the caller asked for
			out, err = rsa.DecryptPKCS1v15(nil, k, in)
		}
		if err != nil {
			return nil, ck.CKR_ENCRYPTED_DATA_INVALID
		}
	}
	return out, nil
}

func (r *rsaTransform) next(int) (int, error)         { return 0, ck.CKR_FUNCTION_NOT_SUPPORTED }
func (r *rsaTransform) update([]byte) ([]byte, error) { return nil, ck.CKR_FUNCTION_NOT_SUPPORTED }
func (r *rsaTransform) last() ([]byte, error)         { return nil, ck.CKR_FUNCTION_NOT_SUPPORTED }
