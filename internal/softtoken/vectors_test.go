package softtoken

import (
	"crypto"
	"testing"

	"github.com/p11mux/p11mux/ck"
)

func (c *client) digestOf(m ck.MechanismType, data []byte) []byte {
	c.Helper()
	c.do(&ck.DigestInitCall{Session: c.session, Mechanism: mech(m)})
	call := &ck.DigestCall{Session: c.session, Data: data}
	return c.twice(call, &call.Digest)
}

// FIPS 180-4, the examples with one block.
func TestVectorsSHA(t *testing.T) {
	c := open(t)
	for m, want := range map[ck.MechanismType]string{
		ck.CKM_SHA_1:  "a9993e364706816aba3e25717850c26c9cd0d89d",
		ck.CKM_SHA224: "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7",
		ck.CKM_SHA256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
		ck.CKM_SHA384: "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
		ck.CKM_SHA512: "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a" +
			"2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
	} {
		c.equal(m.String(), c.digestOf(m, []byte("abc")), unhex(want))
	}
}

// RFC 2202 and RFC 4231, case 2.
func TestVectorsHMAC(t *testing.T) {
	c := openUser(t)
	key := c.secretKey(ck.CKK_GENERIC_SECRET, []byte("Jefe"))
	data := []byte("what do ya want for nothing?")
	for _, test := range []struct {
		whole, cut ck.MechanismType
		want       string
	}{
		{ck.CKM_SHA_1_HMAC, ck.CKM_SHA_1_HMAC_GENERAL, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"},
		{ck.CKM_SHA224_HMAC, ck.CKM_SHA224_HMAC_GENERAL, "a30e01098bc6dbbf45690f3a7e9e6d0f8bbea2a39e6148008fd05e44"},
		{ck.CKM_SHA256_HMAC, ck.CKM_SHA256_HMAC_GENERAL, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
		{ck.CKM_SHA384_HMAC, ck.CKM_SHA384_HMAC_GENERAL,
			"af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649"},
		{ck.CKM_SHA512_HMAC, ck.CKM_SHA512_HMAC_GENERAL,
			"164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"},
	} {
		c.equal(test.whole.String(), c.sign(mech(test.whole), key, data), unhex(test.want))
		cut := mechWith(test.cut, ck.RawParam(fromULong(5)))
		c.equal(test.cut.String(), c.sign(cut, key, data), unhex(test.want)[:5])
	}
}

// SP 800-38A, F.1.1, F.2.1 and F.5.1, whole and in parts.
func TestVectorsAES(t *testing.T) {
	c := openUser(t)
	key := c.secretKey(ck.CKK_AES, unhex("2b7e151628aed2a6abf7158809cf4f3c"))
	plain := unhex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51" +
		"30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710")
	counter := &ck.AESCTRParams{CounterBits: 128}
	copy(counter.CB[:], unhex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"))
	narrow := &ck.AESCTRParams{CounterBits: 13, CB: counter.CB}
	for _, test := range []struct {
		m    *ck.Mechanism
		want string
	}{
		{mech(ck.CKM_AES_ECB), "3ad77bb40d7a3660a89ecaf32466ef97f5d3d58503b9699de785895a96fdbaaf" +
			"43b1cd7f598ece23881b00e3ed0306887b0c785e27e8ad3f8223207104725dd4"},
		{mechWith(ck.CKM_AES_CBC, ck.RawParam(unhex("000102030405060708090a0b0c0d0e0f"))),
			"7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2" +
				"73bed6b8e3c1743b7116e69e222295163ff1caa1681fac09120eca307586e1a7"},
		{mechWith(ck.CKM_AES_CTR, counter), "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff" +
			"5ae4df3edbd5d35e5b4f09020db03eab1e031dda2fbe03d1792170a0f3009cee"},
	} {
		want := unhex(test.want)
		c.equal(test.m.Type.String(), c.encrypt(test.m, key, plain), want)
		c.equal(test.m.Type.String(), c.decrypt(test.m, key, want), plain)
		for _, n := range []int{1, 7, 16, 33} {
			c.equal(test.m.Type.String(), c.encryptParts(test.m, key, plain, n), want)
			c.equal(test.m.Type.String(), c.decryptParts(test.m, key, want, n), plain)
		}
	}
	// The counter's last 13 bits are 0x1eff: with four blocks they do not overflow, so the result is the same.
	c.equal("CTR with 13 bits", c.encrypt(mechWith(ck.CKM_AES_CTR, narrow), key, plain),
		c.encrypt(mechWith(ck.CKM_AES_CTR, counter), key, plain))
}

// A counter that overflows leaves the rest of its block alone, and does not come round.
func TestCounterOverflow(t *testing.T) {
	c := openUser(t)
	key := c.secretKey(ck.CKK_AES, make([]byte, 16))
	p := &ck.AESCTRParams{CounterBits: 3}
	for i := range p.CB {
		p.CB[i] = 0xff
	}
	p.CB[15] = 0xfe // 0b11111110: six, of eight
	stream := c.encrypt(mechWith(ck.CKM_AES_CTR, p), key, make([]byte, 8*block))
	for i, low := range []byte{0xfe, 0xff, 0xf8, 0xf9, 0xfa, 0xfb, 0xfc, 0xfd} {
		b := p.CB
		b[15] = low
		c.equal("stream", stream[i*block:][:block], c.encrypt(mech(ck.CKM_AES_ECB), key, b[:]))
	}
	c.do(&ck.EncryptInitCall{Session: c.session, Mechanism: mechWith(ck.CKM_AES_CTR, p), Key: key})
	buf := ck.Out[byte]{Buf: make([]byte, 9*block)}
	c.refused(ck.CKR_DATA_LEN_RANGE, &ck.EncryptCall{Session: c.session, Data: make([]byte, 8*block+1), EncryptedData: buf})
}

// Test case 4 of the GCM specification that NIST took over in SP 800-38D.
func TestVectorsGCM(t *testing.T) {
	c := openUser(t)
	key := c.secretKey(ck.CKK_AES, unhex("feffe9928665731c6d6a8f9467308308"))
	plain := unhex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72" +
		"1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39")
	sealed := unhex("42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e" +
		"21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091" + "5bc94fbc3221a5db94fae95ae7121a47")
	p := &ck.GCMParams{IV: unhex("cafebabefacedbaddecaf888"), IVBits: 96,
		AAD: unhex("feedfacedeadbeeffeedfacedeadbeefabaddad2"), TagBits: 128}
	m := mechWith(ck.CKM_AES_GCM, p)
	c.equal("sealed", c.encrypt(m, key, plain), sealed)
	c.equal("opened", c.decrypt(m, key, sealed), plain)
	c.equal("sealed in parts", c.encryptParts(m, key, plain, 11), sealed)
	c.equal("opened in parts", c.decryptParts(m, key, sealed, 11), plain)

	short := *p
	short.TagBits = 96
	c.equal("short tag", c.encrypt(mechWith(ck.CKM_AES_GCM, &short), key, plain), sealed[:len(sealed)-4])

	sealed[3] ^= 1
	c.do(&ck.DecryptInitCall{Session: c.session, Mechanism: m, Key: key})
	out := ck.Out[byte]{Buf: make([]byte, 99)}
	c.refused(ck.CKR_ENCRYPTED_DATA_INVALID, &ck.DecryptCall{Session: c.session, EncryptedData: sealed, Data: out})
	c.equal("output after a forgery", out.Buf, make([]byte, 99))
	c.refused(ck.CKR_OPERATION_NOT_INITIALIZED, &ck.DecryptCall{Session: c.session, EncryptedData: sealed, Data: out})
}

// RFC 3394 §4.1 and RFC 5649 §6.
func TestVectorsKeyWrap(t *testing.T) {
	c := openUser(t)
	for _, test := range []struct {
		m                  ck.MechanismType
		kek, value, result string
	}{
		{ck.CKM_AES_KEY_WRAP, "000102030405060708090a0b0c0d0e0f", "00112233445566778899aabbccddeeff",
			"1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5"},
		{ck.CKM_AES_KEY_WRAP_KWP, "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8",
			"c37b7e6492584340bed12207808941155068f738", "138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a"},
		{ck.CKM_AES_KEY_WRAP_PAD, "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8",
			"466f7250617369", "afbeb0f07dfbf5419200f2ccb50bb24f"},
	} {
		kek := c.secretKey(ck.CKK_AES, unhex(test.kek), flag(ck.CKA_WRAP, true), flag(ck.CKA_UNWRAP, true))
		key := c.secretKey(ck.CKK_GENERIC_SECRET, unhex(test.value), flag(ck.CKA_EXTRACTABLE, true))
		wrap := &ck.WrapKeyCall{Session: c.session, Mechanism: mech(test.m), WrappingKey: kek, Key: key}
		wrapped := c.twice(wrap, &wrap.WrappedKey)
		c.equal(test.m.String(), wrapped, unhex(test.result))
		unwrap := &ck.UnwrapKeyCall{Session: c.session, Mechanism: mech(test.m), UnwrappingKey: kek, WrappedKey: wrapped, Template: []ck.Attribute{
			num(ck.CKA_CLASS, ck.CKO_SECRET_KEY), num(ck.CKA_KEY_TYPE, ck.CKK_GENERIC_SECRET)}}
		c.do(unwrap)
		c.equal(test.m.String(), c.get(unwrap.Key, ck.CKA_VALUE), unhex(test.value))
		for i := range wrapped {
			wrapped[i] ^= 0x10
			c.refused(ck.CKR_WRAPPED_KEY_INVALID, unwrap)
			wrapped[i] ^= 0x10
		}
		unwrap.WrappedKey = wrapped[1:]
		c.refused(ck.CKR_WRAPPED_KEY_LEN_RANGE, unwrap)
		unwrap.WrappedKey = wrapped[:8]
		c.refused(ck.CKR_WRAPPED_KEY_LEN_RANGE, unwrap)
	}
}

// RFC 6979 A.2.5, P-256 with SHA-256 and the message "sample".
func TestVectorsECDSA(t *testing.T) {
	c := openUser(t)
	point := unhex("0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6" +
		"7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299")
	key := c.create(num(ck.CKA_CLASS, ck.CKO_PUBLIC_KEY), num(ck.CKA_KEY_TYPE, ck.CKK_EC),
		octs(ck.CKA_EC_PARAMS, paramsP256), octs(ck.CKA_EC_POINT, wrapPoint(point)))
	signature := unhex("efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716" +
		"f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8")
	if err := c.verify(mech(ck.CKM_ECDSA_SHA256), key, []byte("sample"), signature); err != nil {
		t.Error(err)
	}
	if err := c.verify(mech(ck.CKM_ECDSA), key, c.digestOf(ck.CKM_SHA256, []byte("sample")), signature); err != nil {
		t.Error(err)
	}
	if err := c.verify(mech(ck.CKM_ECDSA_SHA256), key, []byte("simple"), signature); ck.RVOf(err) != ck.CKR_SIGNATURE_INVALID {
		t.Error(err)
	}
}

// RFC 8032 §7.1 test 2, §7.3 (Ed25519ph).
func TestVectorsEd25519(t *testing.T) {
	c := openUser(t)
	edwards := func(seed string) ck.ObjectHandle {
		return c.create(num(ck.CKA_CLASS, ck.CKO_PRIVATE_KEY), num(ck.CKA_KEY_TYPE, ck.CKK_EC_EDWARDS),
			octs(ck.CKA_EC_PARAMS, paramsEd25519), octs(ck.CKA_VALUE, unhex(seed)))
	}
	key := edwards("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
	c.equal("Ed25519", c.sign(mech(ck.CKM_EDDSA), key, []byte{0x72}), unhex("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"+
		"085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"))
	key = edwards("833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42")
	c.equal("Ed25519ph", c.sign(mechWith(ck.CKM_EDDSA, &ck.EDDSAParams{Prehash: true}), key, []byte("abc")),
		unhex("98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae41"+
			"31f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406"))
}

// RFC 5903 §8.1.
func TestVectorsECDH(t *testing.T) {
	c := openUser(t)
	key := c.create(num(ck.CKA_CLASS, ck.CKO_PRIVATE_KEY), num(ck.CKA_KEY_TYPE, ck.CKK_EC), flag(ck.CKA_DERIVE, true),
		octs(ck.CKA_EC_PARAMS, paramsP256), octs(ck.CKA_VALUE, unhex("c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433")))
	point := unhex("04d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf63" +
		"56fbf3ca366cc23e8157854c13c58d6aac23f046ada30f8353e74f33039872ab")
	want := unhex("d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de")
	p := &ck.ECDH1DeriveParams{KDF: ck.CKD_NULL, PublicData: point}
	derive := &ck.DeriveKeyCall{Session: c.session, Mechanism: mechWith(ck.CKM_ECDH1_DERIVE, p), BaseKey: key, Template: append([]ck.Attribute{
		num(ck.CKA_CLASS, ck.CKO_SECRET_KEY), num(ck.CKA_KEY_TYPE, ck.CKK_GENERIC_SECRET)}, readable...)}
	c.do(derive)
	c.equal("secret", c.get(derive.Key, ck.CKA_VALUE), want)
	p.PublicData = wrapPoint(point)
	derive.Template = append(derive.Template, num(ck.CKA_VALUE_LEN, 10))
	c.do(derive)
	c.equal("end of the secret", c.get(derive.Key, ck.CKA_VALUE), want[22:])
	p.PublicData = point[:64]
	c.refused(ck.CKR_MECHANISM_PARAM_INVALID, derive)
}

// CAVS 12.0, ANSI X9.63-2001 with SHA-256.
func TestVectorsX963(t *testing.T) {
	c := &client{T: t}
	got := stretch(crypto.SHA256, unhex("96c05619d56c328ab95fe84b18264b08725b85e33fd34f08"), nil, 16)
	c.equal("X9.63", got, unhex("443024c3dae66b95e6f5670601558f71"))
	long := stretch(crypto.SHA256, []byte("secret"), []byte("info"), 70)
	if len(long) != 70 {
		t.Errorf("%d octets, want 70", len(long))
	}
	c.equal("start of more", stretch(crypto.SHA256, []byte("secret"), []byte("info"), 33), long[:33])
}
