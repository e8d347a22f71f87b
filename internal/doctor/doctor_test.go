package doctor

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/conf"
)

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestNSSModules(t *testing.T) {
	got, err := nssModules(file(t, `library=
name=NSS Internal PKCS #11 Module
parameters=configdir='sql:x' library=/not/this

library=/usr/lib/a.so
name=A module
NSS=trustOrder=100
library="/usr/lib/b.so"
name=B`))
	want := []nssModule{{"A module", "/usr/lib/a.so"}, {"B", "/usr/lib/b.so"}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := nssModules("/nowhere"); err == nil {
		t.Errorf("%v", got)
	}
	if got, err := nssModules(file(t, "")); err != nil || len(got) > 0 {
		t.Errorf("%v, %v", got, err)
	}
}

func TestOpenSSLModules(t *testing.T) {
	got := opensslModules(file(t, `# MODULE_PATH = /not/this
MODULE_PATH=/engine.so
[pkcs11]
pkcs11-module-path = /provider.so # why
module = /other/pkcs11.so
pkcs11-module-path =
`))
	if want := []string{"/engine.so", "/provider.so"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if got := opensslModules("/nowhere"); got != nil {
		t.Errorf("%q", got)
	}
}

func TestELFProblem(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if text, fix := elfProblem(self, self); text != "" || fix != "" {
		t.Errorf("%s: %s", self, text)
	}
	for path, want := range map[string]string{
		"/nowhere/module.so":     "is not there",
		t.TempDir():              "is no regular file",
		file(t, "\x7fELF"):       "is no shared object",
		file(t, "text"):          "is no shared object",
		file(t, ""):              "is no shared object",
		filepath.Join(self, "x"): "not a directory",
	} {
		if text, fix := elfProblem(path, self); !strings.Contains(text, want) || fix == "" {
			t.Errorf("%s: %q, %q", path, text, fix)
		}
	}
}

// What a module answers becomes a finding, and whatever is wrong has something to do.
func TestJudge(t *testing.T) {
	l := &look{config: &conf.Config{}}
	m := &conf.Module{Name: "m", Options: conf.Options{{Key: "module", Value: "m.so", File: "m.module", Line: 3}}}
	for _, c := range []struct {
		answer probed
		status Status
		want   string
	}{
		{probed{Description: "d", Version: "1.0", Slots: 1}, OK, "/m.so: d 1.0, 1 slot"},
		{probed{Tokens: []probedToken{{"t", ck.CKF_TOKEN_INITIALIZED}, {"none", 0}}}, OK, "tokens: t"},
		{probed{Tokens: []probedToken{{"t", ck.CKF_TOKEN_INITIALIZED | ck.CKF_USER_PIN_LOCKED}}}, Warning, "t (PIN locked)"},
		{probed{Tokens: []probedToken{{"t", ck.CKF_TOKEN_INITIALIZED | ck.CKF_USER_PIN_FINAL_TRY}}}, Warning, "t (one try left for the PIN)"},
		{probed{Step: stepLoad, Text: "libx.so: cannot open shared object file"}, Error, "cannot be loaded: libx.so: cannot open shared object file (m.module:3)"},
		{probed{Step: stepLoad, Text: "remote not supported: |x"}, Error, "remote"},
		{probed{Step: stepInitialize, Text: "CKR_ARGUMENTS_BAD", RV: "CKR_ARGUMENTS_BAD"}, Error, "does not initialize: CKR_ARGUMENTS_BAD"},
		{probed{Step: stepInitialize, RV: "CKR_GENERAL_ERROR"}, Error, "does not initialize"},
		{probed{Step: stepInitialize, RV: "CKR_CANT_LOCK"}, Error, "does not initialize"},
		{probed{Step: stepUse, Text: "CKR_DEVICE_ERROR"}, Error, "does not work: CKR_DEVICE_ERROR"},
	} {
		f := l.judge(m, "/m.so", &c.answer)
		if f.Status != c.status || !strings.Contains(f.Text, c.want) || (f.Fix == "") != (f.Status == OK) {
			t.Errorf("%+v: %+v", c.answer, f)
		}
	}
}

// What is wrong with a module that is elsewhere has advice of its own: there is no device here to look at.
func TestJudgeRemote(t *testing.T) {
	const socket, machine, command = "unix:path=/run/socket", "vsock:cid=2;port=1", "|ssh far"
	gone := probed{Step: stepInitialize, Text: "the server closes the connection", RV: "CKR_DEVICE_ERROR"}
	for _, c := range []struct {
		path   string
		answer probed
		status Status
		text   string
		fix    string
	}{
		{socket, probed{Absent: "no server is reached at /run/socket"}, Warning, "has no slots: no server is reached at /run/socket", "start the server"},
		{machine, probed{Absent: "no server is reached at it"}, Warning, "has no slots: no server is reached at it", "start the server"},
		{socket, gone, Error, "does not initialize: the server closes", "the one at the other end"},
		{machine, gone, Error, "does not initialize: the server closes", "the one at the other end"},
		{socket, probed{Step: stepUse, Text: "lost", RV: "CKR_DEVICE_REMOVED"}, Error, "does not work: lost", "the one at the other end"},
		{socket, probed{Step: stepUse, Text: "odd", RV: "CKR_DEVICE_MEMORY"}, Error, "does not work: odd", "see the module's own"},
		{command, gone, Error, "does not initialize: the server closes", "run the command by itself, with 'cat'"},
		{"| ssh far", gone, Error, "does not initialize: the server closes", "the blank after the bar"},
		{"/m.so", gone, Error, "does not initialize: the server closes", "whether the device is connected"},
	} {
		f := new(look).judge(&conf.Module{}, c.path, &c.answer)
		if f.Status != c.status || !strings.Contains(f.Text, c.text) || !strings.Contains(f.Fix, c.fix) {
			t.Errorf("%s, %+v: %+v", c.path, c.answer, f)
		}
	}
}

// Only what is wrong makes a report unhealthy.
func TestHealthy(t *testing.T) {
	for status, want := range map[Status]bool{OK: true, Note: true, Warning: false, Error: false} {
		r := Report{Healthy: true}
		r.add(Finding{Status: status})
		r.add(Finding{Status: OK})
		if r.Healthy != want {
			t.Errorf("%s: %v", status, r.Healthy)
		}
	}
}

// Values that may be secret are not told.
func TestSettings(t *testing.T) {
	got := settings(conf.Options{{Key: "module", Value: "m.so", File: "f", Line: 1}, {Key: secretOption, Value: "topsecret", File: "f", Line: 2}})
	want := []Setting{{"module", "m.so", "f", 1}, {secretOption, "(not shown)", "f", 2}}
	if !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
}
