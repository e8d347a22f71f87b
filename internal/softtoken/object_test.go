package softtoken

import (
	"bytes"
	"crypto/x509"
	"math/big"
	"testing"

	"github.com/p11mux/p11mux/ck"
)

func TestCreateRefused(t *testing.T) {
	c := openUser(t)
	data, secretKey := num(ck.CKA_CLASS, ck.CKO_DATA), num(ck.CKA_CLASS, ck.CKO_SECRET_KEY)
	aes := num(ck.CKA_KEY_TYPE, ck.CKK_AES)
	value := octs(ck.CKA_VALUE, make([]byte, 16))
	for _, test := range []struct {
		name     string
		want     ck.RV
		template []ck.Attribute
	}{
		{"nothing", ck.CKR_TEMPLATE_INCOMPLETE, nil},
		{"class is no number", ck.CKR_ATTRIBUTE_VALUE_INVALID, []ck.Attribute{octs(ck.CKA_CLASS, "x")}},
		{"class that there is not", ck.CKR_ATTRIBUTE_VALUE_INVALID, []ck.Attribute{num(ck.CKA_CLASS, ck.CKO_MECHANISM)}},
		{"profile", ck.CKR_ATTRIBUTE_VALUE_INVALID, []ck.Attribute{num(ck.CKA_CLASS, ck.CKO_PROFILE)}},
		{"twice", ck.CKR_TEMPLATE_INCONSISTENT, []ck.Attribute{data, data}},
		{"attribute of another class", ck.CKR_ATTRIBUTE_TYPE_INVALID, []ck.Attribute{data, octs(ck.CKA_MODULUS, "x")}},
		{"template as value", ck.CKR_ATTRIBUTE_TYPE_INVALID,
			[]ck.Attribute{data, {Type: ck.CKA_WRAP_TEMPLATE, Nested: []ck.Attribute{data}}}},
		{"boolean of two octets", ck.CKR_ATTRIBUTE_VALUE_INVALID, []ck.Attribute{data, octs(ck.CKA_TOKEN, "\x01\x01")}},
		{"boolean that is neither", ck.CKR_ATTRIBUTE_VALUE_INVALID, []ck.Attribute{data, octs(ck.CKA_TOKEN, "\x02")}},
		{"no key type", ck.CKR_TEMPLATE_INCOMPLETE, []ck.Attribute{secretKey, value}},
		{"no value", ck.CKR_TEMPLATE_INCOMPLETE, []ck.Attribute{secretKey, aes}},
		{"key type that there is not", ck.CKR_ATTRIBUTE_VALUE_INVALID,
			[]ck.Attribute{secretKey, num(ck.CKA_KEY_TYPE, ck.CKK_DES3), value}},
		{"AES of 17 octets", ck.CKR_ATTRIBUTE_VALUE_INVALID,
			[]ck.Attribute{secretKey, aes, octs(ck.CKA_VALUE, make([]byte, 17))}},
		{"wrong length", ck.CKR_ATTRIBUTE_VALUE_INVALID, []ck.Attribute{secretKey, aes, value, num(ck.CKA_VALUE_LEN, 17)}},
		{"wrong check value", ck.CKR_ATTRIBUTE_VALUE_INVALID,
			[]ck.Attribute{secretKey, aes, value, octs(ck.CKA_CHECK_VALUE, "abc")}},
		{"read-only", ck.CKR_ATTRIBUTE_READ_ONLY, []ck.Attribute{secretKey, aes, value, flag(ck.CKA_LOCAL, true)}},
		{"date", ck.CKR_ATTRIBUTE_VALUE_INVALID, []ck.Attribute{secretKey, aes, value, octs(ck.CKA_START_DATE, "20261301")}},
		{"trusted by the user", ck.CKR_ATTRIBUTE_READ_ONLY, []ck.Attribute{secretKey, aes, value, flag(ck.CKA_TRUSTED, true)}},
		{"no curve", ck.CKR_DOMAIN_PARAMS_INVALID, []ck.Attribute{num(ck.CKA_CLASS, ck.CKO_PUBLIC_KEY),
			num(ck.CKA_KEY_TYPE, ck.CKK_EC), octs(ck.CKA_EC_PARAMS, "junk"), octs(ck.CKA_EC_POINT, "x")}},
		{"another curve", ck.CKR_CURVE_NOT_SUPPORTED, []ck.Attribute{num(ck.CKA_CLASS, ck.CKO_PUBLIC_KEY),
			num(ck.CKA_KEY_TYPE, ck.CKK_EC), octs(ck.CKA_EC_PARAMS, "\x06\x05\x2b\x81\x04\x00\x0a"), octs(ck.CKA_EC_POINT, "x")}},
		{"point off the curve", ck.CKR_ATTRIBUTE_VALUE_INVALID, []ck.Attribute{num(ck.CKA_CLASS, ck.CKO_PUBLIC_KEY),
			num(ck.CKA_KEY_TYPE, ck.CKK_EC), octs(ck.CKA_EC_PARAMS, paramsP256),
			octs(ck.CKA_EC_POINT, wrapPoint(append([]byte{4}, make([]byte, 64)...)))}},
		{"RSA of nothing", ck.CKR_ATTRIBUTE_VALUE_INVALID, []ck.Attribute{num(ck.CKA_CLASS, ck.CKO_PUBLIC_KEY),
			num(ck.CKA_KEY_TYPE, ck.CKK_RSA), octs(ck.CKA_MODULUS, ""), octs(ck.CKA_PUBLIC_EXPONENT, "\x01\x00\x01")}},
		{"always authenticate in public", ck.CKR_TEMPLATE_INCONSISTENT, []ck.Attribute{num(ck.CKA_CLASS, ck.CKO_PRIVATE_KEY),
			num(ck.CKA_KEY_TYPE, ck.CKK_EC), octs(ck.CKA_EC_PARAMS, paramsP256), octs(ck.CKA_VALUE, "\x01"),
			flag(ck.CKA_PRIVATE, false), flag(ck.CKA_ALWAYS_AUTHENTICATE, true)}},
		{"certificate without value", ck.CKR_TEMPLATE_INCOMPLETE, []ck.Attribute{num(ck.CKA_CLASS, ck.CKO_CERTIFICATE),
			num(ck.CKA_CERTIFICATE_TYPE, ck.CKC_X_509), octs(ck.CKA_SUBJECT, "")}},
		{"certificate of another type", ck.CKR_ATTRIBUTE_VALUE_INVALID, []ck.Attribute{num(ck.CKA_CLASS, ck.CKO_CERTIFICATE),
			num(ck.CKA_CERTIFICATE_TYPE, ck.CKC_WTLS), octs(ck.CKA_SUBJECT, "")}},
	} {
		err := c.try(&ck.CreateObjectCall{Session: c.session, Template: test.template})
		if ck.RVOf(err) != test.want {
			t.Errorf("%s: %v, want %v", test.name, ck.RVOf(err), test.want)
		}
	}
	if n := len(c.found()); n != 0 {
		t.Errorf("%d objects are left of creations that were refused", n)
	}
}

