package cli

import (
	"context"
	"errors"

	"github.com/p11mux/p11mux"
)

func deleteProfileVerb() *verb {
	return profileVerb(verb{
		name:  "delete-profile",
		group: groupChange,
		short: "Have a token no longer say that it follows a profile",
		long: `Delete the profile objects of one profile. If the token has
none, the command fails.`,
		kit: kitUsage{short: "Delete PKCS#11 profile from the token"},
	}, deleteProfile)
}

func deleteProfile(ctx context.Context, j *job, _ *p11mux.Session, id uint64, all []profileInfo) error {
	found := false
	for _, p := range all {
		if p.Number != id {
			continue
		}
		found = true
		if err := p.object.Destroy(ctx); err != nil {
			return j.fail("failed to destroy profile object", err)
		}
	}
	if !found && !j.isKit {
		return hinted(errors.New("no matching profile"), "run 'p11mux list-profiles' to see what the token has")
	}
	return nil
}
