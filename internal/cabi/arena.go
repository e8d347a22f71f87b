package cabi

import "unsafe"

const (
	chunkSize = 4 << 10 // what most calls need, with room to spare
	alignment = 16      // of everything, as malloc does
)

// An Arena gives C memory for one call at a time. Its memory is zero when it is given out and is wiped when the call is
// over, since it holds PINs and keys. An Arena is not safe for concurrent use.
type Arena struct {
	alloc func(octets uintptr) unsafe.Pointer // zeroed memory aligned for everything, or nil
	free  func(unsafe.Pointer)
	chunk unsafe.Pointer // kept from call to call
	used  uintptr        // of chunk
	large []block        // what did not fit, freed after the call
	depth int            // of the mechanism that is being encoded
	err   error          // the first that went wrong in this call
}

type block struct {
	p    unsafe.Pointer
	size uintptr
}

// NewArena makes an arena of memory from alloc, which must give zeroed memory aligned to 16 octets or nil, and take it
// back with free.
func NewArena(alloc func(octets uintptr) unsafe.Pointer, free func(unsafe.Pointer)) *Arena {
	return &Arena{alloc: alloc, free: free}
}

// get gives n octets, nil where there is no memory; then the arena has an error.
func (a *Arena) get(n uintptr) unsafe.Pointer {
	n = max(n, 1)
	if n > maxOctets {
		return a.exhausted()
	}
	n = (n + alignment - 1) &^ (alignment - 1)
	if a.chunk == nil {
		if a.chunk = a.alloc(chunkSize); a.chunk == nil {
			return a.exhausted()
		}
	}
	if n <= chunkSize-a.used {
		p := unsafe.Add(a.chunk, a.used)
		a.used += n
		return p
	}
	p := a.alloc(n)
	if p == nil {
		return a.exhausted()
	}
	a.large = append(a.large, block{p, n})
	return p
}

func (a *Arena) exhausted() unsafe.Pointer {
	a.fail(errMemory)
	return nil
}

// fail keeps the first error.
func (a *Arena) fail(err error) {
	if a.err == nil {
		a.err = err
	}
}

// push gives zeroed C memory for a T. Without memory it gives Go memory, so that encoding can go on to its end, where the
// error of the arena keeps the call from being made.
func push[T any](a *Arena) *T {
	var zero T
	if p := a.get(unsafe.Sizeof(zero)); p != nil {
		return (*T)(p)
	}
	return new(T)
}

// pushN is push for n of them; none gives nil.
func pushN[T any](a *Arena, n int) []T {
	if n == 0 {
		return nil
	}
	var zero T
	if p := a.get(unsafe.Sizeof(zero) * uintptr(n)); p != nil {
		return unsafe.Slice((*T)(p), n)
	}
	return make([]T, n)
}

// Reset wipes the memory and makes it ready for the next call.
func (a *Arena) Reset() {
	if a.chunk != nil {
		clear(unsafe.Slice((*byte)(a.chunk), a.used))
	}
	for _, b := range a.large {
		clear(unsafe.Slice((*byte)(b.p), b.size))
		a.free(b.p)
	}
	clear(a.large)
	a.used, a.large, a.depth, a.err = 0, a.large[:0], 0, nil
}

// Abandon forgets the memory without freeing it. It is for a call that gave CKR_PENDING: the module goes on to use it.
func (a *Arena) Abandon() {
	a.chunk, a.used, a.large, a.depth, a.err = nil, 0, nil, 0, nil
}

// Close wipes and frees the memory. The arena can be used again.
func (a *Arena) Close() {
	a.Reset()
	if a.chunk != nil {
		a.free(a.chunk)
		a.chunk = nil
	}
}
