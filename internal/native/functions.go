package native

import (
	"context"
	"unsafe"

	"github.com/p11mux/p11mux/ck"
)

// Functions executes calls with the functions of a module in this process. It is a [module.Module], safe for concurrent
// use as far as the module behind it is.
type Functions struct {
	list unsafe.Pointer // CK_FUNCTION_LIST of some version, C memory that the module owns
	n    ck.Func        // how many functions fit into it
}

// NewFunctions makes Functions of a function list of so many octets, its version and padding included: 552 for the 68
// functions of 2.40, 744 for the 92 of 3.0, 840 for the 104 of 3.2 (abi.md, appendix A). The list stays the module's and
// must outlive the Functions.
func NewFunctions(list unsafe.Pointer, octets int) *Functions {
	n := ck.Func(octets/int(word)) - 1
	return &Functions{list: list, n: min(max(n, 0), ck.NumFuncs)}
}

// word is the size of a pointer, and of the version with its padding.
const word = unsafe.Sizeof(uintptr(0))

// Version gives the version in the list.
func (f *Functions) Version() ck.Version { return *(*ck.Version)(f.list) }

// Address gives the address of a function, nil where the list ends before it or has NULL for it.
func (f *Functions) Address(fn ck.Func) unsafe.Pointer {
	if fn < 0 || fn >= f.n {
		return nil
	}
	return *(*unsafe.Pointer)(unsafe.Add(f.list, (uintptr(fn)+1)*word))
}

// Do executes a call. A function that the module does not have gives CKR_FUNCTION_NOT_SUPPORTED. The context is not
// looked at: a C function cannot be interrupted.
//
// Arguments are copied to C memory for the time of the call and wiped after it. A call that gives CKR_PENDING leaves the
// copies to the module, which goes on to use them (PKCS#11 3.2 §5, asynchronous calls), so that its results cannot reach
// the caller's buffers: who wants those must not open asynchronous sessions through Do.
func (f *Functions) Do(_ context.Context, call ck.Call) error {
	if call == nil {
		return ck.CKR_ARGUMENTS_BAD
	}
	function := f.Address(call.Func())
	if function == nil {
		return ck.CKR_FUNCTION_NOT_SUPPORTED
	}
	switch call := call.(type) {
	case *ck.OpenSessionCall:
		return openSession(function, call)
	case *ck.CloseSessionCall:
		return closeSession(function, call)
	case *ck.GetSessionInfoCall:
		return sessionInfo(function, call)
	}
	fr := takeFrame()
	defer fr.give()
	if err := fr.arena.Encode(call, &fr.words); err != nil {
		return err
	}
	rv := ck.RV(invoke(function, &fr.words))
	err := fr.arena.Decode(call, &fr.words, rv)
	if rv == ck.CKR_PENDING {
		fr.arena.Abandon()
	}
	return err
}
