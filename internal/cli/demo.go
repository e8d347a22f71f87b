package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/p11mux/p11mux"
	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/internal/launch"
	"github.com/p11mux/p11mux/internal/native"
	"github.com/p11mux/p11mux/internal/process"
	"github.com/p11mux/p11mux/module"
)

// demoToken is the bundled token, beside the library.
const demoToken = "pkcs11/p11mux-softtoken.so"

func demoVerb() *verb {
	return &verb{
		name: "demo", group: groupMore,
		short: "Show what goes wrong without p11mux, and how it goes with it",
		long: `Have two users of one module in one process, who know nothing of each other, first
by themselves and then by p11mux. It is done on a token in memory that comes with
p11mux; nothing that is configured is used.`,
		example: `  p11mux demo`,
		options: withoutKit,
		run: func(j *job) error {
			path, err := demoPath()
			if err != nil {
				return hinted(err, "install p11mux again, or run it where it was built, as build/bin/p11mux")
			}
			return demo(context.Background(), j.out, path)
		},
	}
}

func demoPath() (string, error) {
	exe, err := os.Executable()
	if err != nil {
		return "", err
	}
	dir, err := launch.LibraryDir(exe)
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, demoToken)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("the token that is shown is not here: %w", err)
	}
	return path, nil
}

// A consumer is a library that uses the module for itself.
type consumer struct {
	module.Module
	name            string
	out             io.Writer
	session         ck.SessionHandle
	public, private ck.ObjectHandle
}

// say has the module execute a call, and tells how it went.
func (c *consumer) say(what string, err error) error {
	word := ck.CKR_OK.String()
	if err != nil {
		word = ck.RVOf(err).String()
	}
	fmt.Fprintf(c.out, "  %s: %-28s %s\n", c.name, what, word)
	return err
}

// prepare logs in and makes a pair of keys, as a library does that has found its module ready.
func (c *consumer) prepare(ctx context.Context) error {
	slots := ck.GetSlotListCall{TokenPresent: true, Slots: ck.Out[ck.SlotID]{Buf: make([]ck.SlotID, 1)}}
	if err := c.Do(ctx, &slots); err != nil {
		return err
	}
	open := ck.OpenSessionCall{Slot: slots.Slots.Buf[0], Flags: ck.CKF_SERIAL_SESSION | ck.CKF_RW_SESSION}
	if err := c.Do(ctx, &open); err != nil {
		return err
	}
	c.session = open.Session
	login := ck.LoginCall{Session: c.session, UserType: ck.CKU_USER, PIN: []byte("1234")} // of the demonstration token; it keeps nothing
	if err := c.Do(ctx, &login); err != nil && !errors.Is(err, ck.CKR_USER_ALREADY_LOGGED_IN) {
		return err
	}
	keys := ck.GenerateKeyPairCall{
		Session: c.session, Mechanism: &ck.Mechanism{Type: ck.CKM_EC_KEY_PAIR_GEN},
		PublicTemplate:  []ck.Attribute{p11mux.Attr(ck.CKA_EC_PARAMS, curves[0].params), p11mux.Attr(ck.CKA_VERIFY, true)},
		PrivateTemplate: []ck.Attribute{p11mux.Attr(ck.CKA_SIGN, true)},
	}
	err := c.Do(ctx, &keys)
	c.public, c.private = keys.PublicKey, keys.PrivateKey
	return err
}

// sign signs, and verifies what it has signed.
func (c *consumer) sign(ctx context.Context) error {
	mechanism := &ck.Mechanism{Type: ck.CKM_ECDSA_SHA256}
	message := []byte("a message to sign")
	sign := ck.SignCall{Session: c.session, Data: message, Signature: ck.Out[byte]{Buf: make([]byte, 64)}}
	for _, call := range []ck.Call{&ck.SignInitCall{Session: c.session, Mechanism: mechanism, Key: c.private}, &sign,
		&ck.VerifyInitCall{Session: c.session, Mechanism: mechanism, Key: c.public}} {
		if err := c.Do(ctx, call); err != nil {
			return err
		}
	}
	return c.Do(ctx, &ck.VerifyCall{Session: c.session, Data: message, Signature: sign.Signature.Bytes()})
}

// both has two consumers at work, and then one that is done while the other goes on. It gives what that one's last signature gave.
func both(ctx context.Context, a, b *consumer) (last, err error) {
	for _, c := range []*consumer{a, b} {
		// That it is initialized already is what a library takes for granted that knows of others.
		if err := c.say("C_Initialize", c.Do(ctx, &ck.InitializeCall{})); err != nil && !errors.Is(err, ck.CKR_CRYPTOKI_ALREADY_INITIALIZED) {
			return nil, err
		}
	}
	for _, c := range []*consumer{a, b} {
		if err := c.prepare(ctx); err != nil {
			return nil, err
		}
	}
	for _, c := range []*consumer{a, b} {
		if err := c.say("signs and verifies", c.sign(ctx)); err != nil {
			return nil, err
		}
	}
	if err := a.say("C_Finalize: A is done", a.Do(ctx, &ck.FinalizeCall{})); err != nil {
		return nil, err
	}
	return b.say("signs and verifies", b.sign(ctx)), nil
}

func demo(ctx context.Context, out io.Writer, path string) error {
	fmt.Fprintln(out, "Two consumers, A and B, each with the module's own function list:")
	raw, err := native.Open(path)
	if err != nil {
		return err
	}
	broken, err := both(ctx, &consumer{Module: raw, name: "A", out: out}, &consumer{Module: raw, name: "B", out: out})
	_ = raw.Do(ctx, &ck.FinalizeCall{}) // it is finalized, if all went as it goes
	raw.Close()
	if err != nil {
		return err
	}

	fmt.Fprintln(out, "\nThe same two consumers, each with a view of its own from p11mux:")
	reg := process.Registry()
	shared, err := reg.ByPath(path)
	if err != nil {
		return err
	}
	defer func() {
		reg.Release(shared)
		reg.Sweep()
	}()
	a := &consumer{Module: shared.Shared().NewCaller(nil), name: "A", out: out}
	b := &consumer{Module: shared.Shared().NewCaller(nil), name: "B", out: out}
	managed, err := both(ctx, a, b)
	if err == nil {
		err = b.say("C_Finalize: B is done", b.Do(ctx, &ck.FinalizeCall{}))
	}
	if err != nil {
		return err
	}
	if broken == nil || managed != nil {
		return errors.New("that is not what it was meant to show")
	}
	_, err = fmt.Fprintln(out, "\nBy themselves, A's C_Finalize broke B. With p11mux, B went on signing.")
	return err
}
