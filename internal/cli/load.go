package cli

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"

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
	if j.verbose || !j.isKit && !j.quiet {
		opts = append(opts, p11mux.WithLogger(slog.New(&teller{j: j})))
	}
	if j.provider != "" {
		m, err := p11mux.LoadModule(j.provider, opts...)
		if err != nil {
			return nil, hinted(j.fail("couldn't load module", err), "give --provider the path of a PKCS#11 module's shared object")
		}
		return &set{[]*p11mux.Module{m}, m.FindTokens, m.Close}, nil
	}
	ms, err := p11mux.Load(opts...)
	if err != nil {
		return nil, hinted(j.fail("couldn't load modules", err), "run 'p11mux doctor' to see what is wrong with the modules")
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
		return nil, j.several("token", found[0].URI(), found[1].URI(), "")
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

// several says that there are two things where one was asked for. otherwise is what can be done instead of naming one.
func (j *job) several(what, first, second, otherwise string) error {
	words := "the URI names more than one"
	if !j.named {
		words = "there is more than one"
	}
	return hinted(fmt.Errorf("%s %s: %s and %s", words, what, first, second), "give the URI of one of them%s", otherwise)
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
	if j.isKit && j.verbose || !j.isKit && !j.quiet {
		fmt.Fprintf(j.err, "%s: %s\n", j.program(), fmt.Sprintf(format, args...))
	}
}

func (j *job) program() string {
	if j.isKit {
		return kitName
	}
	return "p11mux"
}

// A teller tells what the loader has to say.
type teller struct {
	slog.Handler // none: no other method is called
	j            *job
}

// Enabled is true for whatever the loader says.
func (t *teller) Enabled(context.Context, slog.Level) bool { return true }

// Handle tells a message.
func (t *teller) Handle(_ context.Context, r slog.Record) error {
	t.j.tell("%s", plain(r.Message))
	return nil
}
