package uri

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// A URI with an empty PIN has all else that it had.
func TestEmptyPIN(t *testing.T) {
	for text, want := range map[string]string{
		"":                                     "",
		"pkcs11:":                              "pkcs11:",
		"pkcs11:token=a":                       "pkcs11:token=a",
		"pkcs11:token=a?pin-value=12":          "pkcs11:token=a?pin-value=",
		"pkcs11:pin-value=12;token=a":          "pkcs11:pin-value=;token=a",
		"pkcs11:?x=1&pin- value =1;2?3&y=2":    "pkcs11:?x=1&pin- value =&y=2",
		"pkcs11:token=a; ;x=1&pin-value=1;2&y": "pkcs11:token=a; ;x=1&pin-value=&y",
		"pkcs11:strange=a?pin-value=1=2":       "pkcs11:strange=a?pin-value=",
		"pkcs11:?pin-value":                    "pkcs11:?pin-value",
		"PKCS11:?pin-value=1&pin-value=2":      "PKCS11:?pin-value=&pin-value=",
	} {
		if got := EmptyPIN(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
	parts := []string{"token", "pin-value", "=", "=", ";", "?", "&", " ", "secret", "x-y", "%41", ":"}
	random := rand.New(rand.NewPCG(1, 2))
	parsed := 0
	for range 100_000 {
		var b strings.Builder
		b.WriteString("pkcs11:")
		for range random.IntN(12) {
			b.WriteString(parts[random.IntN(len(parts))])
		}
		text := b.String()
		empty := EmptyPIN(text)
		before, err := Parse(text, ForToken)
		after, err2 := Parse(empty, ForToken)
		if (err == nil) != (err2 == nil) {
			t.Fatalf("%q gives %v, and %q %v", text, err, empty, err2)
		}
		if err != nil {
			continue
		}
		parsed++
		pin, had := before.PIN()
		left, has := after.PIN()
		if had != has || len(left.Bytes()) > 0 {
			t.Fatalf("%q with the PIN %q becomes %q with %q", text, pin.Bytes(), empty, left.Bytes())
		}
		before.ClearPIN()
		after.ClearPIN()
		if one, other := before.Format(ForToken), after.Format(ForToken); one != other || before.Unrecognized() != after.Unrecognized() {
			t.Fatalf("%q says %q and becomes %q, which says %q", text, one, empty, other)
		}
	}
	if parsed < 1000 {
		t.Errorf("only %d texts were URIs", parsed)
	}
}
