package uri

import (
	"bytes"

	"github.com/p11mux/p11mux/ck"
)

// MatchModule reports whether a module is one that the URI names: those of
// library-description, library-manufacturer and library-version that the URI has
// are the module's. Texts are compared with their padding, so a text that a module
// pads with NULs, against PKCS#11, does not match. An unrecognized URI matches
// nothing; this holds for all Match functions.
func (u *URI) MatchModule(info *ck.Info) bool {
	return !u.unrecognized &&
		u.matchText(LibraryDescription, info.LibraryDescription[:]) &&
		u.matchText(LibraryManufacturer, info.ManufacturerID[:]) &&
		(!u.hasVersion || u.version == info.LibraryVersion)
}

// MatchSlot reports whether a slot is one that the URI names, by slot-description
// and slot-manufacturer. It does not see the slot's number: see [URI.MatchSlotID].
func (u *URI) MatchSlot(info *ck.SlotInfo) bool {
	return !u.unrecognized &&
		u.matchText(SlotDescription, info.Description[:]) &&
		u.matchText(SlotManufacturer, info.ManufacturerID[:])
}

// MatchSlotID reports whether a slot's number is the URI's slot-id, or the URI has
// none.
func (u *URI) MatchSlotID(id ck.SlotID) bool {
	return !u.unrecognized && (!u.hasSlotID || u.slotID == id)
}

// MatchToken reports whether a token is one that the URI names, by model,
// manufacturer, serial and token (its label).
func (u *URI) MatchToken(info *ck.TokenInfo) bool {
	return !u.unrecognized &&
		u.matchText(TokenLabel, info.Label[:]) &&
		u.matchText(TokenManufacturer, info.ManufacturerID[:]) &&
		u.matchText(TokenModel, info.Model[:]) &&
		u.matchText(TokenSerial, info.SerialNumber[:])
}

// MatchAttributes reports whether an object may be one that the URI names: each of
// CKA_ID, CKA_LABEL and CKA_CLASS that is given, and that the URI has, is the URI's.
// What is not given is not missed, so give all three. A given attribute without a
// value (nil), which an object could not tell, is not the URI's.
func (u *URI) MatchAttributes(attrs []ck.Attribute) bool {
	if u.unrecognized {
		return false
	}
	for _, a := range attrs {
		if !named(a.Type) {
			continue
		}
		own, ok := u.Attribute(a.Type)
		if ok && ((own.Value == nil) != (a.Value == nil) || !bytes.Equal(own.Value, a.Value)) {
			return false
		}
	}
	return true
}

// matchText compares a padded text, if the URI has it.
func (u *URI) matchText(f Field, text []byte) bool {
	own := u.padded(f)
	return own[0] == 0 || bytes.Equal(own, text)
}
