package capi

/*
#include <stdlib.h>
#include "engine_abi.h"
*/
import "C"

import (
	"errors"
	"unsafe"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/uri"
)

// noMemory ends the filling of a URI's C memory.
var noMemory error = uri.ErrUnexpected

// codeOf is an error of package uri as a P11KitUriResult.
func codeOf(err error) C.int {
	if err == nil {
		return 0
	}
	if code, ok := errors.AsType[uri.Code](err); ok {
		return C.int(code)
	}
	return C.int(uri.ErrUnexpected)
}

// containURI is contain for functions that give a P11KitUriResult.
func containURI(code *C.int) {
	if recover() != nil {
		*code = C.int(uri.ErrUnexpected)
	}
}

//export p11mux_engine_uri_parse
func p11mux_engine_uri_parse(text *C.char, t C.int, to *C.struct_p11_kit_uri) (code C.int) {
	defer containURI(&code)
	var u uri.URI
	defer u.Reset() // it has the PIN
	err := u.Parse(stringOctets(text), uri.Type(t))
	if errors.Is(err, uri.ErrBadScheme) {
		return codeOf(err)
	}
	// What stands before an error counts.
	if storeErr := storeURI(to, &u); storeErr != nil {
		err = storeErr
	}
	return codeOf(err)
}

//export p11mux_engine_uri_format
func p11mux_engine_uri_format(from *C.struct_p11_kit_uri, t, lower C.int, text **C.char) (code C.int) {
	defer containURI(&code)
	var u uri.URI
	defer u.Reset()
	if err := loadURI(&u, from); err != nil {
		return codeOf(err)
	}
	formatted := u.AppendFormat(nil, uri.Type(t), lower != 0)
	defer clear(formatted)
	p := allocString(formatted)
	if p == nil {
		return codeOf(noMemory)
	}
	*text = p
	return 0
}

// stringOctets is a C string in its own memory.
func stringOctets(s *C.char) []byte {
	n := 0
	for *(*byte)(unsafe.Add(unsafe.Pointer(s), n)) != 0 {
		n++
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(s)), n)
}

// allocOctets copies octets to C memory, with a NUL behind them; nil if there is none.
func allocOctets[T string | []byte](octets T) unsafe.Pointer {
	p := C.calloc(C.size_t(len(octets)+1), 1)
	if p != nil {
		copy(unsafe.Slice((*byte)(p), len(octets)), octets)
	}
	return p
}

func allocString[T string | []byte](s T) *C.char { return (*C.char)(allocOctets(s)) }

// uriTexts are the texts of a URI in C that are no secrets.
var uriTexts = [...]struct {
	field uri.Field
	index int
}{
	{uri.PINSource, C.P11_URI_PIN_SOURCE},
	{uri.ModuleName, C.P11_URI_MODULE_NAME},
	{uri.ModulePath, C.P11_URI_MODULE_PATH},
}

// infos are what a URI says of things, as PKCS#11 describes them.
type infos struct {
	module ck.Info
	slot   ck.SlotInfo
	token  ck.TokenInfo
}

// A member is a text in C, and the same in Go.
type member struct{ c, own []byte }

func memberOf[C any](c *C, own []byte) member {
	return member{unsafe.Slice((*byte)(unsafe.Pointer(c)), unsafe.Sizeof(*c)), own}
}

// members pairs the texts of a URI in C with ours.
func (i *infos) members(c *C.struct_p11_kit_uri) [8]member {
	return [...]member{
		memberOf(&c.module.libraryDescription, i.module.LibraryDescription[:]),
		memberOf(&c.module.manufacturerID, i.module.ManufacturerID[:]),
		memberOf(&c.slot.slotDescription, i.slot.Description[:]),
		memberOf(&c.slot.manufacturerID, i.slot.ManufacturerID[:]),
		memberOf(&c.token.label, i.token.Label[:]),
		memberOf(&c.token.manufacturerID, i.token.ManufacturerID[:]),
		memberOf(&c.token.model, i.token.Model[:]),
		memberOf(&c.token.serialNumber, i.token.SerialNumber[:]),
	}
}

