//go:build cgo

package engine

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
	"github.com/p11mux/p11mux/proxy"
	"github.com/p11mux/p11mux/registry"
)

// A host stands in for the shim.
type host struct {
	*testing.T
	dir     string
	room    int // handles that can still be made
	mu      sync.Mutex
	texts   []string
	modules map[string]*native.Module // by name, those that have a record
	names   map[unsafe.Pointer]string // of records
	handles map[Handle]string         // that are not retired: "NAME" or "NAME on"
	leaving map[Handle]bool           // of them, those that are being released: nobody finds them any more
	retired []string
	strays  []string // what must not happen
}

type record struct{ name string }

type handle struct{ record unsafe.Pointer }

func newHost(t *testing.T) (*host, *Engine) {
	h := &host{T: t, dir: t.TempDir(), room: 100, modules: map[string]*native.Module{}, names: map[unsafe.Pointer]string{}, handles: map[Handle]string{}, leaving: map[Handle]bool{}}
	if err := os.Mkdir(filepath.Join(h.dir, "modules"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, stray := range h.strays {
			t.Error(stray)
		}
	})
	return h, New(h, registry.New(registry.Hooks{}))
}

func (h *host) Message(text string) {
	h.mu.Lock()
	h.texts = append(h.texts, strings.ReplaceAll(text, h.dir, "DIR"))
	h.mu.Unlock()
}

func (h *host) Guest() bool { return false }

func (h *host) Describe(rv ck.RV) string { return "described " + rv.Error() }

func (h *host) Progname() string { return "prog" }

func (h *host) Environment() (conf.Paths, conf.Env) {
	return conf.Paths{
		SystemConfig: filepath.Join(h.dir, "pkcs11.conf"), PackageModules: filepath.Join(h.dir, "none"),
		SystemModules: filepath.Join(h.dir, "modules"), ModuleDir: h.dir,
	}, conf.Env{}
}

func (h *host) NewRecord(m *native.Module) unsafe.Pointer {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := &record{strings.TrimSuffix(filepath.Base(m.Path()), ".so")}
	h.modules[r.name] = m
	h.names[unsafe.Pointer(r)] = r.name
	return unsafe.Pointer(r)
}

func (h *host) ConfigureRecord(r unsafe.Pointer, _ *conf.Module) {
	if h.names[r] == "" {
		h.stray("a record is configured that is none")
	}
}

func (h *host) Connected(unsafe.Pointer, int, int) {}

func (h *host) FreeRecord(r unsafe.Pointer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for of, name := range h.handles {
		if !h.leaving[of] && strings.TrimSuffix(name, " on") == h.names[r] {
			h.strays = append(h.strays, "a record is freed while a handle has it: "+name)
		}
	}
	delete(h.modules, h.names[r])
	delete(h.names, r)
}

func (h *host) Global(*conf.Options) {}

func (h *host) NewHandle(r unsafe.Pointer) Handle {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.names[r] == "" {
		h.strays = append(h.strays, "a handle is made for a record that is none")
	}
	if h.room == 0 {
		h.texts = append(h.texts, "no room")
		return nil
	}
	h.room--
	made := Handle(&handle{r})
	h.handles[made] = h.names[r]
	return made
}

func (h *host) NewProxy(members []ProxyMember, version ck.Version) (Handle, ProxyTable) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.room == 0 {
		return nil, nil
	}
	h.room--
	made := Handle(new(record))
	h.handles[made] = "proxy"
	return made, table{proxy.NewTable()}
}

// table is a table that needs no preparing.
type table struct{ proxy.Table }

func (table) Prepare() bool { return true }

func (table) LogMember(int, uint32, string) bool { return true }

func (h *host) RetireHandle(gone Handle) {
	h.mu.Lock()
	defer h.mu.Unlock()
	name, live := h.handles[gone]
	if !live {
		h.strays = append(h.strays, "a handle is retired that is none")
	}
	h.retired = append(h.retired, name)
	delete(h.handles, gone)
	delete(h.leaving, gone)
}

func (h *host) LogHandle(Handle, uint32, string) bool { return true }

func (h *host) SetState(of Handle, initialized bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	name, live := h.handles[of]
	if !live || strings.HasSuffix(name, " on") == initialized {
		h.strays = append(h.strays, "the state of "+name+" is set in vain")
	}
	h.handles[of] = strings.TrimSuffix(name, " on")
	if initialized {
		h.handles[of] = name + " on"
	}
}

func (h *host) stray(text string) {
	h.mu.Lock()
	h.strays = append(h.strays, text)
	h.mu.Unlock()
}

// tells checks the messages since it was last asked.
func (h *host) tells(what, want string) {
	h.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	if got := strings.Join(h.texts, "\n"); got != want {
		h.Errorf("%s: messages\n%s\nwant\n%s", what, got, want)
	}
	h.texts = nil
}

// has checks which handles there are.
func (h *host) has(what string, want ...string) {
	h.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	var got []string
	for _, name := range h.handles {
		got = append(got, name)
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		h.Errorf("%s: the handles are %q, want %q", what, got, want)
	}
}

// loaded checks which modules have records.
func (h *host) loaded(what string, want ...string) {
	h.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	var got []string
	for name := range h.modules {
		got = append(got, name)
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		h.Errorf("%s: modules %q are loaded, want %q", what, got, want)
	}
}

// build compiles a module that counts, and configures it.
func (h *host) build(name string, options ...string) {
	h.Helper()
	var defines []string
	if i := slices.IndexFunc(options, func(o string) bool { return strings.HasPrefix(o, "-D") }); i >= 0 {
		options, defines = options[:i], options[i:]
	}
	args := append([]string{"-std=gnu11", "-fPIC", "-shared", "-I", filepath.Join("..", "..", "include"), "-o", filepath.Join(h.dir, name+".so"),
		filepath.Join("..", "..", "registry", "testdata", "module.c")}, defines...)
	if msg, err := exec.Command("gcc", args...).CombinedOutput(); err != nil {
		h.Fatalf("gcc: %v\n%s", err, msg)
	}
	text := strings.Join(append([]string{"module: " + name + ".so"}, options...), "\n") + "\n"
	if err := os.WriteFile(filepath.Join(h.dir, "modules", name+".module"), []byte(text), 0o644); err != nil {
		h.Fatal(err)
	}
}

// Counts of a module.
const (
	initialized ck.SlotID = iota
	finalized
)

// counted checks how often a module was initialized and finalized.
func (h *host) counted(what, name string, starts, ends int) {
	h.Helper()
	for slot, want := range map[ck.SlotID]int{initialized: starts, finalized: ends} {
		call := &ck.GetSlotInfoCall{Slot: slot}
		if err := h.modules[name].Do(h.Context(), call); err != nil || int(call.Info.Flags) != want {
			h.Errorf("%s: count %d of %s is %d, want %d; %v", what, slot, name, call.Info.Flags, want, err)
		}
	}
}

// gives checks a return value.
func (h *host) gives(what string, got, want ck.RV) {
	h.Helper()
	if got != want {
		h.Errorf("%s gives %v, want %v", what, got, want)
	}
}

// load loads one module, managed.
func (h *host) load(e *Engine, name string) Handle {
	h.Helper()
	list, rv := e.ModuleLoad(name+".so", 0)
	if rv != ck.CKR_OK {
		h.Fatalf("%s: %v", name, rv)
	}
	return Handle(list)
}

// release does what the shim does.
func (h *host) release(e *Engine, of Handle) {
	h.mu.Lock()
	h.leaving[of] = true
	h.mu.Unlock()
	e.Release(of)
	h.RetireHandle(of)
}
