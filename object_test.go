package p11mux

import (
	"bytes"
	"context"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/internal/softtoken"
	"github.com/p11mux/p11mux/module"
)

func TestAttr(t *testing.T) {
	day := time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)
	got := Attributes{
		Attr(ck.CKA_TOKEN, true), Attr(ck.CKA_PRIVATE, false), Attr(ck.CKA_LABEL, "a label"), Attr(ck.CKA_ID, []byte{1, 2}),
		Attr(ck.CKA_CLASS, ck.CKO_SECRET_KEY), Attr(ck.CKA_KEY_TYPE, ck.CKK_AES), Attr(ck.CKA_VALUE_LEN, 32),
		Attr(ck.CKA_MODULUS_BITS, uint64(1)<<40), Attr(ck.CKA_START_DATE, day), Attr(ck.CKA_END_DATE, time.Time{}),
		Attr(ck.CKA_MODULUS, big.NewInt(0x10001)), Attr(ck.CKA_PRIME_1, (*big.Int)(nil)),
		Attr(ck.CKA_ALLOWED_MECHANISMS, []ck.MechanismType{ck.CKM_AES_GCM, ck.CKM_AES_CTR}), Attr(ck.CKA_VALUE, []byte(nil)),
	}
	check := func(what string, got, want any) {
		t.Helper()
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	check("true", got.Bool(ck.CKA_TOKEN), true)
	check("false", got.Bool(ck.CKA_PRIVATE), false)
	check("no boolean", got.Bool(ck.CKA_LABEL), false)
	check("label", got.Label(), "a label")
	check("id", got.ID(), []byte{1, 2})
	check("class", got.Class(), ck.CKO_SECRET_KEY)
	check("key type", got.KeyType(), ck.CKK_AES)
	n, ok := got.Uint(ck.CKA_VALUE_LEN)
	check("length", fmt.Sprint(n, ok), "32 true")
	n, ok = got.Uint(ck.CKA_MODULUS_BITS)
	check("long", fmt.Sprint(n, ok), fmt.Sprint(uint64(1)<<40, true))
	_, ok = got.Uint(ck.CKA_LABEL)
	check("no number", ok, false)
	check("day", got.Date(ck.CKA_START_DATE), day.Truncate(24*time.Hour))
	check("no day", got.Date(ck.CKA_END_DATE).IsZero(), true)
	check("big", got.BigInt(ck.CKA_MODULUS), 0x10001)
	check("big none", got.BigInt(ck.CKA_PRIME_1), 0)
	check("big absent", got.BigInt(ck.CKA_PRIME_2) == nil, true)
	check("mechanisms", got.Mechanisms(ck.CKA_ALLOWED_MECHANISMS), []ck.MechanismType{ck.CKM_AES_GCM, ck.CKM_AES_CTR})
	check("no mechanisms", got.Mechanisms(ck.CKA_ID) == nil, true)
	check("nil is not NULL", got.Bytes(ck.CKA_VALUE) != nil, true)
	check("absent class", Attributes(nil).Class(), noClass)
	check("absent", Attributes(nil).Bytes(ck.CKA_ID) == nil, true)
	nested := Attr(ck.CKA_WRAP_TEMPLATE, []ck.Attribute{Attr(ck.CKA_TOKEN, true)})
	check("nested", len(nested.Nested), 1)
}

func TestObjects(t *testing.T) {
	f := openToken(t)
	long := strings.Repeat("a very long label ", 200)
	o, err := f.CreateObject(f.ctx, Attr(ck.CKA_CLASS, ck.CKO_DATA), Attr(ck.CKA_TOKEN, true), Attr(ck.CKA_LABEL, long),
		Attr(ck.CKA_VALUE, bytes.Repeat([]byte{7}, 5000)), Attr(ck.CKA_APPLICATION, "test"))
	f.must(err)
	if o.Label() != long || o.Class() != ck.CKO_DATA || o.ID() != nil && len(o.ID()) > 0 || o.KeyType() != noKeyType {
		t.Errorf("%q %v %x %v", o.Label(), o.Class(), o.ID(), o.KeyType())
	}
	got, err := o.Attributes(f.ctx, ck.CKA_APPLICATION, ck.CKA_VALUE, ck.CKA_LABEL, ck.CKA_MODULUS, ck.CKA_PRIVATE)
	f.must(err)
	if len(got) != 4 || got.Text(ck.CKA_APPLICATION) != "test" || len(got.Bytes(ck.CKA_VALUE)) != 5000 || got.Label() != long {
		t.Errorf("%d attributes", len(got))
	}
	if _, ok := got.Get(ck.CKA_MODULUS); ok {
		t.Error("data has a modulus")
	}
	if got, err := o.Attributes(f.ctx); got != nil || err != nil {
		t.Errorf("no attributes: %v, %v", got, err)
	}
	_, err = o.Attributes(f.ctx, ck.CKA_WRAP_TEMPLATE)
	refused(t, "a template", err, ck.CKR_ATTRIBUTE_TYPE_INVALID)

	// Found by the pool, it is changed in a session that can write.
	found, ok, err := next(f.token.Find(f.ctx, Attr(ck.CKA_APPLICATION, "test")))
	if !ok || err != nil {
		t.Fatal(ok, err)
	}
	f.must(found.Set(f.ctx, Attr(ck.CKA_LABEL, "short")))
	got, err = o.Attributes(f.ctx, ck.CKA_LABEL)
	f.must(err)
	if got.Label() != "short" {
		t.Errorf("label %q", got.Label())
	}
	copied, err := f.CopyObject(f.ctx, found, Attr(ck.CKA_LABEL, "copy"), Attr(ck.CKA_TOKEN, false))
	f.must(err)
	if copied.Label() != "copy" {
		t.Errorf("label %q", copied.Label())
	}
	if size, err := copied.Size(f.ctx); err != nil && ck.RVOf(err) != ck.CKR_INFORMATION_SENSITIVE || err == nil && size == 0 {
		t.Errorf("size %d, %v", size, err)
	}
	f.must(found.Destroy(f.ctx))
	_, err = o.Attributes(f.ctx, ck.CKA_LABEL)
	refused(t, "destroyed", err, ck.CKR_OBJECT_HANDLE_INVALID)
	again, err := f.Object(f.ctx, copied.Handle())
	f.must(err)
	if again.Label() != "copy" || again.Token() != f.token {
		t.Errorf("label %q", again.Label())
	}
}

