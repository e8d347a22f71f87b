package rpc

import "sync"

// A piece is the memory of a short message or frame. Pieces are used again: without that, most of what a short call takes of the processors
// would be the collection of garbage.
type piece [512]byte

var pieces = sync.Pool{New: func() any { return new(piece) }}

// take gives n octets, which are not zero everywhere, in a piece if they fit. Whoever takes memory gives it back with release, or leaves
// it to the garbage collection.
func take(n int) []byte {
	if n > len(piece{}) {
		return make([]byte, n)
	}
	return pieces.Get().(*piece)[:n]
}

// release wipes what take gave, which must not be used any more.
func release(b []byte) {
	clear(b)
	if cap(b) == len(piece{}) {
		pieces.Put((*piece)(b[:cap(b)]))
	}
}
