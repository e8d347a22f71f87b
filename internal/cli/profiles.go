package cli

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/p11mux/p11mux"
	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/uri"
)

// A profileInfo is a profile that a token says it follows (PKCS#11 3.2 §4.13).
type profileInfo struct {
	Name   string `json:"name"` // the standard's, or CKP_0x and the number
	Number uint64 `json:"number"`

	object *p11mux.Object
}

// profiles gives the profiles of a token.
func profiles(ctx context.Context, t *p11mux.Token) ([]profileInfo, error) {
	all := []profileInfo{}
	for o, err := range t.Find(ctx, p11mux.Attr(ck.CKA_CLASS, ck.CKO_PROFILE)) {
		if err != nil {
			return nil, err
		}
		a, err := o.Attributes(ctx, ck.CKA_PROFILE_ID)
		if err != nil {
			return nil, err
		}
		if id, ok := a.Uint(ck.CKA_PROFILE_ID); ok {
			all = append(all, profileInfo{profileName(id), id, o})
		}
	}
	return all, nil
}

// profileVerb completes a command that changes whether a token says that it follows a profile. change gets the profile, and those that
// the token has.
func profileVerb(v verb, change func(ctx context.Context, j *job, s *p11mux.Session, id uint64, all []profileInfo) error) *verb {
	var profile profileFlag
	v.operand, v.uri, v.some = "TOKEN-URI", uri.ForToken, true
	v.example = "  p11mux " + v.name + " --profile baseline-provider pkcs11:token=work"
	v.kit.usage = v.name + " --profile=<...> [--login] [--provider=<...>] pkcs11:token=<...>"
	v.options = withProvider | withLogin
	v.flags = profile.register
	v.values = map[string][]string{"profile": profileNicks()}
	v.run = func(j *job) error {
		if !profile.set {
			return usage("no profile specified")
		}
		return j.with(func(ctx context.Context, s *set) error {
			return j.change(ctx, s, func(token *p11mux.Token, session *p11mux.Session) error {
				all, err := profiles(ctx, token)
				if err != nil {
					return j.fail("failed to list profiles", err)
				}
				return change(ctx, j, session, profile.id, all)
			})
		})
	}
	return &v
}

// profileFlag is the option that names a profile.
type profileFlag struct {
	id   uint64
	text string
	set  bool
}

// String is what was given.
func (p *profileFlag) String() string { return p.text }

// Type is the word that stands for the value in the help.
func (p *profileFlag) Type() string { return "PROFILE" }

// Set takes a profile's name, as the standard or p11-kit writes it, or its number.
func (p *profileFlag) Set(text string) error {
	if p.set {
		return errors.New("multiple profiles specified")
	}
	p.text, p.set = text, true
	for _, known := range profileNames {
		if known.id != ck.CKP_INVALID_ID && (text == known.name || text == nick(known.name, known.id)) {
			p.id = known.id
			return nil
		}
	}
	n, err := strconv.ParseUint(strings.TrimSpace(text), 0, 32)
	if err != nil || n == 0 {
		return errors.New("failed to convert profile argument: " + text)
	}
	p.id = n
	return nil
}

// profileNicks are the names that the option takes, as p11-kit writes them.
func profileNicks() []string {
	var nicks []string
	for _, known := range profileNames {
		if known.id != ck.CKP_INVALID_ID && known.id != ck.CKP_VENDOR_DEFINED {
			nicks = append(nicks, nick(known.name, known.id))
		}
	}
	return nicks
}

func (p *profileFlag) register(fs *pflag.FlagSet) {
	fs.VarP(p, "profile", "p", "the profile: a name such as baseline-provider, or a number")
}
