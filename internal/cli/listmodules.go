package cli

import (
	"context"
	"errors"
	"strings"

	"github.com/p11mux/p11mux"
	"github.com/p11mux/p11mux/ck"
)

func listModulesVerb() *verb {
	return &verb{
		name: "list-modules", group: groupSee,
		short: "List modules and their tokens",
		long: `List the modules that are configured for this program, with the tokens that are
in them. 'p11mux doctor' says why a module is not among them.`,
		example: `  p11mux list-modules
  p11mux list-modules --json`,
		kit:     kitUsage{short: "List modules and tokens", usage: "list"},
		options: withJSON,
		run: func(j *job) error {
			return j.with(func(ctx context.Context, s *set) error { return listModules(ctx, j, s) })
		},
	}
}

func listModules(ctx context.Context, j *job, s *set) error {
	all := []*moduleInfo{}
	var failed []error
	p := j.progress("asking modules")
	for _, m := range s.all {
		info, err := infoOfModule(ctx, m)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		if err := j.addTokens(ctx, m, info); err != nil {
			j.tell("%v", err)
		}
		all = append(all, info)
	}
	p.done()
	if len(s.all) == 0 {
		j.tellNoModule()
	}
	return errors.Join(j.writeModules(all), errors.Join(failed...))
}

// addTokens adds all tokens, also those that are not initialized.
func (j *job) addTokens(ctx context.Context, m *p11mux.Module, info *moduleInfo) error {
	slots, err := m.Slots(ctx)
	if err != nil {
		return err
	}
	for _, slot := range slots {
		t, err := slot.Token(ctx)
		if err == nil {
			var token *tokenInfo
			if token, err = infoOfToken(ctx, t); err == nil {
				info.Tokens = append(info.Tokens, token)
			}
		}
		if err != nil && !errors.Is(err, ck.CKR_TOKEN_NOT_PRESENT) {
			j.tell("%v", err)
		}
	}
	return nil
}

func (j *job) writeModules(all []*moduleInfo) error {
	switch {
	case j.json:
		return writeJSON(j.out, all)
	case j.isKit:
		k := newKitText(j.out)
		for _, m := range all {
			m.kit(k)
		}
		return k.flush()
	}
	t := table{head: []string{"MODULE", "TOKENS", "LIBRARY", "VERSION", "PATH"}}
	for _, m := range all {
		var labels []string
		for _, token := range m.Tokens {
			if token.flags&ck.CKF_TOKEN_INITIALIZED != 0 {
				labels = append(labels, token.Label)
			}
		}
		t.row(m.Name, strings.Join(labels, ", "), m.Description, m.Version, m.Path)
	}
	return t.write(j.out)
}
