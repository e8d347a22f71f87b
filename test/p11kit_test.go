package test

import (
	"os"
	"testing"
)

// TestP11KitTool has p11-kit's own tool list the modules and tokens that there are.
func TestP11KitTool(t *testing.T) {
	sameOnBoth(t, func(t *testing.T, l linked) []string {
		all := l.run(t, "p11-kit", "list-modules")
		contains(t, "p11-kit list-modules", all, "softhsm2: ", "token: token\n")
		card := l.card(t)
		one := card.run(t, "p11-kit", "list-modules")
		contains(t, "p11-kit list-modules", one, "card: "+cardModule(t)+"\n", "token: token\n", "hardware", "token-initialized")
		return []string{all, one, card.calls(t)}
	})
}

// TestTrust has p11-kit's other program list and extract certificates: it iterates modules, tokens and objects, with filters
// and callbacks, and loads attributes.
func TestTrust(t *testing.T) {
	sameOnBoth(t, func(t *testing.T, l linked) []string {
		var all []string
		run := func(wanted []string, args ...string) {
			t.Helper()
			text := l.run(t, "trust", args...)
			contains(t, "trust "+args[0], text, wanted...)
			all = append(all, text)
		}
		run([]string{"pkcs11:id=", "type: certificate", "trust: anchor"}, "list")
		run([]string{"pkcs11:id="}, "list", "--filter=ca-anchors", "--purpose=email")
		run([]string{"[p11-kit-object-v1]", "trusted: true", "-----BEGIN CERTIFICATE-----"}, "dump", "--filter=pkcs11:type=cert")
		bundle := l.file("bundle.pem")
		run(nil, "extract", "--format=pem-bundle", "--filter=ca-anchors", bundle)
		pem, err := os.ReadFile(bundle)
		if err != nil {
			t.Fatal(err)
		}
		contains(t, "trust extract", string(pem), "-----BEGIN CERTIFICATE-----")
		return append(all, string(pem))
	})
}
