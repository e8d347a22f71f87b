package cli

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/uri"
)

// completionPatience is how long somebody waits who has pressed a key: a module that takes longer has its tokens typed.
const completionPatience = 3 * time.Second

// completeURI offers the URIs of tokens to a shell. No files belong where a URI does.
func (j *job) completeURI(_ *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 || j.verb.uri == 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	found := make(chan []cobra.Completion, 1)
	go func() { found <- j.tokenCompletions() }()
	var offered []cobra.Completion
	select {
	case all := <-found:
		for _, c := range all {
			if strings.HasPrefix(c, typed) {
				offered = append(offered, c)
			}
		}
	case <-time.After(completionPatience): // the process ends with the answer, and the module with it
	}
	return offered, cobra.ShellCompDirectiveNoFileComp
}

// tokenCompletions names the tokens of the configured modules, or of --provider, with what they are. What goes wrong is no matter of
// somebody who types.
func (j *job) tokenCompletions() []cobra.Completion {
	j.quiet = true
	s, err := j.load()
	if err != nil {
		return nil
	}
	j.uri = new(uri.URI)
	ctx := context.Background()
	var all []*tokenInfo
	for _, t := range j.tokens(ctx, s) {
		if info, err := infoOfToken(ctx, t); err == nil && info.flags&ck.CKF_TOKEN_INITIALIZED != 0 {
			all = append(all, info)
		}
	}
	var offered []cobra.Completion
	for i, name := range shortURIs(all) {
		t := all[i]
		about := slices.DeleteFunc([]string{t.Label, t.Model, "module " + t.Module}, func(s string) bool { return s == "" })
		offered = append(offered, cobra.CompletionWithDesc(name, plain(strings.Join(about, ", "))))
	}
	_ = s.end() // the answer does not hang on it
	return offered
}

// shortURIs names each of some tokens by the one attribute that no other has: its label, its serial number, or its slot. With no
// semicolon in it, a URI needs no quotes in a shell.
func shortURIs(tokens []*tokenInfo) []string {
	count := map[string]int{}
	names := make([][]string, len(tokens))
	for i, t := range tokens {
		for _, a := range []struct {
			field uri.Field
			value string
		}{{uri.TokenLabel, t.Label}, {uri.TokenSerial, t.Serial}} {
			var u uri.URI
			if a.value != "" && u.Set(a.field, a.value) == nil {
				name := u.Format(uri.ForToken)
				names[i] = append(names[i], name)
				count[name]++
			}
		}
	}
	var short []string
	for i, t := range tokens {
		var u uri.URI
		u.SetSlotID(ck.SlotID(t.Slot))
		best := u.Format(uri.ForSlot)
		for _, name := range names[i] {
			if count[name] == 1 {
				best = name
				break
			}
		}
		short = append(short, best)
	}
	return short
}
