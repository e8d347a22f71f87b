package test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// ownHeaders has a program compiled with PKCS#11 3.x, which the reference's headers do not have.
const ownHeaders = "-I../include"

// codeSources are the files of the program proxy_codes besides its main, and its headers.
func codeSources(t testing.TB) []string {
	t.Helper()
	paths, err := filepath.Glob("c/codes_*.c")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no sources of the program: %v", err)
	}
	for i, p := range paths {
		paths[i] = filepath.Base(p)
	}
	return append(paths, ownHeaders)
}

// A subject is a module that is compared with the proxy of it.
type subject struct {
	name    string // as proxy_codes knows it
	version string // of the interface that both are asked for; "list" is C_GetFunctionList
	members int    // how many functions the module has
}

var (
	softhsmList   = subject{"softhsm", "list", 68}
	softtokenList = subject{"softtoken", "list", 68}
	softtoken32   = subject{"softtoken", "3.2", 104}
)

func (s subject) path(t testing.TB, name string) string {
	if name == "softhsm" {
		return softhsm(t)
	}
	return bundled(t)
}

// codes runs a group of cases with a fresh token, and gives its lines by the names of the cases. The module is the
// subject itself if no modules are configured, and else the proxy of those.
func (s subject) codes(t testing.TB, run codesRun, group string, configured ...string) ([]string, map[string]string) {
	t.Helper()
	tok := newToken(t)
	writeFile(t, filepath.Join(tok.conf, "modules", "softhsm.module"), "") // it names no module
	module, version, extra := s.path(t, s.name), s.version, 0
	for i, name := range configured {
		// The first has the highest priority.
		text := "module: " + s.path(t, name) + "\npriority: " + strconv.Itoa(len(configured)-i) + "\n"
		writeFile(t, filepath.Join(tok.conf, "modules", name+".module"), text)
		if name != s.name {
			extra += map[string]int{"softhsm": 2, "softtoken": 1}[name]
		}
	}
	if len(configured) > 0 {
		module, version = run.proxy, run.version
	}
	c := command{path: run.program, conf: tok.conf, env: tok.env}
	c.args = []string{module, s.name, version, strconv.Itoa(s.members), strconv.Itoa(extra), group}
	maps.Copy(c.env, confEnv(tok.conf))
	maps.Copy(c.env, run.env)
	if s.name == "softhsm" {
		c.env["TEST_TOKEN_DIR"] = filepath.Join(tok.dir, "tokens")
	}
	r := c.mustRun(t)
	order, values := observations(t, r.stdout)
	if len(order) == 0 {
		t.Fatalf("%s prints nothing\nstderr: %s", c, r.stderr)
	}
	for name, value := range values {
		if strings.Contains(value, "(the case ends here)") || value == "exit 3" {
			t.Errorf("%s: %s: %s\nstderr: %s", c, name, value, r.stderr)
		}
	}
	return order, values
}

// A codesRun is a proxy to compare with, and the program to do it.
type codesRun struct {
	program string
	proxy   string
	version string // of the proxy's interface
	env     map[string]string
}

// A codeDifference is a line of testdata/proxy-differences.txt.
type codeDifference struct {
	name, raw, proxy *regexp.Regexp
	line             int
	seen             sync.Once
	used             bool
}

// glob makes a pattern, in which only "*" is special, a regular expression.
func glob(pattern string) *regexp.Regexp {
	return regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, ".*") + "$")
}

func readCodeDifferences(t testing.TB) []*codeDifference {
	t.Helper()
	const path = "testdata/proxy-differences.txt"
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var all []*codeDifference
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		line = strings.TrimSuffix(line, "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(line, " | ")
		if len(f) != 4 || f[3] == "" {
			t.Fatalf("%s:%d: want \"module group case | raw | proxy | reason\"", path, n)
		}
		all = append(all, &codeDifference{name: glob(f[0]), raw: glob(f[1]), proxy: glob(f[2]), line: n})
	}
	return all
}

