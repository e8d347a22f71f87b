// Gojoin is a Go program that uses a module itself, in a process where a C library uses the same one through
// libp11-kit.so.0: gojoin MODULE go|c, for who comes first. The program is the engine of both.
package main

/*
#cgo CFLAGS: -I${SRCDIR}/../../include
#cgo LDFLAGS: -ldl
#include "library.h"
*/
import "C"

import (
	"context"
	"fmt"
	"os"
	"strings"
	"unsafe"

	"github.com/p11mux/p11mux"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: gojoin MODULE go|c")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2] == "go"); err != nil {
		fmt.Fprintln(os.Stderr, "gojoin:", err)
		os.Exit(1)
	}
	fmt.Println("done")
}

// use opens and closes a session.
func use(m *p11mux.Module) error {
	ctx := context.Background()
	slots, err := m.Slots(ctx)
	if err != nil {
		return err
	}
	if len(slots) == 0 {
		return fmt.Errorf("the module has no slots")
	}
	_, err = slots[0].Info(ctx)
	return err
}

// in makes an error of what a step of the C side gives.
func in(step string, line C.int) error {
	if line != 0 {
		return fmt.Errorf("%s: failed in line %d of library.c", step, line)
	}
	return nil
}

func run(path string, goFirst bool) error {
	cpath := C.CString(path)
	defer C.free(unsafe.Pointer(cpath))
	counted := func(counter string, want int) error {
		name := C.CString(counter)
		defer C.free(unsafe.Pointer(name))
		if n := int(C.library_count(cpath, name)); n != want {
			return fmt.Errorf("the module counts %d %s, want %d", n, counter, want)
		}
		return nil
	}
	var m *p11mux.Module
	start := func() (err error) { m, err = p11mux.LoadModule(path); return err }
	load := func() error { return in("loading", C.library_load(cpath)) }
	steps := []func() error{
		start, load,
		func() error { return in("C_Initialize", C.library_begin()) },
	}
	if !goFirst {
		steps[0], steps[1], steps[2] = steps[1], steps[2], steps[0]
	}
	steps = append(steps,
		func() error { return counted("initialize", 1) },
		func() error { return use(m) },
		func() error { return in("use", C.library_use()) },
		func() error { return in("a forked child", C.library_fork()) },
	)
	// Who comes first goes first; the other goes on.
	if goFirst {
		steps = append(steps,
			func() error { return m.Close() },
			func() error { return in("use after the Go side has ended", C.library_use()) },
			func() error { return counted("finalize", 0) },
			func() error { return in("C_Finalize", C.library_end()) })
	} else {
		steps = append(steps,
			func() error { return in("C_Finalize", C.library_end()) },
			func() error { return use(m) },
			func() error { return counted("finalize", 0) },
			func() error { return m.Close() })
	}
	steps = append(steps, func() error { return counted("finalize", 1) }, oneEngine)
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// oneEngine looks whether the library has loaded an engine of its own after all.
func oneEngine() error {
	maps, err := os.ReadFile("/proc/self/maps")
	if err == nil && strings.Contains(string(maps), "/engine.so") {
		err = fmt.Errorf("the library has loaded its engine, though the program is one")
	}
	return err
}
