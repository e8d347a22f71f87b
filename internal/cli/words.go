package cli

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/p11mux/p11mux/ck"
)

// A word names one flag of a set.
type word struct {
	flag ck.Flags
	text string
}

// pick gives the words for those flags that are set, in the order of the list.
func pick(words []word, flags ck.Flags) []string {
	found := []string{} // JSON has an empty list for none
	for _, w := range words {
		if flags&w.flag != 0 {
			found = append(found, w.text)
		}
	}
	return found
}

// tokenWords are p11-kit's words for the flags of a token.
var tokenWords = []word{
	{ck.CKF_RNG, "rng"},
	{ck.CKF_WRITE_PROTECTED, "write-protected"},
	{ck.CKF_LOGIN_REQUIRED, "login-required"},
	{ck.CKF_USER_PIN_INITIALIZED, "user-pin-initialized"},
	{ck.CKF_RESTORE_KEY_NOT_NEEDED, "restore-key-not-needed"},
	{ck.CKF_CLOCK_ON_TOKEN, "clock-on-token"},
	{ck.CKF_PROTECTED_AUTHENTICATION_PATH, "protected-authentication-path"},
	{ck.CKF_DUAL_CRYPTO_OPERATIONS, "dual-crypto-operations"},
	{ck.CKF_TOKEN_INITIALIZED, "token-initialized"},
	{ck.CKF_SECONDARY_AUTHENTICATION, "secondary-authentication"},
	{ck.CKF_USER_PIN_COUNT_LOW, "user-pin-count-low"},
	{ck.CKF_USER_PIN_FINAL_TRY, "user-pin-final-try"},
	{ck.CKF_USER_PIN_LOCKED, "user-pin-locked"},
	{ck.CKF_USER_PIN_TO_BE_CHANGED, "user-pin-to-be-changed"},
	{ck.CKF_SO_PIN_COUNT_LOW, "so-pin-count-low"},
	{ck.CKF_SO_PIN_FINAL_TRY, "so-pin-final-try"},
	{ck.CKF_SO_PIN_LOCKED, "so-pin-locked"},
	{ck.CKF_SO_PIN_TO_BE_CHANGED, "so-pin-to-be-changed"},
}

// mechanismWords are p11-kit's words for the flags of a mechanism.
var mechanismWords = []word{
	{ck.CKF_HW, "hw"},
	{ck.CKF_MESSAGE_ENCRYPT, "message-encrypt"},
	{ck.CKF_MESSAGE_DECRYPT, "message-decrypt"},
	{ck.CKF_MESSAGE_SIGN, "message-sign"},
	{ck.CKF_MESSAGE_VERIFY, "message-verify"},
	{ck.CKF_MULTI_MESSAGE, "multi-message"},
	{ck.CKF_FIND_OBJECTS, "find-objects"},
	{ck.CKF_ENCRYPT, "encrypt"},
	{ck.CKF_DECRYPT, "decrypt"},
	{ck.CKF_DIGEST, "digest"},
	{ck.CKF_SIGN, "sign"},
	{ck.CKF_SIGN_RECOVER, "sign-recover"},
	{ck.CKF_VERIFY, "verify"},
	{ck.CKF_VERIFY_RECOVER, "verify-recover"},
	{ck.CKF_GENERATE, "generate"},
	{ck.CKF_GENERATE_KEY_PAIR, "generate-key-pair"},
	{ck.CKF_WRAP, "wrap"},
	{ck.CKF_UNWRAP, "unwrap"},
	{ck.CKF_DERIVE, "derive"},
	{ck.CKF_EXTENSION, "extension"},
}

// profileNames are the profiles of the standard, which has other constants of the same prefix.
var profileNames = []struct {
	id   uint64
	name string
}{
	{ck.CKP_INVALID_ID, "CKP_INVALID_ID"},
	{ck.CKP_BASELINE_PROVIDER, "CKP_BASELINE_PROVIDER"},
	{ck.CKP_EXTENDED_PROVIDER, "CKP_EXTENDED_PROVIDER"},
	{ck.CKP_AUTHENTICATION_TOKEN, "CKP_AUTHENTICATION_TOKEN"},
	{ck.CKP_PUBLIC_CERTIFICATES_TOKEN, "CKP_PUBLIC_CERTIFICATES_TOKEN"},
	{ck.CKP_COMPLETE_PROVIDER, "CKP_COMPLETE_PROVIDER"},
	{ck.CKP_HKDF_TLS_TOKEN, "CKP_HKDF_TLS_TOKEN"},
	{ck.CKP_VENDOR_DEFINED, "CKP_VENDOR_DEFINED"},
}

