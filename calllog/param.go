package calllog

// A param is a structure that is the parameter of mechanisms.
type param struct {
	name    string
	size    uint64
	members []member
}

// A memberKind is how a member of a parameter is written.
type memberKind uint8

const (
	memberNumber memberKind = iota
	memberByte
	memberBool
	memberMechanism
	memberPointer
	memberBytes  // pointer, with the place of its length in octets
	memberBits   // the same in bits
	memberFixed  // pointer, with its length
	memberArray  // octets inside the structure
	memberStruct // structure inside it
)

type member struct {
	name   string
	kind   memberKind
	at     uint16
	length uint16 // where the length is, or the length itself
	inner  *param
	secret bool
}

// jsonParam appends a parameter as an object.
func (r *record) jsonParam(p *param, addr uintptr) {
	r.text("{")
	for i := range p.members {
		m := &p.members[i]
		r.member(i == 0, m.name)
		place := addr + uintptr(m.at)
		switch m.kind {
		case memberByte:
			r.number(uint64(*at[byte](place)))
		case memberBool:
			r.jsonBool(*at[byte](place) != 0)
		case memberMechanism:
			r.quoteName(appendMechanism, wordAt(place))
		case memberPointer:
			r.jsonPointer(uintptr(wordAt(place)))
		case memberBytes:
			r.jsonFar(uintptr(wordAt(place)), wordAt(addr+uintptr(m.length)), m.secret)
		case memberBits:
			r.jsonFar(uintptr(wordAt(place)), wordAt(addr+uintptr(m.length))/8, m.secret)
		case memberFixed:
			if p := uintptr(wordAt(place)); p != 0 {
				r.jsonFar(p, uint64(m.length), m.secret)
			} else {
				r.text("null")
			}
		case memberArray:
			r.jsonBytes(place, uint64(m.length), uint64(m.length), m.secret)
		case memberStruct:
			r.jsonParam(m.inner, place)
		default:
			r.number(wordAt(place))
		}
	}
	r.text("}")
}

// jsonFar appends octets that a parameter leads to.
func (r *record) jsonFar(addr uintptr, n uint64, secret bool) { r.jsonBytes(addr, n, n, secret) }
