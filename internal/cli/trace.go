package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/p11mux/p11mux/conf"
	"github.com/p11mux/p11mux/internal/launch"
	"github.com/p11mux/p11mux/internal/trace"
)

func traceCommand() *cobra.Command {
	var log string
	cmd := &cobra.Command{
		Use:   "trace [-o LOG] [--] PROGRAM [ARGUMENT...]",
		Short: "Run a program and log its PKCS#11 calls",
		Long: `Run a program with logging on for every configured module, and write a JSON
line for each PKCS#11 call. The configuration stays as it is. Secrets are not
logged. The exit status is the program's.`,
		Example: `  p11mux trace -o calls.jsonl -- p11tool --list-tokens
  p11mux trace report calls.jsonl`,
		Args: someArgs(1, "program"),
		RunE: func(cmd *cobra.Command, args []string) error {
			t := tracing{cmd: cmd, log: log, args: args}
			return t.run()
		},
	}
	// What follows the program is its own.
	cmd.Flags().SetInterspersed(false)
	cmd.Flags().StringVarP(&log, "output", "o", "", "write the log to `LOG` instead of PROGRAM.p11trace.jsonl; what is there is replaced")
	return cmd
}

// A tracing is one run of the trace command.
type tracing struct {
	cmd  *cobra.Command
	log  string // as given; empty if not
	args []string

	old     string // where the older log is until this one has a call; empty if there is none
	program string // its file
	library string // directory of our library
	setup   *launch.Setup
}

func (t *tracing) run() error {
	named := t.log != ""
	if err := t.prepare(); err != nil {
		return errors.Join(err, putBack(t.old, t.log))
	}
	end, err := launch.Run(launch.Program{
		Path: t.program, Args: t.args, Env: launch.Preload(t.setup.Environ(os.Environ()), t.library),
	})
	if err != nil {
		return errors.Join(err, t.setup.Remove(), putBack(t.old, t.log))
	}
	if end.Left {
		t.say("%s left processes behind, which go on writing to %s; remove %s when they have ended", t.args[0], t.log, t.setup.Dir())
	} else if err := t.setup.Remove(); err != nil {
		return err
	}
	found, err := t.logged()
	if err != nil {
		return err
	}
	if !found && !end.Left {
		t.explain()
	} else if !named {
		t.say("the calls are in %s", t.log)
	}
	if err := t.settle(found, end.Left); err != nil {
		return err
	}
	if end.Signal != 0 {
		launch.EndBy(end.Signal)
	}
	if end.Code != 0 {
		return exit(end.Code)
	}
	return nil
}

// settle says which of the two logs stays: the older one where nothing was logged.
func (t *tracing) settle(found, left bool) error {
	switch {
	case t.old == "":
		return nil
	case found:
		return os.Remove(t.old)
	case left: // there may still be calls
		t.say("the older log is %s now", t.old)
		return nil
	}
	t.say("%s is the older log, as it was", t.log)
	return putBack(t.old, t.log)
}

// say tells the user something after the program has ended.
func (t *tracing) say(format string, args ...any) {
	fmt.Fprintf(t.cmd.ErrOrStderr(), "%s: %s\n", t.cmd.CommandPath(), fmt.Sprintf(format, args...))
}

// prepare makes everything ready for the program.
func (t *tracing) prepare() error {
	var err error
	if t.program, err = launch.Find(t.args[0]); err != nil {
		if errors.Is(err, launch.ErrSetuid) {
			return hinted(fmt.Errorf("%s: %w", t.args[0], err), "run it as a user who has the rights, or trace a copy of it that is not setuid")
		}
		return hinted(err, "give the path of a program, or the name of one in PATH")
	}
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	if t.library, err = launch.LibraryDir(exe); err != nil {
		return hinted(err, "run p11mux where it was built by make or installed by make install")
	}
	if t.log == "" {
		t.log = filepath.Base(t.args[0]) + ".p11trace.jsonl"
	}
	if t.log, err = filepath.Abs(t.log); err != nil {
		return err
	}
	if t.old, err = emptyLog(t.log); err != nil {
		return hinted(err, "name another file with -o")
	}
	env := conf.ProcessEnv()
	c := conf.Load(conf.Paths{}.WithEnviron(env), env)
	for _, p := range c.Problems {
		if p.Severity == conf.Error {
			t.say("%v", p)
		}
	}
	t.setup, err = launch.NewSetup(c, t.log)
	return err
}

// emptyLog makes a new file for the log that nobody else can read, in place of an older log, but of nothing else. It says where the
// older one is now.
func emptyLog(path string) (old string, err error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return "", err
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("%s is not a regular file", path)
	case info.Size() == 0:
		if err := os.Remove(path); err != nil {
			return "", err
		}
	default:
		is, err := isLog(path)
		if err != nil {
			return "", err
		}
		if !is {
			return "", fmt.Errorf("%s is there, and is not a log", path)
		}
		f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".old-*")
		if err != nil {
			return "", err
		}
		old = f.Name()
		if err := errors.Join(f.Close(), os.Rename(path, old)); err != nil {
			return "", errors.Join(err, os.Remove(old))
		}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return old, err
	}
	return old, f.Close()
}

// putBack puts the older log where it was; there may be none.
func putBack(old, path string) error {
	if old == "" {
		return nil
	}
	return os.Rename(old, path)
}

// isLog tells whether a file begins as a log does.
func isLog(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	begin := []byte(`{"time":"`)
	head := make([]byte, len(begin))
	if _, err := io.ReadFull(f, head); err != nil && err != io.ErrUnexpectedEOF && err != io.EOF {
		return false, err
	}
	return bytes.Equal(head, begin), nil
}

// logged tells whether there is a call in the log.
func (t *tracing) logged() (bool, error) {
	f, err := os.Open(t.log)
	if err != nil {
		return false, err
	}
	defer f.Close()
	for e, err := range trace.Read(t.log, f) {
		if _, ok := e.(*trace.Call); ok {
			return true, nil
		}
		if _, ok := errors.AsType[*trace.Problem](err); err != nil && !ok {
			return false, err
		}
	}
	return false, nil
}

// explain says why there may be no call in the log.
func (t *tracing) explain() {
	proxy := filepath.Join(t.library, launch.ProxyName)
	switch {
	case launch.IsStatic(t.program):
		t.say("nothing was logged: %s is statically linked, so it cannot use our library", t.args[0])
	case len(t.setup.Modules) == 0 && len(t.setup.Unmanaged) > 0:
		t.say("nothing was logged: the configuration says managed: no of %s", strings.Join(t.setup.Unmanaged, ", "))
	case len(t.setup.Modules) == 0:
		t.say("nothing was logged: no module is configured")
		t.say("name one in a .module file in %s", conf.DefaultPaths().SystemModules)
	default:
		t.say("nothing was logged: %s made no call through p11-kit's library", t.args[0])
		t.say("if it loads a PKCS#11 module itself, give it %s instead", proxy)
	}
}
