package conf

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A tree is a set of configuration files below a temporary directory: the
// global files "system.conf" and "user.conf" and the module directories
// "package", "system" and "user".
type tree struct {
	t   *testing.T
	dir string
}

// newTree writes the files, given by their paths in the tree.
func newTree(t *testing.T, files map[string]string) tree {
	t.Helper()
	tr := tree{t, t.TempDir()}
	for name, text := range files {
		tr.write(name, text)
	}
	return tr
}

func (tr tree) path(name string) string { return filepath.Join(tr.dir, name) }

func (tr tree) write(name, text string) {
	tr.t.Helper()
	writeFile(tr.t, tr.path(name), text)
}

// writeFile writes a file and makes the directories above it.
func writeFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (tr tree) paths() Paths {
	return Paths{
		SystemConfig:   tr.path("system.conf"),
		UserConfig:     tr.path("user.conf"),
		PackageModules: tr.path("package"),
		SystemModules:  tr.path("system"),
		UserModules:    tr.path("user"),
	}
}

// load reads the tree as an ordinary user.
func (tr tree) load() *Config { return Load(tr.paths(), Env{UID: 1000}) }

// show describes a configuration on one line: the mode, the global options
// that count and then each module.
func show(c *Config) string {
	options := func(o Options) string {
		var s []string
		for _, o := range o.All() {
			s = append(s, o.Key+"="+o.Value)
		}
		return strings.Join(s, ",")
	}
	s := c.Mode + " {" + options(c.Global) + "}"
	for _, m := range c.Modules {
		s += " " + m.Name + "{" + options(m.Options) + "}"
	}
	return s
}

// problems returns the texts of the problems, with the tree's directory as T.
func (tr tree) problems(c *Config) []string {
	var s []string
	for _, p := range c.Problems {
		s = append(s, strings.ReplaceAll(p.Error(), tr.dir, "T"))
	}
	return s
}

