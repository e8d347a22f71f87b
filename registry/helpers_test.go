//go:build cgo

package registry

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/conf"
	"github.com/p11mux/p11mux/internal/native"
)

// The counts of testdata/module.c.
const (
	initialized ck.SlotID = iota
	finalized
	listed
	asked
)

// A house is a configuration with a registry of its own, and what the registry's host is told.
type house struct {
	*testing.T
	dir string
	reg *Registry

	mu       sync.Mutex
	messages []string
	events   []string
	records  map[unsafe.Pointer]string // name of what Loaded gave
	noRoom   bool                      // Loaded has no room
	readings int                       // how often Environment was asked for
}

func newHouse(t *testing.T) *house {
	h := &house{T: t, dir: t.TempDir(), records: make(map[unsafe.Pointer]string)}
	for _, dir := range []string{"modules", "lib"} {
		if err := os.Mkdir(filepath.Join(h.dir, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	h.reg = New(Hooks{
		Loaded: h.loaded,
		Configured: func(record unsafe.Pointer, c *conf.Module) {
			h.event("configured " + h.records[record] + " as " + c.Name)
		},
		Unloading: func(record unsafe.Pointer) { h.event("unloading " + h.records[record]) },
		Global: func(o *conf.Options) {
			if o == nil {
				h.event("forgotten")
			} else {
				h.event("read")
			}
		},
		Message:     h.message,
		Environment: h.environment,
	})
	return h
}

func (h *house) environment() (conf.Paths, conf.Env) {
	h.mu.Lock()
	h.readings++
	h.mu.Unlock()
	return conf.Paths{
		SystemConfig: filepath.Join(h.dir, "pkcs11.conf"), PackageModules: filepath.Join(h.dir, "none"),
		SystemModules: filepath.Join(h.dir, "modules"), ModuleDir: filepath.Join(h.dir, "lib"),
	}, conf.Env{}
}

func (h *house) loaded(m *native.Module) unsafe.Pointer {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.noRoom {
		return nil
	}
	name := new("remote")
	if m != nil {
		*name = filepath.Base(m.Path())
	}
	h.records[unsafe.Pointer(name)] = *name
	h.events = append(h.events, "loaded "+*name)
	return unsafe.Pointer(name)
}

func (h *house) event(text string) {
	h.mu.Lock()
	h.events = append(h.events, text)
	h.mu.Unlock()
}

func (h *house) message(text string) {
	h.mu.Lock()
	h.messages = append(h.messages, strings.ReplaceAll(text, h.dir, "DIR"))
	h.mu.Unlock()
}

// told gives the messages since it was last asked.
func (h *house) told() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	text := strings.Join(h.messages, "\n")
	h.messages = nil
	return text
}

// tells checks the messages.
func (h *house) tells(what, want string) {
	h.Helper()
	if got := h.told(); got != want {
		h.Errorf("%s: messages\n%s\nwant\n%s", what, got, want)
	}
}

// happened checks what the host was told of since it was last asked.
func (h *house) happened(what string, want ...string) {
	h.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	if !slices.Equal(h.events, want) {
		h.Errorf("%s: %q, want %q", what, h.events, want)
	}
	h.events = nil
}

// lib is where a module is, or would be.
func (h *house) lib(name string) string { return filepath.Join(h.dir, "lib", name) }

// build compiles testdata/module.c to name in the module directory.
func (h *house) build(name string, args ...string) string {
	h.Helper()
	out := h.lib(name)
	all := append([]string{"-std=gnu11", "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter", "-fPIC", "-shared", "-I", filepath.Join("..", "include"),
		"-o", out, filepath.Join("testdata", "module.c")}, args...)
	if msg, err := exec.Command("gcc", all...).CombinedOutput(); err != nil {
		h.Fatalf("gcc: %v\n%s", err, msg)
	}
	return out
}

// plain makes modules of these names, each a file of its own.
func (h *house) plain(names ...string) {
	h.Helper()
	path := h.build(names[0])
	text, err := os.ReadFile(path)
	for _, name := range names[1:] {
		if err == nil {
			err = os.WriteFile(h.lib(name), text, 0o755)
		}
	}
	if err != nil {
		h.Fatal(err)
	}
}

// write writes a file below the house's directory.
func (h *house) write(name string, lines ...string) {
	h.Helper()
	if err := os.WriteFile(filepath.Join(h.dir, name), []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		h.Fatal(err)
	}
}

// configure writes a module file for a module in the module directory.
func (h *house) configure(name string, options ...string) {
	h.Helper()
	h.write("modules/"+name+".module", append([]string{"module: " + name + ".so"}, options...)...)
}

// load loads the configured modules, which must not fail, and releases and unloads them in the end.
func (h *house) load(q Query) []Choice {
	h.Helper()
	choices, err := h.reg.Configured(q)
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() {
		for _, c := range choices {
			h.reg.Release(c.Module)
		}
		h.reg.Sweep()
	})
	return choices
}

// names are the names of modules, in order, with a star for those that are managed.
func names(choices []Choice) string {
	var all []string
	for _, c := range choices {
		name := c.Module.Name()
		if c.Managed {
			name += "*"
		}
		all = append(all, name)
	}
	return strings.Join(all, " ")
}

// count reads one of a module's counts.
func (h *house) count(m *Module, which ck.SlotID) int {
	h.Helper()
	return int(h.slot(m, which).Flags)
}

func (h *house) slot(m *Module, which ck.SlotID) *ck.SlotInfo {
	h.Helper()
	call := &ck.GetSlotInfoCall{Slot: which}
	if err := m.Native().Do(h.Context(), call); err != nil {
		h.Fatal(err)
	}
	return &call.Info
}

// mapped tells whether a file of the module directory is loaded in this process.
func (h *house) mapped(name string) bool {
	h.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		h.Fatal(err)
	}
	return strings.Contains(string(maps), " "+h.lib(name)+"\n")
}
