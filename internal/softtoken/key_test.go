package softtoken

import (
	"bytes"
	"crypto/x509"
	"testing"

	"github.com/p11mux/p11mux/ck"
)

func TestCBCPad(t *testing.T) {
	c := openUser(t)
	key := c.secretKey(ck.CKK_AES, make([]byte, 32))
	iv := []byte("initial value 16")
	m := mechWith(ck.CKM_AES_CBC_PAD, ck.RawParam(iv))
	for n := range 50 {
		plain := bytes.Repeat([]byte{0xab}, n)
		sealed := c.encrypt(m, key, plain)
		if len(sealed) != n/16*16+16 {
			t.Fatalf("%d octets became %d", n, len(sealed))
		}
		c.equal("whole", c.decrypt(m, key, sealed), plain)
		for _, k := range []int{1, 15, 16, 17} {
			c.equal("sealed in parts", c.encryptParts(m, key, plain, k), sealed)
			c.equal("opened in parts", c.decryptParts(m, key, sealed, k), plain)
		}
	}
	// The parameter belongs to the caller: what becomes of it after the Init call does not matter.
	c.do(&ck.EncryptInitCall{Session: c.session, Mechanism: m, Key: key})
	clear(iv)
	call := &ck.EncryptCall{Session: c.session, Data: []byte("data"), EncryptedData: ck.Out[byte]{Buf: make([]byte, 16)}}
	c.do(call)
	copy(iv, "initial value 16")
	c.equal("kept parameter", c.decrypt(m, key, call.EncryptedData.Bytes()), []byte("data"))

	out := ck.Out[byte]{Buf: make([]byte, 99)}
	sealed := c.encrypt(mechWith(ck.CKM_AES_CBC, ck.RawParam(iv)), key, append(make([]byte, 15), 17))
	for _, test := range []struct {
		want ck.RV
		data []byte
	}{
		{ck.CKR_ENCRYPTED_DATA_INVALID, sealed}, {ck.CKR_ENCRYPTED_DATA_LEN_RANGE, sealed[1:]}, {ck.CKR_ENCRYPTED_DATA_LEN_RANGE, nil},
	} {
		c.do(&ck.DecryptInitCall{Session: c.session, Mechanism: m, Key: key})
		c.refused(test.want, &ck.DecryptCall{Session: c.session, EncryptedData: test.data, Data: out})
		c.refused(ck.CKR_OPERATION_NOT_INITIALIZED, &ck.DecryptFinalCall{Session: c.session, LastPart: out})
	}
	c.do(&ck.EncryptInitCall{Session: c.session, Mechanism: mech(ck.CKM_AES_ECB), Key: key})
	c.refused(ck.CKR_DATA_LEN_RANGE, &ck.EncryptCall{Session: c.session, Data: []byte("short"), EncryptedData: out})
}

// A part for which there is no room is not taken, and neither is one whose length is asked for.
func TestUpdateRoom(t *testing.T) {
	c := openUser(t)
	key := c.secretKey(ck.CKK_AES, make([]byte, 16))
	plain := bytes.Repeat([]byte{3}, 40)
	m := mechWith(ck.CKM_AES_CBC_PAD, ck.RawParam(make([]byte, 16)))
	c.do(&ck.EncryptInitCall{Session: c.session, Mechanism: m, Key: key})
	update := &ck.EncryptUpdateCall{Session: c.session, Part: plain}
	sealed := bytes.Clone(c.twice(update, &update.EncryptedPart))
	if len(sealed) != 32 {
		t.Errorf("40 octets gave %d", len(sealed))
	}
	c.refused(ck.CKR_OPERATION_ACTIVE, &ck.EncryptInitCall{Session: c.session, Mechanism: m, Key: key})
	last := &ck.EncryptFinalCall{Session: c.session}
	sealed = append(sealed, c.twice(last, &last.LastEncryptedPart)...)
	c.equal("back", c.decrypt(m, key, sealed), plain)
	c.do(&ck.EncryptInitCall{Session: c.session, Mechanism: m, Key: key})
	c.do(update)
	c.refused(ck.CKR_OPERATION_ACTIVE, &ck.EncryptCall{Session: c.session, Data: plain})
	c.refused(ck.CKR_OPERATION_NOT_INITIALIZED, last)
	c.refused(ck.CKR_OPERATION_NOT_INITIALIZED, update)
}

