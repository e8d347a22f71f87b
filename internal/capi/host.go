package capi

/*
#cgo CFLAGS: -std=gnu11 -Wall -Wextra -Werror -Wno-unused-parameter -I${SRCDIR}/../../include
#include "host.h"
*/
import "C"

import (
	"strings"
	"syscall"
	"unsafe"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/conf"
	"github.com/p11mux/p11mux/internal/engine"
	"github.com/p11mux/p11mux/internal/native"
)

// shim is the engine's host: the C side of the library.
type shim struct {
	guest bool
	env   conf.Env
}

// chars is text for a C function that copies it.
func chars(text string) (*C.char, C.size_t) {
	return (*C.char)(unsafe.Pointer(unsafe.StringData(text))), C.size_t(len(text))
}

func (s shim) Guest() bool { return s.guest }

func (shim) Message(text string) {
	p, n := chars(text)
	C.p11_host_message(p, n)
}

func (shim) Describe(rv ck.RV) string { return C.GoString(C.p11_host_describe(C.ulong(rv))) }

func getenv(name string) (string, bool) {
	cname := append([]byte(name), 0) // C.CString would end the process where memory is short
	value := C.p11_host_getenv((*C.char)(unsafe.Pointer(&cname[0])))
	if value == nil {
		return "", false
	}
	return C.GoString(value), true
}

func (s shim) Environment() (conf.Paths, conf.Env) {
	set := C.p11_engine_host.settings
	var paths conf.Paths
	for _, override := range [...]struct {
		to   *string
		from *C.char
	}{
		{&paths.SystemConfig, set.system_config},
		{&paths.UserConfig, set.user_config},
		{&paths.PackageModules, set.package_modules},
		{&paths.SystemModules, set.system_modules},
		{&paths.UserModules, set.user_modules},
	} {
		if override.from != nil {
			*override.to = C.GoString(override.from)
		}
	}
	return paths.WithEnviron(s.env), s.env
}

func (shim) Progname() string {
	if name := C.p11_engine_host.settings.progname; name != nil {
		return C.GoString(name)
	}
	var exe [4096]byte
	n, err := syscall.Readlink("/proc/self/exe", exe[:])
	if err != nil {
		n = 0
	}
	return conf.Progname(C.GoString(C.p11_engine_host.argv0), string(exe[:n]))
}

func (shim) NewRecord(m *native.Module) unsafe.Pointer {
	if m == nil {
		return unsafe.Pointer(C.p11_host_record_new(nil, 0, nil, nil, 0))
	}
	path, n := chars(m.Path())
	if n == 0 {
		path = nil
	}
	return unsafe.Pointer(C.p11_host_record_new(m.List(), C.size_t(m.Bytes()), m.DL(), path, n))
}

// pack writes options as the shim keeps them: key NUL value NUL, for each.
func pack(options conf.Options) string {
	var b strings.Builder
	for _, o := range options.All() {
		b.WriteString(o.Key)
		b.WriteByte(0)
		b.WriteString(o.Value)
		b.WriteByte(0)
	}
	return b.String()
}

func (shim) ConfigureRecord(record unsafe.Pointer, config *conf.Module) {
	flags := C.uint32_t(C.P11_RECORD_CONFIGURED)
	if config.Critical() {
		flags |= C.P11_RECORD_CRITICAL
	}
	if config.Trusted() {
		flags |= C.P11_RECORD_TRUSTED
	}
	name, n := chars(config.Name)
	options, m := chars(pack(config.Options))
	C.p11_host_record_configure((*C.struct_p11_record)(record), name, n, options, m, flags)
}

func (shim) FreeRecord(record unsafe.Pointer) {
	C.p11_host_record_free((*C.struct_p11_record)(record))
}

func (shim) Connected(record unsafe.Pointer, connection, process int) {
	if record != nil {
		C.p11_host_record_connected((*C.struct_p11_record)(record), C.int(connection), C.int(process))
	}
}

func (shim) Global(options *conf.Options) {
	if options == nil {
		C.p11_host_global_configure(nil, 0)
		return
	}
	// A configuration without options is still one: never a nil pointer.
	p, n := chars(pack(*options) + "\x00")
	C.p11_host_global_configure(p, n-1)
}

func (shim) NewHandle(record unsafe.Pointer) engine.Handle {
	return engine.Handle(C.p11_host_handle_new((*C.struct_p11_record)(record)))
}

func (shim) RetireHandle(h engine.Handle) { C.p11_host_handle_retire((*C.struct_p11_handle)(h)) }

func (shim) SetState(h engine.Handle, initialized bool) {
	on := C.int(0)
	if initialized {
		on = 1
	}
	C.p11_host_handle_state((*C.struct_p11_handle)(h), on)
}

// adoptRecords takes in the modules that an engine before this one, in an ancestor of the process, has loaded.
func adoptRecords(e *engine.Engine) {
	for r := C.p11_host_record_first(); r != nil; r = r.next {
		path := ""
		if r.path != nil {
			path = C.GoString(r.path)
		}
		var config *conf.Module
		if r.flags&C.P11_RECORD_CONFIGURED != 0 {
			config = &conf.Module{Name: C.GoString(r.name), Options: unpack(C.GoStringN(r.options, C.int(r.options_len)))}
			config.Priority, _ = config.Options.Priority()
		}
		if r.flags&C.P11_RECORD_REMOTE != 0 {
			if config != nil {
				e.AdoptRemote(config, unsafe.Pointer(r))
			}
			continue
		}
		e.AdoptModule(native.Adopt(path, r.dl, r.list, native.ListBytes(r.list)), config, unsafe.Pointer(r))
	}
}

func unpack(packed string) conf.Options {
	var options conf.Options
	fields := strings.Split(packed, "\x00")
	for i := 0; i+1 < len(fields); i += 2 {
		options = append(options, conf.Option{Key: fields[i], Value: fields[i+1]})
	}
	return options
}
