package native

// maxReserved is the longest text that OneReserved makes a C string of, in octets.
const maxReserved = 4 << 10

// OneReserved gives [ReservedString] for one text and no other: the first one that is asked for, which can have 4096 octets. A module may keep
// it for ever, so a remote client must not have many made. What it gives is for one goroutine at a time; a text that it does not take gives 0.
func OneReserved() func(text string) uintptr {
	var known string
	var address uintptr
	return func(text string) uintptr {
		if address == 0 && len(text) <= maxReserved {
			known, address = text, ReservedString(text)
		}
		if text != known {
			return 0
		}
		return address
	}
}