// Input and output in the same memory, as C callers like it.
func TestEncryptInPlace(t *testing.T) {
	c := openUser(t)
	key := c.secretKey(ck.CKK_AES, make([]byte, 16))
	m := mechWith(ck.CKM_AES_CBC, ck.RawParam(make([]byte, 16)))
	plain := bytes.Repeat([]byte("sixteen octets. "), 3)
	want := c.encrypt(m, key, plain)
	for _, shift := range []int{0, 5} {
		buf := append(bytes.Clone(plain), make([]byte, 16)...)
		c.do(&ck.EncryptInitCall{Session: c.session, Mechanism: m, Key: key})
		call := &ck.EncryptCall{Session: c.session, Data: buf[:48], EncryptedData: ck.Out[byte]{Buf: buf[shift:]}}
		c.do(call)
		c.equal("in place", call.EncryptedData.Bytes(), want)
	}
}

func TestCipherRefused(t *testing.T) {
	c := openUser(t)
	key := c.secretKey(ck.CKK_AES, make([]byte, 16), flag(ck.CKA_DECRYPT, false))
	rsaPub, _ := c.pair(ck.CKM_RSA_PKCS_KEY_PAIR_GEN, []ck.Attribute{num(ck.CKA_MODULUS_BITS, 1024)}, nil)
	gcm := func(iv int, bits uint64) *ck.Mechanism {
		return mechWith(ck.CKM_AES_GCM, &ck.GCMParams{IV: make([]byte, iv), TagBits: bits})
	}
	oaep := func(p ck.RSAPKCSOAEPParams) *ck.Mechanism { return mechWith(ck.CKM_RSA_PKCS_OAEP, &p) }
	for _, test := range []struct {
		want ck.RV
		m    *ck.Mechanism
		key  ck.ObjectHandle
	}{
		{ck.CKR_MECHANISM_INVALID, mech(ck.CKM_AES_KEY_WRAP), key},
		{ck.CKR_KEY_TYPE_INCONSISTENT, mech(ck.CKM_AES_ECB), rsaPub},
		{ck.CKR_KEY_TYPE_INCONSISTENT, mech(ck.CKM_RSA_PKCS), key},
		{ck.CKR_MECHANISM_PARAM_INVALID, mechWith(ck.CKM_AES_ECB, ck.RawParam("x")), key},
		{ck.CKR_MECHANISM_PARAM_INVALID, mech(ck.CKM_AES_CBC), key},
		{ck.CKR_MECHANISM_PARAM_INVALID, mechWith(ck.CKM_AES_CBC, ck.RawParam("x")), key},
		{ck.CKR_MECHANISM_PARAM_INVALID, mechWith(ck.CKM_AES_CTR, ck.RawParam("x")), key},
		{ck.CKR_MECHANISM_PARAM_INVALID, mechWith(ck.CKM_AES_CTR, &ck.AESCTRParams{CounterBits: 129}), key},
		{ck.CKR_MECHANISM_PARAM_INVALID, gcm(0, 128), key},
		{ck.CKR_MECHANISM_PARAM_INVALID, gcm(12, 136), key},
		{ck.CKR_MECHANISM_PARAM_INVALID, gcm(12, 64), key},
		{ck.CKR_MECHANISM_PARAM_INVALID, gcm(13, 96), key},
		{ck.CKR_MECHANISM_PARAM_INVALID, oaep(ck.RSAPKCSOAEPParams{HashAlg: ck.CKM_MD5, MGF: ck.CKG_MGF1_SHA1}), rsaPub},
		{ck.CKR_MECHANISM_PARAM_INVALID, oaep(ck.RSAPKCSOAEPParams{HashAlg: ck.CKM_SHA_1, MGF: 99}), rsaPub},
		{ck.CKR_MECHANISM_PARAM_INVALID, oaep(ck.RSAPKCSOAEPParams{HashAlg: ck.CKM_SHA_1, MGF: ck.CKG_MGF1_SHA1, Source: 2}), rsaPub},
		{ck.CKR_KEY_SIZE_RANGE, oaep(ck.RSAPKCSOAEPParams{HashAlg: ck.CKM_SHA512, MGF: ck.CKG_MGF1_SHA512}), rsaPub},
	} {
		err := c.try(&ck.EncryptInitCall{Session: c.session, Mechanism: test.m, Key: test.key})
		if ck.RVOf(err) != test.want {
			t.Errorf("%v %+v: %v, want %v", test.m.Type, test.m.Param, ck.RVOf(err), test.want)
		}
	}
	c.refused(ck.CKR_KEY_FUNCTION_NOT_PERMITTED, &ck.DecryptInitCall{Session: c.session, Mechanism: mech(ck.CKM_AES_ECB), Key: key})
	c.do(&ck.EncryptInitCall{Session: c.session, Mechanism: mech(ck.CKM_RSA_PKCS), Key: rsaPub})
	c.refused(ck.CKR_FUNCTION_NOT_SUPPORTED, &ck.EncryptUpdateCall{Session: c.session, Part: []byte("x")})
	c.do(&ck.EncryptInitCall{Session: c.session, Mechanism: mech(ck.CKM_RSA_PKCS), Key: rsaPub})
	c.refused(ck.CKR_DATA_LEN_RANGE, &ck.EncryptCall{Session: c.session, Data: make([]byte, 118), EncryptedData: ck.Out[byte]{Buf: make([]byte, 128)}})
}

