//go:build cgo

package server

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/internal/testkit"
)

// firstSlot is the id of the first slot of tokens that are chosen by their URIs, as in p11-kit.
const firstSlot ck.SlotID = 0x11

// What one client does reaches no other one: sessions, logins, and their end.
func TestClientsAreAlone(t *testing.T) {
	module, _ := testkit.SoftHSMTokens(t, "token", "other")
	r := started(t, Options{Service: Service{Provider: module, Tokens: []string{"pkcs11:token=token"}}, Warm: 2})
	a, b := r.client(), r.client()
	if slots := a.slots(); len(slots) != 1 || slots[0] != firstSlot {
		t.Errorf("the slots are %v", slots)
	}
	mine, its := a.session(firstSlot, ck.CKF_RW_SESSION), b.session(firstSlot, 0)
	a.must(&ck.LoginCall{Session: mine, UserType: ck.CKU_USER, PIN: []byte(testkit.UserPIN)})
	for _, c := range []struct {
		client  *client
		session ck.SessionHandle
		want    ck.State
	}{{a, mine, ck.CKS_RW_USER_FUNCTIONS}, {b, its, ck.CKS_RO_PUBLIC_SESSION}} {
		info := &ck.GetSessionInfoCall{Session: c.session}
		c.client.must(info)
		if info.Info.State != c.want {
			t.Errorf("the state is %v, want %v", info.Info.State, c.want)
		}
	}
	b.must(&ck.CloseAllSessionsCall{Slot: firstSlot})
	a.must(&ck.GetSessionInfoCall{Session: mine})
	_ = a.conn.Close()
	r.client().session(firstSlot, 0)
}

// Nothing is written to tokens that are protected, whether they are chosen or not.
func TestWriteProtect(t *testing.T) {
	module, _ := testkit.SoftHSMTokens(t, "token")
	for name, s := range map[string]Service{
		"option":  {Provider: module, Tokens: []string{"pkcs11:"}, WriteProtect: true},
		"URI":     {Provider: module, Tokens: []string{"pkcs11:token=token?write-protected=yes"}},
		"no URIs": {Provider: module, WriteProtect: true},
	} {
		t.Run(name, func(t *testing.T) {
			c := started(t, Options{Service: s}).client()
			slot := c.slots()[0]
			c.refused(&ck.OpenSessionCall{Slot: slot, Flags: ck.CKF_SERIAL_SESSION | ck.CKF_RW_SESSION}, ck.CKR_TOKEN_WRITE_PROTECTED)
			c.refused(&ck.InitTokenCall{Slot: slot, PIN: []byte(testkit.SOPIN), Label: make([]byte, 32)}, ck.CKR_TOKEN_WRITE_PROTECTED)
			info := &ck.GetTokenInfoCall{Slot: slot}
			c.must(info)
			if info.Info.Flags&ck.CKF_WRITE_PROTECTED == 0 {
				t.Error("the token does not say that it is protected")
			}
			session := c.session(slot, 0)
			c.refused(&ck.LoginCall{Session: session, UserType: ck.CKU_SO, PIN: []byte(testkit.SOPIN)}, ck.CKR_SESSION_READ_ONLY_EXISTS)
		})
	}
}

// A module that crashes or is killed takes its own client with it, who can come again.
func TestCrash(t *testing.T) {
	r := started(t, Options{Service: Service{Provider: obedient(t)}, Warm: 1})
	other := r.client()
	c := r.client()
	if err := c.tell("c"); ck.RVOf(err) != ck.CKR_DEVICE_ERROR {
		t.Errorf("a crash gives %v", err)
	}
	eventually(t, "the crash is not told", func() bool { return r.heard("has ended: exit status") })
	c.must(&ck.FinalizeCall{})
	c.must(&ck.InitializeCall{})
	pid := c.worker()
	ended := c.hang()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	testkit.Finishes(t, func() {
		if err := <-ended; ck.RVOf(err) != ck.CKR_DEVICE_ERROR {
			t.Errorf("a killed worker gives %v", err)
		}
	})
	if other.worker() == pid {
		t.Error("two clients have one worker")
	}
}

// A client that is gone while the module is at work leaves nothing behind, even if the module never comes back.
func TestClientGone(t *testing.T) {
	r := started(t, Options{Service: Service{Provider: obedient(t), Farewell: 50 * time.Millisecond}, Warm: 1})
	c := r.client()
	pid := c.worker()
	c.hang()
	if err := c.conn.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the worker stays", func() bool { return syscall.Kill(pid, 0) != nil })
	r.client().worker()
}