// profileName is the constant's name, or the prefix and the number.
func profileName(id uint64) string {
	for _, p := range profileNames {
		if p.id == id {
			return p.name
		}
	}
	return fmt.Sprintf("CKP_%#x", id)
}

// featureName is the constant's name of a hardware feature, which shares its prefix with other constants.
func featureName(id uint64) string {
	switch id {
	case ck.CKH_MONOTONIC_COUNTER:
		return "CKH_MONOTONIC_COUNTER"
	case ck.CKH_CLOCK:
		return "CKH_CLOCK"
	case ck.CKH_USER_INTERFACE:
		return "CKH_USER_INTERFACE"
	case ck.CKH_VENDOR_DEFINED:
		return "CKH_VENDOR_DEFINED"
	}
	return fmt.Sprintf("CKH_%#x", id)
}

// categoryNames are p11-kit's words for CKA_CERTIFICATE_CATEGORY.
var categoryNames = []string{"unspecified", "token-user", "authority", "other-entry"}

func categoryName(n uint64) string {
	if n < uint64(len(categoryNames)) {
		return categoryNames[n]
	}
	return fmt.Sprintf("%#x (unknown)", n)
}

// otherNicks are the constants whose word in p11-kit is not the standard's name, sorted by name. No word at all means that p11-kit
// prints the number.
var otherNicks = []struct{ name, nick string }{
	{"CKM_CAST128_CBC", "cast5-cbc"},
	{"CKM_CAST128_CBC_PAD", "cast5-cbc-pad"},
	{"CKM_CAST128_ECB", "cast5-ecb"},
	{"CKM_CAST128_KEY_GEN", "cast5-key-gen"},
	{"CKM_CAST128_MAC", "cast5-mac"},
	{"CKM_CAST128_MAC_GENERAL", "cast5-mac-general"},
	{"CKM_DSA", ""},
	{"CKM_EC_KEY_PAIR_GEN", "ecdsa-key-pair-gen"},
	{"CKM_PBE_MD5_CAST128_CBC", "pbe-md5-cast5-cbc"},
	{"CKM_PBE_SHA1_CAST128_CBC", "pbe-sha1-cast5-cbc"},
	{"CKM_RC4", ""},
	{"CKM_SHA3_224_KEY_DERIVATION", "sha3-224-key-derive"},
	{"CKM_SHA3_256_KEY_DERIVATION", "sha3-256-key-derive"},
	{"CKM_SHA3_384_KEY_DERIVATION", "sha3-384-key-derive"},
	{"CKM_SHA3_512_KEY_DERIVATION", "sha3-512-key-derive"},
	{"CKM_SHAKE_128_KEY_DERIVATION", "shake-128-key-derive"},
	{"CKM_SHAKE_256_KEY_DERIVATION", "shake-256-key-derive"},
}

// shortKeyTypes are the key types whose word in p11-kit is without the prefix; the others keep it ("ckk-hotp").
var shortKeyTypes = []ck.KeyType{
	ck.CKK_RSA, ck.CKK_DSA, ck.CKK_DH, ck.CKK_EC, ck.CKK_X9_42_DH, ck.CKK_KEA, ck.CKK_GENERIC_SECRET, ck.CKK_RC2, ck.CKK_RC4, ck.CKK_DES,
	ck.CKK_DES2, ck.CKK_DES3, ck.CKK_CAST, ck.CKK_CAST3, ck.CKK_CAST128, ck.CKK_RC5, ck.CKK_IDEA, ck.CKK_SKIPJACK, ck.CKK_BATON,
	ck.CKK_JUNIPER, ck.CKK_CDMF, ck.CKK_AES, ck.CKK_BLOWFISH, ck.CKK_TWOFISH, ck.CKK_CAMELLIA, ck.CKK_ARIA, ck.CKK_X2RATCHET,
	ck.CKK_EC_EDWARDS, ck.CKK_EC_MONTGOMERY, ck.CKK_HKDF,
}

