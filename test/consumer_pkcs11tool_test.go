package test

import (
	"crypto/x509"
	"encoding/hex"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// usedSlot is how pkcs11-tool says on stderr which slot it took.
var usedSlot = regexp.MustCompile(`Using slot \d+ with a present token \(0x[0-9a-f]+\)`)

// uniqueID is what a token gives an object when it is made, and never gives again.
var uniqueID = regexp.MustCompile(`(Unique ID: +)[0-9a-f]+`)

// toolLines are the lines that pkcs11-tool printed, without what differs from run to run.
func toolLines(r result) []string {
	text := uniqueID.ReplaceAllString(r.stdout, "${1}random")
	return slices.Collect(strings.Lines(text + usedSlot.ReplaceAllString(r.stderr, "Using the slot")))
}

// TestToolTest runs pkcs11-tool's own tests on a token with one key, raw and through the proxy. SoftHSM refuses one of them
// and ends the program, so one key is tested at a time: the order of keys is that of addresses.
func TestToolTest(t *testing.T) {
	other := map[string]string{"rsa": "ec", "ec": "rsa"}
	passes := map[string][]string{
		"rsa": {"all 4 digest functions seem to work", "Signatures", "Verify", "(rsa)", "RSA-X-509: OK", "RSA-PKCS: OK", "SHA1-RSA-PKCS: OK", "Decryption", "RSA-PKCS: OK"},
		"ec":  {"all 4 digest functions seem to work", "Signatures", "Verify", "(ec)", "No errors"},
	}
	for key, passes := range passes {
		t.Run(key, func(t *testing.T) {
			c := newConsumer(t)
			for _, kind := range []string{"privkey", "pubkey"} {
				c.tool(t, softhsm(t), "--delete-object", "--type", kind, "--label", other[key])
			}
			test := func(module string) result {
				return c.command("pkcs11-tool", "--module", module, "--token-label", "token", "--login", "--pin", "env:USER_PIN", "--test").run(t)
			}
			raw, got := test(softhsm(t)), test(proxy(t))
			contains(t, "pkcs11-tool --test on SoftHSM", raw.stdout, passes...)
			sameLines(t, "pkcs11-tool --test", toolLines(raw), toolLines(got))
			if raw.code != got.code {
				t.Errorf("exit %d through the proxy, else %d", got.code, raw.code)
			}
		})
	}
}

// TestToolBundled makes a key in the bundled token and runs pkcs11-tool's tests with it, raw and through the proxy.
func TestToolBundled(t *testing.T) {
	c := newConsumer(t)
	test := func(module string) []string {
		return toolLines(c.run(t, "pkcs11-tool", "--module", module, "--token-label", bundledLabel, "--login", "--pin", "env:USER_PIN",
			"--keypairgen", "--key-type", "rsa:2048", "--id", "01", "--test"))
	}
	raw, got := test(bundled(t)), test(proxy(t))
	contains(t, "pkcs11-tool", strings.Join(raw, ""), "RSA-PKCS: OK", "No errors")
	sameLines(t, "pkcs11-tool --keypairgen --test", raw, got)
}

// TestToolLists compares the token's mechanisms and objects, raw and through the proxy.
func TestToolLists(t *testing.T) {
	for what, wanted := range map[string]string{"--list-mechanisms": "SHA256-RSA-PKCS", "--list-objects": "EC_POINT 256 bits"} {
		t.Run(what, func(t *testing.T) {
			c := newConsumer(t)
			list := func(module string) []string { return slices.Sorted(slices.Values(toolLines(c.tool(t, module, what)))) }
			raw, got := list(softhsm(t)), list(proxy(t))
			contains(t, what, strings.Join(raw, ""), wanted)
			sameLines(t, what, raw, got)
		})
	}
}

// slotHead begins a slot in pkcs11-tool's list: its place, its number, and its description.
var slotHead = regexp.MustCompile(`(?m)^Slot (\d+) \((0x[0-9a-f]+)\): `)

// slotList is pkcs11-tool's list of a module's slots: their numbers, and what it says of each.
func slotList(t *testing.T, c consumer, module string) (ids, texts []string) {
	t.Helper()
	out := c.run(t, "pkcs11-tool", "--module", module, "--list-slots").stdout
	heads := slotHead.FindAllStringSubmatchIndex(out, -1)
	for i, h := range heads {
		end := len(out)
		if i+1 < len(heads) {
			end = heads[i+1][0]
		}
		ids = append(ids, out[h[4]:h[5]])
		texts = append(texts, out[h[1]:end])
	}
	if len(ids) == 0 {
		t.Fatalf("%s has no slots:\n%s", module, out)
	}
	return ids, texts
}

// TestToolSlots lists the slots of both modules through the proxy: they come as from the raw modules, in the order of
// priority, and each has a number of its own.
func TestToolSlots(t *testing.T) {
	for _, first := range []string{"bundled", "softhsm"} {
		t.Run(first+" first", func(t *testing.T) {
			c := newConsumer(t)
			_, want := slotList(t, c, bundled(t))
			_, soft := slotList(t, c, softhsm(t))
			if first == "softhsm" {
				c.configure(t, "softhsm", softhsm(t), "3")
				want = append(soft, want...)
			} else {
				want = append(want, soft...)
			}
			ids, got := slotList(t, c, proxy(t))
			sameLines(t, "pkcs11-tool --list-slots", want, got)
			slices.Sort(ids)
			if len(slices.Compact(ids)) != len(want) {
				t.Errorf("%d slots have the numbers %v", len(want), ids)
			}
		})
	}
}

// TestToolSign makes keys and signs with them through the proxy, and checks the signatures with Go's own cryptography.
func TestToolSign(t *testing.T) {
	c := newConsumer(t)
	data := make([]byte, 32)
	for i := range data {
		data[i] = byte(i)
	}
	writeFile(t, filepath.Join(c.dir, "data"), string(data))
	for _, k := range []struct{ kind, label, mechanism string }{
		{"rsa:2048", "new-rsa", "SHA256-RSA-PKCS"},
		{"EC:prime256v1", "new-ec", "ECDSA"},
	} {
		id := hex.EncodeToString([]byte(k.label))
		c.tool(t, proxy(t), "--keypairgen", "--key-type", k.kind, "--label", k.label, "--id", id)
		c.tool(t, proxy(t), "--sign", "--mechanism", k.mechanism, "--id", id, "--input-file", "data", "--output-file", k.label+".sig")
		// The key is in the token, and not only in the program that made it.
		c.tool(t, softhsm(t), "--read-object", "--type", "pubkey", "--id", id, "--output-file", k.label+".der")
		key, err := x509.ParsePKIXPublicKey(c.read(t, k.label+".der"))
		if err != nil {
			t.Fatal(err)
		}
		if err := verify(key, hex.EncodeToString(c.read(t, k.label+".sig"))); err != nil {
			t.Errorf("%s: %v", k.label, err)
		}
	}
}