// compareCodes fails the test where the proxy answers otherwise than the module, unless that is listed.
func compareCodes(t testing.TB, s subject, order []string, raw, got map[string]string, listed []*codeDifference) {
	t.Helper()
	for name := range got {
		if _, ok := raw[name]; !ok {
			order = append(order, name)
		}
	}
	for _, name := range order {
		r, ok := raw[name]
		if !ok {
			r = "(not observed)"
		}
		g, ok := got[name]
		if !ok {
			g = "(not observed)"
		}
		full := s.name + " " + name
		excused := false
		for _, d := range listed {
			if d.name.MatchString(full) && d.raw.MatchString(r) && d.proxy.MatchString(g) && (r != g || ended(r)) {
				d.seen.Do(func() { d.used = true })
				excused = true
			}
		}
		switch {
		case ended(r) && !excused:
			t.Errorf("the module alone ends the process: list it, since the proxy need not:\n%s | %s | * | reason", full, r)
		case r != g && !excused:
			t.Errorf("not listed as a difference:\n%s | %s | %s | reason", full, r, g)
		}
	}
}

// ended tells that a case ended its process.
func ended(value string) bool {
	return strings.HasPrefix(value, "signal ") || strings.HasPrefix(value, "exit ")
}

// A proxied subject is compared with the proxy of some modules; the one that is configured first comes first.
type proxied struct {
	version    string // of the proxy's interface
	subject    subject
	configured []string
}

// codeGroups lists the groups of cases.
func codeGroups(t testing.TB, program string) []string {
	t.Helper()
	var groups []string
	for line := range strings.Lines(command{path: program, args: []string{"--groups"}}.mustRun(t).stdout) {
		groups = append(groups, strings.TrimSpace(line))
	}
	if len(groups) < 10 {
		t.Fatalf("only %d groups", len(groups))
	}
	return groups
}

// testCodes compares what the modules print alone with what they print through the proxies.
func testCodes(t *testing.T, alone, run codesRun, proxies []proxied, listed []*codeDifference) {
	var subjects []subject
	for _, p := range proxies {
		if !slices.Contains(subjects, p.subject) {
			subjects = append(subjects, p.subject)
		}
	}
	t.Run("groups", func(t *testing.T) {
		for _, group := range codeGroups(t, alone.program) {
			t.Run(group, func(t *testing.T) {
				t.Parallel()
				for _, s := range subjects {
					order, raw := s.codes(t, alone, group)
					for _, p := range proxies {
						if p.subject != s {
							continue
						}
						t.Run(s.name+"-"+p.version+"-of-"+strconv.Itoa(len(p.configured)), func(t *testing.T) {
							run := run
							run.version = p.version
							_, got := s.codes(t, run, group, p.configured...)
							compareCodes(t, s, order, raw, got, listed)
						})
					}
				}
			})
		}
	})
}

// TestProxyCodes calls every function of a module and of the proxy in right and in wrong ways, and compares the answers.
// What is meant to differ is listed with its reason.
func TestProxyCodes(t *testing.T) {
	run := codesRun{program: program(t, "proxy_codes", codeSources(t)...), proxy: proxy(t)}
	listed := readCodeDifferences(t)
	testCodes(t, run, run, []proxied{
		{"list", softhsmList, []string{"softhsm"}},
		{"3.2", softhsmList, []string{"softhsm"}},
		{"list", softtokenList, []string{"softtoken"}},
		{"3.2", softtoken32, []string{"softtoken"}},
		{"3.0", softhsmList, []string{"softtoken", "softhsm"}},
		{"3.2", softtoken32, []string{"softhsm", "softtoken"}},
	}, listed)
	for _, d := range listed {
		if !d.used {
			t.Errorf("testdata/proxy-differences.txt:%d lists a difference that is not there", d.line)
		}
	}
}

// TestProxyCodesSanitized does the same with a proxy whose every access to memory is watched.
func TestProxyCodesSanitized(t *testing.T) {
	alone := codesRun{program: program(t, "proxy_codes", codeSources(t)...)}
	run := codesRun{
		program: sanitized(t, memory, "proxy_codes", codeSources(t)...),
		proxy:   filepath.Join(oursWatched.dir(t), proxyName),
		env:     maps.Clone(sanitizerEnv),
	}
	run.env["ASAN_OPTIONS"] += ":allocator_may_return_null=1"
	testCodes(t, alone, run, []proxied{
		{"3.2", softhsmList, []string{"softtoken", "softhsm"}},
		{"3.2", softtoken32, []string{"softhsm", "softtoken"}},
	}, readCodeDifferences(t))
}
