package uri

import (
	"errors"
	"strings"
	"testing"
)

// parseAny parses into a fresh URI and keeps what it has in spite of an error.
func parseAny(text string, t Type) (*URI, error) {
	u := new(URI)
	return u, u.Parse([]byte(text), t)
}

func TestParse(t *testing.T) {
	const unknown = " (unrecognized)"
	l16, l32, l64 := strings.Repeat("x", 16), strings.Repeat("x", 32), strings.Repeat("x", 64)
	for _, tt := range []struct {
		text string
		t    Type
		want string // as formatted
		err  error
	}{
		// White space and scheme.
		{"pkcs11:", ForAny, "pkcs11:", nil},
		{"PkCs11:token=a", ForAny, "pkcs11:token=a", nil},
		{" p\nk\rc\vs11 : to ken\n=a b", ForAny, "pkcs11:token=ab", nil},
		{"pkcs11:token=a%20b%0A", ForAny, "pkcs11:token=a%20b%0A", nil},
		{"pkcs11:token=\ta\f", ForAny, "pkcs11:token=%09a%0C", nil},
		{"pkcs11:\ttoken=a", ForAny, "pkcs11:" + unknown, nil},
		{"", ForAny, "pkcs11:", ErrBadScheme},
		{"pkcs11", ForAny, "pkcs11:", ErrBadScheme},
		{":", ForAny, "pkcs11:", ErrBadScheme},
		{"\tpkcs11:", ForAny, "pkcs11:", ErrBadScheme},
		{"pkcs11x:", ForAny, "pkcs11:", ErrBadScheme},
		{"p\u212acs11:", ForAny, "pkcs11:", ErrBadScheme},
		{"pkcs%3111:", ForAny, "pkcs11:", ErrBadScheme},
		{"token=a", ForAny, "pkcs11:", ErrBadScheme},
		{"pkcs11:token=a\x00", ForAny, "pkcs11:", ErrBadEncoding},

		// Where the path ends.
		{"pkcs11:token=a;", ForAny, "pkcs11:token=a", nil},
		{"pkcs11:;", ForAny, "pkcs11:", nil},
		{"pkcs11:;token=a", ForAny, "pkcs11:?token=a", nil},
		{"pkcs11:token=b;;token=a", ForAny, "pkcs11:token=b?token=a", nil},
		{"pkcs11:token=b;?x=y", ForAny, "pkcs11:token=b?x=y", nil},
		{"pkcs11:;?x=y", ForAny, "pkcs11:", ErrUnexpected},
		{"pkcs11:token=b;;", ForAny, "pkcs11:token=b", nil},
		{"pkcs11:;;", ForAny, "pkcs11:", ErrBadSyntax},
		{"pkcs11:token=b;;;c=d", ForAny, "pkcs11:token=b", ErrUnexpected},
		{"pkcs11:token=b;;c=d?e=f", ForAny, "pkcs11:token=b?c=d%3Fe%3Df", nil},
		{"pkcs11:token=a&b", ForAny, "pkcs11:token=a%26b", nil},

		// Attributes are NAME=VALUE.
		{"pkcs11:token", ForAny, "pkcs11:", ErrBadSyntax},
		{"pkcs11:=a", ForAny, "pkcs11:", ErrBadSyntax},
		{"pkcs11:token?a=b", ForAny, "pkcs11:", ErrBadSyntax},
		{"pkcs11:token;a=b", ForAny, "pkcs11:", ErrBadSyntax},
		{"pkcs11:token=a=b==", ForAny, "pkcs11:token=a%3Db%3D%3D", nil},
		{"pkcs11:Token=a", ForAny, "pkcs11:" + unknown, nil},
		{"pkcs11:%74oken=a", ForAny, "pkcs11:" + unknown, nil},
		{"pkcs11:token=a#b", ForAny, "pkcs11:token=a%23b", nil},
		{"pkcs11:x-new=%zz;token=a", ForAny, "pkcs11:token=a" + unknown, nil},
		{"pkcs11:token=a;token=b", ForAny, "pkcs11:token=b", nil},
		{"pkcs11:model=a;object", ForAny, "pkcs11:model=a", ErrBadSyntax},

		// Query.
		{"pkcs11:?", ForAny, "pkcs11:", nil},
		{"pkcs11:?&", ForAny, "pkcs11:", ErrBadSyntax},
		{"pkcs11:?a=b&", ForAny, "pkcs11:?a=b", nil},
		{"pkcs11:?a=b&&", ForAny, "pkcs11:?a=b", ErrBadSyntax},
		{"pkcs11:?a=b&&c=d", ForAny, "pkcs11:?a=b", ErrBadSyntax},
		{"pkcs11:?a=b&=d", ForAny, "pkcs11:?a=b", ErrBadSyntax},
		{"pkcs11:?a", ForAny, "pkcs11:", ErrBadSyntax},
		{"pkcs11:?a=b?c;d", ForAny, "pkcs11:?a=b%3Fc%3Bd", nil},
		{"pkcs11:?b=2&a=1&b=1&a=", ForAny, "pkcs11:?a=1&a=&b=2&b=1", nil},
		{"pkcs11:?a-z_09=x", ForAny, "pkcs11:?a-z_09=x", nil},
		{"pkcs11:?A=%zz", ForAny, "pkcs11:", ErrUnexpected},
		{"pkcs11:?a.b=x", ForAny, "pkcs11:", ErrUnexpected},
		{"pkcs11:?a=%zz", ForAny, "pkcs11:", ErrBadEncoding},
		{"pkcs11:?b=1&a=2&c=%", ForAny, "pkcs11:?a=2&b=1", ErrBadEncoding},
		{"pkcs11:?a=b%00c", ForAny, "pkcs11:?a=b", nil},
		{"pkcs11:?token=a", 0, "pkcs11:?token=a", nil},
		{"pkcs11:?pinfile=a&pin-value=b&module-name=c&module-path=%2Fd", 0,
			"pkcs11:?pin-source=a&pin-value=b&module-name=c&module-path=%2Fd", nil},
		{"pkcs11:?pin-source=&pin-value=&module-name=&module-path=", 0,
			"pkcs11:?pin-source=&pin-value=&module-name=&module-path=", nil},
		{"pkcs11:?pin-value=1%002&module-path=%00", 0, "pkcs11:?pin-value=1&module-path=", nil},
		{"pkcs11:?pin-value=1&pin-value=%2", 0, "pkcs11:?pin-value=1", ErrBadEncoding},
		{"pkcs11:pinfile=a;pin-value=b", 0, "pkcs11:?pin-source=a&pin-value=b", nil},
		{"pkcs11:module-name=a", ForAny, "pkcs11:" + unknown, nil},
		{"pkcs11:module-path=a", ForAny, "pkcs11:" + unknown, nil},

		// Encoding.
		{"pkcs11:token=%61%4a%4A+", ForAny, "pkcs11:token=aJJ%2B", nil},
		{"pkcs11:token=%FF\xfe\u00e4", ForAny, "pkcs11:token=%FF%FE%C3%A4", nil},
		{"pkcs11:token=~/:,@-_.", ForAny, "pkcs11:token=~/:,@-_.", nil},
		{"pkcs11:token=%", ForAny, "pkcs11:", ErrBadEncoding},
		{"pkcs11:token=%4", ForAny, "pkcs11:", ErrBadEncoding},
		{"pkcs11:token=%g0", ForAny, "pkcs11:", ErrBadEncoding},
		{"pkcs11:token=%0g", ForAny, "pkcs11:", ErrBadEncoding},
		{"pkcs11:token=%4;1", ForAny, "pkcs11:", ErrBadEncoding},
		{"pkcs11:id=%", ForAny, "pkcs11:", ErrBadEncoding},
		{"pkcs11:object=%", ForAny, "pkcs11:", ErrBadEncoding},

		// Padded texts.
		{"pkcs11:model=" + l16, ForAny, "pkcs11:model=" + l16, nil},
		{"pkcs11:model=" + l16 + "x", ForAny, "pkcs11:" + unknown, nil},
		{"pkcs11:serial=" + l16, ForAny, "pkcs11:serial=" + l16, nil},
		{"pkcs11:serial=" + l16 + "x", ForAny, "pkcs11:" + unknown, nil},
		{"pkcs11:token=" + l32, ForAny, "pkcs11:token=" + l32, nil},
		{"pkcs11:token=a;token=" + l32 + "x", ForAny, "pkcs11:token=a" + unknown, nil},
		{"pkcs11:manufacturer=" + l32, ForAny, "pkcs11:manufacturer=" + l32, nil},
		{"pkcs11:manufacturer=" + l32 + "x", ForAny, "pkcs11:" + unknown, nil},
		{"pkcs11:slot-description=" + l64, ForAny, "pkcs11:slot-description=" + l64, nil},
		{"pkcs11:slot-description=" + l64 + "x", ForAny, "pkcs11:" + unknown, nil},
		{"pkcs11:slot-manufacturer=" + l32 + "x", ForAny, "pkcs11:" + unknown, nil},
		{"pkcs11:library-description=" + l32 + "x", ForAny, "pkcs11:" + unknown, nil},
		{"pkcs11:library-manufacturer=" + l32 + "x", ForAny, "pkcs11:" + unknown, nil},
		{"pkcs11:token=", ForAny, "pkcs11:token=", nil},
		{"pkcs11:token=%20%20", ForAny, "pkcs11:token=", nil},
		{"pkcs11:token=%20a%20%20", ForAny, "pkcs11:token=%20a", nil},
		{"pkcs11:token=a%00b", ForAny, "pkcs11:token=a%00b", nil},
		{"pkcs11:token=%00", ForAny, "pkcs11:" + unknown, nil},
		{"pkcs11:token=a;token=%00b", ForAny, "pkcs11:" + unknown, nil},

		// Objects.
		{"pkcs11:id=%61b;object=", ForAny, "pkcs11:id=%61%62;object=", nil},
		{"pkcs11:id=;object=%00a", ForAny, "pkcs11:id=;object=%00a", nil},
		{"pkcs11:type=data", ForAny, "pkcs11:type=data", nil},
		{"pkcs11:object-type=cert", ForAny, "pkcs11:type=cert", nil},
		{"pkcs11:objecttype=public", ForAny, "pkcs11:type=public", nil},
		{"pkcs11:type=private", ForAny, "pkcs11:type=private", nil},
		{"pkcs11:type=secret-key", ForAny, "pkcs11:type=secret-key", nil},
		{"pkcs11:type=secretkey", ForAny, "pkcs11:type=secret-key", nil},
		{"pkcs11:type=Cert", ForAny, "pkcs11:" + unknown, nil},
		{"pkcs11:type=%63ert", ForAny, "pkcs11:" + unknown, nil},
		{"pkcs11:type=%", ForAny, "pkcs11:" + unknown, nil},
		{"pkcs11:type=cert;type=", ForAny, "pkcs11:type=cert" + unknown, nil},

		// Numbers.
		{"pkcs11:slot-id=0", ForAny, "pkcs11:slot-id=0", nil},
		{"pkcs11:slot-id=0007", ForAny, "pkcs11:slot-id=7", nil},
		{"pkcs11:slot-id=9223372036854775807", ForAny, "pkcs11:slot-id=9223372036854775807", nil},
		{"pkcs11:slot-id=9223372036854775808", ForAny, "pkcs11:", ErrBadSyntax},
		{"pkcs11:slot-id=99999999999999999999999", ForAny, "pkcs11:", ErrBadSyntax},
		{"pkcs11:slot-id=", ForAny, "pkcs11:", ErrBadSyntax},
		{"pkcs11:slot-id=+1", ForAny, "pkcs11:", ErrBadSyntax},
		{"pkcs11:slot-id=-1", ForAny, "pkcs11:", ErrBadSyntax},
		{"pkcs11:slot-id=0x1", ForAny, "pkcs11:", ErrBadSyntax},
		{"pkcs11:slot-id=%31", ForAny, "pkcs11:", ErrBadSyntax},
		{"pkcs11:slot-id=1/", ForAny, "pkcs11:", ErrBadSyntax},
		{"pkcs11:library-version=2", ForAny, "pkcs11:library-version=2.0", nil},
		{"pkcs11:library-version=0.0", ForAny, "pkcs11:library-version=0.0", nil},
		{"pkcs11:library-version=001.00254", ForAny, "pkcs11:library-version=1.254", nil},
		{"pkcs11:library-version=254.0", ForAny, "pkcs11:library-version=254.0", nil},
		{"pkcs11:library-version=255", ForAny, "pkcs11:", ErrBadVersion},
		{"pkcs11:library-version=1.255", ForAny, "pkcs11:", ErrBadVersion},
		{"pkcs11:library-version=4294967297", ForAny, "pkcs11:", ErrBadVersion},
		{"pkcs11:library-version=1.", ForAny, "pkcs11:", ErrBadVersion},
		{"pkcs11:library-version=.1", ForAny, "pkcs11:", ErrBadVersion},
		{"pkcs11:library-version=.", ForAny, "pkcs11:", ErrBadVersion},
		{"pkcs11:library-version=", ForAny, "pkcs11:", ErrBadVersion},
		{"pkcs11:library-version=1.2.3", ForAny, "pkcs11:", ErrBadVersion},
		{"pkcs11:library-version=1a", ForAny, "pkcs11:", ErrBadVersion},
		{"pkcs11:library-version=%31", ForAny, "pkcs11:", ErrBadVersion},
		{"pkcs11:library-version=3.1;library-version=x", ForAny, "pkcs11:library-version=3.1", ErrBadVersion},

		// What the type does not ask for is not even looked at.
		{"pkcs11:id=%zz", ForToken, "pkcs11:" + unknown, nil},
		{"pkcs11:object=%zz", ForToken, "pkcs11:" + unknown, nil},
		{"pkcs11:type=cert", ForToken, "pkcs11:" + unknown, nil},
		{"pkcs11:type=cert", ForObject, "pkcs11:type=cert", nil},
		{"pkcs11:token=%zz", ForObject | ForSlot | ForModuleWithVersion, "pkcs11:" + unknown, nil},
		{"pkcs11:slot-id=x", ForModule, "pkcs11:" + unknown, nil},
		{"pkcs11:slot-description=%zz", ForModule, "pkcs11:" + unknown, nil},
		{"pkcs11:slot-manufacturer=a;slot-id=1", ForSlot, "pkcs11:slot-manufacturer=a;slot-id=1", nil},
		{"pkcs11:library-description=%zz", ForToken, "pkcs11:" + unknown, nil},
		{"pkcs11:library-version=x", ForModule, "pkcs11:" + unknown, nil},
		{"pkcs11:library-version=x", ForModuleWithVersion &^ ForModule, "pkcs11:" + unknown, nil},
		{"pkcs11:library-version=1.2;library-description=a", ForModuleWithVersion, "pkcs11:library-description=a;library-version=1.2", nil},
	} {
		u, err := parseAny(tt.text, tt.t)
		// Values of the table that are easier to read unencoded.
		want := strings.NewReplacer("~", "%7E", "/", "%2F", ":,@", "%3A%2C%40").Replace(strings.TrimPrefix(tt.want, "pkcs11:"))
		want = "pkcs11:" + want
		got := u.Format(ForAny)
		if u.Unrecognized() {
			got += unknown
		}
		if got != want || !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) {
			t.Errorf("%q for %#x:\n got %q, %v\nwant %q, %v", tt.text, tt.t, got, err, want, tt.err)
		}
		if fresh, err := Parse(tt.text, tt.t); (fresh == nil) != (err != nil) || (err == nil) != (tt.err == nil) {
			t.Errorf("%q for %#x: Parse gives %v, %v", tt.text, tt.t, fresh, err)
		}
	}
}

