package moduletest

import (
	"bytes"
	"crypto/sha256"

	"github.com/p11mux/p11mux/ck"
)

// message is long enough to need several blocks.
var message = bytes.Repeat([]byte("what is to be kept secret. "), 9)

// random asks for random octets.
func (s *suite) random() {
	session := s.user()
	a := &ck.GenerateRandomCall{Session: session, RandomData: make([]byte, 32)}
	b := &ck.GenerateRandomCall{Session: session, RandomData: make([]byte, 32)}
	s.must(a)
	s.must(b)
	if bytes.Equal(a.RandomData, b.RandomData) || bytes.Equal(a.RandomData, make([]byte, 32)) {
		s.Errorf("random octets are %x and %x", a.RandomData, b.RandomData)
	}
	if err := s.do(&ck.SeedRandomCall{Session: session, Seed: []byte("seed")}); err != nil && ck.RVOf(err) != ck.CKR_RANDOM_SEED_NOT_SUPPORTED {
		s.Errorf("C_SeedRandom: %v", err)
	}
}

// digest digests in one part and in several.
func (s *suite) digest() {
	session := s.user()
	if !s.offered(ck.CKM_SHA256, ck.CKF_DIGEST) {
		return
	}
	want := sha256.Sum256(message)
	init := &ck.DigestInitCall{Session: session, Mechanism: &ck.Mechanism{Type: ck.CKM_SHA256}}
	s.must(init)
	one := &ck.DigestCall{Session: session, Data: message}
	if got := s.fill(one, &one.Digest); !bytes.Equal(got, want[:]) {
		s.Errorf("in one part: %x, want %x", got, want)
	}
	s.must(init)
	for i := 0; i < len(message); i += 50 {
		s.must(&ck.DigestUpdateCall{Session: session, Part: message[i:min(i+50, len(message))]})
	}
	last := &ck.DigestFinalCall{Session: session}
	if got := s.fill(last, &last.Digest); !bytes.Equal(got, want[:]) {
		s.Errorf("in several parts: %x, want %x", got, want)
	}
	s.refused(&ck.DigestFinalCall{Session: session, Digest: ck.Out[byte]{Buf: make([]byte, 32)}}, ck.CKR_OPERATION_NOT_INITIALIZED)
	s.refused(&ck.DigestInitCall{Session: session, Mechanism: &ck.Mechanism{Type: 0x7fffffff}}, ck.CKR_MECHANISM_INVALID)
}

// pair generates a key pair of the session.
func (s *suite) pair(session ck.SessionHandle, m ck.MechanismType, public ...ck.Attribute) (pub, priv ck.ObjectHandle) {
	s.Helper()
	call := &ck.GenerateKeyPairCall{Session: session, Mechanism: &ck.Mechanism{Type: m},
		PublicTemplate: append(public, ck.Attribute{Type: ck.CKA_TOKEN, Value: no}, ck.Attribute{Type: ck.CKA_VERIFY, Value: yes}, ck.Attribute{Type: ck.CKA_ENCRYPT, Value: yes},
			ck.Attribute{Type: ck.CKA_WRAP, Value: yes}),
		PrivateTemplate: []ck.Attribute{
			{Type: ck.CKA_TOKEN, Value: no}, {Type: ck.CKA_PRIVATE, Value: yes}, {Type: ck.CKA_SENSITIVE, Value: yes}, {Type: ck.CKA_SIGN, Value: yes},
			{Type: ck.CKA_DECRYPT, Value: yes}, {Type: ck.CKA_UNWRAP, Value: yes},
		},
	}
	s.must(call)
	if call.PublicKey == 0 || call.PrivateKey == 0 || call.PublicKey == call.PrivateKey {
		s.Fatalf("the keys are %d and %d", call.PublicKey, call.PrivateKey)
	}
	return call.PublicKey, call.PrivateKey
}

// rsaPair generates an RSA key pair.
func (s *suite) rsaPair(session ck.SessionHandle) (pub, priv ck.ObjectHandle) {
	s.Helper()
	return s.pair(session, ck.CKM_RSA_PKCS_KEY_PAIR_GEN, ck.Attribute{Type: ck.CKA_MODULUS_BITS, Value: ulong(uint64(2048))},
		ck.Attribute{Type: ck.CKA_PUBLIC_EXPONENT, Value: []byte{1, 0, 1}})
}

