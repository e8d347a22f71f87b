package p11mux

import (
	"context"
	"crypto"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/internal/softtoken"
	"github.com/p11mux/p11mux/managed"
	"github.com/p11mux/p11mux/module"
)

func TestAfterClose(t *testing.T) {
	f := openToken(t)
	m := f.token.module()
	_, key := f.generate("P-256", "k")
	signer, err := key.Signer(f.ctx)
	f.must(err)
	digest, err := f.NewDigest(f.ctx, ck.Mechanism{Type: ck.CKM_SHA256})
	f.must(err)
	for range 2 {
		f.must(m.Close())
	}
	_, _, tokenErr := next(m.Tokens(f.ctx))
	_, _, findErr := next(f.token.Find(f.ctx))
	_, openErr := f.token.OpenSession(f.ctx, ReadOnly)
	_, infoErr := f.Info(f.ctx)
	_, signErr := signer.Sign(rand.Reader, hashed(crypto.SHA256), crypto.SHA256)
	_, attrErr := key.Attributes(f.ctx, ck.CKA_LABEL)
	_, sumErr := digest.Sum()
	_, writeErr := digest.Write([]byte("x"))
	_, waitErr := m.WaitForSlotEvent(f.ctx)
	_, uriErr := m.PrivateKey(f.ctx, "pkcs11:object=k")
	_, randErr := io.ReadFull(f.token.Random(f.ctx), make([]byte, 8))
	for what, err := range map[string]error{
		"tokens": tokenErr, "find": findErr, "open": openErr, "info": infoErr, "sign": signErr, "attributes": attrErr, "sum": sumErr,
		"write": writeErr, "wait": waitErr, "uri": uriErr, "random": randErr, "login": f.token.Login(f.ctx, PINString("1234")),
		"do": m.Do(f.ctx, new(ck.GetInfoCall)),
	} {
		refused(t, what, err, ErrClosed)
		if rv := ck.RVOf(err); rv != ck.CKR_CRYPTOKI_NOT_INITIALIZED && rv != ck.CKR_SESSION_HANDLE_INVALID {
			t.Errorf("%s: %v", what, rv)
		}
	}
	f.must(digest.Close())
	f.must(f.Close())
	f.must(f.Close())
}

// next gives the first of a sequence.
func next[T any](seq func(func(T, error) bool)) (v T, ok bool, err error) {
	for v, err := range seq {
		return v, true, err
	}
	return v, false, nil
}

func TestSessionAfterClose(t *testing.T) {
	f := openToken(t)
	s, err := f.token.OpenSession(f.ctx, ReadWrite)
	f.must(err)
	o, err := s.CreateObject(f.ctx, Attr(ck.CKA_CLASS, ck.CKO_DATA), Attr(ck.CKA_LABEL, "mine"))
	f.must(err)
	f.must(s.Close())
	f.must(s.Close())
	_, err = s.Info(f.ctx)
	refused(t, "info", err, ErrClosed)
	refused(t, "info", err, ck.CKR_SESSION_HANDLE_INVALID)
	_, err = o.Attributes(f.ctx, ck.CKA_LABEL)
	refused(t, "attributes of its object", err, ErrClosed)
	refused(t, "destroy of its object", o.Destroy(f.ctx), ErrClosed)
	// It was a session object, so nobody has it now.
	if _, found, err := next(f.token.Find(f.ctx, Attr(ck.CKA_LABEL, "mine"))); found || err != nil {
		t.Errorf("found %v, %v", found, err)
	}
}