// full is a URI with every attribute.
const full = "pkcs11:library-description=a;library-manufacturer=b;library-version=1.2;slot-description=c;slot-manufacturer=d;" +
	"slot-id=3;model=e;manufacturer=f;serial=g;token=h;id=%69;object=j;type=cert?" +
	"pin-source=k&pin-value=l&module-name=m&module-path=n&o=p"

func TestParseResets(t *testing.T) {
	u, err := Parse(full, ForAny)
	if err != nil {
		t.Fatal(err)
	}
	u.SetUnrecognized(true)
	pin, _ := u.PIN()
	octets := pin.Bytes()
	for _, text := range []string{"http:", full + "\x00"} {
		if err := u.Parse([]byte(text), ForAny); err == nil || u.Format(ForAny) != full || !u.Unrecognized() {
			t.Errorf("%q: %v and %s", text, err, u.Format(ForAny))
		}
	}
	text := []byte("pkcs11: ")
	if err := u.Parse(text, ForAny); err != nil || u.Format(ForAny) != "pkcs11:" || u.Unrecognized() {
		t.Errorf("after parsing a uri without attributes: %v and %s", err, u.Format(ForAny))
	}
	if string(text) != "pkcs11: " {
		t.Errorf("the text given has become %q", text)
	}
	if octets[0] != 0 {
		t.Errorf("the former PIN is still in memory: %q", octets)
	}
}