// rsa signs with RSA.
func (s *suite) rsa() {
	session := s.user()
	if !s.offered(ck.CKM_RSA_PKCS_KEY_PAIR_GEN, ck.CKF_GENERATE_KEY_PAIR) {
		return
	}
	pub, priv := s.rsaPair(session)
	if n := len(s.get(session, pub, ck.CKA_MODULUS)); n != 256 {
		s.Errorf("the modulus has %d octets", n)
	}
	pss := &ck.RSAPKCSPSSParams{HashAlg: ck.CKM_SHA256, MGF: ck.CKG_MGF1_SHA256, SaltLen: 32}
	for _, m := range []*ck.Mechanism{{Type: ck.CKM_SHA256_RSA_PKCS}, {Type: ck.CKM_SHA256_RSA_PKCS_PSS, Param: pss}} {
		if s.offered(m.Type, ck.CKF_SIGN|ck.CKF_VERIFY) {
			s.signature(session, m, pub, priv, message, true)
		}
	}
	if s.offered(ck.CKM_SHA256_RSA_PKCS_PSS, ck.CKF_SIGN) {
		s.refused(&ck.SignInitCall{Session: session, Mechanism: &ck.Mechanism{Type: ck.CKM_SHA256_RSA_PKCS_PSS}, Key: priv},
			ck.CKR_ARGUMENTS_BAD, ck.CKR_MECHANISM_PARAM_INVALID)
	}
}

// ec signs with ECDSA.
func (s *suite) ec() {
	session := s.user()
	if !s.offered(ck.CKM_EC_KEY_PAIR_GEN, ck.CKF_GENERATE_KEY_PAIR) || !s.offered(ck.CKM_ECDSA, ck.CKF_SIGN|ck.CKF_VERIFY) {
		return
	}
	p256 := []byte{6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7}
	pub, priv := s.pair(session, ck.CKM_EC_KEY_PAIR_GEN, ck.Attribute{Type: ck.CKA_EC_PARAMS, Value: p256})
	if got := s.get(session, pub, ck.CKA_EC_PARAMS); !bytes.Equal(got, p256) {
		s.Errorf("the curve is %x", got)
	}
	sum := sha256.Sum256(message)
	s.signature(session, &ck.Mechanism{Type: ck.CKM_ECDSA}, pub, priv, sum[:], false)
}

// signature signs and verifies data, in several parts too where the mechanism can.
func (s *suite) signature(session ck.SessionHandle, m *ck.Mechanism, pub, priv ck.ObjectHandle, data []byte, parts bool) {
	s.Helper()
	s.must(&ck.SignInitCall{Session: session, Mechanism: m, Key: priv})
	s.refused(&ck.SignInitCall{Session: session, Mechanism: m, Key: priv}, ck.CKR_OPERATION_ACTIVE)
	one := &ck.SignCall{Session: session, Data: data}
	sigs := [][]byte{s.fill(one, &one.Signature)}
	if parts {
		s.must(&ck.SignInitCall{Session: session, Mechanism: m, Key: priv})
		s.must(&ck.SignUpdateCall{Session: session, Part: data[:7]})
		s.must(&ck.SignUpdateCall{Session: session, Part: data[7:]})
		last := &ck.SignFinalCall{Session: session}
		sigs = append(sigs, s.fill(last, &last.Signature))
	}
	for _, sig := range sigs {
		s.must(&ck.VerifyInitCall{Session: session, Mechanism: m, Key: pub})
		s.must(&ck.VerifyCall{Session: session, Data: data, Signature: sig})
		if parts {
			s.must(&ck.VerifyInitCall{Session: session, Mechanism: m, Key: pub})
			s.must(&ck.VerifyUpdateCall{Session: session, Part: data[:9]})
			s.must(&ck.VerifyUpdateCall{Session: session, Part: data[9:]})
			s.must(&ck.VerifyFinalCall{Session: session, Signature: sig})
		}
		sig[0] ^= 1
		s.must(&ck.VerifyInitCall{Session: session, Mechanism: m, Key: pub})
		s.refused(&ck.VerifyCall{Session: session, Data: data, Signature: sig}, ck.CKR_SIGNATURE_INVALID)
		s.must(&ck.VerifyInitCall{Session: session, Mechanism: m, Key: pub})
		s.refused(&ck.VerifyCall{Session: session, Data: data, Signature: sig[1:]}, ck.CKR_SIGNATURE_LEN_RANGE, ck.CKR_SIGNATURE_INVALID)
	}
}