func TestGenerateKey(t *testing.T) {
	c := openUser(t)
	call := &ck.GenerateKeyCall{Session: c.session, Mechanism: mech(ck.CKM_AES_KEY_GEN), Template: []ck.Attribute{
		num(ck.CKA_VALUE_LEN, 32), flag(ck.CKA_SENSITIVE, true)}}
	c.do(call)
	for _, typ := range []ck.AttributeType{ck.CKA_LOCAL, ck.CKA_ALWAYS_SENSITIVE, ck.CKA_NEVER_EXTRACTABLE, ck.CKA_PRIVATE, ck.CKA_ENCRYPT} {
		if !c.is(call.Key, typ) {
			t.Errorf("%v is false", typ)
		}
	}
	c.equal("mechanism", c.get(call.Key, ck.CKA_KEY_GEN_MECHANISM), fromULong(uint64(ck.CKM_AES_KEY_GEN)))
	generate := func(m ck.MechanismType, a ...ck.Attribute) *ck.GenerateKeyCall {
		return &ck.GenerateKeyCall{Session: c.session, Mechanism: mech(m), Template: a}
	}
	generic := generate(ck.CKM_GENERIC_SECRET_KEY_GEN, append(readable, num(ck.CKA_VALUE_LEN, 100), num(ck.CKA_KEY_TYPE, ck.CKK_SHA512_HMAC))...)
	c.do(generic)
	first := c.get(generic.Key, ck.CKA_VALUE)
	c.do(generic)
	if len(first) != 100 || bytes.Equal(first, c.get(generic.Key, ck.CKA_VALUE)) {
		t.Error("generated secrets have the wrong length or are the same")
	}
	c.refused(ck.CKR_ATTRIBUTE_VALUE_INVALID, generate(ck.CKM_AES_KEY_GEN, num(ck.CKA_VALUE_LEN, 17)))
	c.refused(ck.CKR_ATTRIBUTE_VALUE_INVALID, generate(ck.CKM_GENERIC_SECRET_KEY_GEN, num(ck.CKA_VALUE_LEN, 0)))
	c.refused(ck.CKR_ATTRIBUTE_VALUE_INVALID, generate(ck.CKM_GENERIC_SECRET_KEY_GEN, num(ck.CKA_VALUE_LEN, 1<<20)))
	c.refused(ck.CKR_TEMPLATE_INCOMPLETE, generate(ck.CKM_AES_KEY_GEN))
	c.refused(ck.CKR_TEMPLATE_INCONSISTENT, generate(ck.CKM_AES_KEY_GEN, num(ck.CKA_VALUE_LEN, 16), num(ck.CKA_CLASS, ck.CKO_DATA)))
	c.refused(ck.CKR_TEMPLATE_INCONSISTENT, generate(ck.CKM_AES_KEY_GEN, num(ck.CKA_VALUE_LEN, 16), num(ck.CKA_KEY_TYPE, ck.CKK_RSA)))
	c.refused(ck.CKR_ATTRIBUTE_READ_ONLY, generate(ck.CKM_AES_KEY_GEN, num(ck.CKA_VALUE_LEN, 16), octs(ck.CKA_VALUE, make([]byte, 16))))
	c.refused(ck.CKR_MECHANISM_INVALID, generate(ck.CKM_RSA_PKCS_KEY_PAIR_GEN, num(ck.CKA_VALUE_LEN, 16)))
	c.refused(ck.CKR_ARGUMENTS_BAD, &ck.GenerateKeyCall{Session: c.session})
	c.do(&ck.LogoutCall{Session: c.session})
	c.refused(ck.CKR_USER_NOT_LOGGED_IN, generate(ck.CKM_AES_KEY_GEN, num(ck.CKA_VALUE_LEN, 16)))
	c.do(generate(ck.CKM_AES_KEY_GEN, num(ck.CKA_VALUE_LEN, 16), flag(ck.CKA_PRIVATE, false)))
}

