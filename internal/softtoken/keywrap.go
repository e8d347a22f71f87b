package softtoken

import (
	"bytes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"

	"github.com/p11mux/p11mux/ck"
)

// Initial values of AES key wrap: RFC 3394 §2.2.3.1, and RFC 5649 §3 without the length that follows it.
const (
	wrapIV    = "\xa6\xa6\xa6\xa6\xa6\xa6\xa6\xa6"
	wrapPadIV = "\xa6\x59\x59\xa6"
)

// half is the unit of AES key wrap in octets.
const half = block / 2

// A keyWrap is AES key wrap, with padding (RFC 5649) or without (RFC 3394).
type keyWrap struct {
	block cipher.Block
	iv    []byte // of 4 octets with padding, of 8 without
}

// newKeyWrap reads the parameter: none, or another initial value.
func newKeyWrap(m *ck.Mechanism, b cipher.Block) (*keyWrap, error) {
	iv := wrapPadIV
	if m.Type == ck.CKM_AES_KEY_WRAP {
		iv = wrapIV
	}
	if noParam(m) == nil {
		return &keyWrap{b, []byte(iv)}, nil
	}
	given, err := rawParam(m, len(iv))
	return &keyWrap{b, given}, err
}

// wrap encrypts a key.
func (w *keyWrap) wrap(key []byte) ([]byte, error) {
	if len(w.iv) == half {
		if len(key)%half != 0 || len(key) < 2*half {
			return nil, ck.CKR_KEY_SIZE_RANGE
		}
		return w.rounds(w.iv, key), nil
	}
	if len(key) == 0 {
		return nil, ck.CKR_KEY_SIZE_RANGE
	}
	iv := binary.BigEndian.AppendUint32(bytes.Clone(w.iv), uint32(len(key)))
	padded := make([]byte, (len(key)+half-1)/half*half)
	copy(padded, key)
	defer clear(padded)
	if len(padded) == half {
		out := append(iv, padded...)
		w.block.Encrypt(out, out)
		return out, nil
	}
	return w.rounds(iv, padded), nil
}

// unwrap decrypts a key.
func (w *keyWrap) unwrap(wrapped []byte) ([]byte, error) {
	padded := len(w.iv) != half
	if len(wrapped)%half != 0 || len(wrapped) < 2*half || !padded && len(wrapped) < 3*half {
		return nil, ck.CKR_WRAPPED_KEY_LEN_RANGE
	}
	var iv, key []byte
	if len(wrapped) == 2*half {
		out := make([]byte, block)
		w.block.Decrypt(out, wrapped)
		iv, key = out[:half], out[half:]
	} else {
		iv, key = w.roundsBack(wrapped)
	}
	if !padded {
		if subtle.ConstantTimeCompare(iv, w.iv) != 1 {
			return nil, ck.CKR_WRAPPED_KEY_INVALID
		}
		return key, nil
	}
	n := uint64(binary.BigEndian.Uint32(iv[4:]))
	size := uint64(len(key))
	if subtle.ConstantTimeCompare(iv[:4], w.iv) != 1 || n > size || n+half <= size {
		return nil, ck.CKR_WRAPPED_KEY_INVALID
	}
	var zero [half]byte
	if subtle.ConstantTimeCompare(key[n:], zero[:size-n]) != 1 {
		return nil, ck.CKR_WRAPPED_KEY_INVALID
	}
	return key[:n], nil
}

// rounds is the wrapping process of RFC 3394 §2.2.1 in the form with one register and a moving index.
func (w *keyWrap) rounds(iv, key []byte) []byte {
	out := append(bytes.Clone(iv), key...)
	n := len(key) / half
	var b [block]byte
	copy(b[:half], iv)
	for t := range 6 * n {
		r := out[half*(t%n+1):][:half]
		copy(b[half:], r)
		w.block.Encrypt(b[:], b[:])
		copy(r, b[half:])
		mix(b[:half], t+1)
	}
	copy(out, b[:half])
	return out
}

// roundsBack undoes rounds.
func (w *keyWrap) roundsBack(wrapped []byte) (iv, key []byte) {
	key = bytes.Clone(wrapped[half:])
	n := len(key) / half
	var b [block]byte
	copy(b[:half], wrapped)
	for t := 6*n - 1; t >= 0; t-- {
		r := key[half*(t%n):][:half]
		copy(b[half:], r)
		mix(b[:half], t+1)
		w.block.Decrypt(b[:], b[:])
		copy(r, b[half:])
	}
	return bytes.Clone(b[:half]), key
}

// mix adds the number of a step to the register.
func mix(register []byte, step int) {
	v := binary.BigEndian.Uint64(register) ^ uint64(step)
	binary.BigEndian.PutUint64(register, v)
}
