package doctor

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/p11mux/p11mux/conf"
	"github.com/p11mux/p11mux/internal/launch"
)

const (
	libraryName = "libp11-kit.so.0"
	// kitName is the command that scripts call.
	kitName = "p11-kit"
)

// library looks at the C library: whether it is there and works, and whether programs get it.
func (l *look) library(ctx context.Context) {
	l.step("the library")
	dir, err := launch.LibraryDir(l.Executable)
	if err != nil {
		l.add(Finding{Area: Library, Name: libraryName, Status: Warning, Text: err.Error(),
			Fix: "install p11mux by 'make install', or run it where it was built; Go programs need no library"})
		return
	}
	l.lib = dir
	ours := filepath.Join(dir, libraryName)
	answers, err := l.check(ctx, "try", ours)
	if err != nil {
		l.add(Finding{Area: Library, Name: libraryName, Status: Error, Text: err.Error(), Fix: "install p11mux again"})
		return
	}
	l.engine(ours, answers)
	l.inUse(ctx, ours)
	l.command()
}

// engine says what became of a program that used the library, and forked.
func (l *look) engine(ours string, answers map[string]string) {
	switch text, failed := answers["failed"]; {
	case failed:
		l.add(Finding{Area: Library, Name: "engine", Status: Error, Text: "the engine of " + ours + " cannot be loaded: " + text,
			Fix: "see whether " + filepath.Join(l.lib, "p11mux/engine.so") + " is there, of the same build, and on a file system that programs can be run from"})
	case answers["engine"] == "":
		l.add(Finding{Area: Library, Name: "engine", Status: Error, Text: "a program that uses " + ours + " ends" + ended(answers), Fix: "install p11mux again"})
	default:
		l.add(Finding{Area: Library, Name: "engine", Status: OK, Text: "the engine of " + ours + " is loaded"})
	}
	if answers["engine"] == "" {
		return
	}
	if answers["fork"] != "" {
		l.add(Finding{Area: Library, Name: "fork", Status: OK, Text: "a child of a fork gets an engine of its own"})
		return
	}
	l.add(Finding{Area: Library, Name: "fork", Status: Error, Text: "a child of a fork gets no engine: " + answers["nofork"] + ended(answers),
		Fix: "allow executable memory files (memfd_create), or a directory for temporary files without noexec (TMPDIR)"})
}

func ended(answers map[string]string) string {
	if how := answers["ended"]; how != "" {
		return " (" + how + ")"
	}
	return ""
}

// inUse says which library programs get.
func (l *look) inUse(ctx context.Context, ours string) {
	answers, err := l.check(ctx, "where", libraryName)
	if err != nil {
		return // told already
	}
	path := answers["library"]
	switch {
	case path == "":
		l.add(Finding{Area: Library, Name: libraryName, Status: Note, Text: "programs find no " + libraryName + " by themselves",
			Fix: "LD_LIBRARY_PATH=" + l.lib + " leads a program to p11mux"})
	case sameFile(path, ours):
		l.add(Finding{Area: Library, Name: libraryName, Status: OK, Text: "programs get " + path + ", which is p11mux"})
	default:
		l.add(Finding{Area: Library, Name: libraryName, Status: Note, Text: "programs get " + path + ", which is " + whose(path),
			Fix: "LD_LIBRARY_PATH=" + l.lib + " leads a program to this p11mux"})
	}
}

// whose tells the libraries apart: only ours has its engine beside it.
func whose(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(path), "p11mux", "engine.so")); err == nil {
		return "another p11mux"
	}
	return "p11-kit's"
}

func sameFile(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}

// command says what scripts get that call p11-kit.
func (l *look) command() {
	path, err := exec.LookPath(kitName)
	switch {
	case err != nil:
		l.add(Finding{Area: Library, Name: kitName, Status: Note, Text: "the command p11-kit is not in PATH",
			Fix: "add " + filepath.Dir(l.Executable) + " to PATH if scripts call it"})
	case sameFile(path, l.Executable):
		l.add(Finding{Area: Library, Name: kitName, Status: OK, Text: "the command p11-kit is " + path + ", which is this p11mux"})
	default:
		l.add(Finding{Area: Library, Name: kitName, Status: Note, Text: "the command p11-kit is " + path + ", which is not this p11mux",
			Fix: "put " + filepath.Dir(l.Executable) + " first in PATH to have scripts call p11mux"})
	}
}

// check runs the program that sees the library as programs in C do. Its configuration has no modules: they are tried one by one.
func (l *look) check(ctx context.Context, what, name string) (map[string]string, error) {
	program := filepath.Join(filepath.Dir(filepath.Dir(l.Executable)), "libexec", "p11mux", "enginecheck")
	if _, err := os.Stat(program); err != nil {
		return nil, fmt.Errorf("the engine cannot be tried: %w", err)
	}
	cmd := exec.CommandContext(ctx, program, what, name)
	cmd.Env = append(os.Environ(), "P11_KIT_NO_USER_CONFIG=1", "P11_SYSTEM_CONFIG_FILE=/dev/null", "P11_PACKAGE_CONFIG_MODULES=/dev/null",
		"P11_SYSTEM_CONFIG_MODULES=/dev/null")
	out, err := cmd.Output()
	answers := map[string]string{}
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		word, text, _ := strings.Cut(lines.Text(), " ")
		answers[word] = text
	}
	if err != nil {
		answers["ended"] = err.Error()
	}
	return answers, nil
}

// proxyNames are the names of the proxy module: that of the file, and what other configurations contain of it.
const proxyFile = conf.ProxyName + ".so"

// proxy looks for the proxy module where programs that are configured with its name alone find it.
func (l *look) proxy() {
	l.step("the proxy module")
	dir := l.config.Paths.WithDefaults().ModuleDir
	found := false
	for _, path := range []string{filepath.Join(dir, proxyFile), filepath.Join(filepath.Dir(dir), proxyFile)} {
		if _, err := os.Stat(path); err == nil {
			found = true
			l.proxyAt(Proxy, proxyFile, path)
		} else if _, err := os.Lstat(path); err == nil {
			found = true
			l.add(Finding{Area: Proxy, Name: proxyFile, Status: Error, Text: path + " points to nothing", Fix: "install the library again, or remove the link"})
		}
	}
	if !found {
		l.add(Finding{Area: Proxy, Name: proxyFile, Status: Note, Text: "there is no proxy module in " + dir + " nor in " + filepath.Dir(dir),
			Fix: "give programs that ask for a PKCS#11 module " + l.ourProxy()})
	}
}

func (l *look) ourProxy() string {
	if l.lib == "" {
		return proxyFile
	}
	return filepath.Join(l.lib, proxyFile)
}

// proxyAt says whose proxy module a file is.
func (l *look) proxyAt(area Area, name, path string) {
	switch {
	case l.lib != "" && sameFile(path, l.ourProxy()):
		l.add(Finding{Area: area, Name: name, Status: OK, Text: path + " is p11mux"})
	default:
		l.add(Finding{Area: area, Name: name, Status: Note, Text: path + " is " + whose(path), Fix: "use " + l.ourProxy() + " instead to have p11mux"})
	}
}