func TestGetAttributeValue(t *testing.T) {
	c := openUser(t)
	key := c.secretKey(ck.CKK_AES, make([]byte, 16), flag(ck.CKA_SENSITIVE, true), octs(ck.CKA_LABEL, "label"))
	call := &ck.GetAttributeValueCall{Session: c.session, Object: key, Template: []ck.AttributeOut{
		{Type: ck.CKA_LABEL},
		{Type: ck.CKA_VALUE, Out: ck.Out[byte]{Buf: make([]byte, 16)}},
		{Type: ck.CKA_MODULUS, Out: ck.Out[byte]{Buf: make([]byte, 16)}},
		{Type: ck.CKA_LABEL, Out: ck.Out[byte]{Buf: make([]byte, 4)}},
		{Type: ck.CKA_LABEL, Out: ck.Out[byte]{Buf: make([]byte, 9)}},
		{Type: ck.CKA_ID, Out: ck.Out[byte]{Buf: make([]byte, 1)}},
	}}
	switch rv := ck.RVOf(c.try(call)); rv {
	case ck.CKR_ATTRIBUTE_SENSITIVE, ck.CKR_ATTRIBUTE_TYPE_INVALID, ck.CKR_BUFFER_TOO_SMALL:
	default:
		t.Errorf("C_GetAttributeValue gave %v", rv)
	}
	none := uint64(ck.CK_UNAVAILABLE_INFORMATION)
	for i, want := range []uint64{5, none, none, none, 5, 0} {
		if got := call.Template[i].N; got != want {
			t.Errorf("entry %d has length %#x, want %#x", i, got, want)
		}
	}
	c.equal("label", call.Template[4].Bytes(), []byte("label"))
	c.equal("secret", call.Template[1].Buf, make([]byte, 16))
	for typ, want := range map[ck.AttributeType]ck.RV{
		ck.CKA_VALUE: ck.CKR_ATTRIBUTE_SENSITIVE, ck.CKA_MODULUS: ck.CKR_ATTRIBUTE_TYPE_INVALID, ck.CKA_WRAP_TEMPLATE: ck.CKR_ATTRIBUTE_TYPE_INVALID,
	} {
		c.refused(want, &ck.GetAttributeValueCall{Session: c.session, Object: key, Template: []ck.AttributeOut{{Type: typ}}})
	}
	c.refused(ck.CKR_OBJECT_HANDLE_INVALID, &ck.GetAttributeValueCall{Session: c.session, Object: key + 100})
	size := &ck.GetObjectSizeCall{Session: c.session, Object: key}
	c.do(size)
	if size.Size < 16 {
		t.Errorf("size %d", size.Size)
	}
	c.equal("check value of a zero key", c.get(key, ck.CKA_CHECK_VALUE), unhex("66e94b"))
	c.equal("value length", c.get(key, ck.CKA_VALUE_LEN), fromULong(16))
}