// aes generates a sensitive AES key of the session that may do everything.
func (s *suite) aes(session ck.SessionHandle) ck.ObjectHandle {
	s.Helper()
	call := &ck.GenerateKeyCall{Session: session, Mechanism: &ck.Mechanism{Type: ck.CKM_AES_KEY_GEN}, Template: []ck.Attribute{
		{Type: ck.CKA_VALUE_LEN, Value: ulong(uint64(32))}, {Type: ck.CKA_TOKEN, Value: no}, {Type: ck.CKA_SENSITIVE, Value: yes}, {Type: ck.CKA_EXTRACTABLE, Value: yes},
		{Type: ck.CKA_ENCRYPT, Value: yes}, {Type: ck.CKA_DECRYPT, Value: yes}, {Type: ck.CKA_WRAP, Value: yes}, {Type: ck.CKA_UNWRAP, Value: yes},
	}}
	s.must(call)
	return call.Key
}

// encryption encrypts with AES in one part and in several.
func (s *suite) encryption() {
	session := s.user()
	if !s.offered(ck.CKM_AES_KEY_GEN, ck.CKF_GENERATE) || !s.offered(ck.CKM_AES_CBC_PAD, ck.CKF_ENCRYPT|ck.CKF_DECRYPT) {
		return
	}
	key := s.aes(session)
	m := &ck.Mechanism{Type: ck.CKM_AES_CBC_PAD, Param: ck.RawParam("sixteen octets!!")}
	s.must(&ck.EncryptInitCall{Session: session, Mechanism: m, Key: key})
	one := &ck.EncryptCall{Session: session, Data: message}
	secret := s.fill(one, &one.EncryptedData)
	if bytes.Contains(secret, message[:20]) || len(secret) <= len(message) || len(secret)%16 != 0 {
		s.Fatalf("%d octets become %d", len(message), len(secret))
	}

	var parts []byte
	s.must(&ck.EncryptInitCall{Session: session, Mechanism: m, Key: key})
	for i := 0; i < len(message); i += 60 {
		up := &ck.EncryptUpdateCall{Session: session, Part: message[i:min(i+60, len(message))], EncryptedPart: ck.Out[byte]{Buf: make([]byte, 100)}}
		s.must(up)
		parts = append(parts, up.EncryptedPart.Bytes()...)
	}
	last := &ck.EncryptFinalCall{Session: session, LastEncryptedPart: ck.Out[byte]{Buf: make([]byte, 32)}}
	s.must(last)
	if parts = append(parts, last.LastEncryptedPart.Bytes()...); !bytes.Equal(parts, secret) {
		s.Error("several parts are encrypted otherwise than one")
	}

	s.must(&ck.DecryptInitCall{Session: session, Mechanism: m, Key: key})
	back := &ck.DecryptCall{Session: session, EncryptedData: secret, Data: ck.Out[byte]{Buf: make([]byte, len(secret))}}
	s.must(back)
	if !bytes.Equal(back.Data.Bytes(), message) {
		s.Errorf("comes back as %q", back.Data.Bytes())
	}
	s.must(&ck.DecryptInitCall{Session: session, Mechanism: m, Key: key})
	up := &ck.DecryptUpdateCall{Session: session, EncryptedPart: secret, Part: ck.Out[byte]{Buf: make([]byte, len(secret))}}
	s.must(up)
	end := &ck.DecryptFinalCall{Session: session, LastPart: ck.Out[byte]{Buf: make([]byte, 32)}}
	s.must(end)
	if got := append(bytes.Clone(up.Part.Bytes()), end.LastPart.Bytes()...); !bytes.Equal(got, message) {
		s.Errorf("in parts it comes back as %q", got)
	}
	s.refused(&ck.EncryptInitCall{Session: session, Mechanism: &ck.Mechanism{Type: ck.CKM_AES_CBC_PAD, Param: ck.RawParam("short")}, Key: key},
		ck.CKR_MECHANISM_PARAM_INVALID, ck.CKR_MECHANISM_INVALID, ck.CKR_ARGUMENTS_BAD)
}

