package softtoken

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"testing"

	"github.com/p11mux/p11mux/ck"
)

// Every mechanism that signs, in one part and in several.
func TestSignVerify(t *testing.T) {
	c := openUser(t)
	rsaPub, rsaPriv := c.pair(ck.CKM_RSA_PKCS_KEY_PAIR_GEN, []ck.Attribute{num(ck.CKA_MODULUS_BITS, 2048), octs(ck.CKA_PUBLIC_EXPONENT, "\x01\x00\x01")}, nil)
	ecPub, ecPriv := c.pair(ck.CKM_EC_KEY_PAIR_GEN, public256, nil)
	ec521Pub, ec521Priv := c.pair(ck.CKM_EC_KEY_PAIR_GEN, []ck.Attribute{octs(ck.CKA_EC_PARAMS, paramsP521)}, nil)
	edPub, edPriv := c.pair(ck.CKM_EC_EDWARDS_KEY_PAIR_GEN, []ck.Attribute{octs(ck.CKA_EC_PARAMS, paramsEd25519)}, nil)
	mac := c.secretKey(ck.CKK_GENERIC_SECRET, []byte("a key"))
	digest := bytes.Repeat([]byte{7}, 32)
	message := bytes.Repeat([]byte("message "), 100)

	type test struct {
		m         *ck.Mechanism
		pub, priv ck.ObjectHandle
		data      []byte
	}
	tests := []test{
		{mech(ck.CKM_RSA_PKCS), rsaPub, rsaPriv, digest},
		{mech(ck.CKM_SHA1_RSA_PKCS), rsaPub, rsaPriv, message},
		{mech(ck.CKM_SHA224_RSA_PKCS), rsaPub, rsaPriv, message},
		{mech(ck.CKM_SHA256_RSA_PKCS), rsaPub, rsaPriv, message},
		{mech(ck.CKM_SHA384_RSA_PKCS), rsaPub, rsaPriv, message},
		{mech(ck.CKM_SHA512_RSA_PKCS), rsaPub, rsaPriv, message},
		{mech(ck.CKM_ECDSA), ecPub, ecPriv, digest},
		{mech(ck.CKM_ECDSA), ec521Pub, ec521Priv, digest},
		{mech(ck.CKM_ECDSA_SHA1), ecPub, ecPriv, message},
		{mech(ck.CKM_ECDSA_SHA224), ecPub, ecPriv, message},
		{mech(ck.CKM_ECDSA_SHA256), ecPub, ecPriv, message},
		{mech(ck.CKM_ECDSA_SHA384), ecPub, ecPriv, message},
		{mech(ck.CKM_ECDSA_SHA512), ec521Pub, ec521Priv, message},
		{mech(ck.CKM_EDDSA), edPub, edPriv, message},
		{mechWith(ck.CKM_EDDSA, &ck.EDDSAParams{ContextData: []byte("context")}), edPub, edPriv, message},
		{mechWith(ck.CKM_EDDSA, &ck.EDDSAParams{Prehash: true}), edPub, edPriv, message},
		{mech(ck.CKM_SHA256_HMAC), mac, mac, message},
		{mechWith(ck.CKM_SHA512_HMAC_GENERAL, ck.RawParam(fromULong(20))), mac, mac, message},
	}
	for _, h := range []struct {
		hash, pss ck.MechanismType
		mgf       uint64
	}{
		{ck.CKM_SHA_1, ck.CKM_SHA1_RSA_PKCS_PSS, ck.CKG_MGF1_SHA1},
		{ck.CKM_SHA224, ck.CKM_SHA224_RSA_PKCS_PSS, ck.CKG_MGF1_SHA224},
		{ck.CKM_SHA256, ck.CKM_SHA256_RSA_PKCS_PSS, ck.CKG_MGF1_SHA256},
		{ck.CKM_SHA384, ck.CKM_SHA384_RSA_PKCS_PSS, ck.CKG_MGF1_SHA384},
		{ck.CKM_SHA512, ck.CKM_SHA512_RSA_PKCS_PSS, ck.CKG_MGF1_SHA512},
	} {
		p := &ck.RSAPKCSPSSParams{HashAlg: h.hash, MGF: h.mgf, SaltLen: 20}
		tests = append(tests, test{mechWith(h.pss, p), rsaPub, rsaPriv, message})
		if h.hash == ck.CKM_SHA256 {
			tests = append(tests, test{mechWith(ck.CKM_RSA_PKCS_PSS, p), rsaPub, rsaPriv, digest})
		}
	}
	for _, test := range tests {
		name := test.m.Type.String()
		signature := c.sign(test.m, test.priv, test.data)
		if err := c.verify(test.m, test.pub, test.data, signature); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		forged := bytes.Clone(signature)
		forged[len(forged)/2] ^= 1
		if err := c.verify(test.m, test.pub, test.data, forged); ck.RVOf(err) != ck.CKR_SIGNATURE_INVALID {
			t.Errorf("%s: a forged signature gave %v", name, err)
		}
		if err := c.verify(test.m, test.pub, test.data, signature[1:]); ck.RVOf(err) != ck.CKR_SIGNATURE_LEN_RANGE {
			t.Errorf("%s: a short signature gave %v", name, err)
		}
		c.signParts(test.m, test.pub, test.priv, test.data)
	}
}