func TestSetAttributeValue(t *testing.T) {
	c := openUser(t)
	key := c.secretKey(ck.CKK_AES, make([]byte, 16), flag(ck.CKA_SENSITIVE, false), flag(ck.CKA_EXTRACTABLE, true))
	set := func(h ck.ObjectHandle, a ...ck.Attribute) *ck.SetAttributeValueCall {
		return &ck.SetAttributeValueCall{Session: c.session, Object: h, Template: a}
	}
	c.do(set(key, octs(ck.CKA_LABEL, "new"), flag(ck.CKA_WRAP, true)))
	c.equal("label", c.get(key, ck.CKA_LABEL), []byte("new"))
	c.refused(ck.CKR_ATTRIBUTE_READ_ONLY, set(key, octs(ck.CKA_LABEL, "never"), num(ck.CKA_KEY_TYPE, ck.CKK_AES)))
	c.refused(ck.CKR_ATTRIBUTE_READ_ONLY, set(key, flag(ck.CKA_TOKEN, true)))
	c.refused(ck.CKR_ATTRIBUTE_READ_ONLY, set(key, flag(ck.CKA_TRUSTED, true)))
	c.refused(ck.CKR_ATTRIBUTE_TYPE_INVALID, set(key, octs(ck.CKA_MODULUS, "")))
	c.refused(ck.CKR_ATTRIBUTE_VALUE_INVALID, set(key, octs(ck.CKA_WRAP, "yes")))
	// Of two that are wrong, the first one is told, each time.
	unknown, fixedType := octs(ck.CKA_MODULUS, ""), num(ck.CKA_KEY_TYPE, ck.CKK_AES)
	for range 20 {
		c.refused(ck.CKR_ATTRIBUTE_TYPE_INVALID, set(key, unknown, fixedType))
		c.refused(ck.CKR_ATTRIBUTE_READ_ONLY, set(key, fixedType, unknown))
	}
	c.equal("label after a refusal", c.get(key, ck.CKA_LABEL), []byte("new"))
	c.equal("value", c.get(key, ck.CKA_VALUE), make([]byte, 16))
	c.do(set(key, flag(ck.CKA_SENSITIVE, true), flag(ck.CKA_EXTRACTABLE, false), flag(ck.CKA_WRAP_WITH_TRUSTED, true)))
	for _, a := range []ck.Attribute{flag(ck.CKA_SENSITIVE, false), flag(ck.CKA_EXTRACTABLE, true), flag(ck.CKA_WRAP_WITH_TRUSTED, false)} {
		c.refused(ck.CKR_ATTRIBUTE_READ_ONLY, set(key, a))
	}
	if c.is(key, ck.CKA_ALWAYS_SENSITIVE) || c.is(key, ck.CKA_NEVER_EXTRACTABLE) || c.is(key, ck.CKA_LOCAL) {
		t.Error("an imported key has the history of a generated one")
	}
	fixed := c.create(num(ck.CKA_CLASS, ck.CKO_DATA), flag(ck.CKA_MODIFIABLE, false), flag(ck.CKA_DESTROYABLE, false), flag(ck.CKA_COPYABLE, false))
	c.refused(ck.CKR_ACTION_PROHIBITED, set(fixed, octs(ck.CKA_LABEL, "x")))
	c.refused(ck.CKR_ACTION_PROHIBITED, &ck.DestroyObjectCall{Session: c.session, Object: fixed})
	c.refused(ck.CKR_ACTION_PROHIBITED, &ck.CopyObjectCall{Session: c.session, Object: fixed})

	kept := c.create(num(ck.CKA_CLASS, ck.CKO_DATA), flag(ck.CKA_TOKEN, true))
	ro := c.openSession(readOnly)
	c.refused(ck.CKR_SESSION_READ_ONLY, &ck.SetAttributeValueCall{Session: ro, Object: kept})
	c.refused(ck.CKR_SESSION_READ_ONLY, &ck.DestroyObjectCall{Session: ro, Object: kept})
	c.do(&ck.DestroyObjectCall{Session: c.session, Object: kept})
	c.refused(ck.CKR_OBJECT_HANDLE_INVALID, &ck.DestroyObjectCall{Session: c.session, Object: kept})
}