func TestParseWipesItsCopy(t *testing.T) {
	text := []byte("pkcs11:?pin-value=1 2%334&x=%zz")
	u := new(URI)
	if err := u.parse(text, ForAny); !errors.Is(err, ErrBadEncoding) {
		t.Fatal(err)
	}
	if pin, ok := u.PIN(); !ok || string(pin.Bytes()) != "1234" {
		t.Errorf("PIN %q", pin.Bytes())
	}
	if i := strings.Trim(string(text), "\x00"); i != "" {
		t.Errorf("left in memory: %q", text)
	}
}

func TestParseErrors(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"token=secret", `pkcs11 uri: does not begin with "pkcs11:"`},
		{"pkcs11:\x00", "pkcs11 uri: contains a NUL, write it as %00"},
		{"pkcs11:token=a;secret", "pkcs11 uri: path attribute 2: is not of the form name=value"},
		{"pkcs11:token=secret%", "pkcs11 uri: path attribute 1 (token): has a % without two hexadecimal digits, write % as %25"},
		{"pkcs11:a=;pin-value=secret%", "pkcs11 uri: path attribute 2 (pin-value): has a % without two hexadecimal digits, write % as %25"},
		{"pkcs11:slot-id=secret", "pkcs11 uri: path attribute 1 (slot-id): is not a decimal number below 2^63"},
		{"pkcs11:library-version=secret", "pkcs11 uri: path attribute 1 (library-version): is not of the form 1 or 1.2, with numbers below 255"},
		{"pkcs11:a=b?c=d&pin-value=se&cret", "pkcs11 uri: query attribute 3: is not of the form name=value"},
		{"pkcs11:?pin-value=se&CRET=", `pkcs11 uri: query attribute 2: name is not of the characters "a-z0-9-_"`},
		{"pkcs11:?secret=%", "pkcs11 uri: query attribute 1: has a % without two hexadecimal digits, write % as %25"},
	} {
		_, err := Parse(tt.text, ForAny)
		if err == nil || err.Error() != tt.want {
			t.Errorf("%q:\n got %v\nwant %s", tt.text, err, tt.want)
		}
	}
	for c := ErrNotFound; c <= ErrUnexpected; c++ {
		if text := c.Error(); text == "" || strings.HasPrefix(text, "unknown") {
			t.Errorf("code %d: %q", c, text)
		}
	}
	if got := Code(3).Error(); got != "unknown uri error 3" {
		t.Error(got)
	}
}

