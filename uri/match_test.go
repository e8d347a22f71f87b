package uri

import (
	"testing"

	"github.com/p11mux/p11mux/ck"
)

// text pads into a field of any length.
func text(field []byte, s string) { ck.Pad(field, s) }

func TestMatchModule(t *testing.T) {
	info := ck.Info{LibraryVersion: ck.Version{Major: 2, Minor: 6}}
	text(info.LibraryDescription[:], "Library")
	text(info.ManufacturerID[:], "")
	for s, want := range map[string]bool{
		"pkcs11:":                            true,
		"pkcs11:token=x;slot-id=4;id=a":      true,
		"pkcs11:library-description=Library": true,
		"pkcs11:library-description=library": false,
		"pkcs11:library-description=Librar":  false,
		"pkcs11:library-description=":        false,
		"pkcs11:library-manufacturer=":       true,
		"pkcs11:library-manufacturer=x":      false,
		"pkcs11:library-version=2.6":         true,
		"pkcs11:library-version=2":           false,
		"pkcs11:library-version=3.6":         false,
		"pkcs11:library-version=2.7":         false,
		"pkcs11:new=x":                       false,
		"pkcs11:library-description=Library;library-manufacturer=;library-version=2.6": true,
		"pkcs11:library-description=Library;library-manufacturer=x":                    false,
		"pkcs11:library-description=%00":                                               false,
	} {
		if got := must(t, s).MatchModule(&info); got != want {
			t.Errorf("%s: %v", s, got)
		}
	}
	// Modules that pad with NULs break the standard, and are not matched.
	info.LibraryDescription = [32]byte{}
	copy(info.LibraryDescription[:], "Library")
	if must(t, "pkcs11:library-description=Library").MatchModule(&info) {
		t.Error("padded with NULs")
	}
}

func TestMatchSlot(t *testing.T) {
	var info ck.SlotInfo
	text(info.Description[:], "Slot 4")
	text(info.ManufacturerID[:], "Maker")
	for s, want := range map[string]bool{
		"pkcs11:":                          true,
		"pkcs11:slot-id=5":                 true,
		"pkcs11:slot-description=Slot%204": true,
		"pkcs11:slot-description=Slot%205": false,
		"pkcs11:slot-manufacturer=Maker":   true,
		"pkcs11:slot-manufacturer=Make":    false,
		"pkcs11:manufacturer=Other":        true,
		"pkcs11:new=x":                     false,
	} {
		if got := must(t, s).MatchSlot(&info); got != want {
			t.Errorf("%s: %v", s, got)
		}
	}
	for s, want := range map[string]bool{
		"pkcs11:":                      true,
		"pkcs11:slot-id=4":             true,
		"pkcs11:slot-id=5":             false,
		"pkcs11:slot-id=0":             false,
		"pkcs11:slot-description=Slot": true,
		"pkcs11:new=x":                 false,
	} {
		if got := must(t, s).MatchSlotID(4); got != want {
			t.Errorf("%s, slot 4: %v", s, got)
		}
	}
}

func TestMatchToken(t *testing.T) {
	var info ck.TokenInfo
	text(info.Label[:], "Label")
	text(info.ManufacturerID[:], "Maker")
	text(info.Model[:], "Model")
	text(info.SerialNumber[:], "123")
	for s, want := range map[string]bool{
		"pkcs11:":                   true,
		"pkcs11:token=Label":        true,
		"pkcs11:token=Label%20":     true,
		"pkcs11:token=%20Label":     false,
		"pkcs11:token=Label%00":     false,
		"pkcs11:token=":             false,
		"pkcs11:token=%00":          false,
		"pkcs11:;token=x":           true,
		"pkcs11:manufacturer=Maker": true,
		"pkcs11:manufacturer=x":     false,
		"pkcs11:model=Model":        true,
		"pkcs11:model=x":            false,
		"pkcs11:serial=123":         true,
		"pkcs11:serial=0123":        false,
		"pkcs11:new=x;token=Label":  false,
		"pkcs11:token=Label;manufacturer=Maker;model=Model;serial=123?pin-value=1": true,
		"pkcs11:token=Label;manufacturer=Maker;model=Model;serial=12":              false,
	} {
		if got := must(t, s).MatchToken(&info); got != want {
			t.Errorf("%s: %v", s, got)
		}
	}
	u := must(t, "pkcs11:")
	u.SetUnrecognized(true)
	if u.MatchToken(&info) {
		t.Error("matches though unrecognized")
	}
}

func TestMatchAttributes(t *testing.T) {
	object := []ck.Attribute{
		{Type: ck.CKA_LABEL, Value: []byte("Label")},
		{Type: ck.CKA_CLASS, Value: classValue(ck.CKO_PRIVATE_KEY)},
		{Type: ck.CKA_ID, Value: []byte{}},
		{Type: ck.CKA_KEY_TYPE, Value: classValue(0)},
	}
	for s, want := range map[string]bool{
		"pkcs11:":                                 true,
		"pkcs11:token=x":                          true,
		"pkcs11:object=Label":                     true,
		"pkcs11:object=Label%20":                  false,
		"pkcs11:object=":                          false,
		"pkcs11:type=private":                     true,
		"pkcs11:type=public":                      false,
		"pkcs11:id=":                              true,
		"pkcs11:id=%00":                           false,
		"pkcs11:object=Label;type=private;id=":    true,
		"pkcs11:object=Label;type=private;id=%01": false,
		"pkcs11:object=Label;new=x":               false,
	} {
		if got := must(t, s).MatchAttributes(object); got != want {
			t.Errorf("%s: %v", s, got)
		}
	}
	u := must(t, "pkcs11:id=;object=a")
	if !u.MatchAttributes(nil) || !u.MatchAttributes(object[1:3]) {
		t.Error("attributes that are not given are missed")
	}
	if u.MatchAttributes([]ck.Attribute{{Type: ck.CKA_ID}}) {
		t.Error("an attribute that the object could not tell matches")
	}
	u.SetAttribute(ck.Attribute{Type: ck.CKA_ID})
	if u.MatchAttributes(object[2:3]) {
		t.Error("NULL matches an empty value")
	}
	if !u.MatchAttributes([]ck.Attribute{{Type: ck.CKA_ID}}) {
		t.Error("NULL does not match NULL")
	}
	// Types that have no name in URIs do not count.
	u.SetAttribute(ck.Attribute{Type: ck.CKA_KEY_TYPE, Value: []byte("x")})
	if !u.MatchAttributes(object[3:]) {
		t.Error("a type without a name is compared")
	}
}
