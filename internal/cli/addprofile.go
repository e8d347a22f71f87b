package cli

import (
	"context"
	"errors"

	"github.com/p11mux/p11mux"
	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/uri"
)

func addProfileVerb() *verb {
	var profile profileFlag
	return &verb{
		name: "add-profile", operand: "TOKEN-URI", uri: uri.ForToken, some: true,
		short:   "Have a token say that it follows a profile",
		long:    `Write a profile object on a token, for those who ask which profiles it follows.`,
		example: `  p11mux add-profile --profile baseline-provider pkcs11:token=work`,
		kit:     kitUsage{short: "Add PKCS#11 profile to the token", usage: "add-profile --profile=<...> [--login] [--provider=<...>] pkcs11:token=<...>"},
		options: withProvider | withLogin,
		flags:   profile.register,
		values:  map[string][]string{"profile": profileNicks()},
		run: func(j *job) error {
			if err := profile.given(); err != nil {
				return err
			}
			return j.with(func(ctx context.Context, s *set) error { return addProfile(ctx, j, s, profile.id) })
		},
	}
}

func addProfile(ctx context.Context, j *job, s *set, id uint64) error {
	return j.change(ctx, s, func(token *p11mux.Token, session *p11mux.Session) error {
		all, err := profiles(ctx, token)
		if err != nil {
			return j.fail("failed to list profiles", err)
		}
		for _, p := range all {
			if p.Number == id {
				return hinted(errors.New("profile already exists"), "run 'p11mux list-profiles' to see what the token has")
			}
		}
		_, err = session.CreateObject(ctx, p11mux.Attr(ck.CKA_CLASS, ck.CKO_PROFILE), p11mux.Attr(ck.CKA_TOKEN, true),
			p11mux.Attr(ck.CKA_PRIVATE, false), p11mux.Attr(ck.CKA_PROFILE_ID, uint64(id)))
		if err != nil {
			return j.fail("failed to create profile object", err)
		}
		return nil
	})
}
