package calllog

import (
	"context"
	"sync"
	"unsafe"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/internal/cabi"
	"github.com/p11mux/p11mux/module"
)

// A frame is a call of Go code as C would have made it.
type frame struct {
	words cabi.Words
	arena *cabi.Arena
}

// frames are kept from call to call. Their memory is Go's: it does not move, and the arena keeps it alive.
var frames = sync.Pool{New: func() any {
	return &frame{arena: cabi.NewArena(
		func(n uintptr) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(make([]byte, n))) },
		func(unsafe.Pointer) {},
	)}
}}

// encode gives a call as C would have made it, nil for one that cannot be made in C.
func encode(call ck.Call) *frame {
	fr := frames.Get().(*frame)
	if fr.arena.Encode(call, &fr.words) != nil {
		fr.give()
		return nil
	}
	return fr
}

// give wipes a frame's memory, which may hold PINs, and keeps it for other calls.
func (fr *frame) give() {
	fr.arena.Reset()
	frames.Put(fr)
}

// Module gives a module whose calls are logged as the caller's, and executed by next. What cannot be made in C, and is refused
// therefore, is not logged.
func (c *Caller) Module(next module.Module) module.Module {
	return module.Func(func(ctx context.Context, call ck.Call) error {
		fr := encode(call)
		if fr == nil {
			return next.Do(ctx, call)
		}
		defer fr.give()
		n := c.Begin(call.Func(), &fr.words)
		err := next.Do(ctx, call)
		rv := ck.RVOf(err)
		fr.arena.Results(call, &fr.words, rv)
		c.End(n, &fr.words, rv)
		return err
	})
}

// Describe gives a call as two JSON objects: its arguments now, and, from the function that it gives, its results once it has been
// made: "" where it has none. Both are "" for a call that cannot be made in C. The function must be called once.
func Describe(call ck.Call, secrets bool) (arguments string, output func(rv ck.RV) string) {
	fr := encode(call)
	if fr == nil {
		return "", func(ck.RV) string { return "" }
	}
	r := record{secrets: secrets}
	r.begin(argumentsOf(call.Func()), &fr.words)
	r.jsonArguments(call.Func())
	return string(r.buf), func(rv ck.RV) string {
		defer fr.give()
		fr.arena.Results(call, &fr.words, rv)
		r.buf = r.buf[:0]
		r.jsonOutput(call.Func(), rv)
		const lead = `,"output":`
		if len(r.buf) < len(lead) {
			return ""
		}
		return string(r.buf[len(lead):])
	}
}
