package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/conf"
)

// modules looks at each configured module.
func (l *look) modules(ctx context.Context) {
	if len(l.config.Modules) == 0 {
		l.add(Finding{Area: Modules, Name: "none", Status: Warning, Text: "no module is configured",
			Fix: "name one in a file " + filepath.Join(l.config.Paths.SystemModules, "NAME.module") + ": module: /path/to/module.so"})
		return
	}
	seen := map[string]string{} // real path -> name of the module that has it
	for i := range l.config.Modules {
		m := &l.config.Modules[i]
		l.step("module " + m.Name)
		f := l.module(ctx, m, seen)
		f.Area, f.Name, f.Settings = Modules, m.Name, settings(m.Options)
		if f.Status == Error && m.Critical() {
			f.Text += "; it is marked as critical, so programs get no module at all"
		}
		l.add(f)
		if managed, _ := l.config.Managed(m); !managed {
			l.add(Finding{Area: Modules, Name: m.Name, Status: Note, Text: "is not managed: programs get the module itself, and share nothing" + l.unmanaged(m),
				Fix: "remove 'managed: no'"})
		}
		if path, ok := m.Path(l.config.Paths.ModuleDir); ok {
			l.writable(Modules, m.Name, path)
		}
	}
}

// module looks at one module, from the outside first.
func (l *look) module(ctx context.Context, m *conf.Module, seen map[string]string) Finding {
	if enabled, _ := conf.EnabledFor(m, l.Options.Program, false); !enabled {
		return l.disabled(m)
	}
	path, has := m.Path(l.config.Paths.ModuleDir)
	address, remote := m.Remote()
	switch {
	case remote:
		path = address
	case !has:
		return Finding{Status: Note, Text: "has no option 'module', which disables it", Fix: "write 'module: /path/to/module.so' in " + m.File}
	default:
		if text, fix := elfProblem(path, l.Executable); text != "" {
			return Finding{Status: Error, Text: text + l.named(m), Fix: fix}
		}
		if real, err := filepath.EvalSymlinks(path); err == nil {
			if other, twice := seen[real]; twice {
				return Finding{Status: Warning, Text: path + " is the same module as " + other + ", whose configuration is used",
					Fix: "remove one of the two module files"}
			}
			seen[real] = m.Name
		}
	}
	answer, err := l.probe(ctx, m.Name)
	if err != nil {
		return Finding{Status: Error, Text: path + " " + err.Error(),
			Fix: "ask who makes the module; until then disable it with 'enable-in:' in " + m.File}
	}
	return l.judge(m, path, answer)
}

// unmanaged says what has a module not be managed: the global option, or its own.
func (l *look) unmanaged(m *conf.Module) string {
	if _, ok := l.config.Global.Lookup("managed"); ok {
		return l.origin(l.config.Global, "managed")
	}
	return l.origin(m.Options, "managed")
}

// disabled says why a module is not for the program.
func (l *look) disabled(m *conf.Module) Finding {
	o, ok := m.Options.Lookup("enable-in")
	if !ok {
		o, _ = m.Options.Lookup("disable-in")
	}
	return Finding{Status: Note, Text: fmt.Sprintf("is not for %s: %s: %s (%s)", l.Options.Program, o.Key, o.Value, position(o.File, o.Line)),
		Fix: "change " + o.Key + " if the program is to have it"}
}

// named says where the configuration names the module's file.
func (l *look) named(m *conf.Module) string {
	if o, ok := m.Options.Lookup("module"); ok {
		return " (" + position(o.File, o.Line) + ")"
	}
	return ""
}

// judge makes a finding of what a module said.
func (l *look) judge(m *conf.Module, path string, p *probed) Finding {
	switch p.Step {
	case stepLoad:
		return Finding{Status: Error, Text: "cannot be loaded: " + p.Text + l.named(m), Fix: loadFix(p.Text)}
	case stepInitialize:
		return Finding{Status: Error, Text: path + " does not initialize: " + p.Text, Fix: initializeFix(path, p)}
	case stepUse:
		return Finding{Status: Error, Text: path + " does not work: " + p.Text, Fix: useFix(path, p)}
	}
	if p.Absent != "" {
		return Finding{Status: Warning, Text: path + " has no slots: " + p.Absent, Fix: absentFix}
	}
	text := fmt.Sprintf("%s: %s %s, %s", path, p.Description, p.Version, some(p.Slots, "slot"))
	f := Finding{Status: OK}
	var labels []string
	for _, t := range p.Tokens {
		switch {
		case t.Flags&ck.CKF_TOKEN_INITIALIZED == 0:
			continue
		case t.Flags&ck.CKF_USER_PIN_LOCKED != 0:
			f.Status, f.Fix = Warning, "have the security officer give the user of "+t.Label+" a new PIN"
			labels = append(labels, t.Label+" (PIN locked)")
		case t.Flags&ck.CKF_USER_PIN_FINAL_TRY != 0:
			f.Status, f.Fix = Warning, "mind that the next wrong PIN locks "+t.Label
			labels = append(labels, t.Label+" (one try left for the PIN)")
		default:
			labels = append(labels, t.Label)
		}
	}
	if len(labels) > 0 {
		text += ", tokens: " + strings.Join(labels, ", ")
	}
	f.Text = text
	return f
}

