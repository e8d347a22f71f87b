package install

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/p11mux/p11mux/internal/testkit"
)

// enter runs the program of sh that it reads in the small system, unpacked where nobody else sees it. All of it is in memory, and gone
// with the process.
const enter = `set -e
archive=$1 system=$2
shift 2
mount -t tmpfs system "$system"
tar -C "$system" -xpf "$archive"
mount -t proc proc "$system/proc"
cp "$@" "$system/root/"
exec chroot "$system" /usr/bin/env -i HOME=/root TERM=dumb PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
	DEBIAN_FRONTEND=noninteractive LANG=C sh -c 'cd; exec sh -s'
`

// inChroot runs a program of sh there, with these files in its directory, and gives what it prints.
func inChroot(t *testing.T, script string, with ...string) string {
	t.Helper()
	archive := filepath.Join(buildDir(t), "chroot.tar")
	if _, err := os.Stat(archive); err != nil {
		t.Fatalf("%v: run make chroot", err)
	}
	args := append([]string{"unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", enter, "enter", archive, t.TempDir()}, with...)
	if os.Getuid() != 0 {
		args = append([]string{"sudo"}, args...)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin = strings.NewReader(script)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

// debian is the package of a name.
func debian(t *testing.T, name string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(buildDir(t), name+"_*_amd64.deb"))
	if err != nil || len(found) != 1 {
		t.Fatalf("packages %v, %v: run make deb", found, err)
	}
	return found[0]
}

// TestInstallDocument does what docs/install.md says, from the first line to the last, on a system that has the package and nothing else
// of ours, and compares what is printed.
func TestInstallDocument(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root(t), "docs/install.md"))
	if err != nil {
		t.Fatal(err)
	}
	steps := testkit.Console(string(text))
	if len(steps) < 20 {
		t.Fatalf("the document has %d commands: %+v", len(steps), steps)
	}
	results := testkit.Results(inChroot(t, testkit.Script(steps), debian(t, "p11mux")), len(steps))
	for i, r := range results {
		s := steps[i]
		// The doctor's status tells of findings, which the small system has: there are no NSS databases.
		failed := r.Status != 0 && (s.Command != "p11mux doctor" || r.Status != 1)
		if failed || !testkit.Printed(s.Output, r.Output) {
			t.Errorf("docs/install.md:%d: %s\nstatus %d, prints\n%s\nthe document says\n%s", s.Line, s.Command, r.Status, r.Output, s.Output)
		}
	}
	if len(results) != len(steps) {
		t.Errorf("ran %d of %d commands", len(results), len(steps))
	}
}

// TestModuleInGo has programs on p11-kit's library, and on ours, use the module that docs/write-a-module.md makes.
func TestModuleInGo(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root(t), "docs/write-a-module.md"))
	if err != nil {
		t.Fatal(err)
	}
	files := testkit.Files(string(text))
	// As if it were a package of this module, without a file among the sources.
	dir := t.TempDir()
	write(t, filepath.Join(dir, "dice.go"), files["dice/dice.go"], 0o600)
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {filepath.Join(root(t), "test/install/dice/dice.go"): filepath.Join(dir, "dice.go")}})
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "overlay.json"), string(overlay), 0o600)
	program := filepath.Join(dir, "dice")
	run(t, root(t), []string{"CGO_ENABLED=0"}, "go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", program, "./test/install/dice")
	config := filepath.Join(t.TempDir(), "dice.module")
	write(t, config, files["/etc/pkcs11/modules/dice.module"], 0o644)

	steps := []testkit.Step{
		{Command: "mkdir -p /etc/pkcs11/modules; mv dice.module /etc/pkcs11/modules; mv dice /usr/local/bin"},
		{Command: "p11tool --list-token-urls", Output: "...\npkcs11:model=D6;manufacturer=Example;serial=1;token=dice\n..."},
		{Command: "p11tool --generate-random=8 pkcs11:token=dice | wc -c", Output: "8"},
		{Command: "dpkg -i p11mux_*.deb > out; export LD_LIBRARY_PATH=/usr/lib/p11mux/lib"},
		{Command: "p11tool --list-token-urls", Output: "...\npkcs11:model=D6;manufacturer=Example;serial=1;token=dice\n..."},
		{Command: "p11tool --generate-random=8 pkcs11:token=dice | wc -c", Output: "8"},
		{Command: "p11mux list-tokens --only-uris pkcs11:token=dice", Output: "pkcs11:model=D6;manufacturer=Example;serial=1;token=dice"},
	}
	check(t, steps, inChroot(t, testkit.Script(steps), program, config, debian(t, "p11mux")))
}

