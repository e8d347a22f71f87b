//go:build cgo

package registry

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/conf"
	"github.com/p11mux/p11mux/internal/softtoken"
	"github.com/p11mux/p11mux/internal/testkit"
	"github.com/p11mux/p11mux/rpc"
)

// serve has the bundled token served at a socket, to each client a new one, and gives the address.
func (h *house) serve() string {
	h.Helper()
	path := filepath.Join(h.TempDir(), "s")
	testkit.Listen(h, path, func(c net.Conn) {
		_ = rpc.Serve(context.Background(), softtoken.New(), c, c, rpc.ServerOptions{}) // the client sees what is wrong
	})
	return "unix:path=" + path
}

// remotes loads what is configured.
func (h *house) remotes(n int) []Choice {
	h.Helper()
	choices, err := h.reg.Configured(Query{})
	if err != nil || len(choices) != n {
		h.Fatalf("%d modules, want %d; %v; %s", len(choices), n, err, h.told())
	}
	return choices
}

// slots are how many a caller sees.
func (h *house) slots(m *Module) uint64 {
	h.Helper()
	caller := m.Shared().NewCaller(nil)
	if err := caller.Initialize(h.Context(), nil); err != nil {
		h.Fatal(err)
	}
	call := &ck.GetSlotListCall{}
	if err := caller.Do(h.Context(), call); err != nil {
		h.Error(err)
	}
	if err := caller.Finalize(h.Context()); err != nil {
		h.Error(err)
	}
	return call.Slots.N
}

// A remote module is loaded once by its name and address, and connected to by C_Initialize.
func TestRemote(t *testing.T) {
	h := newHouse(t)
	address := h.serve()
	h.configure("a", "remote: "+address, "module: not looked at")
	h.configure("b", "remote: "+address)
	first, second := h.remotes(2), h.remotes(2)
	if first[0].Module == first[1].Module || first[0].Module != second[0].Module || first[1].Module != second[1].Module {
		t.Error("names and modules do not agree")
	}
	m := first[0].Module
	if !first[0].Managed || m.Name() != "a" || m.Path() != "" || m.Native() != nil || m.List() == nil || m.List() != m.Record() || h.reg.Find(m.List()) != m {
		t.Errorf("managed %v, name %q, path %q, list %v", first[0].Managed, m.Name(), m.Path(), m.List())
	}
	for _, c := range first {
		if n := h.slots(c.Module); n != 1 {
			t.Errorf("%s has %d slots", c.Module.Name(), n)
		}
	}
	h.tells("use", "")
	for _, c := range append(first, second...) {
		h.reg.Release(c.Module)
	}
	h.reg.Sweep()
	if h.reg.Find(m.List()) != nil {
		t.Error("it is still there after Sweep")
	}
	h.happened("all", "read", "loaded remote", "configured remote as a", "loaded remote", "configured remote as b",
		"unloading remote", "unloading remote", "forgotten")
}

// What cannot be connected to is told, with the reason.
func TestRemoteFails(t *testing.T) {
	h := newHouse(t)
	h.configure("m", "remote: |/nonexistent/program", "remote-timeout: soon")
	m := h.remotes(1)[0].Module
	h.tells("load", "DIR/modules/m.module: remote-timeout takes seconds, from 1 to 86400, or 0 for no limit: soon")
	caller := m.Shared().NewCaller(nil)
	if err := caller.Initialize(t.Context(), nil); ck.RVOf(err) != ck.CKR_DEVICE_ERROR {
		t.Error(err)
	}
	if text := h.told(); !strings.HasPrefix(text, "couldn't connect to module 'm': ") || !strings.Contains(text, "cannot run /nonexistent/program: no such file") {
		t.Error(text)
	}
	if err := caller.Do(t.Context(), &ck.GetInfoCall{}); !errors.Is(err, ck.CKR_CRYPTOKI_NOT_INITIALIZED) {
		t.Error(err)
	}
}

// A server that is not there is no error, and is told all the same.
func TestRemoteAbsent(t *testing.T) {
	h := newHouse(t)
	h.configure("m", "remote: unix:path=/nonexistent/socket")
	m := h.remotes(1)[0].Module
	if err := m.Absent(); err != nil {
		t.Errorf("before C_Initialize: %v", err)
	}
	caller := m.Shared().NewCaller(nil)
	if err := caller.Initialize(t.Context(), nil); err != nil {
		t.Error(err)
	}
	const want = "no server is reached at /nonexistent/socket: no such file or directory"
	h.tells("initialize", "module 'm' has no slots: "+want)
	if err := m.Absent(); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if err := caller.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if err := m.Absent(); err != nil {
		t.Errorf("after C_Finalize: %v", err)
	}
}

// Where there is no room for a record there is no module.
func TestRemoteNoRoom(t *testing.T) {
	h := newHouse(t)
	h.configure("m", "remote: |true", "critical: yes")
	h.noRoom = true
	if choices, err := h.reg.Configured(Query{}); choices != nil || ck.RVOf(err) != ck.CKR_HOST_MEMORY {
		t.Errorf("%v, %v", choices, err)
	}
}

// A forked child goes on with the records that it inherits.
func TestAdoptRemote(t *testing.T) {
	h := newHouse(t)
	address := h.serve()
	record := unsafe.Pointer(new("inherited"))
	h.reg.AdoptRemote(&conf.Module{Name: "m", Options: conf.Options{{Key: "remote", Value: address}, {Key: "remote-timeout", Value: "60"}}}, record)
	m := h.reg.Find(record)
	if m == nil || m.Name() != "m" {
		t.Fatal("it is not found")
	}
	h.configure("m", "remote: "+address)
	if c := h.remotes(1)[0]; c.Module != m {
		t.Error("the configuration loads it once more")
	}
	if n := h.slots(m); n != 1 {
		t.Errorf("it has %d slots", n)
	}
	h.reg.Release(m)
	h.reg.Sweep()
	if h.reg.Find(record) != m {
		t.Error("it is gone after Sweep")
	}
	h.reg.AdoptRemote(&conf.Module{Name: "bad", Options: conf.Options{{Key: "remote", Value: "smoke:signals"}}}, unsafe.Pointer(new("bad")))
	if n := len(h.reg.all()); n != 1 {
		t.Errorf("%d modules", n)
	}
}

// A client's modules are shared with nobody.
func TestClientModules(t *testing.T) {
	h := newHouse(t)
	address := h.serve()
	a, err := h.reg.Client("client", address)
	if err != nil {
		t.Fatal(err)
	}
	b, err := h.reg.Client("client", address)
	if err != nil || a == b {
		t.Fatalf("%v, %v, %v", a, b, err)
	}
	if h.slots(a) != 1 || h.slots(b) != 1 {
		t.Error("the slots are others")
	}
	if _, err := h.reg.Client("client", "smoke:signals"); ck.RVOf(err) != ck.CKR_GENERAL_ERROR || err.Error() != "remote not supported: smoke:signals" {
		t.Error(err)
	}
	// One that is not initialized while another is comes to no harm by it.
	one := a.Shared().NewCaller(nil)
	if err := one.Initialize(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if err := b.Shared().NewCaller(nil).Do(t.Context(), &ck.GetInfoCall{}); !errors.Is(err, ck.CKR_CRYPTOKI_NOT_INITIALIZED) {
		t.Error(err)
	}
	if err := one.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
