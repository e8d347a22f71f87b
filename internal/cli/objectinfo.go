package cli

import (
	"context"
	"encoding/hex"
	"strings"

	"github.com/p11mux/p11mux"
	"github.com/p11mux/p11mux/ck"
)

// objectAttributes are what is told of an object.
var objectAttributes = []ck.AttributeType{
	ck.CKA_CLASS, ck.CKA_HW_FEATURE_TYPE, ck.CKA_MECHANISM_TYPE, ck.CKA_CERTIFICATE_TYPE, ck.CKA_CERTIFICATE_CATEGORY, ck.CKA_KEY_TYPE,
	ck.CKA_PROFILE_ID, ck.CKA_LABEL, ck.CKA_APPLICATION, ck.CKA_ID, ck.CKA_START_DATE, ck.CKA_END_DATE,
	ck.CKA_TRUSTED, ck.CKA_LOCAL, ck.CKA_TOKEN, ck.CKA_PRIVATE, ck.CKA_MODIFIABLE, ck.CKA_COPYABLE, ck.CKA_DESTROYABLE,
}

// objectFlags are the attributes that are told as flags.
var objectFlags = []struct {
	typ  ck.AttributeType
	word string
}{
	{ck.CKA_TRUSTED, "trusted"}, {ck.CKA_LOCAL, "local"}, {ck.CKA_TOKEN, "token"}, {ck.CKA_PRIVATE, "private"},
	{ck.CKA_MODIFIABLE, "modifiable"}, {ck.CKA_COPYABLE, "copyable"}, {ck.CKA_DESTROYABLE, "destroyable"},
}

// An objectInfo is what there is to say of an object. What the object does not have is empty.
type objectInfo struct {
	Token    string   `json:"token"` // the token's label
	URI      string   `json:"uri"`
	Class    string   `json:"class"`
	KeyType  string   `json:"key_type,omitempty"`
	CertType string   `json:"certificate_type,omitempty"`
	Category string   `json:"certificate_category,omitempty"`
	Feature  string   `json:"hw_feature_type,omitempty"`
	Mech     string   `json:"mechanism_type,omitempty"`
	Profile  string   `json:"profile_id,omitempty"`
	Label    *string  `json:"label,omitempty"`
	App      *string  `json:"application,omitempty"`
	ID       *string  `json:"id,omitempty"` // hexadecimal
	Start    string   `json:"start_date,omitempty"`
	End      string   `json:"end_date,omitempty"`
	Flags    []string `json:"flags"`

	class ck.ObjectClass
	lines []namedValue // as p11-kit writes them, but for the URI and the flags
}

type namedValue struct{ name, value string }

func infoOfObject(ctx context.Context, o *p11mux.Object) (*objectInfo, error) {
	a, err := o.Attributes(ctx, objectAttributes...)
	if err != nil {
		return nil, err
	}
	i := &objectInfo{Token: o.Token().Label(), URI: o.URI(), class: a.Class(), Class: a.Class().String(), Flags: []string{}}
	i.numbers(a)
	i.texts(a)
	for _, f := range objectFlags {
		if a.Bool(f.typ) {
			i.Flags = append(i.Flags, f.word)
		}
	}
	return i, nil
}

func (i *objectInfo) line(name, value string) { i.lines = append(i.lines, namedValue{name, value}) }

// numbers takes the attributes that are constants.
func (i *objectInfo) numbers(a p11mux.Attributes) {
	take := func(typ ck.AttributeType, name string, to *string, long, short func(uint64) string) {
		if n, ok := a.Uint(typ); ok {
			*to = long(n)
			i.line(name, short(n))
		}
	}
	_, hasClass := a.Uint(ck.CKA_CLASS)
	if hasClass {
		i.line("class", nickOfClass(i.class))
	}
	named := func(f func(uint64) string) func(uint64) string {
		return func(n uint64) string { return nick(f(n), n) }
	}
	key := func(n uint64) string { return ck.KeyType(n).String() }
	mechanism := func(n uint64) string { return ck.MechanismType(n).String() }
	certificate := func(n uint64) string { return ck.CertificateType(n).String() }
	take(ck.CKA_HW_FEATURE_TYPE, "hw-feature-type", &i.Feature, featureName, named(featureName))
	take(ck.CKA_MECHANISM_TYPE, "mechanism-type", &i.Mech, mechanism, named(mechanism))
	take(ck.CKA_CERTIFICATE_TYPE, "certificate-type", &i.CertType, certificate, named(certificate))
	take(ck.CKA_CERTIFICATE_CATEGORY, "certificate-category", &i.Category, categoryName, categoryName)
	take(ck.CKA_KEY_TYPE, "key-type", &i.KeyType, key, named(key))
	take(ck.CKA_PROFILE_ID, "profile-id", &i.Profile, profileName, named(profileName))
}

// texts takes the other attributes.
func (i *objectInfo) texts(a p11mux.Attributes) {
	text := func(typ ck.AttributeType, name string, to **string) {
		if v, ok := a.Get(typ); ok {
			s := string(v)
			*to = &s
			i.line(name, s)
		}
	}
	text(ck.CKA_LABEL, "label", &i.Label)
	text(ck.CKA_APPLICATION, "application", &i.App)
	if v, ok := a.Get(ck.CKA_ID); ok {
		s := hex.EncodeToString(v)
		i.ID = &s
		i.line("id", colonHex(v))
	}
	date := func(typ ck.AttributeType, name string, to *string) {
		if d := a.Date(typ); !d.IsZero() {
			*to = d.Format("2006-01-02")
			i.line(name, d.Format("2006.01.02"))
		}
	}
	date(ck.CKA_START_DATE, "start-date", &i.Start)
	date(ck.CKA_END_DATE, "end-date", &i.End)
}

// hasURI tells whether p11-kit gives an object a URI: those of the classes that a URI can name.
func (i *objectInfo) hasURI() bool {
	switch i.class {
	case ck.CKO_DATA, ck.CKO_CERTIFICATE, ck.CKO_PUBLIC_KEY, ck.CKO_PRIVATE_KEY, ck.CKO_SECRET_KEY:
		return true
	}
	return false
}

func (i *objectInfo) kit(k *kitText, number string) {
	k.section(0, "Object", number)
	if i.hasURI() {
		k.value(1, "uri", i.URI)
	}
	for _, l := range i.lines {
		k.value(1, l.name, l.value)
	}
	k.words(1, "flags", i.Flags)
}

// kind is the type of a key or a certificate in a word.
func (i *objectInfo) kind() string {
	for _, name := range []string{i.KeyType, i.CertType, i.Profile, i.Mech, i.Feature} {
		if _, rest, ok := strings.Cut(name, "_"); ok {
			return strings.ReplaceAll(rest, "X_509", "X.509")
		}
	}
	return ""
}
