package cli

import (
	"context"
	"fmt"

	"github.com/p11mux/p11mux/uri"
)

func listProfilesVerb() *verb {
	return &verb{
		name: "list-profiles", group: groupSee, operand: "TOKEN-URI", uri: uri.ForToken, some: true,
		short: "List the profiles that a token follows",
		long: `List the profiles of the standard that the token which a PKCS#11 URI names says it
follows.`,
		example: `  p11mux list-profiles pkcs11:token=work`,
		kit:     kitUsage{short: "List PKCS#11 profiles supported by the token", usage: "list-profiles [--login] [--provider=<...>] pkcs11:token=<...>"},
		options: withProvider | withLogin | withJSON,
		run: func(j *job) error {
			return j.with(func(ctx context.Context, s *set) error { return listProfiles(ctx, j, s) })
		},
	}
}

func listProfiles(ctx context.Context, j *job, s *set) error {
	token, err := j.tokenToRead(ctx, s)
	if err != nil {
		return err
	}
	all, err := profiles(ctx, token)
	if err != nil {
		return j.fail("failed to list profiles", err)
	}
	if len(all) == 0 {
		j.tell("the token says of no profile that it follows it")
	}
	switch {
	case j.json:
		return writeJSON(j.out, all)
	case j.isKit:
		return printLines(j.out, all, func(p profileInfo) string { return nick(p.Name, p.Number) })
	}
	t := table{head: []string{"PROFILE", "NUMBER"}}
	for _, p := range all {
		t.row(p.Name, fmt.Sprint(p.Number))
	}
	return t.write(j.out)
}