// Two views of one module: who closes first does not hurt the other.
func TestTwoViews(t *testing.T) {
	shared := managed.New(softtoken.New(), managed.Options{})
	a, b := loadShared(t, shared), loadShared(t, shared)
	f := use(t, b, softtoken.UserPIN)
	_, priv := f.generate("P-256", "k")
	key, err := priv.PrivateKey(f.ctx)
	f.must(err)

	ofA := firstToken(t, a)
	s, err := ofA.OpenSession(f.ctx, ReadOnly)
	f.must(err)
	// The other's objects are none of a's.
	_, err = s.Sign(f.ctx, ck.Mechanism{Type: ck.CKM_ECDSA}, priv, hashed(crypto.SHA256))
	refused(t, "another view's key", err, ck.CKR_KEY_HANDLE_INVALID)
	// Who is logged in, is so for the process.
	f.must(ofA.Login(f.ctx, func(context.Context, *Token) ([]byte, error) { return nil, errors.New("asked") }))
	f.must(a.Close())
	signs(t, key, crypto.SHA256)
	if n := shared.Initialized(); n != 1 {
		t.Errorf("%d callers", n)
	}
	f.must(b.Close())
	if n := shared.Initialized(); n != 0 {
		t.Errorf("%d callers", n)
	}
}

func TestBadHandles(t *testing.T) {
	f := openToken(t)
	m := f.token.module()
	_, err := m.Slot(4711).Info(f.ctx)
	refused(t, "slot", err, ck.CKR_SLOT_ID_INVALID)
	_, err = m.Slot(1 << 60).Token(f.ctx)
	refused(t, "token", err, ck.CKR_SLOT_ID_INVALID)
	_, err = f.Object(f.ctx, 4711)
	refused(t, "object", err, ck.CKR_OBJECT_HANDLE_INVALID)
	_, err = f.Sign(f.ctx, ck.Mechanism{Type: ck.CKM_ECDSA}, nil, nil)
	refused(t, "no key", err, ck.CKR_KEY_HANDLE_INVALID)

	_, key := f.generate("P-256", "gone")
	f.must(key.Destroy(f.ctx))
	_, err = f.Sign(f.ctx, ck.Mechanism{Type: ck.CKM_ECDSA}, key, hashed(crypto.SHA256))
	refused(t, "destroyed key", err, ck.CKR_KEY_HANDLE_INVALID)
	_, err = key.Attributes(f.ctx, ck.CKA_ID)
	refused(t, "destroyed object", err, ck.CKR_OBJECT_HANDLE_INVALID)
	refused(t, "destroyed twice", key.Destroy(f.ctx), ck.CKR_OBJECT_HANDLE_INVALID)

	_, err = f.Digest(f.ctx, ck.Mechanism{Type: 0x4711}, nil)
	refused(t, "mechanism", err, ck.CKR_MECHANISM_INVALID)
	_, err = f.token.MechanismInfo(f.ctx, 0x4711)
	refused(t, "mechanism info", err, ck.CKR_MECHANISM_INVALID)

	refused(t, "an open session behind our back", m.Do(f.ctx, new(ck.OpenSessionCall)), ck.CKR_ARGUMENTS_BAD)
	refused(t, "finalize behind our back", m.Do(f.ctx, new(ck.FinalizeCall)), ck.CKR_ARGUMENTS_BAD)
	refused(t, "a wait that nobody can end", m.Do(f.ctx, new(ck.WaitForSlotEventCall)), ck.CKR_ARGUMENTS_BAD)
	refused(t, "close behind our back", f.Do(f.ctx, new(ck.CloseSessionCall)), ck.CKR_ARGUMENTS_BAD)
	refused(t, "a session's call without one", m.Do(f.ctx, new(ck.SignCall)), ck.CKR_ARGUMENTS_BAD)
	refused(t, "a module's call in a session", f.Do(f.ctx, new(ck.GetInfoCall)), ck.CKR_ARGUMENTS_BAD)

	info := new(ck.GetSessionInfoCall)
	info.Session = 4711 // of nobody's
	f.must(f.Do(f.ctx, info))
	if info.Info.State != ck.CKS_RW_USER_FUNCTIONS {
		t.Errorf("state %v", info.Info.State)
	}
}

