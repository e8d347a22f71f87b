package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/pflag"

	"github.com/p11mux/p11mux/uri"
)

func listTokensVerb() *verb {
	var onlyURIs bool
	return &verb{
		name: "list-tokens", group: groupSee, operand: "TOKEN-URI", uri: uri.ForToken, some: true,
		short: "List tokens",
		long:  `List the tokens that a PKCS#11 URI names, or all.`,
		example: `  p11mux list-tokens
  p11mux list-tokens --only-uris 'pkcs11:manufacturer=SoftHSM%20project'`,
		kit:     kitUsage{short: "List tokens available in modules", usage: "list-tokens [--only-uris] [--provider=<...>] pkcs11:token=<...>"},
		options: withProvider | withJSON,
		flags: func(fs *pflag.FlagSet) {
			fs.BoolVar(&onlyURIs, "only-uris", false, "only print token URIs")
		},
		run: func(j *job) error {
			return j.with(func(ctx context.Context, s *set) error { return listTokens(ctx, j, s, onlyURIs) })
		},
	}
}

func listTokens(ctx context.Context, j *job, s *set, onlyURIs bool) error {
	all := []*tokenInfo{}
	p := j.progress("asking tokens")
	for _, t := range j.tokens(ctx, s) {
		info, err := infoOfToken(ctx, t)
		if err != nil {
			j.tell("%v", err)
			continue
		}
		all = append(all, info)
	}
	p.done()
	var empty error
	if len(all) == 0 {
		empty = j.emptyOfTokens(s)
	}
	return errors.Join(j.writeTokens(all, onlyURIs), empty)
}

func (j *job) writeTokens(all []*tokenInfo, onlyURIs bool) error {
	switch {
	case j.json:
		return writeJSON(j.out, all)
	case onlyURIs:
		return printLines(j.out, all, func(i *tokenInfo) string { return i.URI })
	case j.isKit:
		k := newKitText(j.out)
		for _, t := range all {
			t.kit(k, 0)
		}
		return k.flush()
	}
	t := table{head: []string{"TOKEN", "MODULE", "SLOT", "MODEL", "SERIAL", "LOGIN"}}
	for _, i := range all {
		t.row(i.Label, i.Module, fmt.Sprint(i.Slot), i.Model, i.Serial, i.state())
	}
	return t.write(j.out)
}

// emptyOfTokens says why a list of tokens, or of what is on them, is empty. That nothing matches a URI is a failure, but as p11-kit.
func (j *job) emptyOfTokens(s *set) error {
	switch {
	case j.named && !j.isKit:
		return j.noToken(s)
	case len(s.all) == 0:
		j.tellNoModule()
	case j.named:
		j.tell("no token matches the URI")
	default:
		j.tell("there is no token")
	}
	return nil
}

func (j *job) tellNoModule() { j.tell("no module is loaded: 'p11mux doctor' says what is configured") }