// signParts signs and verifies in parts, or sees it refused for mechanisms that have one part.
func (c *client) signParts(m *ck.Mechanism, pub, priv ck.ObjectHandle, data []byte) {
	c.Helper()
	c.do(&ck.SignInitCall{Session: c.session, Mechanism: m, Key: priv})
	c.do(&ck.VerifyInitCall{Session: c.session, Mechanism: m, Key: pub})
	final := &ck.SignFinalCall{Session: c.session}
	switch m.Type {
	case ck.CKM_RSA_PKCS, ck.CKM_RSA_PKCS_PSS, ck.CKM_ECDSA, ck.CKM_EDDSA:
		c.refused(ck.CKR_FUNCTION_NOT_SUPPORTED, &ck.SignUpdateCall{Session: c.session, Part: data})
		c.refused(ck.CKR_FUNCTION_NOT_SUPPORTED, &ck.VerifyUpdateCall{Session: c.session, Part: data})
		c.do(&ck.SessionCancelCall{Session: c.session, Flags: ck.CKF_SIGN | ck.CKF_VERIFY})
		return
	}
	for part := range bytesIn(data, 13) {
		c.do(&ck.SignUpdateCall{Session: c.session, Part: part})
	}
	signature := c.twice(final, &final.Signature)
	for part := range bytesIn(data, 64) {
		c.do(&ck.VerifyUpdateCall{Session: c.session, Part: part})
	}
	if err := c.try(&ck.VerifyFinalCall{Session: c.session, Signature: signature}); err != nil {
		c.Errorf("%v in parts: %v", m.Type, err)
	}
	c.refused(ck.CKR_OPERATION_NOT_INITIALIZED, final)
	c.refused(ck.CKR_OPERATION_NOT_INITIALIZED, &ck.VerifyFinalCall{Session: c.session})
}

func bytesIn(data []byte, n int) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(data) > 0 {
			k := min(n, len(data))
			if !yield(data[:k]) {
				return
			}
			data = data[k:]
		}
	}
}

// A signature of the token is one for Go's own code, and the other way round for encryption.
func TestRSAAgainstGo(t *testing.T) {
	c := openUser(t)
	pub, priv := c.pair(ck.CKM_RSA_PKCS_KEY_PAIR_GEN, []ck.Attribute{num(ck.CKA_MODULUS_BITS, 2048)}, nil)
	parsed, err := x509.ParsePKIXPublicKey(c.get(pub, ck.CKA_PUBLIC_KEY_INFO))
	if err != nil {
		t.Fatal(err)
	}
	key := parsed.(*rsa.PublicKey)
	message := []byte("message")
	sum := sha256.Sum256(message)
	if err := rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], c.sign(mech(ck.CKM_SHA256_RSA_PKCS), priv, message)); err != nil {
		t.Error(err)
	}
	// The DigestInfo of SHA-256, RFC 8017 §9.2, signed without a hash, is the same signature.
	info := append(unhex("3031300d060960864801650304020105000420"), sum[:]...)
	if err := rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], c.sign(mech(ck.CKM_RSA_PKCS), priv, info)); err != nil {
		t.Error(err)
	}
	p := &ck.RSAPKCSOAEPParams{HashAlg: ck.CKM_SHA256, MGF: ck.CKG_MGF1_SHA1, Source: ck.CKZ_DATA_SPECIFIED, SourceData: []byte("label")}
	sealed, err := rsa.EncryptOAEPWithOptions(rand.Reader, key, message, &rsa.OAEPOptions{Hash: crypto.SHA256, MGFHash: crypto.SHA1, Label: []byte("label")})
	if err != nil {
		t.Fatal(err)
	}
	c.equal("OAEP", c.decrypt(mechWith(ck.CKM_RSA_PKCS_OAEP, p), priv, sealed), message)
	c.equal("OAEP both ways", c.decrypt(mechWith(ck.CKM_RSA_PKCS_OAEP, p), priv, c.encrypt(mechWith(ck.CKM_RSA_PKCS_OAEP, p), pub, message)), message)
	c.equal("PKCS #1 v1.5", c.decrypt(mech(ck.CKM_RSA_PKCS), priv, c.encrypt(mech(ck.CKM_RSA_PKCS), pub, message)), message)
}

