package test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// clientModule is the system's module for what is served elsewhere.
func clientModule(t testing.TB) string {
	t.Helper()
	out, err := exec.Command("pkg-config", "--variable=p11_module_path", "p11-kit-1").Output()
	if err != nil {
		t.Fatalf("pkg-config: %v: run scripts/install-test-deps.sh", err)
	}
	path := filepath.Join(strings.TrimSpace(string(out)), "p11-kit-client.so")
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: run scripts/install-test-deps.sh", err)
	}
	return path
}

// served are the variables of a program that finds what c/serve.c serves with a library.
func (c consumer) served(t testing.TB, lib library, args ...string) map[string]string {
	t.Helper()
	words := []string{"env", "TEST_CONF_DIR=" + c.conf}
	if dir := lib.dir(t); dir != "" {
		words = append(words, "LD_LIBRARY_PATH="+dir)
	}
	env := maps.Clone(c.env)
	env["P11_KIT_SERVER_ADDRESS"] = "|" + strings.Join(slices.Concat(words, []string{program(t, "serve")}, args), " ")
	return env
}

// remote runs pkcs11-tool on what is served with a library.
func (c consumer) remote(t testing.TB, lib library, served []string, args ...string) result {
	t.Helper()
	run := c.command("pkcs11-tool", append([]string{"--module", clientModule(t)}, args...)...)
	run.env = c.served(t, lib, served...)
	return run.run(t)
}

var login = []string{"--token-label", "token", "--login", "--pin", "env:USER_PIN"}

// TestServeModule has the system's client use a module that is served with our library, and compares with the same module
// here.
func TestServeModule(t *testing.T) {
	c := newConsumer(t)
	for _, how := range []string{"module", "managed"} {
		for what, args := range map[string][]string{
			"slots":   {"--list-slots"},
			"objects": append([]string{"--list-objects"}, login...),
		} {
			raw := c.run(t, "pkcs11-tool", append([]string{"--module", softhsm(t)}, args...)...)
			got := c.remote(t, ours, []string{how, softhsm(t)}, args...)
			sameLines(t, how+" "+what, slices.Sorted(slices.Values(toolLines(raw))), slices.Sorted(slices.Values(toolLines(got))))
		}
	}
	writeFile(t, filepath.Join(c.dir, "data"), "what is signed")
	sign := slices.Concat(signs, []string{"-i", "data", "-o", "rsa.sig"}, login)
	if r := c.remote(t, ours, []string{"module", softhsm(t)}, sign...); r.code != 0 {
		t.Fatalf("exit %d\n%s", r.code, r.stderr)
	}
	c.signed(t, "rsa.sig", "what is signed")
}

// TestServeTokens compares the tokens that each library serves.
func TestServeTokens(t *testing.T) {
	c := newConsumer(t)
	plain := func(text string) string {
		text = strings.ReplaceAll(text, ", readonly", "") // which only ours says
		return slotHead.ReplaceAllString(text, "")        // the reference takes modules in any order
	}
	for _, served := range [][]string{
		{"token", softhsm(t), "token"},
		{"token", softhsm(t), "another"},
		{"tokens", softhsm(t), "pkcs11:token=token"},
		{"tokens", softhsm(t), "pkcs11:"},
		{"tokens", softhsm(t), "pkcs11:token=another"},
		{"tokens", softhsm(t), "pkcs11:object=rsa"},
		{"tokens", softhsm(t), "pkcs11:token=token?write-protected=yes"},
		{"tokens", softhsm(t), "pkcs11:token=token?write-protected=no"},
		{"tokens", softhsm(t), "pkcs11:token=another", "pkcs11:model=SoftHSM%20v2;token=token"},
		{"tokens", "-", "pkcs11:"},
		{"tokens", "-", "pkcs11:token=token"},
		{"tokens", softhsm(t), "pkcs:nothing"},
	} {
		t.Run(strings.Join(served[1:], " "), func(t *testing.T) {
			var lines [2][]string
			for i, lib := range both {
				slots := c.remote(t, lib, served, "--list-slots").stdout
				for j, head := range slotHead.FindAllStringSubmatch(slots, -1) {
					if first := map[string]int{"token": 0, "tokens": 17}[served[0]]; head[2] != fmt.Sprintf("%#x", first+j) {
						t.Errorf("slot %s has the number %s", head[1], head[2])
					}
				}
				for _, args := range [][]string{{"--list-slots"}, append([]string{"--list-objects"}, login...)} {
					r := c.remote(t, lib, served, args...)
					r.stdout = plain(r.stdout)
					lines[i] = append(lines[i], slices.Sorted(slices.Values(toolLines(result{stdout: r.stdout})))...)
				}
			}
			if len(lines[0]) == 0 && !strings.Contains(served[2], "pkcs:") {
				t.Error("the reference says nothing")
			}
			sameLines(t, "what is served", lines[0], lines[1])
		})
	}
}