// What is secret is left out, and so are others that a module says no to; what is told comes all the same.
func TestSecretAttributes(t *testing.T) {
	f := openToken(t)
	_, key := f.generate("RSA", "k")
	got, err := key.Attributes(f.ctx, ck.CKA_PRIVATE_EXPONENT, ck.CKA_MODULUS, ck.CKA_VALUE, ck.CKA_LABEL)
	f.must(err)
	if len(got) != 2 || len(got.Bytes(ck.CKA_MODULUS)) != 256 || got.Label() != "k" {
		t.Errorf("%v", got)
	}
}

// Find copes with more objects than it asks for at a time, and with a body that uses the only session and destroys.
func TestFindMany(t *testing.T) {
	f := use(t, load(t, softtoken.New(), WithMaxSessions(1)), softtoken.UserPIN)
	const n = 2*batch + 5
	for i := range n {
		_, err := f.CreateObject(f.ctx, Attr(ck.CKA_CLASS, ck.CKO_DATA), Attr(ck.CKA_TOKEN, true), Attr(ck.CKA_LABEL, fmt.Sprint("object ", i)))
		f.must(err)
	}
	var labels []string
	for o, err := range f.token.Find(f.ctx, Attr(ck.CKA_CLASS, ck.CKO_DATA)) {
		f.must(err)
		got, err := o.Attributes(f.ctx, ck.CKA_LABEL)
		f.must(err)
		if got.Label() != o.Label() {
			t.Errorf("%q and %q", got.Label(), o.Label())
		}
		labels = append(labels, o.Label())
		f.must(o.Destroy(f.ctx))
	}
	slices.Sort(labels)
	if len(slices.Compact(labels)) != n {
		t.Errorf("%d objects", len(labels))
	}
	if _, found, err := next(f.Find(f.ctx, Attr(ck.CKA_CLASS, ck.CKO_DATA))); found || err != nil {
		t.Errorf("found %v, %v", found, err)
	}
	for range 3 { // a loop that is left does not keep a session
		next(f.token.Find(f.ctx))
	}
	// What is gone when it is its turn is left out.
	for i := range n {
		_, err := f.CreateObject(f.ctx, Attr(ck.CKA_CLASS, ck.CKO_DATA), Attr(ck.CKA_TOKEN, true), Attr(ck.CKA_LABEL, fmt.Sprint("object ", i)))
		f.must(err)
	}
	seen := 0
	for _, err := range f.token.Find(f.ctx, Attr(ck.CKA_CLASS, ck.CKO_DATA)) {
		f.must(err)
		if seen++; seen == 1 {
			for o, err := range f.Find(f.ctx, Attr(ck.CKA_CLASS, ck.CKO_DATA)) {
				f.must(err)
				f.must(o.Destroy(f.ctx))
			}
		}
	}
	if seen != batch {
		t.Errorf("%d objects were seen", seen)
	}
}

