package cli

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"strings"

	"github.com/p11mux/p11mux"
	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/uri"
)

// A set is the modules that a job is about.
type set struct {
	all  []*p11mux.Module
	find func(ctx context.Context, uri string) iter.Seq2[*p11mux.Token, error]
	end  func() error
}

// load gives the configured modules, or that of --provider. What keeps a module from being among them is told: as p11-kit with
// --verbose only.
func (j *job) load() (*set, error) {
	var opts []p11mux.Option
	if teller := slog.New(&teller{j: j}); j.isKit {
		if j.verbose {
			opts = append(opts, p11mux.WithLogger(teller))
		}
	} else {
		opts = append(opts, p11mux.WithLogger(teller), p11mux.WithCallLog(teller))
	}
	defer j.progress("loading modules").done()
	if j.provider != "" {
		path := j.provider
		if !j.isKit {
			path = fromHere(path)
		}
		m, err := p11mux.LoadModule(path, opts...)
		if err != nil {
			return nil, hinted(j.fail("couldn't load module", err), "%s", providerHint(path))
		}
		return &set{[]*p11mux.Module{m}, m.FindTokens, m.Close}, nil
	}
	ms, err := p11mux.Load(opts...)
	if err != nil {
		return nil, hinted(j.fail("couldn't load modules", err), "run 'p11mux doctor' to see what is wrong with the modules")
	}
	if ms.Len() == 0 && len(ms.Problems()) > 0 && !j.isKit {
		return nil, hinted(errors.New("no module can be used"), "run 'p11mux doctor' to see what is wrong with the modules")
	}
	return &set{slices.Collect(ms.All()), ms.FindTokens, ms.Close}, nil
}

// with calls f with the modules, and closes them.
func (j *job) with(f func(ctx context.Context, s *set) error) error {
	s, err := j.load()
	if err != nil {
		return err
	}
	return errors.Join(f(context.Background(), s), s.end())
}

// tokens gives the tokens that the job's URI names. A token or a module that cannot be asked is told of, and left out.
func (j *job) tokens(ctx context.Context, s *set) []*p11mux.Token {
	if j.uri.Unrecognized() {
		return nil
	}
	var found []*p11mux.Token
	where := j.uri.WithoutPIN()
	where.Unset(uri.PINSource) // it is for the login
	for t, err := range s.find(ctx, where.String()) {
		if err != nil {
			j.tell("%v", err)
			continue
		}
		found = append(found, t)
	}
	return found
}

// token gives the token to work on: the first one as p11-kit, and the only one as p11mux.
func (j *job) token(ctx context.Context, s *set) (*p11mux.Token, error) {
	return j.only(s, j.tokens(ctx, s), nil)
}

// only gives the one of the tokens to work on. Where there are several, those that will not do are left out.
func (j *job) only(s *set, found []*p11mux.Token, will func(*p11mux.Token) bool) (*p11mux.Token, error) {
	if !j.isKit && len(found) > 1 && will != nil {
		var some []*p11mux.Token
		for _, t := range found {
			if will(t) {
				some = append(some, t)
			}
		}
		if len(some) > 0 {
			found = some
		}
	}
	switch {
	case len(found) == 0:
		return nil, j.noToken(s)
	case len(found) > 1 && !j.isKit:
		return nil, j.severalTokens("token", found[0], found[1])
	}
	return found[0], nil
}

// tokenToChange gives the token to work on for a command that changes it. As p11mux, those that cannot be written to do not count if
// there are others.
func (j *job) tokenToChange(ctx context.Context, s *set) (*p11mux.Token, error) {
	return j.only(s, j.tokens(ctx, s), func(t *p11mux.Token) bool {
		info, err := t.Info(ctx)
		return err != nil || info.Flags&ck.CKF_WRITE_PROTECTED == 0
	})
}

// severalTokens says that there are two tokens where one was asked for. what are they, in a word or two.
func (j *job) severalTokens(what string, a, b *p11mux.Token) error {
	first, second := apart(a, b)
	return j.several(what, first, second, "give the URI of one of them")
}

// several says that there are two things where one was asked for.
func (j *job) several(what, first, second, hint string) error {
	words := "the URI names more than one"
	if !j.named {
		words = "there is more than one"
	}
	return hinted(fmt.Errorf("%s %s: %s and %s", words, what, first, second), "%s", hint)
}

// apart gives URIs that tell two tokens apart. Two of a kind may say the same of themselves; then their slots or modules do.
func apart(a, b *p11mux.Token) (first, second string) {
	first, second = a.URI(), b.URI()
	switch {
	case first != second:
		return first, second
	case a.Slot().ID() != b.Slot().ID():
		with := func(t *p11mux.Token) string { return fmt.Sprintf("%s;slot-id=%d", t.URI(), t.Slot().ID()) }
		return with(a), with(b)
	}
	with := func(t *p11mux.Token) string { return t.URI() + "?module-name=" + t.Slot().Module().Name() }
	return with(a), with(b)
}

func (j *job) noToken(s *set) error {
	hint := "run 'p11mux list-tokens' to see which tokens there are"
	if len(s.all) == 0 {
		hint = "there is no module: name one with --provider, or run 'p11mux doctor' to see what is configured"
	}
	return hinted(errors.New("no matching token"), "%s", hint)
}

// tell says something that is no result: as p11mux unless it is to be quiet, as p11-kit only when it is to be verbose.
func (j *job) tell(format string, args ...any) {
	if j.isKit && !j.verbose || !j.isKit && j.quiet {
		return
	}
	begin := ""
	if j.working != nil && isTerminal(j.err) {
		begin = clearLine
	}
	fmt.Fprintf(j.err, "%s%s: %s\n", begin, j.program(), plain(fmt.Sprintf(format, args...)))
}

func (j *job) program() string {
	if j.isKit {
		return kitName
	}
	return "p11mux"
}

// A teller tells what the loader has to say, and with --verbose which calls are made of modules.
type teller struct {
	slog.Handler // none: no other method is called
	j            *job
}

// Enabled is about calls, which are logged at level Debug; whatever else the loader says is told.
func (t *teller) Enabled(_ context.Context, level slog.Level) bool {
	return level > slog.LevelDebug || t.j.verbose
}

// Handle tells a message or a call.
func (t *teller) Handle(_ context.Context, r slog.Record) error {
	if r.Level > slog.LevelDebug {
		t.j.tell("%s", r.Message)
		return nil
	}
	said := map[string]slog.Value{}
	r.Attrs(func(a slog.Attr) bool {
		said[a.Key] = a.Value
		return true
	})
	// A group is in brackets.
	inner := func(key string) string {
		if v := said[key]; v.Kind() == slog.KindGroup {
			return strings.TrimSuffix(strings.TrimPrefix(v.String(), "["), "]")
		}
		return ""
	}
	t.j.tell("%s", strings.TrimSpace(fmt.Sprintf("%v: %s(%s) = %v %s", said["module"], r.Message, inner("arguments"), said["result"], inner("output"))))
	return nil
}
