package p11mux

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"sync"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/uri"
)

// A PIN finds out a PIN when one is needed: it may ask a person, read a file, or know it. It is not called when nothing
// needs to be logged in to. The octets that it returns are wiped after use, all that there is room for, so they must be its
// own each time; an error ends the login and reaches who wanted it. It may be called from any goroutine, and must not log
// in to the token itself: there is one login of a token at a time.
//
// A nil PIN has the token ask by itself, on a reader with a keypad for example (PKCS#11 3.2 §5.6,
// CKF_PROTECTED_AUTHENTICATION_PATH). Being a function, a PIN prints as an address, not as what it knows.
type PIN func(ctx context.Context, t *Token) ([]byte, error)

// PINString is a PIN that the program knows. The string cannot be wiped, so it is for tests and for PINs that protect
// nothing.
func PINString(pin string) PIN {
	return func(context.Context, *Token) ([]byte, error) { return []byte(pin), nil }
}

// maxPIN is how many octets of a file are read as a PIN.
const maxPIN = 4096

// PINFile reads the PIN from a file each time it is needed: all of it, but for one line end that it may have.
func PINFile(path string) PIN {
	return func(context.Context, *Token) ([]byte, error) {
		f, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("read the PIN: %w", err)
		}
		defer f.Close()
		pin := make([]byte, maxPIN+1)
		n, err := io.ReadFull(f, pin)
		switch {
		case err == nil:
			clear(pin)
			return nil, fmt.Errorf("read the PIN: %s has more than %d octets", path, maxPIN)
		case err != io.EOF && err != io.ErrUnexpectedEOF:
			clear(pin)
			return nil, fmt.Errorf("read the PIN: %w", err)
		}
		line := bytes.TrimSuffix(pin[:n], []byte("\n"))
		return bytes.TrimSuffix(line, []byte("\r")), nil
	}
}

// PINFromURI is the PIN that a URI has or names: pin-value, or the file of pin-source. It is nil and no error for a URI
// with neither. A pin-source that is a command, or on another machine, is an error: nothing is run.
func PINFromURI(u *uri.URI) (PIN, error) {
	if pin, ok := u.PIN(); ok {
		kept := string(pin.Bytes())
		return PINString(kept), nil
	}
	source, ok := u.Get(uri.PINSource)
	if !ok {
		return nil, nil
	}
	rest, isFile := strings.CutPrefix(source, "file:")
	if !isFile {
		if strings.HasPrefix(source, "/") {
			return PINFile(source), nil
		}
		return nil, errors.New("pin-source of the uri is not a file: write pin-source=file:/path")
	}
	if host, ok := strings.CutPrefix(rest, "//"); ok {
		i := max(strings.IndexByte(host, '/'), 0)
		if host[:i] != "" && host[:i] != "localhost" {
			return nil, errors.New("pin-source of the uri is on another machine: write pin-source=file:/path")
		}
		rest = host[i:]
	}
	path, err := url.PathUnescape(rest)
	if err != nil || path == "" {
		return nil, errors.New("pin-source of the uri is not a file: write pin-source=file:/path")
	}
	return PINFile(path), nil
}

// withPIN calls f with a PIN, nil for the protected path, and wipes it.
func (t *Token) withPIN(ctx context.Context, pin PIN, f func(pin []byte) error) error {
	if pin == nil {
		return f(nil)
	}
	value, err := pin(ctx, t)
	defer func() { clear(value[:cap(value)]) }()
	if err != nil {
		return err
	}
	if value == nil {
		value = []byte{} // an empty PIN, not the protected path
	}
	return f(value)
}

// refusals remembers which PINs a token has refused: tokens count the tries and lock themselves, so no PIN is tried twice.
// It keeps no PIN, but what can be compared with one.
type refusals struct {
	mu   sync.Mutex
	seen [][sha256.Size]byte
}

// maxRefusals is more than any token lets be tried.
const maxRefusals = 64

// refusalKey keeps what is remembered from being compared with anything outside of this process.
var refusalKey = sync.OnceValue(func() []byte {
	key := make([]byte, sha256.Size)
	_, _ = rand.Read(key) // never fails
	return key
})

func refusal(user ck.UserType, pin []byte) (mark [sha256.Size]byte) {
	if user == ck.CKU_CONTEXT_SPECIFIC {
		user = ck.CKU_USER // it is that one's PIN
	}
	// A hash keeps a copy of what does not fill a block, so whole blocks are what it gets.
	const length, block = 8, sha256.BlockSize
	data := make([]byte, (length+1+len(pin)+block-1)/block*block)
	defer clear(data)
	binary.LittleEndian.PutUint64(data, uint64(len(pin)))
	data[length] = byte(user)
	copy(data[length+1:], pin)
	h := hmac.New(sha256.New, refusalKey())
	_, _ = h.Write(data)
	h.Sum(mark[:0])
	return mark
}

func (r *refusals) has(user ck.UserType, pin []byte) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.seen) == 0 {
		return false
	}
	mark := refusal(user, pin)
	for _, s := range r.seen {
		if s == mark {
			return true
		}
	}
	return false
}

func (r *refusals) add(user ck.UserType, pin []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.seen) == maxRefusals {
		r.seen = r.seen[1:]
	}
	r.seen = append(r.seen, refusal(user, pin))
}

func (r *refusals) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.seen)
	r.seen = nil
}
