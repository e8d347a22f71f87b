package cli

import (
	"context"

	"github.com/p11mux/p11mux"
	"github.com/p11mux/p11mux/uri"
)

func deleteProfileVerb() *verb {
	var profile profileFlag
	return &verb{
		name: "delete-profile", operand: "TOKEN-URI", uri: uri.ForToken, some: true,
		short:   "Have a token no longer say that it follows a profile",
		long:    `Delete the profile objects of one profile. That there is none is no failure.`,
		example: `  p11mux delete-profile --profile baseline-provider pkcs11:token=work`,
		kit:     kitUsage{short: "Delete PKCS#11 profile from the token", usage: "delete-profile --profile=<...> [--login] [--provider=<...>] pkcs11:token=<...>"},
		options: withProvider | withLogin,
		flags:   profile.register,
		values:  map[string][]string{"profile": profileNicks()},
		run: func(j *job) error {
			if err := profile.given(); err != nil {
				return err
			}
			return j.with(func(ctx context.Context, s *set) error { return deleteProfile(ctx, j, s, profile.id) })
		},
	}
}

func deleteProfile(ctx context.Context, j *job, s *set, id uint64) error {
	return j.change(ctx, s, func(token *p11mux.Token, _ *p11mux.Session) error {
		all, err := profiles(ctx, token)
		if err != nil {
			return j.fail("failed to list profiles", err)
		}
		for _, p := range all {
			if p.Number != id {
				continue
			}
			if err := p.object.Destroy(ctx); err != nil {
				return j.fail("failed to destroy profile object", err)
			}
		}
		return nil
	})
}
