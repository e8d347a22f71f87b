package softtoken

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"

	"github.com/p11mux/p11mux/ck"
)

// Lengths of PINs in octets, and how many wrong ones in a row lock a user out.
const (
	minPIN   = 4
	maxPIN   = 255
	maxTries = 10
)

// A pin is what the token keeps of a PIN. The hash is salted but not stretched: the token's memory holds the keys beside
// it, so whoever can read the hash has no need of the PIN. The Token's lock guards it.
type pin struct {
	known bool // false until it is set for the first time
	salt  [16]byte
	sum   [sha256.Size]byte
	wrong int // in a row
}

// set replaces the PIN and forgets wrong tries.
func (p *pin) set(value []byte) {
	rand.Read(p.salt[:])
	p.sum = p.hash(value)
	p.known = true
	p.wrong = 0
}

// hash gives the salted hash of a PIN. The only copy of the PIN that it makes is wiped: of data in whole blocks, the hash
// itself keeps none.
func (p *pin) hash(value []byte) [sha256.Size]byte {
	const length, block = 8, sha256.BlockSize
	buf := make([]byte, (len(p.salt)+length+len(value)+block-1)/block*block)
	n := copy(buf, p.salt[:])
	binary.LittleEndian.PutUint64(buf[n:], uint64(len(value)))
	copy(buf[n+length:], value)
	sum := sha256.Sum256(buf)
	clear(buf)
	return sum
}

// check compares a PIN and counts the tries: the tenth wrong one in a row locks it.
func (p *pin) check(value []byte) error {
	if p.wrong >= maxTries {
		return ck.CKR_PIN_LOCKED
	}
	sum := p.hash(value)
	if subtle.ConstantTimeCompare(sum[:], p.sum[:]) != 1 {
		p.wrong++
		return ck.CKR_PIN_INCORRECT
	}
	p.wrong = 0
	return nil
}

// flags gives those of CK_TOKEN_INFO that tell of wrong tries.
func (p *pin) flags(low, final, locked ck.Flags) ck.Flags {
	switch {
	case p.wrong == 0:
		return 0
	case p.wrong < maxTries-1:
		return low
	case p.wrong == maxTries-1:
		return low | final
	}
	return locked
}

// checkNewPIN checks the length of a PIN that shall be set.
func checkNewPIN(value []byte) error {
	if len(value) < minPIN || len(value) > maxPIN {
		return ck.CKR_PIN_LEN_RANGE
	}
	return nil
}
