package ck

// Info is CK_INFO. Text is padded with blanks and not terminated.
type Info struct {
	CryptokiVersion    Version
	ManufacturerID     [32]byte
	Flags              Flags
	LibraryDescription [32]byte
	LibraryVersion     Version
}

// SlotInfo is CK_SLOT_INFO. Text is padded with blanks and not terminated.
type SlotInfo struct {
	Description     [64]byte
	ManufacturerID  [32]byte
	Flags           Flags
	HardwareVersion Version
	FirmwareVersion Version
}

// TokenInfo is CK_TOKEN_INFO. Text is padded with blanks and not terminated; sizes of memory are octets. A count that the
// token does not tell is CK_UNAVAILABLE_INFORMATION, a limit that it does not have is CK_EFFECTIVELY_INFINITE.
type TokenInfo struct {
	Label              [32]byte
	ManufacturerID     [32]byte
	Model              [16]byte
	SerialNumber       [16]byte
	Flags              Flags
	MaxSessionCount    uint64
	SessionCount       uint64
	MaxRWSessionCount  uint64
	RWSessionCount     uint64
	MaxPINLen          uint64
	MinPINLen          uint64
	TotalPublicMemory  uint64
	FreePublicMemory   uint64
	TotalPrivateMemory uint64
	FreePrivateMemory  uint64
	HardwareVersion    Version
	FirmwareVersion    Version
	UTCTime            [16]byte // YYYYMMDDhhmmss00, meaningful with CKF_CLOCK_ON_TOKEN
}

// SessionInfo is CK_SESSION_INFO.
type SessionInfo struct {
	Slot        SlotID
	State       State
	Flags       Flags
	DeviceError uint64
}

// MechanismInfo is CK_MECHANISM_INFO. Whether key sizes are bits or octets depends on the mechanism.
type MechanismInfo struct {
	MinKeySize uint64
	MaxKeySize uint64
	Flags      Flags
}

// ManufacturerIDString gives the field without its padding.
func (i *Info) ManufacturerIDString() string { return Unpad(i.ManufacturerID[:]) }

// LibraryDescriptionString gives the field without its padding.
func (i *Info) LibraryDescriptionString() string { return Unpad(i.LibraryDescription[:]) }

// DescriptionString gives the field without its padding.
func (i *SlotInfo) DescriptionString() string { return Unpad(i.Description[:]) }

// ManufacturerIDString gives the field without its padding.
func (i *SlotInfo) ManufacturerIDString() string { return Unpad(i.ManufacturerID[:]) }

// LabelString gives the field without its padding.
func (i *TokenInfo) LabelString() string { return Unpad(i.Label[:]) }

// ManufacturerIDString gives the field without its padding.
func (i *TokenInfo) ManufacturerIDString() string { return Unpad(i.ManufacturerID[:]) }

// ModelString gives the field without its padding.
func (i *TokenInfo) ModelString() string { return Unpad(i.Model[:]) }

// SerialNumberString gives the field without its padding.
func (i *TokenInfo) SerialNumberString() string { return Unpad(i.SerialNumber[:]) }

// Unpad gives the text of a fixed field: without trailing blanks, and up to the first NUL for tokens that terminate it.
func Unpad(field []byte) string {
	n := len(field)
	for i, c := range field {
		if c == 0 {
			n = i
			break
		}
	}
	for n > 0 && field[n-1] == ' ' {
		n--
	}
	return string(field[:n])
}

// Pad fills a fixed field with text and blanks. Text that is too long is cut, never within a UTF-8 sequence.
func Pad(field []byte, text string) {
	n := copy(field, text)
	if n < len(text) {
		for n > 0 && text[n]&0xc0 == 0x80 {
			n--
		}
	}
	for i := n; i < len(field); i++ {
		field[i] = ' '
	}
}
