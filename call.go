package p11mux

import (
	"reflect"

	"github.com/p11mux/p11mux/ck"
)

// sessionOf gives where a call has the session that it is made in, nil for calls that need none.
func sessionOf(call ck.Call) *ck.SessionHandle {
	if _, opens := call.(*ck.OpenSessionCall); opens {
		return nil
	}
	v := reflect.ValueOf(call)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		return nil
	}
	f := v.Elem().FieldByName("Session")
	if !f.IsValid() {
		return nil
	}
	handle, _ := f.Addr().Interface().(*ck.SessionHandle)
	return handle
}