// want compares a configuration and the starts of its problems' texts.
func (tr tree) want(c *Config, config string, problems ...string) {
	tr.t.Helper()
	if got := show(c); got != config {
		tr.t.Errorf("got  %s\nwant %s", got, config)
	}
	got := tr.problems(c)
	if !slices.EqualFunc(got, problems, strings.HasPrefix) {
		tr.t.Errorf("got problems\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(problems, "\n\t"))
	}
}

func TestLoadNothing(t *testing.T) {
	tr := newTree(t, nil)
	tr.want(tr.load(), "merge {}")
	tr.write("package", "a file where a directory is expected")
	tr.want(tr.load(), "merge {}")
}

func TestLoadMerge(t *testing.T) {
	tr := newTree(t, map[string]string{
		"package/m.module": "module: p\nx-a: p\nx-b: p\nx-c: p\ncritical: yes\n",
		"system/m.module":  "x-b: s\nx-c: s\nx-d: s1\nx-d: s2\n",
		"user/m.module":    "x-c: u\npriority: 3\ncritical:\n",
		"user/only.module": "module: o\n",
	})
	c := tr.load()
	tr.want(c, "merge {} m{critical=,module=p,priority=3,x-a=p,x-b=s,x-c=u,x-d=s2} only{module=o}",
		"T/user/m.module:3: invalid setting '' defaulting to 'no'")
	m := c.Modules[0]
	if m.File != tr.path("user/m.module") || m.Priority != 3 || m.Critical() {
		t.Errorf("file %s, priority %d, critical %v", m.File, m.Priority, m.Critical())
	}
	for key, where := range map[string]string{"module": "package/m.module:1", "x-d": "system/m.module:4", "x-c": "user/m.module:1"} {
		o, _ := m.Options.Lookup(key)
		if got := fmt.Sprintf("%s:%d", o.File, o.Line); got != tr.path(where) {
			t.Errorf("%s is from %s", key, got)
		}
	}
}

func TestLoadOrder(t *testing.T) {
	tr := newTree(t, map[string]string{
		"package/zz.module": "module: x",
		"package/mm.module": "module: x",
		"system/AA.module":  "module: x",
		"user/m.module":     "module: x",
		"user/neg.module":   "module: x\npriority: -1",
		"system/low.module": "module: x\npriority: 5x",
		"system/top.module": "module: x\npriority: 100",
		"package/b.module":  "module: x\npriority: abc",
	})
	c := tr.load()
	var got []string
	for _, m := range c.Modules {
		got = append(got, m.Name)
	}
	if want := []string{"top", "low", "AA", "b", "m", "mm", "zz", "neg"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	want := []string{"T/package/b.module:2: invalid priority 'abc' taken as 0", "T/system/low.module:2: invalid priority '5x' taken as 5"}
	if got := tr.problems(c); !slices.EqualFunc(got, want, strings.HasPrefix) {
		t.Errorf("problems %q", got)
	}
}

func TestLoadNames(t *testing.T) {
	tr := newTree(t, map[string]string{
		"package/a.module":        "module: x",
		"package/a.module.module": "module: x",
		"package/0_.-Z.module":    "module: x",
		"package/README":          "anything",
		"package/a.conf":          "module: x",
		"package/a.module~":       "module: evil",
		"package/.a.module":       "module: x",
		"package/.module":         "module: x",
		"package/a b.module":      "module: x",
		"package/a,b.module":      "module: x",
		"package/-a.module":       "module: x",
		"package/a.Module":        "module: x",
		"package/\xc3\xa9.module": "module: x",
		"package/new\nline":       "module: x",
		"package/sub/x.module":    "module: x",
		"package/d.module/x":      "module: x",
	})
	if err := os.Symlink("sub", tr.path("package/link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("sub", tr.path("package/link.module")); err != nil {
		t.Fatal(err)
	}
	c := tr.load()
	const ignored = ": invalid config filename, ignored: "
	tr.want(c, "merge {} 0_.-Z{module=x} a{module=x} a.module{module=x}",
		"T/package/-a.module"+ignored,
		"T/package/.a.module"+ignored,
		"T/package/.module"+ignored,
		"T/package/README"+ignored,
		"T/package/a b.module"+ignored,
		"T/package/a,b.module"+ignored,
		"T/package/a.Module"+ignored,
		"T/package/a.conf"+ignored,
		"T/package/a.module~"+ignored,
		`T/package/new\x0aline`+ignored,
		"T/package/\xc3\xa9.module"+ignored,
	)
	for _, p := range c.Problems {
		if p.Severity != Note {
			t.Errorf("%v: severity %d", p, p.Severity)
		}
	}
}

// TestLoadBadModules has every kind of defect beside good modules, which must
// all be there.
func TestLoadBadModules(t *testing.T) {
	tr := newTree(t, map[string]string{
		"package/good.module":     "module: g",
		"package/line.module":     "module: x\nnonsense\ncritical: yes\n[x]\n",
		"package/pem.module":      "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
		"package/nul.module":      "module: x\x00y\n",
		"package/override.module": "module: o\ntrust-policy: yes\n",
		"system/override.module":  "trust-policy no\n",
		"user/mine.module":        "module: u",
		"user/broken.module":      "module",
		"package/large.module":    "# " + strings.Repeat("x", maxFileSize-3) + "\n",
		"package/fits.module":     "# " + strings.Repeat("x", maxFileSize-15) + "\nmodule: fits",
	})
	if err := os.Truncate(tr.path("package/large.module"), 100<<20); err != nil {
		t.Fatal(err)
	}
	tr.want(tr.load(), "merge {} fits{module=fits} good{module=g} mine{module=u}",
		"T/user/broken.module:1: invalid field line: no colon: module 'broken' is not used",
		"T/package/large.module: couldn't read config file: larger than 1048576 bytes: module 'large' is not used",
		"T/package/line.module:2: invalid field line: no colon: module 'line' is not used",
		"T/package/line.module:4: unexpected section header: module 'line' is not used",
		"T/package/nul.module:1: invalid line: contains a NUL byte, save the file as plain text: module 'nul' is not used",
		"T/system/override.module:1: invalid field line: no colon: module 'override' is not used",
		"T/package/pem.module:1: unexpected pem block: module 'pem' is not used",
	)
}

func TestLoadBadGlobal(t *testing.T) {
	tr := newTree(t, map[string]string{
		"system.conf":      "managed: no\nbad\nlog-calls: perhaps\nx-a: 1\n",
		"user.conf":        "[user]\nx-a: 2\n",
		"package/m.module": "module: x\nmanaged: perhaps\ntrust-policy: 1\nlog-calls: YES",
	})
	c := tr.load()
	tr.want(c, "merge {log-calls=perhaps,managed=no,x-a=2} m{log-calls=YES,managed=perhaps,module=x,trust-policy=1}",
		"T/system.conf:2: invalid field line: no colon: skipped",
		"T/user.conf:1: unexpected section header: skipped",
		"T/package/m.module:3: invalid setting '1' defaulting to 'no': option 'trust-policy'",
		"T/package/m.module:2: invalid setting 'perhaps' defaulting to 'yes': option 'managed'",
		"T/package/m.module:4: invalid setting 'YES' defaulting to 'no': option 'log-calls'",
		"T/system.conf:3: invalid setting 'perhaps' defaulting to 'no': option 'log-calls'",
	)
}

func TestGlobalFirst(t *testing.T) {
	for _, tt := range []struct {
		global, module     string
		managed, logCalls  bool
		managedP, logCallP bool
	}{
		{"", "", true, false, false, false},
		{"no", "", false, false, false, false},
		{"", "no", false, false, false, false},
		{"", "yes", true, true, false, false},
		{"yes", "no", true, true, false, false},
		{"no", "yes", false, false, false, false},
		{"bad", "no", true, false, true, true},
		{"", "bad", true, false, true, true},
		{"no", "bad", false, false, false, false},
	} {
		var c Config
		m := Module{Name: "m"}
		for _, key := range []string{"managed", "log-calls"} {
			if tt.global != "" {
				c.Global = append(c.Global, Option{Key: key, Value: tt.global})
			}
			if tt.module != "" {
				m.Options = append(m.Options, Option{Key: key, Value: tt.module})
			}
		}
		if got, p := c.Managed(&m); got != tt.managed || (p != nil) != tt.managedP {
			t.Errorf("managed, global %q, module %q: %v, %v", tt.global, tt.module, got, p)
		}
		if got, p := c.LogCalls(&m); got != tt.logCalls || (p != nil) != tt.logCallP {
			t.Errorf("log-calls, global %q, module %q: %v, %v", tt.global, tt.module, got, p)
		}
		if tt.module == "" {
			if got, p := c.Managed(nil); got != tt.managed || (p != nil) != tt.managedP {
				t.Errorf("managed, global %q, no module: %v, %v", tt.global, got, p)
			}
		}
	}
}

func TestModule(t *testing.T) {
	for _, tt := range []struct {
		text   string
		path   string
		remote bool
	}{
		{"module: /a/b.so", "/a/b.so", false},
		{"module: b.so", "/dir/b.so", false},
		{"module: ../b.so", "/dir/../b.so", false},
		{"module: ~/b.so", "/dir/~/b.so", false},
		{"module:", "", false},
		{"critical: yes", "", false},
		{"module: b.so\nremote: |x", "/dir/b.so", true},
		{"remote:", "", true},
	} {
		options, _ := parse("F", tt.text)
		m := Module{Options: options}
		if path, ok := m.Path("/dir"); path != tt.path || ok != (tt.path != "") {
			t.Errorf("%q: path %q, %v", tt.text, path, ok)
		}
		if _, ok := m.Remote(); ok != tt.remote {
			t.Errorf("%q: remote %v", tt.text, ok)
		}
	}
	m := Module{Options: Options{{Key: "trust-policy", Value: "yes"}, {Key: "critical", Value: "yes"}}}
	if !m.Trusted() || !m.Critical() {
		t.Error("trust-policy or critical not seen")
	}
	if join("/a/", "b") != "/a/b" || join("a", "b") != "a/b" {
		t.Error("join")
	}
}

func TestLoadSameDirectoryTwice(t *testing.T) {
	tr := newTree(t, map[string]string{
		"package/m.module": "module: x\npriority: x",
		"package/junk":     "",
	})
	paths := tr.paths()
	paths.SystemModules = paths.PackageModules
	paths.UserModules = paths.PackageModules
	tr.want(Load(paths, Env{UID: 1000}), "merge {} m{module=x,priority=x}",
		"T/package/junk: invalid config filename", "T/package/m.module:2: invalid priority")
}