func TestGenerateKeyPairRefused(t *testing.T) {
	c := openUser(t)
	before := len(c.found())
	for _, test := range []struct {
		want    ck.RV
		m       ck.MechanismType
		public  []ck.Attribute
		private []ck.Attribute
	}{
		{ck.CKR_TEMPLATE_INCOMPLETE, ck.CKM_RSA_PKCS_KEY_PAIR_GEN, nil, nil},
		{ck.CKR_ATTRIBUTE_VALUE_INVALID, ck.CKM_RSA_PKCS_KEY_PAIR_GEN, []ck.Attribute{num(ck.CKA_MODULUS_BITS, 512)}, nil},
		{ck.CKR_ATTRIBUTE_VALUE_INVALID, ck.CKM_RSA_PKCS_KEY_PAIR_GEN, []ck.Attribute{num(ck.CKA_MODULUS_BITS, 1024), octs(ck.CKA_PUBLIC_EXPONENT, "\x03")}, nil},
		{ck.CKR_ATTRIBUTE_READ_ONLY, ck.CKM_RSA_PKCS_KEY_PAIR_GEN, []ck.Attribute{num(ck.CKA_MODULUS_BITS, 1024)}, []ck.Attribute{octs(ck.CKA_PRIME_1, "\x03")}},
		{ck.CKR_TEMPLATE_INCOMPLETE, ck.CKM_EC_KEY_PAIR_GEN, nil, nil},
		{ck.CKR_DOMAIN_PARAMS_INVALID, ck.CKM_EC_KEY_PAIR_GEN, []ck.Attribute{octs(ck.CKA_EC_PARAMS, "junk")}, nil},
		{ck.CKR_CURVE_NOT_SUPPORTED, ck.CKM_EC_KEY_PAIR_GEN, []ck.Attribute{octs(ck.CKA_EC_PARAMS, paramsEd25519)}, nil},
		{ck.CKR_CURVE_NOT_SUPPORTED, ck.CKM_EC_EDWARDS_KEY_PAIR_GEN, public256, nil},
		{ck.CKR_MECHANISM_INVALID, ck.CKM_AES_KEY_GEN, public256, nil},
	} {
		err := c.try(&ck.GenerateKeyPairCall{Session: c.session, Mechanism: mech(test.m), PublicTemplate: test.public, PrivateTemplate: test.private})
		if ck.RVOf(err) != test.want {
			t.Errorf("%v %v: %v, want %v", test.m, test.public, ck.RVOf(err), test.want)
		}
	}
	if n := len(c.found()); n != before {
		t.Errorf("%d objects are left of pairs that were refused", n-before)
	}
}