func TestSignRefused(t *testing.T) {
	c := openUser(t)
	rsaPub, rsaPriv := c.pair(ck.CKM_RSA_PKCS_KEY_PAIR_GEN, []ck.Attribute{num(ck.CKA_MODULUS_BITS, 1024)}, nil)
	_, ecPriv := c.pair(ck.CKM_EC_KEY_PAIR_GEN, public256, []ck.Attribute{flag(ck.CKA_SIGN, false)})
	mac := c.secretKey(ck.CKK_SHA256_HMAC, []byte("a key"), octs(ck.CKA_ALLOWED_MECHANISMS, fromULong(uint64(ck.CKM_SHA256_HMAC))))
	pss := func(hash ck.MechanismType, mgf, salt uint64) *ck.Mechanism {
		return mechWith(ck.CKM_SHA512_RSA_PKCS_PSS, &ck.RSAPKCSPSSParams{HashAlg: hash, MGF: mgf, SaltLen: salt})
	}
	for _, test := range []struct {
		name string
		want ck.RV
		m    *ck.Mechanism
		key  ck.ObjectHandle
	}{
		{"mechanism that there is not", ck.CKR_MECHANISM_INVALID, mech(ck.CKM_RSA_X9_31), rsaPriv},
		{"mechanism for another use", ck.CKR_MECHANISM_INVALID, mech(ck.CKM_RSA_PKCS_OAEP), rsaPriv},
		{"no key", ck.CKR_KEY_HANDLE_INVALID, mech(ck.CKM_RSA_PKCS), 999},
		{"public key", ck.CKR_KEY_TYPE_INCONSISTENT, mech(ck.CKM_RSA_PKCS), rsaPub},
		{"RSA key for ECDSA", ck.CKR_KEY_TYPE_INCONSISTENT, mech(ck.CKM_ECDSA), rsaPriv},
		{"key that may not", ck.CKR_KEY_FUNCTION_NOT_PERMITTED, mech(ck.CKM_ECDSA), ecPriv},
		{"mechanism that is not allowed", ck.CKR_MECHANISM_INVALID, mechWith(ck.CKM_SHA256_HMAC_GENERAL, ck.RawParam(fromULong(4))), mac},
		{"HMAC of another type", ck.CKR_KEY_TYPE_INCONSISTENT, mech(ck.CKM_SHA512_HMAC), mac},
		{"parameter too many", ck.CKR_MECHANISM_PARAM_INVALID, mechWith(ck.CKM_RSA_PKCS, ck.RawParam("x")), rsaPriv},
		{"parameter missing", ck.CKR_MECHANISM_PARAM_INVALID, mech(ck.CKM_SHA512_RSA_PKCS_PSS), rsaPriv},
		{"another hash", ck.CKR_MECHANISM_PARAM_INVALID, pss(ck.CKM_SHA256, ck.CKG_MGF1_SHA256, 32), rsaPriv},
		{"another mask", ck.CKR_MECHANISM_PARAM_INVALID, pss(ck.CKM_SHA512, ck.CKG_MGF1_SHA256, 32), rsaPriv},
		{"salt longer than the key", ck.CKR_MECHANISM_PARAM_INVALID, pss(ck.CKM_SHA512, ck.CKG_MGF1_SHA512, 1<<40), rsaPriv},
		{"key too short", ck.CKR_KEY_SIZE_RANGE, pss(ck.CKM_SHA512, ck.CKG_MGF1_SHA512, 64), rsaPriv},
	} {
		err := c.try(&ck.SignInitCall{Session: c.session, Mechanism: test.m, Key: test.key})
		if ck.RVOf(err) != test.want {
			t.Errorf("%s: %v, want %v", test.name, ck.RVOf(err), test.want)
		}
	}
	out := ck.Out[byte]{Buf: make([]byte, 500)}
	c.refused(ck.CKR_OPERATION_NOT_INITIALIZED, &ck.SignCall{Session: c.session})
	c.do(&ck.SignInitCall{Session: c.session, Mechanism: mech(ck.CKM_RSA_PKCS), Key: rsaPriv})
	c.refused(ck.CKR_DATA_LEN_RANGE, &ck.SignCall{Session: c.session, Data: make([]byte, 118), Signature: out})
	c.refused(ck.CKR_OPERATION_NOT_INITIALIZED, &ck.SignCall{Session: c.session, Data: make([]byte, 117), Signature: out})
	// One part after others is no way to end an operation.
	c.do(&ck.SignInitCall{Session: c.session, Mechanism: mech(ck.CKM_SHA256_RSA_PKCS), Key: rsaPriv})
	c.do(&ck.SignUpdateCall{Session: c.session, Part: []byte("part")})
	c.refused(ck.CKR_OPERATION_ACTIVE, &ck.SignCall{Session: c.session, Signature: out})
	c.refused(ck.CKR_OPERATION_NOT_INITIALIZED, &ck.SignFinalCall{Session: c.session, Signature: out})
}