func loadFix(text string) string {
	switch {
	case strings.Contains(text, "C_GetFunctionList"):
		return "name a PKCS#11 module: this is another kind of library"
	case strings.Contains(text, "cannot open shared object file"):
		return "install the package that has the missing library"
	case strings.Contains(text, "undefined symbol"), strings.Contains(text, "version `"):
		return "install the versions of the module and its libraries that belong together"
	case strings.Contains(text, "remote"):
		return "have 'remote' be a command after '|', unix:path=/PATH or vsock:cid=N;port=N"
	}
	return "install the module's package again"
}

// What to do about a server at a socket. With ssh -R the socket is there and leads to nobody.
const (
	absentFix = "start the server, or what forwards the socket (ssh -R), with this address; programs look again when they initialize"
	lostFix   = "see that the server runs, and start it again; if the socket is forwarded (ssh -R), it is the one at the other end, and the connection can stay"
)

// isSocket tells whether a module's path is the address of a socket.
func isSocket(path string) bool {
	return strings.HasPrefix(path, "unix:") || strings.HasPrefix(path, "vsock:")
}

func useFix(path string, p *probed) string {
	if isSocket(path) && (p.RV == ck.CKR_DEVICE_ERROR.String() || p.RV == ck.CKR_DEVICE_REMOVED.String()) {
		return lostFix
	}
	return "see the module's own documentation and log"
}

func initializeFix(path string, p *probed) string {
	if p.RV == ck.CKR_DEVICE_ERROR.String() {
		switch {
		case strings.HasPrefix(path, "|") && strings.Contains(p.Text, "where the protocol should begin"):
			return "have the command print nothing before; if it is ssh, see what the start-up files of the shell at the other end print"
		case strings.HasPrefix(path, "| "):
			return "take away the blank after the bar"
		case strings.HasPrefix(path, "|"):
			return "run the command by itself, with 'cat' before the bar: it should wait and print nothing, and what it prints is the reason; Ctrl-C ends it"
		case isSocket(path):
			return lostFix
		}
	}
	switch p.RV {
	case ck.CKR_GENERAL_ERROR.String(), ck.CKR_FUNCTION_FAILED.String():
		return "see whether the module finds its own configuration and may read it, and whether its daemon runs"
	case ck.CKR_ARGUMENTS_BAD.String():
		return "see whether the module needs the option x-init-reserved"
	case ck.CKR_DEVICE_ERROR.String(), ck.CKR_TOKEN_NOT_PRESENT.String():
		return "see whether the device is connected, and whether you may use it"
	}
	return "see the module's own documentation and log"
}

// maxAnswer is more than a module can have to say.
const maxAnswer = 1 << 20

// probe has a module tried in a process of its own.
func (l *look) probe(ctx context.Context, module string) (*probed, error) {
	ctx, cancel := context.WithTimeout(ctx, l.Patience)
	defer cancel()
	name, args := l.Probe(module)
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.ExtraFiles = []*os.File{w}
	cmd.WaitDelay = l.Patience
	err = cmd.Start()
	_ = w.Close()
	if err != nil {
		return nil, fmt.Errorf("cannot be tried: %w", err)
	}
	// What a module leaves running may keep the pipe open.
	stop := context.AfterFunc(ctx, func() { _ = r.Close() })
	defer stop()
	var answer probed
	decoded := json.NewDecoder(io.LimitReader(r, maxAnswer)).Decode(&answer)
	err = cmd.Wait()
	switch {
	case decoded == nil && err == nil:
		return &answer, nil
	case ctx.Err() != nil:
		return nil, fmt.Errorf("does not answer within %v", l.Patience)
	}
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		if status, ok := e.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			return nil, fmt.Errorf("ends the process that uses it: %v", status.Signal())
		}
		return nil, fmt.Errorf("ends the process that uses it, with status %d", e.ExitCode())
	}
	return nil, errors.New("ends the process that uses it")
}