// Every kind of key through every mechanism that takes it.
func TestWrapUnwrap(t *testing.T) {
	c := openUser(t)
	both := []ck.Attribute{flag(ck.CKA_WRAP, true), flag(ck.CKA_UNWRAP, true)}
	aes := c.secretKey(ck.CKK_AES, make([]byte, 16), both...)
	rsaPub, rsaPriv := c.pair(ck.CKM_RSA_PKCS_KEY_PAIR_GEN, append(both[:1:1], num(ck.CKA_MODULUS_BITS, 1024)), append(both[1:2:2], readable...))
	_, ecPriv := c.pair(ck.CKM_EC_KEY_PAIR_GEN, public256, readable)
	_, edPriv := c.pair(ck.CKM_EC_EDWARDS_KEY_PAIR_GEN, []ck.Attribute{octs(ck.CKA_EC_PARAMS, paramsEd25519)}, readable)
	secret := c.secretKey(ck.CKK_AES, bytes.Repeat([]byte{5}, 24), readable...)

	oaep := mechWith(ck.CKM_RSA_PKCS_OAEP, &ck.RSAPKCSOAEPParams{HashAlg: ck.CKM_SHA_1, MGF: ck.CKG_MGF1_SHA1, Source: ck.CKZ_DATA_SPECIFIED})
	pad := mechWith(ck.CKM_AES_CBC_PAD, ck.RawParam(make([]byte, 16)))
	for _, test := range []struct {
		m          *ck.Mechanism
		with, back ck.ObjectHandle
		keys       []ck.ObjectHandle
	}{
		{mech(ck.CKM_AES_KEY_WRAP), aes, aes, []ck.ObjectHandle{secret}},
		{mechWith(ck.CKM_AES_KEY_WRAP, ck.RawParam("12345678")), aes, aes, []ck.ObjectHandle{secret}},
		{mech(ck.CKM_AES_KEY_WRAP_PAD), aes, aes, []ck.ObjectHandle{secret, rsaPriv, ecPriv, edPriv}},
		{mech(ck.CKM_AES_KEY_WRAP_KWP), aes, aes, []ck.ObjectHandle{secret, rsaPriv, ecPriv, edPriv}},
		{pad, aes, aes, []ck.ObjectHandle{secret, rsaPriv, ecPriv, edPriv}},
		{mech(ck.CKM_RSA_PKCS), rsaPub, rsaPriv, []ck.ObjectHandle{secret}},
		{oaep, rsaPub, rsaPriv, []ck.ObjectHandle{secret}},
	} {
		for _, key := range test.keys {
			wrap := &ck.WrapKeyCall{Session: c.session, Mechanism: test.m, WrappingKey: test.with, Key: key}
			wrapped := c.twice(wrap, &wrap.WrappedKey)
			unwrap := &ck.UnwrapKeyCall{Session: c.session, Mechanism: test.m, UnwrappingKey: test.back, WrappedKey: wrapped, Template: []ck.Attribute{
				octs(ck.CKA_CLASS, c.get(key, ck.CKA_CLASS)), octs(ck.CKA_KEY_TYPE, c.get(key, ck.CKA_KEY_TYPE)), flag(ck.CKA_SENSITIVE, false)}}
			c.do(unwrap)
			typ := ck.CKA_VALUE
			if key == rsaPriv {
				typ = ck.CKA_PRIVATE_EXPONENT
			}
			c.equal(test.m.Type.String(), c.get(unwrap.Key, typ), c.get(key, typ))
			if c.is(unwrap.Key, ck.CKA_LOCAL) || c.is(unwrap.Key, ck.CKA_NEVER_EXTRACTABLE) {
				t.Errorf("%v: an unwrapped key has the history of a generated one", test.m.Type)
			}
			unwrap.WrappedKey = bytes.Clone(wrapped)
			unwrap.WrappedKey[len(wrapped)/3] ^= 1
			if rv := ck.RVOf(c.try(unwrap)); rv != ck.CKR_WRAPPED_KEY_INVALID && test.m != pad {
				t.Errorf("%v: a changed key gave %v", test.m.Type, rv)
			}
		}
	}
	// What is wrapped is what the rest of the world reads.
	for _, key := range []ck.ObjectHandle{rsaPriv, ecPriv, edPriv} {
		wrap := &ck.WrapKeyCall{Session: c.session, Mechanism: pad, WrappingKey: aes, Key: key}
		if _, err := x509.ParsePKCS8PrivateKey(c.decrypt(pad, aes, c.twice(wrap, &wrap.WrappedKey))); err != nil {
			t.Error(err)
		}
	}
}