// TestParseLarge has texts of which what is not linear takes hours.
func TestParseLarge(t *testing.T) {
	const n = 3 << 20
	for name, text := range map[string]string{
		"blanks":        strings.Repeat(" ", n) + "pkcs11:token=a",
		"no scheme":     strings.Repeat("p", n),
		"long value":    "pkcs11:object=" + strings.Repeat("%61", n/3),
		"long id":       "pkcs11:id=" + strings.Repeat("a", n),
		"long token":    "pkcs11:token=" + strings.Repeat("a", n),
		"long name":     "pkcs11:" + strings.Repeat("a", n) + "=b",
		"long PIN":      "pkcs11:?pin-value=" + strings.Repeat("1", n),
		"tokens":        "pkcs11:" + strings.Repeat("token=%41;", n/10),
		"PINs":          "pkcs11:" + strings.Repeat("pin-value=1;", n/12),
		"objects":       "pkcs11:" + strings.Repeat("object=;id=;", n/12),
		"queries":       "pkcs11:?" + strings.Repeat("b=&a=&", n/6),
		"slot numbers":  "pkcs11:slot-id=" + strings.Repeat("0", n) + "1",
		"equals signs":  "pkcs11:object" + strings.Repeat("=", n),
		"semicolons":    "pkcs11:" + strings.Repeat(";", n),
		"ampersands":    "pkcs11:?" + strings.Repeat("&", n),
		"percent signs": "pkcs11:?" + strings.Repeat("%", n),
	} {
		u, err := parseAny(text, ForAny)
		s := u.Format(ForAny)
		if again, err2 := parseAny(s, ForAny); err == nil && (err2 != nil || again.Format(ForAny) != s) {
			t.Errorf("%s: formatted and parsed again: %v", name, err2)
		}
	}
}
