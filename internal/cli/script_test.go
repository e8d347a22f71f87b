package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/p11mux/p11mux/conf"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"p11mux": func() { os.Exit(Main(os.Args, Stdio{os.Stdin, os.Stdout, os.Stderr})) },
		"app":    app,
	})
}

// TestScripts runs the scripts in testdata. p11mux is installed under $WORK/prefix there, beside a library that is a name only, which
// a program such as app, that does by itself what the library would, does not miss.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			prefix := filepath.Join(env.WorkDir, "prefix")
			if err := install(env.Getenv("PATH"), prefix); err != nil {
				return err
			}
			env.Setenv("PATH", filepath.Join(prefix, "bin")+":"+env.Getenv("PATH"))
			env.Setenv("P11_SYSTEM_CONFIG_FILE", filepath.Join(env.WorkDir, "etc/pkcs11.conf"))
			env.Setenv("P11_SYSTEM_CONFIG_MODULES", filepath.Join(env.WorkDir, "etc/modules"))
			env.Setenv("P11_PACKAGE_CONFIG_MODULES", filepath.Join(env.WorkDir, "share/modules"))
			env.Setenv("P11_KIT_NO_USER_CONFIG", "1")
			env.Setenv("TMPDIR", filepath.Join(env.WorkDir, "tmp"))
			return os.Mkdir(filepath.Join(env.WorkDir, "tmp"), 0o700)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"await": await, "longline": longLine},
	})
}

// install puts the p11mux that is found in path into prefix/bin, as a file of its own, so that it looks for its library there.
func install(path, prefix string) error {
	from := ""
	for _, dir := range filepath.SplitList(path) {
		if file := filepath.Join(dir, "p11mux"); from == "" {
			if _, err := os.Stat(file); err == nil {
				from = file
			}
		}
	}
	for _, dir := range []string{"bin", "lib/p11mux"} {
		if err := os.MkdirAll(filepath.Join(prefix, dir), 0o755); err != nil {
			return err
		}
	}
	for _, name := range []string{"libp11-kit.so.0", "p11mux/engine.so"} {
		if err := os.WriteFile(filepath.Join(prefix, "lib", name), nil, 0o644); err != nil {
			return err
		}
	}
	program, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return writeProgram(filepath.Join(prefix, "bin/p11mux"), program)
}

// writeProgram writes a file that can be run. A child that another script starts meanwhile would hold the file open for writing, and then
// it could not.
func writeProgram(path string, content []byte) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return os.WriteFile(path, content, 0o755)
}

// await waits until a file is there.
func await(ts *testscript.TestScript, _ bool, args []string) {
	for range 3000 {
		if _, err := os.Stat(ts.MkAbs(args[0])); err == nil {
			return
		} else if !errors.Is(err, fs.ErrNotExist) {
			ts.Fatalf("%v", err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	ts.Fatalf("%s does not come", args[0])
}

// longLine writes a file with a line that no log has.
func longLine(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Repeat("x", 2<<20)+"\n"), 0o600))
}

// app is a program that is traced. Its arguments say what it does, one after the other.
func app() {
	for args := os.Args[1:]; len(args) > 1; args = args[2:] {
		if err := appDo(args[0], args[1]); err != nil {
			fmt.Fprintln(os.Stderr, "app:", err)
			os.Exit(1)
		}
	}
}

func appDo(what, value string) error {
	switch what {
	case "call": // logs a call of each configured module, as the library would
		return appLog(value)
	case "exit":
		n, err := strconv.Atoi(value)
		if err == nil {
			os.Exit(n)
		}
		return err
	case "copy":
		_, err := io.Copy(os.Stdout, os.Stdin)
		return err
	case "env":
		fmt.Printf("%s=%s\n", value, os.Getenv(value))
	case "say":
		fmt.Fprintln(os.Stderr, value)
	case "config": // prints its configuration's options, and where its file is
		c := appConf()
		for _, o := range c.Global {
			fmt.Println("global", o.Key, o.Value)
		}
		for _, m := range c.Modules {
			for _, o := range m.Options {
				fmt.Println(m.Name, o.Key, o.Value)
			}
		}
	case "await": // waits for a signal
		signals := make(chan os.Signal, 1)
		signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGUSR1)
		if err := os.WriteFile(value, nil, 0o600); err != nil {
			return err
		}
		fmt.Println("got", <-signals)
	case "die":
		n, err := strconv.Atoi(value)
		if err != nil {
			return err
		}
		signal.Reset()
		if err := syscall.Kill(syscall.Getpid(), syscall.Signal(n)); err != nil {
			return err
		}
		time.Sleep(time.Minute)
	case "leave": // leaves a process behind until there is a file
		exe, err := os.Executable()
		if err != nil {
			return err
		}
		return (&exec.Cmd{Path: exe, Args: []string{"app", "until", value}}).Start()
	case "until":
		for range 3000 {
			if _, err := os.Stat(value); err == nil {
				return os.WriteFile(value+".seen", nil, 0o600)
			}
			time.Sleep(10 * time.Millisecond)
		}
	case "--output": // an option that p11mux has as well
	default:
		return fmt.Errorf("what is %s", what)
	}
	return nil
}

func appConf() *conf.Config {
	env := conf.ProcessEnv()
	return conf.Load(conf.Paths{}.WithEnviron(env), env)
}

func appLog(function string) error {
	c := appConf()
	name, _ := c.Global.Get("log-file")
	f, err := os.OpenFile(strings.ReplaceAll(name, "%%", "%"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	for _, m := range c.Modules {
		fmt.Fprintf(f, `{"time":"2026-11-25T09:49:32.123456789Z","pid":%d,"thread":1,"caller":"app","view":1,"module":%q,"function":%q,"result":"CKR_OK","duration":12.345}`+"\n",
			os.Getpid(), m.Name, function)
	}
	return f.Close()
}