func TestWrapRefused(t *testing.T) {
	c := openUser(t)
	aes := c.secretKey(ck.CKK_AES, make([]byte, 16), flag(ck.CKA_WRAP, true), flag(ck.CKA_UNWRAP, true))
	plain := c.secretKey(ck.CKK_AES, make([]byte, 16))
	careful := c.secretKey(ck.CKK_AES, make([]byte, 16), flag(ck.CKA_EXTRACTABLE, true), flag(ck.CKA_WRAP_WITH_TRUSTED, true))
	odd := c.secretKey(ck.CKK_GENERIC_SECRET, make([]byte, 17), flag(ck.CKA_EXTRACTABLE, true))
	pub, priv := c.pair(ck.CKM_RSA_PKCS_KEY_PAIR_GEN, []ck.Attribute{num(ck.CKA_MODULUS_BITS, 1024), flag(ck.CKA_WRAP, true)}, readable)
	wrap := func(m ck.MechanismType, with, key ck.ObjectHandle) *ck.WrapKeyCall {
		return &ck.WrapKeyCall{Session: c.session, Mechanism: mech(m), WrappingKey: with, Key: key}
	}
	c.refused(ck.CKR_KEY_UNEXTRACTABLE, wrap(ck.CKM_AES_KEY_WRAP, aes, plain))
	c.refused(ck.CKR_KEY_NOT_WRAPPABLE, wrap(ck.CKM_AES_KEY_WRAP, aes, careful))
	c.refused(ck.CKR_KEY_NOT_WRAPPABLE, wrap(ck.CKM_AES_KEY_WRAP, aes, pub))
	c.refused(ck.CKR_KEY_NOT_WRAPPABLE, wrap(ck.CKM_RSA_PKCS, pub, priv))
	c.refused(ck.CKR_KEY_SIZE_RANGE, wrap(ck.CKM_AES_KEY_WRAP, aes, odd))
	c.refused(ck.CKR_KEY_FUNCTION_NOT_PERMITTED, wrap(ck.CKM_AES_KEY_WRAP, plain, odd))
	c.refused(ck.CKR_KEY_HANDLE_INVALID, wrap(ck.CKM_AES_KEY_WRAP, aes, 999))
	c.refused(ck.CKR_WRAPPING_KEY_HANDLE_INVALID, wrap(ck.CKM_AES_KEY_WRAP, 999, odd))
	c.refused(ck.CKR_WRAPPING_KEY_TYPE_INCONSISTENT, wrap(ck.CKM_AES_KEY_WRAP, pub, odd))
	c.refused(ck.CKR_MECHANISM_INVALID, wrap(ck.CKM_AES_GCM, aes, odd))
	unwrap := &ck.UnwrapKeyCall{Session: c.session, Mechanism: mech(ck.CKM_AES_KEY_WRAP), UnwrappingKey: 999, WrappedKey: make([]byte, 24)}
	c.refused(ck.CKR_UNWRAPPING_KEY_HANDLE_INVALID, unwrap)
	unwrap.UnwrappingKey = pub
	c.refused(ck.CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT, unwrap)
	unwrap.UnwrappingKey = aes
	c.refused(ck.CKR_TEMPLATE_INCOMPLETE, unwrap)
	unwrap.Template = []ck.Attribute{num(ck.CKA_CLASS, ck.CKO_SECRET_KEY), num(ck.CKA_KEY_TYPE, ck.CKK_AES), octs(ck.CKA_VALUE, "x")}
	c.refused(ck.CKR_ATTRIBUTE_READ_ONLY, unwrap)
	// A key that may be wrapped with trusted keys only can be, once the security officer trusts one.
	c.do(&ck.SetAttributeValueCall{Session: c.session, Object: careful, Template: []ck.Attribute{octs(ck.CKA_LABEL, "careful")}})
	trusted := c.create(num(ck.CKA_CLASS, ck.CKO_SECRET_KEY), num(ck.CKA_KEY_TYPE, ck.CKK_AES), octs(ck.CKA_VALUE, make([]byte, 16)),
		flag(ck.CKA_WRAP, true), flag(ck.CKA_PRIVATE, false))
	c.do(&ck.CopyObjectCall{Session: c.session, Object: careful, Template: []ck.Attribute{flag(ck.CKA_TOKEN, true)}})
	c.do(&ck.LogoutCall{Session: c.session})
	c.login(ck.CKU_SO, SOPIN)
	c.do(&ck.SetAttributeValueCall{Session: c.session, Object: trusted, Template: []ck.Attribute{flag(ck.CKA_TRUSTED, true)}})
	c.do(&ck.LogoutCall{Session: c.session})
	c.login(ck.CKU_USER, UserPIN)
	c.do(wrap(ck.CKM_AES_KEY_WRAP, trusted, c.found(octs(ck.CKA_LABEL, "careful"))[0]))
}

