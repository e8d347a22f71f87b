package test

import "testing"

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