func TestErrorsNameTheCall(t *testing.T) {
	f := openToken(t)
	_, err := f.token.module().Slot(9).Info(f.ctx)
	if want := "soft: C_GetSlotInfo: CKR_SLOT_ID_INVALID"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if e, ok := errors.AsType[*ck.CallError](err); !ok || e.RV != ck.CKR_SLOT_ID_INVALID || e.Call != "C_GetSlotInfo" {
		t.Errorf("%#v", err)
	}
	// So do errors that are found on the way to the module.
	short := load(t, module.Func(func(ctx context.Context, call ck.Call) error {
		if _, ok := call.(*ck.GetInfoCall); ok {
			return &ck.CallError{Call: "C_GetInfo", RV: ck.CKR_HOST_MEMORY, Err: errors.New("no memory for the call")}
		}
		return nil
	}))
	_, err = short.Info(f.ctx)
	if want := "soft: C_GetInfo: CKR_HOST_MEMORY: no memory for the call"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestCanceledContext(t *testing.T) {
	f := openToken(t)
	ctx, cancel := context.WithCancel(f.ctx)
	_, key := f.generate("P-256", "k")
	cancel()
	_, err := f.Sign(ctx, ck.Mechanism{Type: ck.CKM_ECDSA}, key, hashed(crypto.SHA256))
	refused(t, "sign", err, context.Canceled)
	refused(t, "sign", err, ck.CKR_FUNCTION_CANCELED)
	_, err = f.token.OpenSession(ctx, ReadOnly)
	refused(t, "open", err, context.Canceled)
	_, _, err = next(f.token.Find(ctx))
	refused(t, "find", err, context.Canceled)
	// The session goes on.
	_, err = f.Sign(f.ctx, ck.Mechanism{Type: ck.CKM_ECDSA}, key, hashed(crypto.SHA256))
	f.must(err)
}

// WaitForSlotEvent ends with its context and with the module.
func TestWaitForSlotEvent(t *testing.T) {
	m := load(t, softtoken.New())
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	for _, c := range []context.Context{ctx, context.Background()} {
		go func() {
			_, err := m.WaitForSlotEvent(c)
			ended <- err
		}()
	}
	cancel()
	refused(t, "the context's end", <-ended, context.Canceled)
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	refused(t, "Close", <-ended, ErrClosed)
}

// Close waits for calls that are under way, and all others end with an error.
func TestCloseUnderLoad(t *testing.T) {
	f := openToken(t)
	_, priv := f.generate("P-256", "k")
	m := f.token.module()
	key, err := m.PrivateKey(f.ctx, priv.URI())
	f.must(err)
	var wg sync.WaitGroup
	var started sync.WaitGroup
	for range 16 {
		started.Add(1)
		wg.Go(func() {
			for i := 0; ; i++ {
				_, err := key.Sign(nil, hashed(crypto.SHA256), crypto.SHA256)
				if i == 0 {
					started.Done()
				}
				if err != nil {
					refused(t, "sign", err, ErrClosed)
					return
				}
			}
		})
	}
	started.Wait()
	f.must(m.Close())
	wg.Wait()
}

// What is printed is a name, whatever others do with the thing meanwhile, and nothing that it holds.
func TestPrinted(t *testing.T) {
	f := openToken(t, WithPIN(PINString("secret")))
	_, key := f.generate("P-256", "k")
	const token = "pkcs11:model=softtoken;manufacturer=p11mux;serial=0001;token=p11mux%20demo"
	for _, test := range []struct {
		thing any
		want  string
	}{
		{f.token.module(), "soft"}, {f.token.Slot(), "slot 0 of soft"}, {f.token, token}, {key, token + ";id=%6B;object=k;type=private"},
		{f.Session, fmt.Sprintf("session %d with %s", f.handle, token)},
	} {
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := f.Digest(f.ctx, ck.Mechanism{Type: ck.CKM_SHA256}, []byte("secret"))
			f.must(err)
		})
		for _, format := range []string{"%v", "%+v", "%s"} {
			if got := fmt.Sprintf(format, test.thing); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		}
		wg.Wait()
	}
}