// Two parties derive the same key, with each derivation function.
func TestDerive(t *testing.T) {
	c := openUser(t)
	derivable := []ck.Attribute{flag(ck.CKA_DERIVE, true)}
	aPub, aPriv := c.pair(ck.CKM_EC_KEY_PAIR_GEN, public256, derivable)
	bPub, bPriv := c.pair(ck.CKM_EC_KEY_PAIR_GEN, public256, derivable)
	derive := func(key, peer ck.ObjectHandle, kdf uint64, shared string, a ...ck.Attribute) *ck.DeriveKeyCall {
		p := &ck.ECDH1DeriveParams{KDF: kdf, PublicData: c.get(peer, ck.CKA_EC_POINT), SharedData: []byte(shared)}
		return &ck.DeriveKeyCall{Session: c.session, Mechanism: mechWith(ck.CKM_ECDH1_DERIVE, p), BaseKey: key,
			Template: append([]ck.Attribute{num(ck.CKA_CLASS, ck.CKO_SECRET_KEY)}, a...)}
	}
	template := append([]ck.Attribute{num(ck.CKA_KEY_TYPE, ck.CKK_AES), num(ck.CKA_VALUE_LEN, 32)}, readable...)
	seen := make(map[string]bool)
	for _, kdf := range []uint64{ck.CKD_NULL, ck.CKD_SHA1_KDF, ck.CKD_SHA224_KDF, ck.CKD_SHA256_KDF, ck.CKD_SHA384_KDF, ck.CKD_SHA512_KDF} {
		shared := "shared"
		if kdf == ck.CKD_NULL {
			shared = ""
		}
		a, b := derive(aPriv, bPub, kdf, shared, template...), derive(bPriv, aPub, kdf, shared, template...)
		c.do(a)
		c.do(b)
		value := c.get(a.Key, ck.CKA_VALUE)
		c.equal("derived key", c.get(b.Key, ck.CKA_VALUE), value)
		if seen[string(value)] {
			t.Errorf("derivation function %d gives what another one gave", kdf)
		}
		seen[string(value)] = true
	}
	generic := derive(aPriv, bPub, ck.CKD_SHA384_KDF, "", num(ck.CKA_KEY_TYPE, ck.CKK_GENERIC_SECRET), flag(ck.CKA_SENSITIVE, true))
	c.do(generic)
	c.equal("length", c.get(generic.Key, ck.CKA_VALUE_LEN), fromULong(48))
	if !c.is(generic.Key, ck.CKA_ALWAYS_SENSITIVE) || !c.is(generic.Key, ck.CKA_NEVER_EXTRACTABLE) {
		t.Error("a key derived of a secret one has not always been secret")
	}
	c.refused(ck.CKR_TEMPLATE_INCOMPLETE, derive(aPriv, bPub, ck.CKD_NULL, "", num(ck.CKA_KEY_TYPE, ck.CKK_AES)))
	c.refused(ck.CKR_ATTRIBUTE_VALUE_INVALID, derive(aPriv, bPub, ck.CKD_NULL, "", num(ck.CKA_KEY_TYPE, ck.CKK_GENERIC_SECRET), num(ck.CKA_VALUE_LEN, 33)))
	c.refused(ck.CKR_MECHANISM_PARAM_INVALID, derive(aPriv, bPub, ck.CKD_NULL, "shared", template...))
	c.refused(ck.CKR_MECHANISM_PARAM_INVALID, derive(aPriv, bPub, 99, "", template...))
	c.refused(ck.CKR_KEY_TYPE_INCONSISTENT, derive(aPub, bPub, ck.CKD_NULL, "", template...))
	_, other := c.pair(ck.CKM_EC_KEY_PAIR_GEN, public256, nil)
	c.refused(ck.CKR_KEY_FUNCTION_NOT_PERMITTED, derive(other, bPub, ck.CKD_NULL, "", template...))
}

func TestRandom(t *testing.T) {
	c := open(t)
	call := &ck.GenerateRandomCall{Session: c.session, RandomData: make([]byte, 32)}
	c.do(call)
	first := bytes.Clone(call.RandomData)
	c.do(call)
	if bytes.Equal(first, call.RandomData) {
		t.Errorf("the same random data twice: %x", first)
	}
	c.refused(ck.CKR_ARGUMENTS_BAD, &ck.GenerateRandomCall{Session: c.session})
	c.refused(ck.CKR_RANDOM_SEED_NOT_SUPPORTED, &ck.SeedRandomCall{Session: c.session, Seed: first})
}
