package native

import (
	"sync/atomic"

	"github.com/p11mux/p11mux/internal/cabi"
)

// A frame is what one call needs: words for its arguments, and C memory for what they point to.
type frame struct {
	busy  atomic.Bool // lent to a call
	words cabi.Words
	arena *cabi.Arena // nil until it is first lent
	_     [32]byte    // two calls at once should not meet in one line of the processor's cache
}

// frames are those that are kept. More calls at once than that make frames of their own.
var frames [16]frame

// takeFrame lends a frame that nobody else uses.
func takeFrame() *frame {
	for i := range frames {
		f := &frames[i]
		if !f.busy.Load() && f.busy.CompareAndSwap(false, true) {
			if f.arena == nil {
				f.arena = newArena()
			}
			return f
		}
	}
	return &frame{arena: newArena()}
}

// give wipes a frame's memory and takes the frame back, or frees the memory. The words are numbers and stale addresses.
func (f *frame) give() {
	if f.busy.Load() {
		f.arena.Reset()
		f.busy.Store(false)
		return
	}
	f.arena.Close()
}
