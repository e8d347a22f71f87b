package conf

import (
	"encoding/binary"
	"testing"
)

// TestAuxvSecure reads made-up vectors of either byte order and word size.
func TestAuxvSecure(t *testing.T) {
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		for _, word := range []int{4, 8} {
			vector := func(words ...uint64) string {
				var b []byte
				for _, w := range words {
					if word == 4 {
						b = order.AppendUint32(b, uint32(w))
					} else {
						b = order.AppendUint64(b, w)
					}
				}
				return string(b)
			}
			for _, tt := range []struct {
				auxv       string
				secure, ok bool
			}{
				{vector(6, 4096, 23, 1, 0, 0), true, true},
				{vector(6, 4096, 23, 0, 0, 0), false, true},
				{vector(6, 23, 7, 1, 23, 0, 0, 0), false, true},
				{vector(16, 0x17000000, 23, 1, 0, 0), true, true},
				{vector(6, 4096, 0, 0), false, false},
				{vector(23, 1)[:2*word-1], false, false},
				{"", false, false},
			} {
				secure, ok := auxvSecure(tt.auxv, word)
				if secure != tt.secure || ok != tt.ok {
					t.Errorf("%v, %d octets, %x: %v, %v", order, word, tt.auxv, secure, ok)
				}
			}
		}
	}
}
