package test

import (
	"encoding/base64"
	"encoding/hex"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestCryptenroll has systemd list the cards that a disk could be enrolled with; it opens the library at run time.
func TestCryptenroll(t *testing.T) {
	sameOnBoth(t, func(t *testing.T, l linked) []string {
		card := l.card(t)
		list := card.run(t, "systemd-cryptenroll", "--pkcs11-token-uri=list")
		contains(t, "systemd-cryptenroll", list, "pkcs11:model=SoftHSM%20v2;", ";token=token", "SoftHSM project")
		return []string{list, card.calls(t)}
	})
}

// p11Child is the program of sssd that looks for users' cards. It is unpacked, not installed: the package would have the
// machine ask sssd who may log in.
func (l linked) p11Child(t *testing.T, args ...string) command {
	t.Helper()
	root := "../build/unpacked/sssd-common"
	c := l.command(t, root+"/usr/libexec/sssd/p11_child", args...)
	private, err := filepath.Glob(root + "/usr/lib/*/sssd")
	if err != nil || len(private) != 1 {
		t.Fatalf("sssd's own libraries: %v %v", private, err)
	}
	path, err := filepath.Abs(private[0])
	if err != nil {
		t.Fatal(err)
	}
	if dir := l.lib.dir(t); dir != "" {
		path = dir + ":" + path
	}
	c.env["LD_LIBRARY_PATH"] = path
	return c
}

var processID = regexp.MustCompile(`\[\d+\]`)

// TestSSSD looks for certificates on a card and logs in with them, as sssd does when somebody shall be authenticated.
func TestSSSD(t *testing.T) {
	sameOnBoth(t, func(t *testing.T, l linked) []string {
		card := l.card(t)
		certificates := make(map[string]string) // how p11_child shows them
		for _, label := range []string{"rsa", "ec"} {
			_, cert := card.certify(t, label)
			certificates[label] = base64.StdEncoding.EncodeToString(cert.Raw)
		}
		writeFile(t, card.file("trusted"), string(l.tok.read(t, "rsa.pem"))+string(l.tok.read(t, "ec.pem")))

		var all []string
		child := func(want []string, stdin string, args ...string) {
			t.Helper()
			c := card.p11Child(t, args...)
			c.stdin = stdin
			said := processID.ReplaceAllString(card.said(t, c), "[]")
			for label, text := range certificates {
				// The signatures of ECDSA are random.
				said = strings.ReplaceAll(said, text, "the certificate of "+label)
			}
			contains(t, c.String(), said, want...)
			all = append(all, said)
		}
		pre := func(want []string, args ...string) {
			t.Helper()
			child(want, "", append([]string{"--pre", "--logger=stderr", "--verify=no_ocsp"}, args...)...)
		}
		auth := func(want []string, pin, label string, args ...string) {
			t.Helper()
			child(want, pin, append([]string{"--auth", "--pin", "--logger=stderr", "--verify=no_ocsp", "--ca_db=" + card.file("trusted"),
				"--token_name=token", "--module_name=" + cardModule(t), "--label=" + label,
				"--key_id=" + strings.ToUpper(hex.EncodeToString([]byte(label)))}, args...)...)
		}
		one := []string{"exit 0\n0\ntoken\n" + cardModule(t) + "\n", "the certificate of "}
		pre(one, "--ca_db="+card.file("rsa.pem"))
		pre(one, "--ca_db="+card.file("ec.pem"), "--wait_for_card")
		pre(one, "--ca_db="+card.file("rsa.pem"), "--uri=pkcs11:token=token;slot-manufacturer=SoftHSM%20project")
		pre([]string{"exit 1\n"}, "--ca_db="+card.file("rsa.pem"), "--uri=pkcs11:token=other")
		pre([]string{"exit 1\n"}, "--ca_db="+card.file("rsa.pem"), "--uri=pkcs11")
		auth([]string{"exit 0\n0\ntoken\n", "the certificate of rsa"}, pin, "rsa")
		auth([]string{"exit 0\n0\ntoken\n", "the certificate of ec"}, pin, "ec")
		auth([]string{"exit 1\n"}, "4321", "ec")
		auth([]string{"exit 0\n0\n"}, pin, "none")
		return append(all, card.calls(t))
	})
}
