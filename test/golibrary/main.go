// Golibrary is a library in Go for programs in C (-buildmode=c-shared) that uses modules by the Go API. Its functions give
// NULL, or a text that says what is wrong and is the caller's to free.
package main

/*
#include <stdlib.h>
*/
import "C"

import (
	"context"
	"errors"

	"github.com/p11mux/p11mux"
)

func main() {}

// what is the module that the library has open.
var what *p11mux.Module

func text(err error) *C.char {
	if err == nil {
		return nil
	}
	return C.CString(err.Error())
}

// open loads a module; without a path, the one that is configured as softhsm.
func open(path string) (*p11mux.Module, error) {
	if path != "" {
		return p11mux.LoadModule(path)
	}
	modules, err := p11mux.Load(p11mux.WithCritical())
	if err != nil {
		return nil, err
	}
	if m := modules.Module("softhsm"); m != nil {
		return m, nil
	}
	return nil, errors.New("the module is not configured")
}

// use opens and closes a session.
func use(m *p11mux.Module) error {
	ctx := context.Background()
	slots, err := m.Slots(ctx)
	if err != nil {
		return err
	}
	if len(slots) == 0 {
		return errors.New("the module has no slots")
	}
	token, err := slots[0].Token(ctx)
	if err != nil {
		return err
	}
	session, err := token.OpenSession(ctx, p11mux.ReadOnly)
	if err != nil {
		return err
	}
	return session.Close()
}

//export golibrary_open
func golibrary_open(path *C.char) *C.char {
	m, err := open(C.GoString(path))
	if err == nil {
		what = m
	}
	return text(err)
}

//export golibrary_use
func golibrary_use() *C.char { return text(use(what)) }

//export golibrary_close
func golibrary_close() *C.char { return text(what.Close()) }

// golibrary_all does all three, for any number of threads.
//
//export golibrary_all
func golibrary_all(path *C.char) *C.char {
	m, err := open(C.GoString(path))
	if err != nil {
		return text(err)
	}
	return text(errors.Join(use(m), m.Close()))
}
