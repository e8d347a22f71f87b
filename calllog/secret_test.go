package calllog

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/p11mux/p11mux/ck"
)

// What is marked as a secret, in any argument of any function, is in no log that does not ask for it, and in those that do.
func TestMarkedSecrets(t *testing.T) {
	const marker = "A SECRET MARKER"
	has := func(text string) bool {
		return strings.Contains(text, marker) || strings.Contains(text, hex.EncodeToString([]byte(marker)))
	}
	total := 0
	for f := range ck.NumFuncs {
		for i, a := range argumentsOf(f) {
			if !a.secret {
				continue
			}
			total++
			for _, json := range []bool{false, true} {
				for _, shown := range []bool{false, true} {
					s := newSample(f, way{length: 6, text: "public"})
					s.w[a.at] = s.octets([]byte(marker))
					if a.kind == kindOutBytes {
						s.w[a.at+1] = put(s, uint64(len(marker)))
						s.after = nil
					} else {
						s.w[a.at+1] = uintptr(len(marker))
					}
					r := record{secrets: shown}
					r.begin(argumentsOf(f), &s.w)
					if json {
						r.jsonArguments(f)
						r.jsonOutput(f, ck.CKR_OK)
					} else {
						r.textIn(f)
						r.textOut(f, ck.CKR_OK)
					}
					if has(string(r.buf)) != shown {
						t.Errorf("%v, argument %d (%s), JSON %v: the secret is to be shown: %v\n%s", f, i, a.name, json, shown, r.buf)
					}
				}
			}
		}
	}
	if total < 39 {
		t.Errorf("only %d arguments are secrets", total)
	}
}

// Every attribute that may hold a key is masked, in both formats; so is one that nobody knows.
func TestMaskedAttributes(t *testing.T) {
	for _, typ := range []ck.AttributeType{ck.CKA_VALUE, ck.CKA_PRIVATE_EXPONENT, ck.CKA_PRIME_1, ck.CKA_PRIME_2, ck.CKA_EXPONENT_1,
		ck.CKA_EXPONENT_2, ck.CKA_COEFFICIENT, ck.CKA_SEED, 0x80000001, 0xce534356, 0x80001234, 0x7fffffff, 1 << 40} {
		s := &sample{}
		text := s.octets([]byte("A SECRET MARKER"))
		attr := put(s, cAttribute{uint64(typ), text, 15})
		s.w = [10]uintptr{1, 2, attr, 1}
		for _, f := range []ck.Func{ck.FuncGetAttributeValue, ck.FuncSetAttributeValue} {
			r := record{}
			r.begin(argumentsOf(f), &s.w)
			r.jsonArguments(f)
			r.jsonOutput(f, ck.CKR_OK)
			r.next = 0
			r.textIn(f)
			r.textOut(f, ck.CKR_OK)
			if got := string(r.buf); strings.Contains(got, "SECRET") || strings.Contains(got, hex.EncodeToString([]byte("SECRET"))) {
				t.Errorf("%v, %v: %s", f, typ, got)
			}
		}
	}
}