func TestCopyObject(t *testing.T) {
	c := openUser(t)
	key := c.secretKey(ck.CKK_AES, make([]byte, 16), flag(ck.CKA_EXTRACTABLE, true), octs(ck.CKA_LABEL, "first"))
	call := &ck.CopyObjectCall{Session: c.session, Object: key, Template: []ck.Attribute{
		octs(ck.CKA_LABEL, "second"), flag(ck.CKA_TOKEN, true), flag(ck.CKA_SENSITIVE, true)}}
	c.do(call)
	c.equal("label", c.get(call.NewObject, ck.CKA_LABEL), []byte("second"))
	c.equal("label of the first", c.get(key, ck.CKA_LABEL), []byte("first"))
	if bytes.Equal(c.get(key, ck.CKA_UNIQUE_ID), c.get(call.NewObject, ck.CKA_UNIQUE_ID)) {
		t.Error("a copy has the unique identifier of its original")
	}
	if c.is(key, ck.CKA_TOKEN) || !c.is(call.NewObject, ck.CKA_TOKEN) {
		t.Error("the copy, not the original, should be on the token")
	}
	c.refused(ck.CKR_ATTRIBUTE_READ_ONLY, &ck.CopyObjectCall{Session: c.session, Object: call.NewObject, Template: []ck.Attribute{flag(ck.CKA_SENSITIVE, false)}})
	c.refused(ck.CKR_TEMPLATE_INCONSISTENT, &ck.CopyObjectCall{Session: c.session, Object: key, Template: []ck.Attribute{flag(ck.CKA_PRIVATE, false)}})
	c.refused(ck.CKR_ATTRIBUTE_READ_ONLY, &ck.CopyObjectCall{Session: c.session, Object: key, Template: []ck.Attribute{octs(ck.CKA_VALUE, "x")}})
	c.refused(ck.CKR_OBJECT_HANDLE_INVALID, &ck.CopyObjectCall{Session: c.session, Object: 999})
	ro := c.openSession(readOnly)
	c.refused(ck.CKR_SESSION_READ_ONLY, &ck.CopyObjectCall{Session: ro, Object: call.NewObject})
}

func TestFind(t *testing.T) {
	c := openUser(t)
	var made []ck.ObjectHandle
	for i := range 5 {
		made = append(made, c.secretKey(ck.CKK_AES, bytes.Repeat([]byte{byte(i)}, 16), octs(ck.CKA_ID, []byte{byte(i)}), flag(ck.CKA_EXTRACTABLE, true)))
	}
	if all := c.found(num(ck.CKA_CLASS, ck.CKO_SECRET_KEY)); len(all) != 5 {
		t.Errorf("found %v of %v", all, made)
	}
	if all := c.found(octs(ck.CKA_ID, "\x03")); len(all) != 1 || all[0] != made[3] {
		t.Errorf("found %v, want %v", all, made[3])
	}
	// A value can be searched for as long as it can be read.
	value := octs(ck.CKA_VALUE, make([]byte, 16))
	if all := c.found(value); len(all) != 1 {
		t.Errorf("found %v by value", all)
	}
	c.do(&ck.SetAttributeValueCall{Session: c.session, Object: made[0], Template: []ck.Attribute{flag(ck.CKA_SENSITIVE, true)}})
	if all := c.found(value); len(all) != 0 {
		t.Errorf("found %v by a value that is secret", all)
	}
	profile := c.found(num(ck.CKA_CLASS, ck.CKO_PROFILE))
	if len(profile) != 1 {
		t.Fatalf("found profiles %v", profile)
	}
	c.equal("profile", c.get(profile[0], ck.CKA_PROFILE_ID), fromULong(ck.CKP_BASELINE_PROVIDER))
	if n := len(c.found()); n != 5 {
		t.Errorf("found %d objects, want 5 and no profile", n)
	}
	// What goes during a search is not found.
	c.do(&ck.FindObjectsInitCall{Session: c.session})
	for _, h := range made {
		c.do(&ck.DestroyObjectCall{Session: c.session, Object: h})
	}
	call := &ck.FindObjectsCall{Session: c.session, Objects: ck.Out[ck.ObjectHandle]{Buf: make([]ck.ObjectHandle, 9)}}
	c.do(call)
	if call.Objects.N != 0 {
		t.Errorf("found %v after it was destroyed", call.Objects.Bytes())
	}
	c.do(&ck.FindObjectsFinalCall{Session: c.session})
	c.refused(ck.CKR_OPERATION_NOT_INITIALIZED, call)
}