// gcm encrypts with a parameter that has pointers.
func (s *suite) gcm() {
	session := s.user()
	if !s.offered(ck.CKM_AES_KEY_GEN, ck.CKF_GENERATE) || !s.offered(ck.CKM_AES_GCM, ck.CKF_ENCRYPT|ck.CKF_DECRYPT) {
		return
	}
	key := s.aes(session)
	m := &ck.Mechanism{Type: ck.CKM_AES_GCM, Param: &ck.GCMParams{IV: []byte("twelve octet"), IVBits: 96, AAD: []byte("not secret"), TagBits: 128}}
	s.must(&ck.EncryptInitCall{Session: session, Mechanism: m, Key: key})
	one := &ck.EncryptCall{Session: session, Data: message}
	secret := s.fill(one, &one.EncryptedData)
	if len(secret) != len(message)+16 {
		s.Fatalf("%d octets become %d", len(message), len(secret))
	}
	s.must(&ck.DecryptInitCall{Session: session, Mechanism: m, Key: key})
	back := &ck.DecryptCall{Session: session, EncryptedData: secret, Data: ck.Out[byte]{Buf: make([]byte, len(secret))}}
	s.must(back)
	if !bytes.Equal(back.Data.Bytes(), message) {
		s.Errorf("comes back as %q", back.Data.Bytes())
	}
	m.Param.(*ck.GCMParams).AAD = []byte("forged")
	s.must(&ck.DecryptInitCall{Session: session, Mechanism: m, Key: key})
	s.refused(&ck.DecryptCall{Session: session, EncryptedData: secret, Data: ck.Out[byte]{Buf: make([]byte, len(secret))}},
		ck.CKR_ENCRYPTED_DATA_INVALID, ck.CKR_AEAD_DECRYPT_FAILED, ck.CKR_GENERAL_ERROR)
}

// oaep encrypts with RSA.
func (s *suite) oaep() {
	session := s.user()
	if !s.offered(ck.CKM_RSA_PKCS_KEY_PAIR_GEN, ck.CKF_GENERATE_KEY_PAIR) || !s.offered(ck.CKM_RSA_PKCS_OAEP, ck.CKF_ENCRYPT|ck.CKF_DECRYPT) {
		return
	}
	pub, priv := s.rsaPair(session)
	m := &ck.Mechanism{Type: ck.CKM_RSA_PKCS_OAEP, Param: &ck.RSAPKCSOAEPParams{HashAlg: ck.CKM_SHA_1, MGF: ck.CKG_MGF1_SHA1, Source: ck.CKZ_DATA_SPECIFIED}}
	s.must(&ck.EncryptInitCall{Session: session, Mechanism: m, Key: pub})
	one := &ck.EncryptCall{Session: session, Data: message[:32]}
	secret := s.fill(one, &one.EncryptedData)
	s.must(&ck.DecryptInitCall{Session: session, Mechanism: m, Key: priv})
	back := &ck.DecryptCall{Session: session, EncryptedData: secret, Data: ck.Out[byte]{Buf: make([]byte, 256)}}
	s.must(back)
	if !bytes.Equal(back.Data.Bytes(), message[:32]) {
		s.Errorf("comes back as %q", back.Data.Bytes())
	}
}

// wrapping wraps a key and unwraps it.
func (s *suite) wrapping() {
	session := s.user()
	if !s.offered(ck.CKM_AES_KEY_GEN, ck.CKF_GENERATE) || !s.offered(ck.CKM_AES_KEY_WRAP, ck.CKF_WRAP|ck.CKF_UNWRAP) || !s.offered(ck.CKM_AES_CBC_PAD, ck.CKF_ENCRYPT) {
		return
	}
	key, wrapping := s.aes(session), s.aes(session)
	wrap := &ck.WrapKeyCall{Session: session, Mechanism: &ck.Mechanism{Type: ck.CKM_AES_KEY_WRAP}, WrappingKey: wrapping, Key: key}
	wrapped := s.fill(wrap, &wrap.WrappedKey)
	if len(wrapped) != 40 {
		s.Errorf("the wrapped key has %d octets, want 40", len(wrapped))
	}
	unwrap := &ck.UnwrapKeyCall{Session: session, Mechanism: &ck.Mechanism{Type: ck.CKM_AES_KEY_WRAP}, UnwrappingKey: wrapping, WrappedKey: wrapped, Template: []ck.Attribute{
		{Type: ck.CKA_CLASS, Value: ulong(ck.CKO_SECRET_KEY)}, {Type: ck.CKA_KEY_TYPE, Value: ulong(ck.CKK_AES)}, {Type: ck.CKA_TOKEN, Value: no},
		{Type: ck.CKA_ENCRYPT, Value: yes},
	}}
	s.must(unwrap)
	var secrets [][]byte
	for _, k := range []ck.ObjectHandle{key, unwrap.Key} {
		s.must(&ck.EncryptInitCall{Session: session, Mechanism: &ck.Mechanism{Type: ck.CKM_AES_CBC_PAD, Param: ck.RawParam(make([]byte, 16))}, Key: k})
		one := &ck.EncryptCall{Session: session, Data: message}
		secrets = append(secrets, s.fill(one, &one.EncryptedData))
	}
	if !bytes.Equal(secrets[0], secrets[1]) {
		s.Error("the unwrapped key is another one")
	}
}