// A key that wants the PIN each time gets no further without it, and once with it.
func TestAlwaysAuthenticate(t *testing.T) {
	c := openUser(t)
	_, priv := c.pair(ck.CKM_EC_KEY_PAIR_GEN, public256, []ck.Attribute{flag(ck.CKA_ALWAYS_AUTHENTICATE, true)})
	start := &ck.SignInitCall{Session: c.session, Mechanism: mech(ck.CKM_ECDSA_SHA256), Key: priv}
	sign := &ck.SignCall{Session: c.session, Data: []byte("data"), Signature: ck.Out[byte]{Buf: make([]byte, 64)}}
	for range 2 {
		c.do(start)
		c.refused(ck.CKR_USER_NOT_LOGGED_IN, sign)
		c.refused(ck.CKR_USER_NOT_LOGGED_IN, &ck.SignUpdateCall{Session: c.session})
		c.refused(ck.CKR_PIN_INCORRECT, &ck.LoginCall{Session: c.session, UserType: ck.CKU_CONTEXT_SPECIFIC, PIN: []byte("wrong")})
		c.refused(ck.CKR_USER_NOT_LOGGED_IN, sign)
		c.login(ck.CKU_CONTEXT_SPECIFIC, UserPIN)
		c.do(sign)
	}
}

func TestDigestParts(t *testing.T) {
	c := openUser(t)
	key := c.secretKey(ck.CKK_GENERIC_SECRET, []byte("key"), flag(ck.CKA_SENSITIVE, true))
	data := c.create(num(ck.CKA_CLASS, ck.CKO_DATA))
	c.do(&ck.DigestInitCall{Session: c.session, Mechanism: mech(ck.CKM_SHA256)})
	c.do(&ck.DigestUpdateCall{Session: c.session, Part: []byte("a ")})
	c.refused(ck.CKR_KEY_HANDLE_INVALID, &ck.DigestKeyCall{Session: c.session, Key: 999})
	c.refused(ck.CKR_KEY_INDIGESTIBLE, &ck.DigestKeyCall{Session: c.session, Key: data})
	c.do(&ck.DigestKeyCall{Session: c.session, Key: key})
	final := &ck.DigestFinalCall{Session: c.session}
	want := sha256.Sum256([]byte("a key"))
	c.equal("digest", c.twice(final, &final.Digest), want[:])
	c.refused(ck.CKR_OPERATION_NOT_INITIALIZED, final)
	c.refused(ck.CKR_MECHANISM_PARAM_INVALID, &ck.DigestInitCall{Session: c.session, Mechanism: mechWith(ck.CKM_SHA256, ck.RawParam("x"))})
	c.refused(ck.CKR_MECHANISM_INVALID, &ck.DigestInitCall{Session: c.session, Mechanism: mech(ck.CKM_RSA_PKCS)})
	c.do(&ck.DigestInitCall{Session: c.session, Mechanism: mech(ck.CKM_SHA256)})
	c.do(&ck.DigestUpdateCall{Session: c.session})
	c.refused(ck.CKR_OPERATION_ACTIVE, &ck.DigestCall{Session: c.session})
}