func TestCertificate(t *testing.T) {
	c := open(t)
	h := c.create(num(ck.CKA_CLASS, ck.CKO_CERTIFICATE), num(ck.CKA_CERTIFICATE_TYPE, ck.CKC_X_509), octs(ck.CKA_SUBJECT, "0\x00"),
		octs(ck.CKA_VALUE, "abc"), octs(ck.CKA_ID, "1"), octs(ck.CKA_START_DATE, "20260228"))
	c.equal("check value", c.get(h, ck.CKA_CHECK_VALUE), unhex("a9993e"))
	c.do(&ck.SetAttributeValueCall{Session: c.session, Object: h, Template: []ck.Attribute{octs(ck.CKA_ID, "2")}})
	trust := &ck.SetAttributeValueCall{Session: c.session, Object: h, Template: []ck.Attribute{flag(ck.CKA_TRUSTED, true)}}
	c.refused(ck.CKR_ATTRIBUTE_READ_ONLY, trust)
	c.login(ck.CKU_SO, SOPIN)
	c.do(trust)
}

// The components that one key shows make another one, with the same public key.
func TestImportPrivateKeys(t *testing.T) {
	c := openUser(t)
	for _, test := range []struct {
		name       string
		mechanism  ck.MechanismType
		keyType    ck.KeyType
		public     []ck.Attribute
		components []ck.AttributeType
	}{
		{"RSA", ck.CKM_RSA_PKCS_KEY_PAIR_GEN, ck.CKK_RSA, []ck.Attribute{num(ck.CKA_MODULUS_BITS, 1024)}, []ck.AttributeType{
			ck.CKA_MODULUS, ck.CKA_PUBLIC_EXPONENT, ck.CKA_PRIVATE_EXPONENT, ck.CKA_PRIME_1, ck.CKA_PRIME_2,
			ck.CKA_EXPONENT_1, ck.CKA_EXPONENT_2, ck.CKA_COEFFICIENT}},
		{"P-384", ck.CKM_EC_KEY_PAIR_GEN, ck.CKK_EC, []ck.Attribute{octs(ck.CKA_EC_PARAMS, paramsP384)},
			[]ck.AttributeType{ck.CKA_EC_PARAMS, ck.CKA_VALUE}},
		{"Ed25519", ck.CKM_EC_EDWARDS_KEY_PAIR_GEN, ck.CKK_EC_EDWARDS, []ck.Attribute{octs(ck.CKA_EC_PARAMS, paramsEd25519By)},
			[]ck.AttributeType{ck.CKA_EC_PARAMS, ck.CKA_VALUE}},
	} {
		pub, priv := c.pair(test.mechanism, test.public, readable)
		template := []ck.Attribute{num(ck.CKA_CLASS, ck.CKO_PRIVATE_KEY), num(ck.CKA_KEY_TYPE, test.keyType)}
		for _, typ := range test.components {
			template = append(template, octs(typ, c.get(priv, typ)))
		}
		info := c.get(pub, ck.CKA_PUBLIC_KEY_INFO)
		if _, err := x509.ParsePKIXPublicKey(info); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		c.equal(test.name, c.get(c.create(template...), ck.CKA_PUBLIC_KEY_INFO), info)
		// Changed components do not belong together.
		if test.keyType == ck.CKK_RSA {
			for i := 2; i < len(template); i++ {
				bad := append([]ck.Attribute{}, template...)
				bad[i].Value = append([]byte{}, bad[i].Value...)
				bad[i].Value[len(bad[i].Value)-1] ^= 2
				if rv := ck.RVOf(c.try(&ck.CreateObjectCall{Session: c.session, Template: bad})); rv != ck.CKR_ATTRIBUTE_VALUE_INVALID {
					t.Errorf("a key with a changed %v gave %v", bad[i].Type, rv)
				}
			}
		}
	}
}

