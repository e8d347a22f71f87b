package uri

import "github.com/p11mux/p11mux/ck"

// A URI is a PKCS#11 URI. The zero URI has no attributes and matches
// everything. A URI that nobody changes may be used from several goroutines.
// Copy it with [URI.Clone], not by assignment.
type URI struct {
	// Texts as PKCS#11 has them, padded with blanks. Unset ones are all zero.
	libraryDescription  [32]byte
	libraryManufacturer [32]byte
	slotDescription     [64]byte
	slotManufacturer    [32]byte
	model               [16]byte
	manufacturer        [32]byte
	serial              [16]byte
	token               [32]byte

	pinSource, moduleName, modulePath optional

	version      ck.Version
	slotID       ck.SlotID
	hasVersion   bool
	hasSlotID    bool
	unrecognized bool
	strange      string // the first attribute that is why

	pin    PIN
	attrs  []ck.Attribute // at most one of each type, in the order in which they were first set
	vendor []query        // ascending by name, equal names in the order in which they were read
}

// An optional is a text that may be absent, which is not the same as empty.
type optional struct {
	text string
	set  bool
}

// noVersion returns the version that stands for none in CK_INFO.
func noVersion() ck.Version { return ck.Version{Major: 255, Minor: 255} }

// Reset removes all attributes and wipes the PIN.
func (u *URI) Reset() {
	u.ClearPIN()
	*u = URI{}
}

// Unrecognized reports whether the text that was parsed has something that the
// package does not know, or that can be true of nothing. Such a URI matches
// nothing.
func (u *URI) Unrecognized() bool { return u.unrecognized }

// UnrecognizedAttribute returns the name of the first attribute that made the parsed
// URI unrecognized, at most 64 octets of it; empty if there is none.
func (u *URI) UnrecognizedAttribute() string { return u.strange }

// SetUnrecognized sets what [URI.Unrecognized] reports, and forgets which attribute
// was why.
func (u *URI) SetUnrecognized(unrecognized bool) { u.unrecognized, u.strange = unrecognized, "" }

// LibraryVersion returns library-version and whether the URI has it.
func (u *URI) LibraryVersion() (v ck.Version, ok bool) { return u.version, u.hasVersion }

// SetLibraryVersion sets library-version. 255.255 stands for none and removes it.
func (u *URI) SetLibraryVersion(v ck.Version) {
	u.version, u.hasVersion = v, v != noVersion()
	if !u.hasVersion {
		u.version = ck.Version{}
	}
}

// SlotID returns slot-id and whether the URI has it.
func (u *URI) SlotID() (id ck.SlotID, ok bool) { return u.slotID, u.hasSlotID }

// SetSlotID sets slot-id. The greatest possible number stands for none and
// removes it (abi.md 1.4.3). A URI with a number beyond 2^63-1 cannot be parsed.
func (u *URI) SetSlotID(id ck.SlotID) {
	u.slotID, u.hasSlotID = id, id != ^ck.SlotID(0)
	if !u.hasSlotID {
		u.slotID = 0
	}
}

// ModuleInfo returns the library attributes as the structure that modules
// describe themselves by. A text that the URI does not have is all zero, a
// version 255.255; members that have no attribute are zero.
func (u *URI) ModuleInfo() ck.Info {
	info := ck.Info{
		LibraryDescription: u.libraryDescription,
		ManufacturerID:     u.libraryManufacturer,
		LibraryVersion:     noVersion(),
	}
	if u.hasVersion {
		info.LibraryVersion = u.version
	}
	return info
}

// SetModuleInfo sets or removes the library attributes: it is the reverse of
// [URI.ModuleInfo]. A text whose first octet is zero is removed; others are taken
// as they are and should be padded with blanks, or they match nothing.
func (u *URI) SetModuleInfo(info *ck.Info) {
	u.libraryDescription = info.LibraryDescription
	u.libraryManufacturer = info.ManufacturerID
	u.SetLibraryVersion(info.LibraryVersion)
	u.normalize(LibraryDescription, LibraryManufacturer)
}

// SlotInfo returns slot-description and slot-manufacturer, as [URI.ModuleInfo] does.
func (u *URI) SlotInfo() ck.SlotInfo {
	return ck.SlotInfo{Description: u.slotDescription, ManufacturerID: u.slotManufacturer}
}

// SetSlotInfo is the reverse of [URI.SlotInfo], as [URI.SetModuleInfo] is.
func (u *URI) SetSlotInfo(info *ck.SlotInfo) {
	u.slotDescription, u.slotManufacturer = info.Description, info.ManufacturerID
	u.normalize(SlotDescription, SlotManufacturer)
}

// TokenInfo returns the token attributes, as [URI.ModuleInfo] does.
func (u *URI) TokenInfo() ck.TokenInfo {
	return ck.TokenInfo{Label: u.token, ManufacturerID: u.manufacturer, Model: u.model, SerialNumber: u.serial}
}

// SetTokenInfo is the reverse of [URI.TokenInfo], as [URI.SetModuleInfo] is.
func (u *URI) SetTokenInfo(info *ck.TokenInfo) {
	u.token, u.manufacturer, u.model, u.serial = info.Label, info.ManufacturerID, info.Model, info.SerialNumber
	u.normalize(TokenLabel, TokenManufacturer, TokenModel, TokenSerial)
}

// normalize clears what follows the zero that marks a text as unset.
func (u *URI) normalize(fields ...Field) {
	for _, f := range fields {
		if b := u.padded(f); b[0] == 0 {
			clear(b)
		}
	}
}
