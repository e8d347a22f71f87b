// Package native is the way out to modules in C: it loads them with the dynamic linker and executes calls by the functions
// in their lists. Without cgo it builds too, and can load nothing.
package native

import (
	"context"
	"unsafe"

	"github.com/p11mux/p11mux/ck"
)

// A Module is a PKCS#11 module that the dynamic linker has loaded into this process. It implements module.Module. Its
// methods may be called from any goroutine; whether the module's own functions may is for its C_Initialize to settle.
type Module struct {
	path      string
	dl, list  unsafe.Pointer
	listBytes int
	functions *Functions
	release   func() // of a module that is lent
}

// Adopt makes a Module of one that is loaded already: by the program itself, or by the process that this one was forked
// from. dl is its dlopen handle, or nil if Close shall leave it loaded; listBytes is how much of the function list there
// is.
func Adopt(path string, dl, list unsafe.Pointer, listBytes int) *Module {
	return &Module{path: path, dl: dl, list: list, listBytes: listBytes, functions: NewFunctions(list, listBytes)}
}

// Lent makes a Module of a function list that a library which shares modules, such as libp11-kit.so.0, has given us alone.
// path is that of the module behind it, by which it is known: each of its lists is another one. Close calls release.
func Lent(path string, list unsafe.Pointer, release func()) *Module {
	m := Adopt(path, nil, list, ListBytes(list))
	m.release = release
	return m
}

// Path is what the module was loaded by.
func (m *Module) Path() string { return m.path }

// List is the module's own CK_FUNCTION_LIST, and Bytes how much of it there is.
func (m *Module) List() unsafe.Pointer { return m.list }

// Bytes is the size of what List points at.
func (m *Module) Bytes() int { return m.listBytes }

// DL is the module's dlopen handle.
func (m *Module) DL() unsafe.Pointer { return m.dl }

// Same tells whether both are one module: one file that was loaded twice, by whatever names, or two files that give out
// one function list, or one module that was lent twice.
func (m *Module) Same(other *Module) bool {
	return m.list == other.list || m.dl != nil && m.dl == other.dl ||
		m.release != nil && other.release != nil && m.path == other.path
}

// Do executes a call by the module's function. A function that the module lacks gives CKR_FUNCTION_NOT_SUPPORTED.
func (m *Module) Do(ctx context.Context, call ck.Call) error { return m.functions.Do(ctx, call) }

// Close unloads the module, unless it is loaded by others too. Nothing may be called in it from then on.
func (m *Module) Close() {
	if m.release != nil {
		m.release()
		m.release = nil
	}
	if m.dl != nil {
		unload(m.dl)
		m.dl = nil
	}
}

// A LoadError says why a module could not be loaded.
type LoadError struct {
	RV      ck.RV  // what a C caller should see
	Text    string // names the module and, unless it refused, the reason
	Refused bool   // RV is what the module itself answered
}

// Error names the module's path and the reason.
func (e *LoadError) Error() string {
	if e.Refused {
		return e.Text + ": " + e.RV.Error()
	}
	return e.Text
}

// Unwrap gives the return value.
func (e *LoadError) Unwrap() error { return e.RV }
