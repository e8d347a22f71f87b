package softtoken

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"

	"github.com/p11mux/p11mux/ck"
)

const block = aes.BlockSize

// newTransform makes the transform of a mechanism that encrypts. The key is of the right kind for it.
func newTransform(m *ck.Mechanism, key *object, decrypt bool) (transform, error) {
	switch m.Type {
	case ck.CKM_RSA_PKCS, ck.CKM_RSA_PKCS_OAEP:
		return newRSATransform(m, key)
	}
	aesBlock, err := aes.NewCipher(key.key.([]byte))
	if err != nil {
		return nil, failed(err)
	}
	switch m.Type {
	case ck.CKM_AES_ECB:
		return &blockMode{block: aesBlock, decrypt: decrypt}, noParam(m)
	case ck.CKM_AES_CBC, ck.CKM_AES_CBC_PAD:
		iv, err := rawParam(m, block)
		return &blockMode{block: aesBlock, iv: iv, decrypt: decrypt, pad: m.Type == ck.CKM_AES_CBC_PAD}, err
	case ck.CKM_AES_CTR:
		return newCounterMode(m, aesBlock)
	case ck.CKM_AES_GCM:
		return newGCMMode(m, aesBlock, decrypt)
	}
	return nil, ck.CKR_MECHANISM_INVALID
}

// lenError is the error for input of a wrong length.
func lenError(decrypt bool) error {
	if decrypt {
		return ck.CKR_ENCRYPTED_DATA_LEN_RANGE
	}
	return ck.CKR_DATA_LEN_RANGE
}

// blockMode is ECB, and CBC with and without padding. Its state between parts is the chaining value and what has not
// been done yet, so that last can be called again.
type blockMode struct {
	block   cipher.Block
	iv      []byte // nil for ECB
	decrypt bool
	pad     bool // PKCS #7
	held    []byte
}

// run does whole blocks, and gives the chaining value for those that follow.
func (b *blockMode) run(in []byte) (out, iv []byte) {
	out = make([]byte, len(in))
	switch {
	case len(in) == 0:
		return out, b.iv
	case b.iv == nil && b.decrypt:
		for i := 0; i < len(in); i += block {
			b.block.Decrypt(out[i:], in[i:])
		}
		return out, nil
	case b.iv == nil:
		for i := 0; i < len(in); i += block {
			b.block.Encrypt(out[i:], in[i:])
		}
		return out, nil
	case b.decrypt:
		cipher.NewCBCDecrypter(b.block, b.iv).CryptBlocks(out, in)
		return out, bytes.Clone(in[len(in)-block:])
	}
	cipher.NewCBCEncrypter(b.block, b.iv).CryptBlocks(out, in)
	return out, bytes.Clone(out[len(out)-block:])
}

func (b *blockMode) bound(n int) int {
	if b.pad && !b.decrypt {
		return n/block*block + block
	}
	return n
}

func (b *blockMode) whole(in []byte) ([]byte, error) {
	if b.pad && !b.decrypt {
		n := block - len(in)%block
		padded := make([]byte, len(in), len(in)+n)
		copy(padded, in)
		in = append(padded, bytes.Repeat([]byte{byte(n)}, n)...)
	}
	if len(in)%block != 0 || b.pad && len(in) == 0 {
		return nil, lenError(b.decrypt)
	}
	out, _ := b.run(in)
	if b.pad && b.decrypt {
		return unpad(out)
	}
	return out, nil
}

func (b *blockMode) next(n int) (int, error) {
	total := len(b.held) + n
	if b.pad && b.decrypt && total > 0 {
		total-- // the last block has the padding
	}
	return total / block * block, nil
}

func (b *blockMode) update(part []byte) ([]byte, error) {
	n, _ := b.next(len(part))
	all := append(b.held[:len(b.held):len(b.held)], part...)
	out, iv := b.run(all[:n])
	b.iv, b.held = iv, all[n:]
	return out, nil
}

func (b *blockMode) last() ([]byte, error) { return b.whole(b.held) }

// unpad takes PKCS #7 padding off. How long it takes does not depend on where the padding is wrong.
func unpad(in []byte) ([]byte, error) {
	n := int(in[len(in)-1])
	good := subtle.ConstantTimeLessOrEq(1, n) & subtle.ConstantTimeLessOrEq(n, block)
	for i := 1; i <= block; i++ {
		inside := subtle.ConstantTimeLessOrEq(i, n)
		good &= subtle.ConstantTimeSelect(inside, subtle.ConstantTimeByteEq(in[len(in)-i], byte(n)), 1)
	}
	if good != 1 {
		return nil, ck.CKR_ENCRYPTED_DATA_INVALID
	}
	return in[:len(in)-n], nil
}

