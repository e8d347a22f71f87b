package p11mux

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/internal/softtoken"
	"github.com/p11mux/p11mux/module"
)

// A secret is known to the test in a form that is not what it looks for in memory.
type secret [20]byte

func (s *secret) bytes() []byte {
	value := make([]byte, len(s))
	for i := range s {
		value[i] = s[i] ^ 0xa5
	}
	return value
}

// copies counts how often the secret is in memory.
func (s *secret) copies(t *testing.T) (n int) {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	mem, err := os.Open("/proc/self/mem")
	if err != nil {
		t.Fatal(err)
	}
	defer mem.Close()
	const most = 256 << 20 // what is larger is the race detector's
	for lines := bufio.NewScanner(bytes.NewReader(maps)); lines.Scan(); {
		var from, to int64
		var access string
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x %s", &from, &to, &access); err != nil || !strings.HasPrefix(access, "rw") || to-from > most {
			continue
		}
		// Outside of what is read here, or it would be read again.
		room, err := syscall.Mmap(-1, 0, int(to-from), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANONYMOUS)
		if err != nil {
			t.Fatal(err)
		}
		read, _ := mem.ReadAt(room, from)
		n += s.in(room[:read])
		if err := syscall.Munmap(room); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

// in counts how often the secret is in some memory.
func (s *secret) in(memory []byte) (n int) {
	for {
		i := bytes.IndexByte(memory, s[0]^0xa5)
		if i < 0 || len(memory)-i < len(s) {
			return n
		}
		memory = memory[i:]
		j := 1
		for j < len(s) && memory[j]^0xa5 == s[j] {
			j++
		}
		if j == len(s) {
			n++
		}
		memory = memory[1:]
	}
}

// kept is a copy of the test's own, which shows that it finds them.
var kept []byte

// No copy of a PIN is left in memory, neither of one that was refused nor of one that was right after that.
func TestPINLeavesNoCopy(t *testing.T) {
	ctx := context.Background()
	var wrong, right secret
	_, _ = rand.Read(wrong[:])
	_, _ = rand.Read(right[:])
	soft := softtoken.New()
	token := firstToken(t, load(t, module.Func(func(ctx context.Context, call ck.Call) error {
		if login, ok := call.(*ck.LoginCall); ok {
			want := right.bytes()
			defer clear(want)
			if !bytes.Equal(login.PIN, want) {
				return ck.CKR_PIN_INCORRECT
			}
			return nil
		}
		return soft.Do(ctx, call)
	})))
	pin := func(s *secret) PIN { return func(context.Context, *Token) ([]byte, error) { return s.bytes(), nil } }
	for range 2 {
		refused(t, "a wrong PIN", token.Login(ctx, pin(&wrong)), ck.CKR_PIN_INCORRECT)
	}
	if err := token.Login(ctx, pin(&right)); err != nil {
		t.Fatal(err)
	}
	kept = wrong.bytes()
	if n := wrong.copies(t); n != 1 {
		t.Errorf("%d copies of the PIN that was refused, and the test has one", n)
	}
	clear(kept)
	if n := right.copies(t); n != 0 {
		t.Errorf("%d copies of the right PIN", n)
	}
}