// nick is p11-kit's word for a constant, from its name and value.
func nick(name string, value uint64) string {
	if i, ok := slices.BinarySearchFunc(otherNicks, name, func(o struct{ name, nick string }, name string) int { return cmp.Compare(o.name, name) }); ok {
		if otherNicks[i].nick != "" {
			return otherNicks[i].nick
		}
		return unknownNick(value)
	}
	prefix, rest, _ := strings.Cut(name, "_")
	if strings.HasPrefix(rest, "0x") {
		return unnamedNick(prefix, value)
	}
	if prefix == "CKK" && !slices.Contains(shortKeyTypes, ck.KeyType(value)) {
		rest = name
	}
	return strings.ToLower(strings.ReplaceAll(rest, "_", "-"))
}

// vendorNicks are p11-kit's words for what vendors have added, by the prefix of the standard's names and the value.
var vendorNicks = []struct {
	prefix string
	value  uint64
	nick   string
}{
	{"CKO", 0xce534351, "nss-crl"},
	{"CKO", 0xce534352, "nss-smime"},
	{"CKO", 0xce534353, "nss-trust"},
	{"CKO", 0xce534354, "nss-builtin-root-list"},
	{"CKO", 0xce534355, "nss-newslot"},
	{"CKO", 0xce534356, "nss-delslot"},
	{"CKO", 0xd8444764, "x-trust-assertion"},
	{"CKO", 0xd84447c8, "x-certificate-extension"},
	{"CKK", 0x80010023, "ibm-dilithium"},
	{"CKK", 0xce534351, "nss-pkcs8"},
	{"CKM", 0x80010001, "ibm-sha3-224"},
	{"CKM", 0x80010002, "ibm-sha3-256"},
	{"CKM", 0x80010003, "ibm-sha3-384"},
	{"CKM", 0x80010004, "ibm-sha3-512"},
	{"CKM", 0x80010007, "ibm-cmac"},
	{"CKM", 0x8001001b, "ibm-ec-x25519"},
	{"CKM", 0x8001001c, "ibm-ed25519-sha512"},
	{"CKM", 0x8001001e, "ibm-ec-x448"},
	{"CKM", 0x8001001f, "ibm-ed448-sha3"},
	{"CKM", 0x80010023, "ibm-dilithium"},
	{"CKM", 0x80010024, "ibm-kyber"},
	{"CKM", 0x80010025, "ibm-sha3-224-hmac"},
	{"CKM", 0x80010026, "ibm-sha3-256-hmac"},
	{"CKM", 0x80010027, "ibm-sha3-384-hmac"},
	{"CKM", 0x80010028, "ibm-sha3-512-hmac"},
	{"CKM", 0x80010031, "ibm-ecdsa-other"},
	{"CKM", 0x80020004, "ibm-attributebound-wrap"},
	{"CKM", 0x80070001, "ibm-btc-derive"},
}

// unnamedNick is p11-kit's word for a value without a name in the standard.
func unnamedNick(prefix string, value uint64) string {
	for _, v := range vendorNicks {
		if v.prefix == prefix && v.value == value {
			return v.nick
		}
	}
	return unknownNick(value)
}

func unknownNick(value uint64) string { return fmt.Sprintf("%#x (unknown)", value) }

// colonHex is lower-case hexadecimal, the octets separated by colons.
func colonHex(b []byte) string {
	var s strings.Builder
	for i, c := range b {
		if i > 0 {
			s.WriteByte(':')
		}
		s.WriteString(hex.EncodeToString([]byte{c}))
	}
	return s.String()
}

// parseHex reads pairs of hexadecimal digits, separated by colons throughout or not at all.
func parseHex(text string) ([]byte, bool) {
	if strings.Contains(text, ":") {
		for part := range strings.SplitSeq(text, ":") {
			if len(part) != 2 {
				return nil, false
			}
		}
		text = strings.ReplaceAll(text, ":", "")
	}
	b, err := hex.DecodeString(text)
	return b, err == nil && len(b) > 0
}