// Waiting for an event stalls neither others nor the connection itself, and ends with it. The client of package rpc does not
// wait in the server, so the request is written out.
func TestWaitForSlotEvent(t *testing.T) {
	r := started(t, Options{Service: Service{Provider: obedient(t), Farewell: 50 * time.Millisecond}})
	c := r.dial()
	defer c.Close()
	const initialize = "\x00\x00\x00\x10" + "\x00\x00\x00\x00" + "\x00\x00\x00\x42" + "\x00\x00\x00\x01" + "\x00\x00\x00\x05ayyay" +
		"\x01\x00\x00\x00\x29PRIVATE-GNOME-KEYRING-PKCS11-PROTOCOL-V-1" + "\x00" + "\x01\x00\x00\x00\x01\x00"
	const wait = "\x00\x00\x00\x11" + "\x00\x00\x00\x00" + "\x00\x00\x00\x11" + "\x00\x00\x00\x41" + "\x00\x00\x00\x01u" + "\x00\x00\x00\x00\x00\x00\x00\x00"
	const info = "\x00\x00\x00\x12" + "\x00\x00\x00\x00" + "\x00\x00\x00\x08" + "\x00\x00\x00\x03" + "\x00\x00\x00\x00"
	if _, err := c.Write([]byte("\x02" + initialize + wait + info)); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 1+20+4)
	testkit.Finishes(t, func() {
		for n := 0; n < len(got); {
			m, err := c.Read(got[n:])
			if n += m; err != nil {
				t.Errorf("after %d octets: %v", n, err)
				return
			}
		}
	})
	if code := string(got[21:]); code != info[:4] {
		t.Errorf("the second answer is for %x", code)
	}
}

// Clients that send half of something, or too slowly, or take no answers, are disconnected. The server goes on.
func TestStalls(t *testing.T) {
	r := started(t, Options{Service: Service{Provider: obedient(t), Stall: 100 * time.Millisecond, MaxMessage: 1000}, Warm: 1})
	const half = "\x02" + "\x00\x00\x00\x10" + "\x00\x00\x00\x00" + "\x00\x00"
	const long = "\x02" + "\x00\x00\x00\x10" + "\x00\x00\x00\x00" + "\x00\x00\x03\xe9"
	for name, sent := range map[string]string{"nothing": "", "half a header": half, "a long message": long} {
		t.Run(name, func(t *testing.T) {
			c := r.dial()
			defer c.Close()
			if _, err := c.Write([]byte(sent)); err != nil {
				t.Fatal(err)
			}
			testkit.Finishes(t, func() {
				b := make([]byte, 16)
				for {
					if _, err := c.Read(b); err != nil {
						return
					}
				}
			})
		})
		c := r.dial() // gone with half a message, without a word
		_, _ = c.Write([]byte(sent))
		_ = c.Close()
	}
	t.Run("a slow writer", func(t *testing.T) {
		c := r.dial()
		defer c.Close()
		testkit.Finishes(t, func() {
			for {
				if _, err := c.Write([]byte("\x00")[:1]); err != nil {
					return
				}
				time.Sleep(10 * time.Millisecond)
			}
		})
	})
	t.Run("a slow reader", func(t *testing.T) {
		c := r.dial()
		defer c.Close()
		info := []byte("\x00\x00\x00\x12" + "\x00\x00\x00\x00" + "\x00\x00\x00\x08" + "\x00\x00\x00\x03" + "\x00\x00\x00\x00")
		testkit.Finishes(t, func() {
			_, err := c.Write([]byte("\x02"))
			for err == nil {
				_, err = c.Write(info)
			}
		})
	})
	r.client().worker()
}

// A client that does nothing is disconnected; one that waits for an answer is not.
func TestIdle(t *testing.T) {
	r := started(t, Options{Service: Service{Provider: obedient(t), Idle: 100 * time.Millisecond, Farewell: 50 * time.Millisecond}})
	busy, idle := r.client(), r.client()
	ended := busy.hang()
	eventually(t, "the client that is idle stays", func() bool {
		b := make([]byte, 1)
		_ = idle.conn.SetReadDeadline(time.Now().Add(time.Millisecond))
		_, err := idle.conn.Read(b)
		return err != nil && !os.IsTimeout(err)
	})
	select {
	case err := <-ended:
		t.Errorf("the client that is busy is disconnected: %v", err)
	default:
	}
	_ = busy.conn.Close()
	<-ended
}