// Components that are numbers, but of no key.
func TestImportBadRSA(t *testing.T) {
	c := openUser(t)
	_, priv := c.pair(ck.CKM_RSA_PKCS_KEY_PAIR_GEN, []ck.Attribute{num(ck.CKA_MODULUS_BITS, 1024)}, readable)
	n, d := c.get(priv, ck.CKA_MODULUS), c.get(priv, ck.CKA_PRIVATE_EXPONENT)
	p, q := c.get(priv, ck.CKA_PRIME_1), c.get(priv, ck.CKA_PRIME_2)
	product := func(a, b []byte) []byte {
		return new(big.Int).Mul(new(big.Int).SetBytes(a), new(big.Int).SetBytes(b)).Bytes()
	}
	composite := product([]byte{3}, p)
	for name, k := range map[string][4][]byte{
		"one is no prime":        {n, d, {1}, n},
		"nor is the modulus":     {n, d, n, {1}},
		"zero":                   {n, d, nil, nil},
		"a square":               {product(p, p), d, p, p},
		"a composite":            {product(composite, q), d, composite, q},
		"no private exponent":    {n, nil, p, q},
		"a long one":             {n, bytes.Repeat([]byte{0xff}, 300), p, q},
		"a modulus that is even": {product([]byte{2}, n), d, product([]byte{2}, p), q},
		"a modulus that is long": {bytes.Repeat([]byte{0xff}, 600), d, p, q},
	} {
		err := c.try(&ck.CreateObjectCall{Session: c.session, Template: []ck.Attribute{
			num(ck.CKA_CLASS, ck.CKO_PRIVATE_KEY), num(ck.CKA_KEY_TYPE, ck.CKK_RSA), octs(ck.CKA_PUBLIC_EXPONENT, "\x01\x00\x01"),
			octs(ck.CKA_MODULUS, k[0]), octs(ck.CKA_PRIVATE_EXPONENT, k[1]), octs(ck.CKA_PRIME_1, k[2]), octs(ck.CKA_PRIME_2, k[3])}})
		if ck.RVOf(err) != ck.CKR_ATTRIBUTE_VALUE_INVALID {
			t.Errorf("%s: %v", name, ck.RVOf(err))
		}
	}
}

// Big integers may have more or fewer zeros in front than they should.
func TestImportZeros(t *testing.T) {
	c := openUser(t)
	scalar := func(value string) ck.ObjectHandle {
		return c.create(append(readable, num(ck.CKA_CLASS, ck.CKO_PRIVATE_KEY), num(ck.CKA_KEY_TYPE, ck.CKK_EC),
			octs(ck.CKA_EC_PARAMS, paramsP256), octs(ck.CKA_VALUE, value))...)
	}
	want := append(make([]byte, 31), 7)
	c.equal("short", c.get(scalar("\x07"), ck.CKA_VALUE), want)
	c.equal("long", c.get(scalar("\x00"+string(want)), ck.CKA_VALUE), want)
	key := c.create(num(ck.CKA_CLASS, ck.CKO_PUBLIC_KEY), num(ck.CKA_KEY_TYPE, ck.CKK_RSA), octs(ck.CKA_PUBLIC_EXPONENT, "\x00\x03"),
		octs(ck.CKA_MODULUS, append([]byte{0}, bytes.Repeat([]byte{0xff}, 128)...)))
	c.equal("exponent", c.get(key, ck.CKA_PUBLIC_EXPONENT), []byte{3})
	c.equal("bits", c.get(key, ck.CKA_MODULUS_BITS), fromULong(1024))
	none := c.secretKey(ck.CKK_AES, make([]byte, 16), octs(ck.CKA_CHECK_VALUE, ""))
	c.equal("check value that nobody wants", c.get(none, ck.CKA_CHECK_VALUE), nil)
}