// A module that lies about counts and lengths gets an error, and takes no memory.
func TestLies(t *testing.T) {
	var lie atomic.Value // func(ck.Call) (lied bool, err error)
	honest := func(ck.Call) (bool, error) { return false, nil }
	lie.Store(honest)
	soft := softtoken.New()
	f := use(t, load(t, module.Func(func(ctx context.Context, call ck.Call) error {
		if lied, err := lie.Load().(func(ck.Call) (bool, error))(call); lied {
			return err
		}
		return soft.Do(ctx, call)
	})), softtoken.UserPIN)
	_, key := f.generate("P-256", "k")
	const huge = 1 << 60
	slots := func() error { _, err := f.token.module().Slots(f.ctx); return err }
	sign := func() error {
		_, err := f.Sign(f.ctx, ck.Mechanism{Type: ck.CKM_ECDSA}, key, make([]byte, 32))
		return err
	}
	for name, test := range map[string]struct {
		lie func(ck.Call) (bool, error)
		use func() error
	}{
		"too many slots": {func(call ck.Call) (bool, error) {
			c, ok := call.(*ck.GetSlotListCall)
			if ok {
				c.Slots.N = huge
			}
			return ok, ck.CKR_BUFFER_TOO_SMALL
		}, slots},
		"more slots than room": {func(call ck.Call) (bool, error) {
			c, ok := call.(*ck.GetSlotListCall)
			if ok {
				c.Slots.N = huge
			}
			return ok, nil
		}, slots},
		"never enough room": {func(call ck.Call) (bool, error) {
			_, ok := call.(*ck.GetMechanismListCall)
			return ok, ck.CKR_BUFFER_TOO_SMALL
		}, func() error { _, err := f.token.Mechanisms(f.ctx); return err }},
		"more objects than room": {func(call ck.Call) (bool, error) {
			c, ok := call.(*ck.FindObjectsCall)
			if ok {
				c.Objects.N = huge
			}
			return ok, nil
		}, func() error { _, _, err := next(f.Find(f.ctx)); return err }},
		"a long signature": {func(call ck.Call) (bool, error) {
			c, ok := call.(*ck.SignCall)
			if ok {
				c.Signature.N = huge
			}
			return ok, ck.CKR_BUFFER_TOO_SMALL
		}, sign},
		"a signature longer than room": {func(call ck.Call) (bool, error) {
			c, ok := call.(*ck.SignCall)
			if ok {
				c.Signature.N = huge
			}
			return ok, nil
		}, sign},
		"a signature that never fits": {func(call ck.Call) (bool, error) {
			c, ok := call.(*ck.SignCall)
			if ok && c.Signature.Buf == nil {
				return true, nil
			}
			return ok, ck.CKR_BUFFER_TOO_SMALL
		}, sign},
		"long attributes": {func(call ck.Call) (bool, error) {
			c, ok := call.(*ck.GetAttributeValueCall)
			if ok {
				for i := range c.Template {
					c.Template[i].N = maxResult - 1
				}
			}
			return ok, ck.CKR_BUFFER_TOO_SMALL
		}, func() error { _, err := key.Attributes(f.ctx, ck.CKA_LABEL, ck.CKA_ID); return err }},
	} {
		lie.Store(test.lie)
		refused(t, name, test.use(), ck.CKR_GENERAL_ERROR)
		lie.Store(honest)
		// The operation is left in the session.
		f.must(f.Do(f.ctx, &ck.SessionCancelCall{Flags: ck.CKF_SIGN | ck.CKF_FIND_OBJECTS}))
	}
}

// A search that never ends is ended by the context, and otherwise when there cannot be so many objects.
func TestEndlessSearch(t *testing.T) {
	soft := softtoken.New()
	ctx, cancel := context.WithCancel(context.Background())
	calls := 0
	token := firstToken(t, load(t, module.Func(func(c context.Context, call ck.Call) error {
		if find, ok := call.(*ck.FindObjectsCall); ok {
			if calls++; calls == 10 {
				cancel()
			}
			find.Objects.N = uint64(len(find.Objects.Buf))
			return nil
		}
		return soft.Do(c, call)
	})))
	_, _, err := next(token.Find(ctx))
	refused(t, "an endless search", err, context.Canceled)
	// Without one, the memory of the process is not for the module to take.
	_, _, err = next(token.Find(context.Background()))
	refused(t, "an endless search without a context", err, ck.CKR_GENERAL_ERROR)
}

// A result that is longer than what is guessed is asked for again.
func TestLongResult(t *testing.T) {
	soft := softtoken.New()
	long := bytes.Repeat([]byte("signature"), 10000)
	f := use(t, load(t, module.Func(func(ctx context.Context, call ck.Call) error {
		c, ok := call.(*ck.SignCall)
		if !ok {
			return soft.Do(ctx, call)
		}
		c.Signature.N = uint64(len(long))
		if len(c.Signature.Buf) < len(long) {
			return ck.CKR_BUFFER_TOO_SMALL
		}
		copy(c.Signature.Buf, long)
		return nil
	})), softtoken.UserPIN)
	_, key := f.generate("P-256", "k")
	got, err := f.Sign(f.ctx, ck.Mechanism{Type: ck.CKM_ECDSA}, key, make([]byte, 32))
	f.must(err)
	if !bytes.Equal(got, long) {
		t.Errorf("%d octets", len(got))
	}
}