// TestServeWriteProtected tries to write to a token that is served for reading.
func TestServeWriteProtected(t *testing.T) {
	c := newConsumer(t)
	make := slices.Concat([]string{"--keypairgen", "--key-type", "rsa:2048", "--label", "new"}, login)
	eachLibrary(t, both, func(t *testing.T, lib library) {
		r := c.remote(t, lib, []string{"tokens", softhsm(t), "pkcs11:?write-protected=yes"}, make...)
		if r.code == 0 || !strings.Contains(r.stderr, "CKR_TOKEN_WRITE_PROTECTED") {
			t.Errorf("exit %d\n%s", r.code, r.stderr)
		}
	})
	list := c.remote(t, ours, []string{"tokens", softhsm(t), "pkcs11:?write-protected=yes"}, slices.Concat([]string{"--list-objects"}, login)...)
	if list.code != 0 || strings.Contains(list.stdout, "new") {
		t.Errorf("exit %d, and the objects are\n%s%s", list.code, list.stdout, list.stderr)
	}
}

// TestServeEnds looks at what the functions give, by what the client does before it goes.
func TestServeEnds(t *testing.T) {
	getInfo := "\x00\x00\x00\x10\x00\x00\x00\x00\x00\x00\x00\x08\x00\x00\x00\x03\x00\x00\x00\x00"
	for _, c := range []struct {
		name, sends string
		code        int
	}{
		{"nothing", "", 1},
		{"a version", "\x02", 0},
		{"half a header", "\x02" + getInfo[:7], 0},
		{"half a message", "\x02" + getInfo[:15], 1},
		{"a call", "\x02" + getInfo, 0},
		{"no call", "\x02" + getInfo[:12] + "\x00\x00\x00\x77\x00\x00\x00\x00", 1},
		{"four gigabytes", "\x02\x00\x00\x00\x10\x00\x00\x00\x00\xff\xff\xff\xff", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, how := range []string{"module", "managed", "token", "tokens"} {
				last := map[string]string{"token": "token", "tokens": "pkcs11:"}[how]
				run := command{path: program(t, "serve"), lib: ours, stdin: c.sends, args: []string{how, filepath.Join(modules(t), "a.so"), last}}
				if r := run.run(t); r.code != c.code {
					t.Errorf("%s: exit %d, want %d\n%s", how, r.code, c.code, r.stderr)
				}
			}
		})
	}
}

// TestReferenceServes runs the reference's own program on our library, on a module and on tokens.
func TestReferenceServes(t *testing.T) {
	c := newConsumer(t)
	for served, slots := range map[string][]string{
		softhsm(t):           {"  token label        : token"},
		"pkcs11:":            {"  token label        : " + bundledLabel, "  token label        : token"},
		"pkcs11:token=token": {"  token label        : token"},
		"pkcs11:token=none":  nil,
	} {
		run := c.command("pkcs11-tool", "--module", clientModule(t), "--list-slots")
		run.env = maps.Clone(c.env)
		run.env["P11_KIT_SERVER_ADDRESS"] = "|env LD_LIBRARY_PATH=" + ours.dir(t) + " p11-kit remote " + served
		r := run.run(t)
		var got []string
		for line := range strings.Lines(r.stdout) {
			if line = strings.TrimRight(line, "\n"); strings.HasPrefix(line, "  token label") {
				got = append(got, line)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, slices.Sorted(slices.Values(slots))) {
			t.Errorf("p11-kit remote %s: exit %d\n%s%s", served, r.code, r.stdout, r.stderr)
		}
	}
}