// counterMode is CTR with a counter of fewer bits than a block, which cipher.NewCTR does not have.
type counterMode struct {
	block   cipher.Block
	counter [block]byte
	bits    uint64
	done    uint64 // octets
}

func newCounterMode(m *ck.Mechanism, b cipher.Block) (transform, error) {
	p, err := structParam[ck.AESCTRParams](m)
	if err != nil {
		return nil, err
	}
	if p.CounterBits == 0 || p.CounterBits > 8*block {
		return nil, ck.CKR_MECHANISM_PARAM_INVALID
	}
	return &counterMode{block: b, counter: p.CB, bits: p.CounterBits}, nil
}

// at gives the counter block for the n-th block: n is added to the counter's bits, the others stay.
func (c *counterMode) at(n uint64) [block]byte {
	b := c.counter
	left := c.bits
	for i := block - 1; i >= 0 && left > 0; i-- {
		mask := byte(0xff)
		if left < 8 {
			mask = 1<<left - 1
		}
		sum := uint64(b[i]&mask) + n&0xff
		b[i] = b[i]&^mask | byte(sum)&mask
		n = n>>8 + sum>>8
		left -= min(left, 8)
	}
	return b
}

// run does octets from a position on. Running out of counters would repeat the key stream.
func (c *counterMode) run(from uint64, in []byte) ([]byte, error) {
	if end := from + uint64(len(in)); c.bits < 60 && end > 1<<c.bits*block {
		return nil, ck.CKR_DATA_LEN_RANGE
	}
	out := make([]byte, len(in))
	var stream [block]byte
	for i := range in {
		pos := from + uint64(i)
		if i == 0 || pos%block == 0 {
			counter := c.at(pos / block)
			c.block.Encrypt(stream[:], counter[:])
		}
		out[i] = in[i] ^ stream[pos%block]
	}
	return out, nil
}

func (c *counterMode) bound(n int) int                 { return n }
func (c *counterMode) whole(in []byte) ([]byte, error) { return c.run(0, in) }
func (c *counterMode) next(n int) (int, error)         { return n, nil }
func (c *counterMode) last() ([]byte, error)           { return nil, nil }

func (c *counterMode) update(part []byte) ([]byte, error) {
	out, err := c.run(c.done, part)
	c.done += uint64(len(part))
	return out, err
}

// gcmMode is GCM. All data is held until the end: a decryption may not give out what it has not authenticated, and an
// encryption in parts is the same code.
type gcmMode struct {
	aead    cipher.AEAD
	iv, aad []byte
	decrypt bool
	held    []byte
}

// newGCMMode makes it for the parameters that Go's GCM has: an IV of any length with a tag of 128 bits, or an IV of 96 bits
// with a tag of 96 bits and more.
func newGCMMode(m *ck.Mechanism, b cipher.Block, decrypt bool) (transform, error) {
	p, err := structParam[ck.GCMParams](m)
	if err != nil {
		return nil, err
	}
	g := &gcmMode{iv: bytes.Clone(p.IV), aad: bytes.Clone(p.AAD), decrypt: decrypt}
	switch {
	case len(p.IV) == 0 || p.TagBits%8 != 0 || p.TagBits < 96 || p.TagBits > 128:
		return nil, ck.CKR_MECHANISM_PARAM_INVALID
	case p.TagBits == 128:
		g.aead, err = cipher.NewGCMWithNonceSize(b, len(p.IV))
	case len(p.IV) == 12:
		g.aead, err = cipher.NewGCMWithTagSize(b, int(p.TagBits/8))
	default:
		return nil, ck.CKR_MECHANISM_PARAM_INVALID
	}
	return g, failed(err)
}

func (g *gcmMode) bound(n int) int {
	if g.decrypt {
		return max(n-g.aead.Overhead(), 0)
	}
	return n + g.aead.Overhead()
}

func (g *gcmMode) whole(in []byte) ([]byte, error) {
	if !g.decrypt {
		return g.aead.Seal(nil, g.iv, in, g.aad), nil
	}
	if len(in) < g.aead.Overhead() {
		return nil, ck.CKR_ENCRYPTED_DATA_LEN_RANGE
	}
	out, err := g.aead.Open(nil, g.iv, in, g.aad)
	if err != nil {
		return nil, ck.CKR_ENCRYPTED_DATA_INVALID
	}
	return out, nil
}

func (g *gcmMode) next(int) (int, error) { return 0, nil }

func (g *gcmMode) update(part []byte) ([]byte, error) {
	g.held = append(g.held, part...)
	return nil, nil
}

func (g *gcmMode) last() ([]byte, error) { return g.whole(g.held) }
