//go:build cgo

package cli

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/p11mux/p11mux/internal/doctor"
	"github.com/p11mux/p11mux/internal/testkit"
)

// A place is where the command is installed, with the real library beside it, and modules are configured: SoftHSM with the token "work",
// and the bundled one.
type place struct {
	dir    string
	bin    string
	module string // SoftHSM
	env    []string
}

// newPlace makes a place in a directory.
func newPlace(dir string) (*place, error) {
	p := &place{dir: dir, bin: filepath.Join(dir, "prefix/bin"), module: testkit.FindSoftHSM()}
	build, err := built()
	if err != nil {
		return nil, err
	}
	for _, d := range []string{"prefix/bin", "tmp", "home", "tokendir", "etc/modules", "share/modules"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			return nil, err
		}
	}
	// A file of its own looks for the library beside itself.
	program, err := os.ReadFile(filepath.Join(build, "bin/p11mux"))
	if err != nil {
		return nil, err
	}
	if err := writeProgram(filepath.Join(p.bin, "p11mux"), program); err != nil {
		return nil, err
	}
	for link, to := range map[string]string{"bin/p11-kit": "p11mux", "lib": filepath.Join(build, "lib"), "libexec": filepath.Join(build, "libexec")} {
		if err := os.Symlink(to, filepath.Join(dir, "prefix", link)); err != nil {
			return nil, err
		}
	}
	for name, text := range map[string]string{
		"softhsm2.conf":              "directories.tokendir = " + filepath.Join(dir, "tokendir") + "\nlog.level = ERROR\n",
		"etc/pkcs11.conf":            "user-config: none\n",
		"etc/modules/hsm.module":     "module: " + p.module + "\npriority: 2\n",
		"etc/modules/bundled.module": "# The token that comes with p11mux.\nmodule: " + filepath.Join(build, "lib/pkcs11/p11mux-softtoken.so") + "\npriority: 1\n",
		"pin":                        testkit.UserPIN + "\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	cmd := exec.Command("softhsm2-util", "--module", p.module, "--init-token", "--free", "--label", "work", "--so-pin", testkit.SOPIN, "--pin", testkit.UserPIN)
	cmd.Env = append(os.Environ(), "SOFTHSM2_CONF="+filepath.Join(dir, "softhsm2.conf"))
	if msg, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("softhsm2-util: %w\n%s", err, msg)
	}
	return p, nil
}

// built is the directory that make builds in, up to date.
var built = sync.OnceValues(func() (string, error) {
	if dir := os.Getenv("P11MUX_BUILD"); dir != "" {
		return dir, nil
	}
	root := filepath.Join(sourceDir, "../..")
	if msg, err := exec.Command("make", "-C", root, "all").CombinedOutput(); err != nil {
		return "", fmt.Errorf("make: %w\n%s", err, msg)
	}
	return filepath.Join(root, "build"), nil
})

// environ calls set with the variables that lead to the place.
func (p *place) environ(set func(name, value string), path string) {
	at := func(name string) string { return filepath.Join(p.dir, name) }
	set("PATH", p.bin+":"+path)
	set("HOME", at("home"))
	set("TMPDIR", at("tmp"))
	set("SOFTHSM2_CONF", at("softhsm2.conf"))
	set("P11_SYSTEM_CONFIG_FILE", at("etc/pkcs11.conf"))
	set("P11_SYSTEM_CONFIG_MODULES", at("etc/modules"))
	set("P11_PACKAGE_CONFIG_MODULES", at("share/modules"))
	set("P11_KIT_NO_USER_CONFIG", "1")
	set("PIN", testkit.UserPIN)
}

var update = flag.Bool("update", false, "write what commands print into the scripts")

// TestTokens runs the scripts about modules and tokens.
func TestTokens(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/tokens",
		UpdateScripts: *update,
		Setup: func(env *testscript.Env) error {
			p, err := newPlace(env.WorkDir)
			if err != nil {
				return err
			}
			p.environ(env.Setenv, env.Getenv("PATH"))
			env.Setenv("HSM", p.module)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status":  status,
			"normal":  normal,
			"token":   token,
			"schema":  schema,
			"module":  buildModule,
			"other":   otherArchitecture,
			"without": without,
		},
	})
}

// status runs a command and says whether its exit status is the first argument.
func status(ts *testscript.TestScript, _ bool, args []string) {
	code := "0"
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		e, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		code = strconv.Itoa(e.ExitCode())
	}
	if code != args[0] {
		ts.Fatalf("status %s\n%s%s", code, ts.ReadFile("stdout"), ts.ReadFile("stderr"))
	}
}

// Serial numbers, identifiers and numbers of slots are others each time.
var (
	anySerial = regexp.MustCompile(`[0-9a-f]{16}\b`)
	anyID     = regexp.MustCompile(`id=(%[0-9A-F]{2}){16}`)
	anyHexID  = regexp.MustCompile(`\b[0-9a-f]{32}\b`)
	anySlot   = regexp.MustCompile(`\b[0-9]{5,10}\b`)
	blanks    = regexp.MustCompile(`  +`)
)

