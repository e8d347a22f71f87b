//go:build cgo

package registry

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/internal/testkit"
)

// Modules come by priority and then by name, octet by octet (abi.md 3.9).
func TestOrder(t *testing.T) {
	h := newHouse(t)
	h.plain("zz.so", "mm.so", "AA.so", "first.so", "last.so")
	h.configure("zz")
	h.configure("mm")
	h.configure("AA")
	h.configure("first", "priority: 10")
	h.configure("last", "priority: -1")
	if got, want := names(h.load(Query{})), "first* AA* mm* zz* last*"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	h.tells("load", "")
}

// Which modules a caller gets, and how (abi.md 2.2, 3.8).
func TestWanted(t *testing.T) {
	for _, test := range []struct {
		name     string
		global   string
		options  []string
		query    Query
		want     string // with a star if managed
		messages string
	}{
		{name: "plain", want: "m*"},
		{name: "enabled here", options: []string{"enable-in: other, prog"}, query: Query{Progname: "prog"}, want: "m*"},
		{name: "enabled elsewhere", options: []string{"enable-in: other, program"}, query: Query{Progname: "prog"}},
		{name: "enabled nowhere", options: []string{"enable-in:"}, query: Query{Progname: "prog"}},
		{name: "enabled in the proxy", options: []string{"enable-in: p11-kit-proxy"}, query: Query{Progname: "prog"}},
		{name: "disabled here", options: []string{"disable-in: prog"}, query: Query{Progname: "prog"}},
		{name: "disabled elsewhere", options: []string{"disable-in: other"}, query: Query{Progname: "prog"}, want: "m*"},
		{name: "both", options: []string{"enable-in: prog", "disable-in: prog"}, query: Query{Progname: "prog"}, want: "m*",
			messages: "DIR/modules/m.module:3: module 'm' has both enable-in and disable-in options: disable-in is ignored"},
		{name: "no program", options: []string{"disable-in: other"}, want: "m*"},
		{name: "trusted", options: []string{"trust-policy: yes"}, query: Query{Trusted: true}, want: "m*"},
		{name: "not trusted", query: Query{Trusted: true}},
		{name: "not trusted, critical", options: []string{"critical: yes"}, query: Query{Trusted: true, Critical: true}},
		{name: "trust not asked for", options: []string{"trust-policy: yes"}, want: "m*"},
		{name: "unmanaged by query", query: Query{Unmanaged: true}, want: "m"},
		{name: "unmanaged by option", options: []string{"managed: no"}, want: "m"},
		{name: "unmanaged for all", global: "managed: no", want: "m"},
		{name: "the global option wins", global: "managed: yes", options: []string{"managed: no"}, want: "m*"},
		{name: "logged but unmanaged", options: []string{"managed: no", "log-calls: yes"}, want: "m",
			messages: "the 'log-calls' option for module 'm' is only supported for managed modules"},
		{name: "logged but unmanaged by query", options: []string{"log-calls: yes"}, query: Query{Unmanaged: true}, want: "m"},
		{name: "no module", options: []string{"module:"}},
		{name: "no module, critical", options: []string{"module:", "critical: yes"}},
		{name: "remote, unmanaged by query", options: []string{"remote: |true", "critical: yes"}, query: Query{Unmanaged: true}},
		{name: "remote, unmanaged by option", options: []string{"remote: |true", "managed: no", "critical: yes"}},
		{name: "remote of an unknown kind", options: []string{"remote: smoke:signals"}, messages: "remote not supported: smoke:signals"},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := newHouse(t)
			h.plain("m.so")
			h.configure("m", test.options...)
			if test.global != "" {
				h.write("pkcs11.conf", test.global)
			}
			if got := names(h.load(test.query)); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			h.tells("load", test.messages)
			if h.mapped("m.so") != (test.want != "") {
				t.Errorf("loaded: %v", h.mapped("m.so"))
			}
		})
	}
}

