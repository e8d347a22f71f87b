package uri

// Type says what a URI is for, and so which of its path attributes count
// (P11KitUriType, abi.md 1.3). An attribute of the path that is not for one of
// the given things is not recognized when parsed, and left out when formatted.
// The query is the same for all types.
type Type uint16

// The values are those of the C library.
const (
	ForObject            Type = 0x02 // id, object, type
	ForToken             Type = 0x04 // model, manufacturer, serial, token
	ForModule            Type = 0x08 // library-description, library-manufacturer
	ForModuleWithVersion Type = 0x18 // also library-version; contains ForModule
	ForSlot              Type = 0x20 // slot-description, slot-manufacturer, slot-id

	ForObjectOnToken          = ForObject | ForToken
	ForObjectOnTokenAndModule = ForObjectOnToken | ForModule

	ForAny Type = 0xffff
)

// has reports whether t contains all that is needed.
func (t Type) has(needed Type) bool { return t&needed == needed }