// normal writes the standard output to the file "out", without what is another each time. The width of columns hangs on that too, so
// "-table" makes one blank of many; "-sort" is for what has no order.
func normal(ts *testscript.TestScript, _ bool, args []string) {
	text := anyHexID.ReplaceAllString(ts.ReadFile("stdout"), "ID")
	text = anyID.ReplaceAllString(anySerial.ReplaceAllString(text, "SERIAL"), "id=ID")
	text = anySlot.ReplaceAllString(text, "SLOT")
	build, err := built()
	ts.Check(err)
	for name, dir := range map[string]string{"HSM": ts.Getenv("HSM"), "WORK": ts.Getenv("WORK"), "BUILD": build} {
		text = strings.ReplaceAll(text, dir, "$"+name)
	}
	for _, arg := range args {
		switch arg {
		case "-table":
			text = blanks.ReplaceAllString(text, " ")
		case "-sort":
			lines := strings.SplitAfter(text, "\n")
			slices.Sort(lines)
			text = strings.Join(lines, "")
		}
	}
	ts.Check(os.WriteFile(ts.MkAbs("out"), []byte(text), 0o600))
}

// token makes one more token.
func token(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(ts.Exec("softhsm2-util", "--module", ts.Getenv("HSM"), "--init-token", "--free", "--label", args[0], "--so-pin", testkit.SOPIN, "--pin", testkit.UserPIN))
}

// schemas are the types that --json prints.
var schemas = map[string]any{
	"modules":    &[]moduleInfo{},
	"tokens":     &[]tokenInfo{},
	"mechanisms": &[]mechanismInfo{},
	"objects":    &[]objectInfo{},
	"profiles":   &[]profileInfo{},
	"pair":       &pairInfo{},
	"config":     &configInfo{},
	"report":     &doctor.Report{},
}

// schema says whether the standard output is JSON of a kind, with all members that docs/command.md promises and no others.
func schema(ts *testscript.TestScript, _ bool, args []string) {
	want := reflect.TypeOf(schemas[args[0]])
	d := json.NewDecoder(strings.NewReader(ts.ReadFile("stdout")))
	d.DisallowUnknownFields()
	ts.Check(d.Decode(reflect.New(want.Elem()).Interface()))
	var loose any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &loose))
	if err := conforms(loose, want.Elem(), args[0]); err != nil {
		ts.Fatalf("%v", err)
	}
}

// conforms says whether a value has all members of a type that may not be left out.
func conforms(v any, typ reflect.Type, where string) error {
	switch typ.Kind() {
	case reflect.Pointer:
		return conforms(v, typ.Elem(), where)
	case reflect.Slice:
		list, ok := v.([]any)
		if !ok {
			return fmt.Errorf("%s is no list", where)
		}
		for _, e := range list {
			if err := conforms(e, typ.Elem(), where); err != nil {
				return err
			}
		}
	case reflect.Struct:
		object, ok := v.(map[string]any)
		if !ok {
			return fmt.Errorf("%s is no object", where)
		}
		for f := range fieldsOf(typ) {
			member, there := object[f.name]
			if !there {
				if f.optional {
					continue
				}
				return fmt.Errorf("%s has no %q", where, f.name)
			}
			if err := conforms(member, f.typ, f.name); err != nil {
				return err
			}
		}
	}
	return nil
}

type field struct {
	name     string
	optional bool
	typ      reflect.Type
}

// fieldsOf goes through the members of a struct's JSON.
func fieldsOf(typ reflect.Type) func(func(field) bool) {
	return func(yield func(field) bool) {
		for f := range typ.Fields() {
			name, rest, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name != "" && !yield(field{name, rest == "omitempty", f.Type}) {
				return
			}
		}
	}
}

// buildModule compiles a module of testdata: module NAME FILE [FLAG...].
func buildModule(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(compile(args[0], ts.MkAbs(args[1]), args[2:]...))
}

// compile makes the file out of a module of testdata.
func compile(name, out string, flags ...string) error {
	args := []string{"-shared", "-fPIC", "-I", filepath.Join(sourceDir, "../../include"), "-o", out, filepath.Join(sourceDir, "testdata", name+".c")}
	if msg, err := exec.Command("gcc", append(args, flags...)...).CombinedOutput(); err != nil {
		return fmt.Errorf("gcc: %w\n%s", err, msg)
	}
	return nil
}

// sourceDir is where this package is: scripts run elsewhere.
var sourceDir, _ = os.Getwd()

// otherArchitecture makes a shared object for another architecture of one for this.
func otherArchitecture(ts *testscript.TestScript, _ bool, args []string) {
	data := []byte(ts.ReadFile(args[0]))
	const machine, s390 = 18, 22 // the offset of e_machine, and a number that this machine's is not
	data[machine], data[machine+1] = s390, 0
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o600))
}

// without fails if a file below a directory has a text in it.
func without(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(filepath.WalkDir(ts.MkAbs(args[1]), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		if strings.Contains(ts.ReadFile(path), args[0]) {
			ts.Fatalf("%s has it", path)
		}
		return nil
	}))
}
