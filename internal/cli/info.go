package cli

import (
	"context"
	"strings"
	"unicode"

	"github.com/p11mux/p11mux"
	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/uri"
)

// A tokenInfo is what there is to say of a token. Its JSON is documented in docs/command.md, as that of all types here.
type tokenInfo struct {
	Label           string   `json:"label"`
	Module          string   `json:"module"` // its name in the configuration
	Slot            uint64   `json:"slot"`
	URI             string   `json:"uri"`
	Manufacturer    string   `json:"manufacturer"`
	Model           string   `json:"model"`
	Serial          string   `json:"serial"`
	HardwareVersion string   `json:"hardware_version"`
	FirmwareVersion string   `json:"firmware_version"`
	Flags           []string `json:"flags"`

	flags              ck.Flags
	hardware, firmware ck.Version
}

func infoOfToken(ctx context.Context, t *p11mux.Token) (*tokenInfo, error) {
	info, err := t.Info(ctx)
	if err != nil {
		return nil, err
	}
	return &tokenInfo{
		Label:           info.LabelString(),
		Module:          t.Slot().Module().Name(),
		Slot:            uint64(t.Slot().ID()),
		URI:             t.URI(),
		Manufacturer:    info.ManufacturerIDString(),
		Model:           info.ModelString(),
		Serial:          info.SerialNumberString(),
		HardwareVersion: info.HardwareVersion.String(),
		FirmwareVersion: info.FirmwareVersion.String(),
		Flags:           pick(tokenWords, info.Flags),
		flags:           info.Flags, hardware: info.HardwareVersion, firmware: info.FirmwareVersion,
	}, nil
}

// state is what a person wants to know of the token's flags.
func (t *tokenInfo) state() string {
	has := func(f ck.Flags) bool { return t.flags&f != 0 }
	var words []string
	switch {
	case !has(ck.CKF_TOKEN_INITIALIZED):
		return "not initialized"
	case has(ck.CKF_USER_PIN_LOCKED):
		words = append(words, "PIN locked")
	case has(ck.CKF_USER_PIN_FINAL_TRY):
		words = append(words, "one try left for the PIN")
	case has(ck.CKF_USER_PIN_TO_BE_CHANGED):
		words = append(words, "PIN to be changed")
	case has(ck.CKF_LOGIN_REQUIRED) && !has(ck.CKF_USER_PIN_INITIALIZED):
		words = append(words, "no PIN yet")
	case has(ck.CKF_LOGIN_REQUIRED):
		words = append(words, "PIN")
	default:
		words = append(words, "no PIN needed")
	}
	if has(ck.CKF_PROTECTED_AUTHENTICATION_PATH) {
		words = append(words, "keypad")
	}
	if has(ck.CKF_WRITE_PROTECTED) {
		words = append(words, "read-only")
	}
	return strings.Join(words, ", ")
}

// kit writes the token as p11-kit does.
func (t *tokenInfo) kit(k *kitText, depth int) {
	k.section(depth, "token", t.Label)
	depth++
	k.value(depth, "uri", t.URI)
	k.value(depth, "manufacturer", t.Manufacturer)
	k.value(depth, "model", t.Model)
	serial := t.Serial
	if strings.ContainsFunc(serial, unicode.IsControl) {
		serial = colonHex([]byte(serial))
	}
	k.value(depth, "serial-number", serial)
	if t.hardware != (ck.Version{}) {
		k.value(depth, "hardware-version", t.HardwareVersion)
	}
	if t.firmware != (ck.Version{}) {
		k.value(depth, "firmware-version", t.FirmwareVersion)
	}
	k.words(depth, "flags", t.Flags)
}

// A moduleInfo is what there is to say of a module.
type moduleInfo struct {
	Name         string       `json:"name"`
	Path         string       `json:"path"`
	URI          string       `json:"uri"`
	Description  string       `json:"library_description"`
	Manufacturer string       `json:"library_manufacturer"`
	Version      string       `json:"library_version"`
	Cryptoki     string       `json:"cryptoki_version"`
	Tokens       []*tokenInfo `json:"tokens"`
}

func infoOfModule(ctx context.Context, m *p11mux.Module) (*moduleInfo, error) {
	info, err := m.Info(ctx)
	if err != nil {
		return nil, err
	}
	var u uri.URI
	u.SetModuleInfo(&info)
	return &moduleInfo{
		Name:         m.Name(),
		Path:         m.Path(),
		URI:          u.Format(uri.ForModule),
		Description:  info.LibraryDescriptionString(),
		Manufacturer: info.ManufacturerIDString(),
		Version:      info.LibraryVersion.String(),
		Cryptoki:     info.CryptokiVersion.String(),
		Tokens:       []*tokenInfo{},
	}, nil
}

// kit writes the module and its tokens as p11-kit does.
func (m *moduleInfo) kit(k *kitText) {
	k.section(0, "module", m.Name)
	k.value(1, "path", m.Path)
	k.value(1, "uri", m.URI)
	k.value(1, "library-description", m.Description)
	k.value(1, "library-manufacturer", m.Manufacturer)
	k.value(1, "library-version", m.Version)
	for _, t := range m.Tokens {
		t.kit(k, 1)
	}
}