// There are no more sessions and clients than there may be.
func TestLimits(t *testing.T) {
	r := started(t, Options{Service: Service{Provider: obedient(t), MaxSessions: 2}, Clients: 2})
	c := r.client()
	first := c.session(1, 0)
	c.session(1, 0)
	c.refused(&ck.OpenSessionCall{Slot: 1, Flags: ck.CKF_SERIAL_SESSION}, ck.CKR_SESSION_COUNT)
	c.must(&ck.CloseSessionCall{Session: first})
	c.session(1, 0)
	other := r.client()
	if c, err := r.tryClient(); err == nil {
		t.Errorf("a third client is served by process %d", c.worker())
	}
	if !r.heard("2 are connected already") {
		t.Error("it is not told")
	}
	other.must(&ck.FinalizeCall{})
	eventually(t, "there is no room for one that comes later", func() bool {
		c, err := r.tryClient()
		if err != nil {
			return false
		}
		c.must(&ck.FinalizeCall{})
		return true
	})
}

// Only those may connect who may.
func TestPeers(t *testing.T) {
	module := obedient(t)
	groups, err := os.Getgroups()
	if err != nil {
		t.Fatal(err)
	}
	groups = append(groups, os.Getegid())
	for _, c := range []struct {
		peers Peers
		want  bool
	}{
		{Peers{User: os.Geteuid(), Group: -1}, true},
		{Peers{User: os.Geteuid() + 1, Group: -1}, false},
		{Peers{User: -1, Group: groups[0]}, true},
		{Peers{User: -1, Group: 1 << 30}, false},
		{Peers{User: os.Geteuid(), Group: os.Getegid()}, true},
		{Peers{User: os.Geteuid(), Group: 1 << 30}, false},
	} {
		t.Run(fmt.Sprint(c.peers), func(t *testing.T) {
			r := started(t, Options{Service: Service{Provider: module}, Peers: c.peers})
			got, err := r.tryClient()
			if (err == nil) != c.want {
				t.Error(err)
			}
			if err == nil {
				got.must(&ck.FinalizeCall{})
			} else if !r.heard("turned away") {
				t.Error("it is not told")
			}
		})
	}
}

// A thousand clients come and go, some of them at once.
func TestManyClients(t *testing.T) {
	r := started(t, Options{Service: Service{Provider: obedient(t)}, Warm: 2, Clients: 2000})
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			c, err := r.tryClient()
			if err != nil {
				t.Error(err)
				return
			}
			c.worker()
			c.must(&ck.FinalizeCall{})
		})
	}
	all.Wait()
	for range 1000 {
		if err := r.dial().Close(); err != nil {
			t.Fatal(err)
		}
	}
	r.client().worker()
}

// When the server is to end it takes nobody any more, and clients go on until their time is over; then calls under way are finished.
func TestDrain(t *testing.T) {
	r := started(t, Options{Service: Service{Provider: obedient(t)}, Drain: -1})
	c := r.client()
	r.stop()
	eventually(t, "the server goes on listening", func() bool {
		_, err := os.Lstat(r.path)
		return err != nil
	})
	if _, err := r.tryClient(); err == nil {
		t.Error("a client is taken still")
	}
	c.worker()
	r.hurry <- struct{}{}
	eventually(t, "the client stays", func() bool { return c.Do(context.Background(), &ck.GetSlotListCall{}) != nil })
}

// A client that never ends a call does not keep the server.
func TestHurry(t *testing.T) {
	r := started(t, Options{Service: Service{Provider: obedient(t)}, Drain: time.Millisecond})
	c := r.client()
	ended := c.hang()
	r.stop()
	for range 2 {
		r.hurry <- struct{}{}
	}
	testkit.Finishes(t, func() {
		if err := <-ended; ck.RVOf(err) != ck.CKR_DEVICE_ERROR {
			t.Errorf("the call gives %v", err)
		}
	})
}

// Without clients the server ends by itself.
func TestUnused(t *testing.T) {
	r := started(t, Options{Service: Service{Provider: obedient(t)}, Unused: 100 * time.Millisecond})
	c := r.client()
	time.Sleep(300 * time.Millisecond) // it stays as long as there is a client
	c.worker()
	c.must(&ck.FinalizeCall{})
	eventually(t, "the server stays", func() bool {
		_, err := os.Lstat(r.path)
		return err != nil
	})
}

// A module that cannot be loaded is an error at the start, with its reason. A worker that dies while it waits is replaced.
func TestStart(t *testing.T) {
	dir := t.TempDir()
	l, err := Listen(filepath.Join(dir, "socket"), -1, -1)
	if err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(dir, "missing.so")
	err = Serve(t.Context(), l, Options{
		Service: Service{Provider: missing}, Command: []string{"/proc/self/exe", os.Args[0], "worker"},
		Say: t.Logf, Verbose: t.Logf,
	}, nil)
	if err == nil || !contains(err.Error(), missing) {
		t.Errorf("a module that is not there: %v", err)
	}
	r := started(t, Options{Service: Service{Provider: obedient(t)}, Warm: 1})
	for _, pid := range children(t) {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	r.client().worker()
}