// One module that cannot be loaded does not keep the others away, unless it is critical (abi.md 2.2, 11.2).
func TestUnloadable(t *testing.T) {
	h := newHouse(t)
	h.plain("a.so", "z.so")
	h.write("lib/text.so", "this is no library")
	if err := syscall.Mkfifo(h.lib("fifo.so"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(h.lib("dir.so"), 0o755); err != nil {
		t.Fatal(err)
	}
	h.build("entry.so", "-DNO_LIST")
	h.build("refuses.so", "-DLIST_RV=CKR_HOST_MEMORY")
	h.build("vendor.so", "-DLIST_RV=0x80000123")
	h.build("null.so", "-DLIST_NULL")
	whole, err := os.ReadFile(h.lib("a.so"))
	if err != nil {
		t.Fatal(err)
	}
	h.write("lib/short.so", string(whole[:len(whole)/3]))
	h.configure("a")
	h.configure("z")
	for _, test := range []struct {
		name, message string
		rv            ck.RV
	}{
		{"missing", "couldn't load module: DIR/lib/missing.so: ", ck.CKR_GENERAL_ERROR},
		{"text", "couldn't load module: DIR/lib/text.so: ", ck.CKR_GENERAL_ERROR},
		{"fifo", "couldn't load module: DIR/lib/fifo.so: not a regular file", ck.CKR_GENERAL_ERROR},
		{"dir", "couldn't load module: DIR/lib/dir.so: not a regular file", ck.CKR_GENERAL_ERROR},
		{"short", "couldn't load module: DIR/lib/short.so: the file is cut short", ck.CKR_GENERAL_ERROR},
		{"entry", "couldn't find C_GetFunctionList entry point in module: DIR/lib/entry.so: ", ck.CKR_GENERAL_ERROR},
		{"refuses", "call to C_GetFunctionList failed in module: DIR/lib/refuses.so: CKR_HOST_MEMORY", ck.CKR_HOST_MEMORY},
		{"vendor", "call to C_GetFunctionList failed in module: DIR/lib/vendor.so: CKR_0x80000123", 0x80000123},
		{"null", "call to C_GetFunctionList gave no function list in module: DIR/lib/null.so", ck.CKR_GENERAL_ERROR},
	} {
		t.Run(test.name, func(t *testing.T) {
			h.T = t
			file := "modules/" + test.name + ".module"
			option := "module: " + test.name + ".so"
			h.write(file, option)
			defer os.Remove(h.dir + "/" + file)

			testkit.Finishes(t, func() {
				choices, err := h.reg.Configured(Query{})
				if got := names(choices); got != "a* z*" || err != nil {
					t.Errorf("got %q, %v", got, err)
				}
				for _, c := range choices {
					h.reg.Release(c.Module)
				}
				h.reg.Sweep()
			})
			text := h.told()
			if !strings.HasPrefix(text, test.message) || strings.Contains(text, "\n") {
				t.Errorf("messages: %s", text)
			}

			// By the option, by the query; and again, for what failed once must not half succeed the next time.
			for _, critical := range []struct {
				lines []string
				query Query
			}{{[]string{option, "critical: yes"}, Query{}}, {[]string{option}, Query{Critical: true}}} {
				h.write(file, critical.lines...)
				for range 2 {
					testkit.Finishes(t, func() {
						choices, err := h.reg.Configured(critical.query)
						if choices != nil || ck.RVOf(err) != test.rv {
							t.Errorf("got %d modules and %v, want %v", len(choices), err, test.rv)
						}
						if err != nil && !strings.Contains(strings.ReplaceAll(err.Error(), h.dir, "DIR"), test.message) {
							t.Errorf("the error is %q", err)
						}
					})
					lines := strings.Split(h.told(), "\n")
					last := "aborting initialization because module '" + test.name + "' was marked as critical: " + test.message
					if len(lines) != 2 || !strings.HasPrefix(lines[0], test.message) || !strings.HasPrefix(lines[1], last) {
						t.Errorf("messages: %q", lines)
					}
					if h.mapped("a.so") || h.mapped(test.name+".so") {
						t.Error("something is still loaded")
					}
				}
			}
			if m, err := h.reg.ByPath(test.name + ".so"); m != nil || ck.RVOf(err) != test.rv {
				t.Errorf("by its path, got %v, %v", m, err)
			}
			h.told()
			h.events = nil
		})
	}
}

// A critical module that only this version cannot reach fails as well.
func TestCriticalRemote(t *testing.T) {
	h := newHouse(t)
	h.configure("m", "remote: smoke:signals", "critical: yes")
	choices, err := h.reg.Configured(Query{})
	if choices != nil || ck.RVOf(err) != ck.CKR_GENERAL_ERROR {
		t.Errorf("got %v, %v", choices, err)
	}
	h.tells("load", "remote not supported: smoke:signals\naborting initialization because module 'm' was marked as critical: remote not supported: smoke:signals")
}

// Of a module's two faces the interface is preferred, and any trouble with it forgiven.
func TestInterfaces(t *testing.T) {
	for _, test := range []struct {
		name    string
		args    []string
		version ck.Version
		octets  int
		asked   int // -1: has no interface
	}{
		{"2.40", nil, ck.Version{Major: 2, Minor: 40}, 552, 0},
		{"3.0", []string{"-DINTERFACE=0"}, ck.Version{Major: 3}, 744, 1},
		{"3.1", []string{"-DINTERFACE=1"}, ck.Version{Major: 3, Minor: 1}, 744, 1},
		{"3.2", []string{"-DINTERFACE=2"}, ck.Version{Major: 3, Minor: 2}, 840, 1},
		{"refused", []string{"-DINTERFACE=2", "-DINTERFACE_RV=CKR_FUNCTION_NOT_SUPPORTED"}, ck.Version{Major: 2, Minor: 40}, 552, 1},
		{"broken", []string{"-DINTERFACE=2", "-DINTERFACE_RV=CKR_DEVICE_ERROR"}, ck.Version{Major: 2, Minor: 40}, 552, 1},
		{"no interface", []string{"-DINTERFACE=2", "-DINTERFACE_NULL"}, ck.Version{Major: 2, Minor: 40}, 552, 1},
		{"3 in a list of 2.40", []string{"-DLIST_MAJOR=3"}, ck.Version{Major: 3, Minor: 40}, 552, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := newHouse(t)
			h.build("m.so", test.args...)
			m, err := h.reg.ByPath("m.so")
			if err != nil {
				t.Fatal(err)
			}
			h.verifyList(m, test.version, test.octets)
			if n := h.count(m, asked); n != test.asked {
				t.Errorf("C_GetInterface was called %d times, want %d", n, test.asked)
			}
			h.tells("load", "")
			h.reg.Release(m)
			h.reg.Sweep()
		})
	}
}

func (h *house) verifyList(m *Module, version ck.Version, octets int) {
	h.Helper()
	if v := *(*ck.Version)(m.List()); v != version || m.Native().Bytes() != octets {
		h.Errorf("the list is of version %v and has %d octets, want %v and %d", v, m.Native().Bytes(), version, octets)
	}
	if h.reg.Find(m.List()) != m {
		h.Error("the list does not lead to the module")
	}
}

// A library that a module is linked with may have interfaces, too: they are not the module's.
func TestInterfaceOfLibrary(t *testing.T) {
	h := newHouse(t)
	h.build("libother.so", "-DINTERFACE=2", "-DNO_LIST")
	h.build("m.so", "-L", h.lib(""), "-Wl,--no-as-needed", "-lother", "-Wl,-rpath,"+h.lib(""))
	m, err := h.reg.ByPath("m.so")
	if err != nil {
		t.Fatal(err)
	}
	defer h.reg.Sweep()
	defer h.reg.Release(m)
	if !h.mapped("libother.so") {
		t.Fatal("the module is not linked with the library")
	}
	h.verifyList(m, ck.Version{Major: 2, Minor: 40}, 552)
}
