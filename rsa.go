package p11mux

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"

	"github.com/p11mux/p11mux/ck"
)

// errDigest: what is to be signed does not fit the options.
var errDigest = errors.New("the digest does not fit the hash")

// A hashInfo is what PKCS#11 and PKCS#1 call a hash by.
type hashInfo struct {
	mechanism ck.MechanismType
	mgf       uint64
	prefix    []byte // what stands before the digest in a DigestInfo (RFC 8017 §9.2)
}

// infoOf knows the hashes that RSA signatures are made with; false for others.
func infoOf(h crypto.Hash) (hashInfo, bool) {
	switch h {
	case crypto.SHA1:
		prefix := []byte{0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14}
		return hashInfo{ck.CKM_SHA_1, ck.CKG_MGF1_SHA1, prefix}, true
	case crypto.SHA224:
		return hashInfo{ck.CKM_SHA224, ck.CKG_MGF1_SHA224, nistPrefix(h, 4)}, true
	case crypto.SHA256:
		return hashInfo{ck.CKM_SHA256, ck.CKG_MGF1_SHA256, nistPrefix(h, 1)}, true
	case crypto.SHA384:
		return hashInfo{ck.CKM_SHA384, ck.CKG_MGF1_SHA384, nistPrefix(h, 2)}, true
	case crypto.SHA512:
		return hashInfo{ck.CKM_SHA512, ck.CKG_MGF1_SHA512, nistPrefix(h, 3)}, true
	case crypto.SHA3_224:
		return hashInfo{ck.CKM_SHA3_224, ck.CKG_MGF1_SHA3_224, nistPrefix(h, 7)}, true
	case crypto.SHA3_256:
		return hashInfo{ck.CKM_SHA3_256, ck.CKG_MGF1_SHA3_256, nistPrefix(h, 8)}, true
	case crypto.SHA3_384:
		return hashInfo{ck.CKM_SHA3_384, ck.CKG_MGF1_SHA3_384, nistPrefix(h, 9)}, true
	case crypto.SHA3_512:
		return hashInfo{ck.CKM_SHA3_512, ck.CKG_MGF1_SHA3_512, nistPrefix(h, 10)}, true
	}
	return hashInfo{}, false
}

// nistPrefix is the prefix for a hash with the object identifier 2.16.840.1.101.3.4.2.n, with room for the digest behind it.
func nistPrefix(h crypto.Hash, n byte) []byte {
	size := byte(h.Size())
	return append(make([]byte, 0, 19+h.Size()),
		0x30, 17+size, 0x30, 13, 0x06, 9, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, n, 0x05, 0, 0x04, size)
}

// hashFor is infoOf with an error.
func (k *PrivateKey) hashFor(h crypto.Hash) (hashInfo, error) {
	info, ok := infoOf(h)
	if !ok {
		return info, k.object.unsupported("the hash " + h.String())
	}
	return info, nil
}

// signPKCS1v15 signs a digest by PKCS#1 v1.5; without a hash, or with the one of old TLS, what is signed is the digest
// itself.
func (k *PrivateKey) signPKCS1v15(digest []byte, h crypto.Hash) ([]byte, error) {
	data := digest
	if h != 0 && h != crypto.MD5SHA1 {
		info, err := k.hashFor(h)
		if err != nil {
			return nil, err
		}
		data = append(info.prefix, digest...)
	}
	return k.sign(ck.Mechanism{Type: ck.CKM_RSA_PKCS}, data)
}

// signPSS signs a digest by PSS. The mask is made with the same hash, as everywhere in Go.
func (k *PrivateKey) signPSS(public *rsa.PublicKey, digest []byte, opts *rsa.PSSOptions) ([]byte, error) {
	info, err := k.hashFor(opts.HashFunc())
	if err != nil {
		return nil, err
	}
	salt := opts.SaltLength
	switch {
	case salt == rsa.PSSSaltLengthEqualsHash:
		salt = len(digest)
	case salt == rsa.PSSSaltLengthAuto: // as much as there is room for (RFC 8017 §9.1.1)
		salt = (public.N.BitLen()-1+7)/8 - 2 - len(digest)
	}
	if salt < 0 {
		return nil, fmt.Errorf("%w: the key is too short for a salt, or the salt's length is negative", errDigest)
	}
	params := &ck.RSAPKCSPSSParams{HashAlg: info.mechanism, MGF: info.mgf, SaltLen: uint64(salt)}
	return k.sign(ck.Mechanism{Type: ck.CKM_RSA_PKCS_PSS, Param: params}, digest)
}

// decryptOAEP decrypts by OAEP.
func (k *PrivateKey) decryptOAEP(ciphertext []byte, opts *rsa.OAEPOptions) ([]byte, error) {
	hash, err := k.hashFor(opts.Hash)
	if err != nil {
		return nil, err
	}
	mask := hash
	if opts.MGFHash != 0 {
		if mask, err = k.hashFor(opts.MGFHash); err != nil {
			return nil, err
		}
	}
	params := &ck.RSAPKCSOAEPParams{HashAlg: hash.mechanism, MGF: mask.mgf, Source: ck.CKZ_DATA_SPECIFIED}
	if len(opts.Label) > 0 {
		params.SourceData = opts.Label
	}
	return k.decrypt(ck.Mechanism{Type: ck.CKM_RSA_PKCS_OAEP, Param: params}, ciphertext)
}

// decryptSessionKey decrypts a key of a known length by PKCS#1 v1.5. Whether the padding was good must not show: it would
// let others decrypt by asking often enough (RFC 8017 §7.2.2).
func (k *PrivateKey) decryptSessionKey(random io.Reader, ciphertext []byte, n int) ([]byte, error) {
	public := k.public.(*rsa.PublicKey)
	if n > public.Size() {
		return nil, fmt.Errorf("%w: a session key of %d octets is longer than the RSA key", ErrUnsupported, n)
	}
	if random == nil {
		random = rand.Reader
	}
	key := make([]byte, n)
	if _, err := io.ReadFull(random, key); err != nil {
		return nil, err
	}
	plain, err := k.decrypt(ck.Mechanism{Type: ck.CKM_RSA_PKCS}, ciphertext)
	if err != nil && !isBadCiphertext(err) {
		return nil, err
	}
	// As long as the key, whatever came out.
	same := subtle.ConstantTimeEq(int32(len(plain)), int32(n))
	padded := make([]byte, max(n, len(plain)))
	copy(padded, plain)
	subtle.ConstantTimeCopy(same, key, padded[:n])
	clear(padded)
	clear(plain)
	return key, nil
}

// isBadCiphertext tells whether an error may come of what was decrypted. Modules are not of one mind about it.
func isBadCiphertext(err error) bool {
	switch ck.RVOf(err) {
	case ck.CKR_ENCRYPTED_DATA_INVALID, ck.CKR_ENCRYPTED_DATA_LEN_RANGE, ck.CKR_DATA_INVALID, ck.CKR_DATA_LEN_RANGE,
		ck.CKR_GENERAL_ERROR, ck.CKR_FUNCTION_FAILED, ck.CKR_ARGUMENTS_BAD:
		return true
	}
	return false
}
