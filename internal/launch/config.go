package launch

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/p11mux/p11mux/conf"
)

// A Setup is a configuration for one traced program, in a directory of its own. Remove takes it away again.
type Setup struct {
	// Modules are the configured modules that the program can be seen to use, by name.
	Modules []string

	// Unmanaged are those that it cannot be seen to use, since managed: no gives callers the module itself.
	Unmanaged []string

	dir string
}

// The options that this package sets. What the configuration says of them does not count.
var logOptions = []string{"log-calls", "log-format", "log-file", "log-secrets"}

// NewSetup writes the configuration that a program would find, c, with JSON logs to the file log, whose path is absolute. Modules
// write no other logs then, and none with secrets.
func NewSetup(c *conf.Config, log string) (*Setup, error) {
	if err := loggable(log); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "p11mux-trace-")
	if err != nil {
		return nil, err
	}
	s := &Setup{dir: dir}
	if err := s.write(c, log); err != nil {
		return nil, errors.Join(err, s.Remove())
	}
	return s, nil
}

// loggable says whether a path can be the value of an option.
func loggable(path string) error {
	switch {
	case !filepath.IsAbs(path):
		return fmt.Errorf("the path %q is not absolute", path)
	case strings.TrimSpace(path) != path, strings.ContainsAny(path, "\n\x00"):
		return fmt.Errorf("the path %q cannot be written in a configuration file", path)
	}
	return nil
}

func (s *Setup) write(c *conf.Config, log string) error {
	global := append(without(c.Global, "user-config"),
		conf.Option{Key: "user-config", Value: "none"}, // what counts of it is here already
		conf.Option{Key: "log-calls", Value: "yes"},
		conf.Option{Key: "log-format", Value: "json"},
		conf.Option{Key: "log-file", Value: strings.ReplaceAll(log, "%", "%%")},
	)
	if err := writeOptions(s.global(), global); err != nil {
		return err
	}
	for _, dir := range []string{s.dir, s.modules()} {
		if err := openDir(dir); err != nil {
			return err
		}
	}
	for i := range c.Modules {
		m := &c.Modules[i]
		if err := writeOptions(filepath.Join(s.modules(), m.Name+".module"), without(m.Options)); err != nil {
			return err
		}
		_, local := m.Path("")
		_, remote := m.Remote()
		switch managed, _ := c.Managed(m); {
		case !local && !remote:
		case managed:
			s.Modules = append(s.Modules, m.Name)
		default:
			s.Unmanaged = append(s.Unmanaged, m.Name)
		}
	}
	return nil
}

func (s *Setup) global() string  { return filepath.Join(s.dir, "pkcs11.conf") }
func (s *Setup) modules() string { return filepath.Join(s.dir, "modules") }

// Dir is the directory of the configuration. Processes that the program leaves behind may still need it.
func (s *Setup) Dir() string { return s.dir }

// Remove removes the configuration.
func (s *Setup) Remove() error { return os.RemoveAll(s.dir) }

// Environ gives the environment env with the variables that lead the library to the configuration, in place of others.
func (s *Setup) Environ(env []string) []string {
	env = set(env, "P11_SYSTEM_CONFIG_FILE", s.global())
	env = set(env, "P11_SYSTEM_CONFIG_MODULES", s.modules())
	// The modules of packages are among the others. An empty variable would count as none.
	return set(env, "P11_PACKAGE_CONFIG_MODULES", filepath.Join(s.dir, "none"))
}

// set gives an environment with a variable in place of others of its name.
func set(env []string, name, value string) []string {
	var changed []string
	for _, v := range env {
		if !strings.HasPrefix(v, name+"=") {
			changed = append(changed, v)
		}
	}
	return append(changed, name+"="+value)
}

// without gives options without those that this package sets, and others.
func without(options conf.Options, keys ...string) conf.Options {
	var kept conf.Options
	left := map[string]bool{}
	for _, k := range append(keys, logOptions...) {
		left[k] = true
	}
	for _, o := range options {
		if !left[o.Key] {
			kept = append(kept, o)
		}
	}
	return kept
}

// openDir makes a directory, unless it is there, that everybody may look into: a program that gives its privileges up still has to
// find its configuration.
func openDir(dir string) error {
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return os.Chmod(dir, 0o755)
}

// writeOptions writes a configuration file, which is as private as the files that the options come from: values may be secret
// (x-init-reserved has held passwords).
func writeOptions(path string, options conf.Options) error {
	var text strings.Builder
	mode := fs.FileMode(0o644)
	for _, o := range options {
		text.WriteString(o.Key + ": " + o.Value + "\n")
		if o.File == "" {
			continue
		}
		if info, err := os.Stat(o.File); err != nil || info.Mode()&0o004 == 0 {
			mode = 0o600
		}
	}
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		return err
	}
	return os.Chmod(path, mode)
}