// loadURI makes u of a URI in C.
func loadURI(u *uri.URI, from *C.struct_p11_kit_uri) error {
	var i infos
	for _, m := range i.members(from) {
		copy(m.own, m.c)
	}
	version := from.module.libraryVersion
	i.module.LibraryVersion = ck.Version{Major: byte(version.major), Minor: byte(version.minor)}
	u.SetModuleInfo(&i.module)
	u.SetSlotInfo(&i.slot)
	u.SetTokenInfo(&i.token)
	u.SetSlotID(ck.SlotID(from.slot_id))
	for _, a := range unsafe.Slice(from.attributes, from.attributes_len) {
		switch t := ck.AttributeType(a._type); t {
		case ck.CKA_ID, ck.CKA_LABEL, ck.CKA_CLASS: // others are not formatted
			if a.pValue != nil {
				u.SetAttribute(ck.Attribute{Type: t, Value: unsafe.Slice((*byte)(a.pValue), a.ulValueLen)})
			}
		}
	}
	for _, t := range uriTexts {
		if c := from.texts[t.index]; c != nil {
			if err := u.Set(t.field, C.GoString(c)); err != nil {
				return err
			}
		}
	}
	if pin := from.texts[C.P11_URI_PIN_VALUE]; pin != nil {
		if err := u.SetPIN(stringOctets(pin)); err != nil {
			return err
		}
	}
	for _, q := range unsafe.Slice(from.queries, from.queries_len) {
		if err := u.AddVendorQuery(C.GoString(q.name), C.GoString(q.value)); err != nil {
			return err
		}
	}
	u.SetUnrecognized(from.unrecognized != 0)
	return nil
}

// storeURI makes a URI in C, which says nothing so far, of u. Where memory is short it stays half done.
func storeURI(to *C.struct_p11_kit_uri, u *uri.URI) error {
	i := infos{u.ModuleInfo(), u.SlotInfo(), u.TokenInfo()}
	for _, m := range i.members(to) {
		copy(m.c, m.own)
	}
	to.module.libraryVersion.major = C.CK_BYTE(i.module.LibraryVersion.Major)
	to.module.libraryVersion.minor = C.CK_BYTE(i.module.LibraryVersion.Minor)
	if id, ok := u.SlotID(); ok {
		to.slot_id = C.CK_SLOT_ID(id)
	}
	if u.Unrecognized() {
		to.unrecognized = 1
	}
	if err := storeAttributes(to, u.Attributes()); err != nil {
		return err
	}
	for _, t := range uriTexts {
		if s, ok := u.Get(t.field); ok {
			if to.texts[t.index] = allocString(s); to.texts[t.index] == nil {
				return noMemory
			}
		}
	}
	if pin, ok := u.PIN(); ok {
		if to.texts[C.P11_URI_PIN_VALUE] = allocString(pin.Bytes()); to.texts[C.P11_URI_PIN_VALUE] == nil {
			return noMemory
		}
	}
	return storeQueries(to, u)
}

func storeAttributes(to *C.struct_p11_kit_uri, attrs []ck.Attribute) error {
	if len(attrs) == 0 {
		return nil
	}
	p := C.calloc(C.size_t(len(attrs)+1), C.sizeof_CK_ATTRIBUTE)
	if p == nil {
		return noMemory
	}
	to.attributes = (*C.CK_ATTRIBUTE)(p)
	all := unsafe.Slice(to.attributes, len(attrs)+1)
	all[0]._type = ^C.CK_ATTRIBUTE_TYPE(0)
	for i, a := range attrs {
		value := allocOctets(a.Value)
		if value == nil {
			return noMemory
		}
		all[i] = C.CK_ATTRIBUTE{C.CK_ATTRIBUTE_TYPE(a.Type), C.CK_VOID_PTR(value), C.CK_ULONG(len(a.Value))}
		all[i+1]._type = ^C.CK_ATTRIBUTE_TYPE(0)
		to.attributes_len++
	}
	return nil
}

func storeQueries(to *C.struct_p11_kit_uri, u *uri.URI) error {
	n := 0
	for range u.VendorQueries {
		n++
	}
	if n == 0 {
		return nil
	}
	p := C.calloc(C.size_t(n), C.sizeof_struct_p11_uri_query)
	if p == nil {
		return noMemory
	}
	to.queries = (*C.struct_p11_uri_query)(p)
	all := unsafe.Slice(to.queries, n)
	for name, value := range u.VendorQueries {
		q := &all[to.queries_len]
		if q.name, q.value = allocString(name), allocString(value); q.name == nil || q.value == nil {
			C.free(unsafe.Pointer(q.name))
			C.free(unsafe.Pointer(q.value))
			return noMemory
		}
		to.queries_len++
	}
	return nil
}
