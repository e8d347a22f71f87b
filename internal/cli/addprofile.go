package cli

import (
	"context"
	"errors"

	"github.com/p11mux/p11mux"
	"github.com/p11mux/p11mux/ck"
)

func addProfileVerb() *verb {
	return profileVerb(verb{
		name:  "add-profile",
		group: groupChange,
		short: "Have a token say that it follows a profile",
		long:  `Write a profile object on a token, for those who ask which profiles it follows.`,
		kit:   kitUsage{short: "Add PKCS#11 profile to the token"},
	}, addProfile)
}

func addProfile(ctx context.Context, j *job, s *p11mux.Session, id uint64, all []profileInfo) error {
	for _, p := range all {
		if p.Number == id {
			return hinted(errors.New("profile already exists"), "run 'p11mux list-profiles' to see what the token has")
		}
	}
	_, err := s.CreateObject(ctx, p11mux.Attr(ck.CKA_CLASS, ck.CKO_PROFILE), p11mux.Attr(ck.CKA_TOKEN, true),
		p11mux.Attr(ck.CKA_PRIVATE, false), p11mux.Attr(ck.CKA_PROFILE_ID, id))
	if err != nil {
		return j.fail("failed to create profile object", err)
	}
	return nil
}
