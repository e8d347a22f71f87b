package test

import (
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var keepTrace = flag.String("keep-trace", "", "keep the log of GnuTLS and NSS in one process as this file: docs/trace.png is a picture of it, see test/browser")

// p11mux is the program that make has built, which finds the library beside it.
func p11mux(t *testing.T) string {
	t.Helper()
	path := filepath.Join(buildDir(t), "bin", "p11mux")
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: run make first", err)
	}
	return path
}

// traced is a command under p11mux trace, with the configuration of its directory, and the log that it will write.
func traced(t *testing.T, c command) (command, string) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "calls.jsonl")
	env := maps.Clone(c.env)
	maps.Copy(env, map[string]string{
		"P11_SYSTEM_CONFIG_FILE":     filepath.Join(c.conf, "pkcs11.conf"),
		"P11_SYSTEM_CONFIG_MODULES":  filepath.Join(c.conf, "modules"),
		"P11_PACKAGE_CONFIG_MODULES": filepath.Join(c.conf, "package"),
		"P11_KIT_NO_USER_CONFIG":     "1",
		"LD_LIBRARY_PATH":            "", // what the program would have without p11mux: the system's library
	})
	c.env = env
	c.args = append([]string{"trace", "-o", log, "--", c.path}, c.args...)
	c.path = p11mux(t)
	return c, log
}

// A report is what trace report --json says, as far as it is looked at.
type report struct {
	Calls, Failed, Damaged, Dropped int
	Secrets                         bool
	Processes                       int
	Functions                       []struct{ Function string }
	Callers                         []struct {
		Caller string
		View   int
	}
	Errors []struct{ Function, Result string }
}

// reportOf has p11mux report a log.
func reportOf(t *testing.T, log string) report {
	t.Helper()
	r := command{path: p11mux(t), args: []string{"trace", "report", "--json", log}}.mustRun(t)
	var got report
	if err := json.Unmarshal([]byte(r.stdout), &got); err != nil {
		t.Fatal(err)
	}
	if r.stderr != "" || got.Damaged != 0 || got.Dropped != 0 || got.Secrets || got.Calls == 0 {
		t.Errorf("the log is not whole: %+v, %s", got, r.stderr)
	}
	return got
}

// hasAll fails the test unless a text has all words, in whatever order.
func hasAll(t *testing.T, what, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%s lacks %q: %.2000s", what, w, text)
		}
	}
}

// TestTraceTwoCallers traces the program whose log is the example of docs/logging.md.
func TestTraceTwoCallers(t *testing.T) {
	tok := newToken(t)
	c, log := traced(t, command{path: program(t, "log_host", "proxylib.c", ownHeaders), args: []string{"two"}, lib: ours, conf: tok.conf, env: tok.env})
	c.mustRun(t)
	got := reportOf(t, log)
	var callers, errors []string
	for _, c := range got.Callers {
		callers = append(callers, c.Caller)
	}
	for _, e := range got.Errors {
		errors = append(errors, e.Function+" "+e.Result)
	}
	slices.Sort(errors)
	if !slices.Equal(callers, []string{"mail", "browser"}) || got.Failed != 3 {
		t.Errorf("callers %q, %d errors", callers, got.Failed)
	}
	want := []string{"C_CloseSession CKR_SESSION_HANDLE_INVALID", "C_GetInfo CKR_CRYPTOKI_NOT_INITIALIZED", "C_Login CKR_USER_ALREADY_LOGGED_IN"}
	if !slices.Equal(errors, want) {
		t.Errorf("errors %q", errors)
	}
}

// TestTraceP11tool traces a program that is linked to the system's library: it does what it does without, and its PIN is not logged.
func TestTraceP11tool(t *testing.T) {
	tok := newToken(t)
	writeFile(t, filepath.Join(tok.conf, "modules", "bundled.module"), "module: "+bundled(t)+"\n")
	c := command{path: "/usr/bin/p11tool", args: []string{"--login", "--list-all", "pkcs11:token=token"}, conf: tok.conf, env: maps.Clone(tok.env)}
	c.env["GNUTLS_PIN"] = pin
	c, log := traced(t, c)
	r := c.mustRun(t)
	hasAll(t, "p11tool", r.stdout, "Label: rsa", "Label: ec", "type=private")
	if r.stderr != "" {
		t.Errorf("stderr: %s", r.stderr)
	}
	got := reportOf(t, log)
	if len(got.Callers) != 1 || got.Callers[0].View != 1 {
		t.Errorf("p11tool has loaded its modules once, and is the callers %+v", got.Callers)
	}
	var functions []string
	for _, f := range got.Functions {
		functions = append(functions, f.Function)
	}
	for _, want := range []string{"C_Initialize", "C_Login", "C_FindObjects", "C_GetAttributeValue", "C_Finalize"} {
		if !slices.Contains(functions, want) {
			t.Errorf("%s is not in the log, which has %q", want, functions)
		}
	}
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	hasAll(t, "the log", string(text), `"view":1,"module":"softhsm"`, `"view":1,"module":"bundled"`)
	for _, secret := range []string{`"` + pin + `"`, "31323334"} {
		if strings.Contains(string(text), secret) {
			t.Errorf("the log has %s in it", secret)
		}
	}
	// The other reports can be made of a real log as well.
	dir := filepath.Dir(log)
	args := []string{"trace", "report", "--html", filepath.Join(dir, "page.html"), "--perfetto", filepath.Join(dir, "trace.json"), log}
	command{path: p11mux(t), args: args}.mustRun(t)
	text, err = os.ReadFile(filepath.Join(dir, "trace.json"))
	if err != nil {
		t.Fatal(err)
	}
	var events struct{ TraceEvents []struct{ Ph string } }
	if err := json.Unmarshal(text, &events); err != nil || len(events.TraceEvents) < got.Calls {
		t.Errorf("%v, %d events for %d calls", err, len(events.TraceEvents), got.Calls)
	}
}

// TestTraceTogether traces a process in which GnuTLS and NSS use one token, one of them through the proxy module.
func TestTraceTogether(t *testing.T) {
	path := plainTogether(t, "together-nss", togetherArgs(t, "nss", "gnutls", "nss"))
	c := command{path: path, args: []string{"gnutls_starts_other_ends"}, lib: ours}
	withCard(t, &c)
	// The library that p11mux leads the program to is the one that is built.
	c.env["TEST_PROXY"] = filepath.Join(buildDir(t), "lib", proxyName)
	c, log := traced(t, c)
	c.mustRun(t)
	got := reportOf(t, log)
	if len(got.Callers) < 2 {
		t.Errorf("callers %+v", got.Callers)
	}
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	hasAll(t, "the log", string(text), `"module":"proxy"`, `"module":"card"`, `"function":"C_Sign"`)
	if *keepTrace != "" {
		if err := os.WriteFile(*keepTrace, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