// TestPackageLeavesNothing turns everything on and purges the package without turning it off: what is p11-kit's is as it was.
func TestPackageLeavesNothing(t *testing.T) {
	const p11tool = "ldd /usr/bin/p11tool | grep -o '/.*libp11-kit.so.0'"
	steps := []testkit.Step{
		{Command: "cd /usr/lib/x86_64-linux-gnu; find / -xdev | sort > /tmp/before"},
		{Command: "dpkg -i ~/p11mux*.deb > /tmp/out"},
		// Neither a file of another package nor what the linker finds has changed.
		{Command: "dpkg --verify libp11-kit0 p11-kit p11-kit-modules"},
		{Command: p11tool, Output: "/lib/x86_64-linux-gnu/libp11-kit.so.0"},
		{Command: "p11mux --help | head -1", Output: "Usage: p11mux COMMAND [OPTION...] [ARGUMENT...]"},
		{Command: "dpkg --verify p11mux p11mux-dev"},
		{Command: "PKG=/usr/lib/p11mux; ls -d $PKG/include/p11-kit-1/p11-kit/p11-kit.h $PKG/lib/pkgconfig/p11-kit-1.pc | wc -l; readlink $PKG/lib/libp11-kit.so",
			Output: "2\nlibp11-kit.so.0"},

		{Command: "echo /usr/lib/p11mux/lib > /etc/ld.so.conf.d/000-p11mux.conf; ldconfig; " + p11tool, Output: "/usr/lib/p11mux/lib/libp11-kit.so.0"},
		{Command: "dpkg-divert --local --rename --add $PWD/p11-kit-proxy.so", Output: "Adding ..."},
		{Command: "ln -s /usr/lib/p11mux/lib/p11-kit-proxy.so ."},
		{Command: "softhsm2-util --module $PWD/p11-kit-proxy.so --show-slots", Output: "...\n...Manufacturer ID:  SoftHSM project ...\n..."},
		// The new one takes the old one's place, with everything on.
		{Command: "dpkg -i ~/p11mux_*.deb > /tmp/out; readlink p11-kit-proxy.so", Output: "/usr/lib/p11mux/lib/p11-kit-proxy.so"},

		{Command: "dpkg --purge p11mux-dev > /tmp/out; ls /usr/lib/p11mux/include /usr/lib/p11mux/lib/libp11-kit.so 2> /dev/null; true"},
		{Command: "dpkg --purge p11mux > /tmp/out"},
		{Command: p11tool, Output: "/lib/x86_64-linux-gnu/libp11-kit.so.0"},
		{Command: "readlink p11-kit-proxy.so", Output: "libp11-kit.so.0..."},
		{Command: "dpkg-divert --list '*p11-kit-proxy*'"},
		{Command: "dpkg --verify"},
		{Command: "rm /etc/ld.so.conf.d/000-p11mux.conf; find / -xdev | sort > /tmp/after"},
		{Command: "diff /tmp/before /tmp/after | grep p11; true"},
	}
	check(t, steps, inChroot(t, testkit.Script(steps), debian(t, "p11mux"), debian(t, "p11mux-dev")))
}

// check compares what steps have printed with what they are to print.
func check(t *testing.T, steps []testkit.Step, printed string) {
	t.Helper()
	results := testkit.Results(printed, len(steps))
	for i, r := range results {
		if s := steps[i]; r.Status != 0 || !testkit.Printed(s.Output, r.Output) {
			t.Errorf("%s\nstatus %d, prints\n%s\nwant\n%s", s.Command, r.Status, r.Output, s.Output)
		}
	}
	if len(results) != len(steps) {
		t.Errorf("ran %d of %d commands", len(results), len(steps))
	}
}
