package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/p11mux/p11mux"
	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/uri"
)

func listObjectsVerb() *verb {
	var how listing
	return &verb{
		name: "list-objects", group: groupSee, operand: "OBJECT-URI", uri: uri.ForObjectOnToken, some: true,
		short: "List objects of tokens",
		long: `List the objects that a PKCS#11 URI names, or those of all tokens. What is private
shows after a login only, with --login or a PIN. What only says how far
certificates are trusted is left out, unless the URI names the token or the type,
or with --all.`,
		example: `  p11mux list-objects 'pkcs11:token=work;type=cert'
  p11mux list-objects --login --json pkcs11:token=work`,
		kit:     kitUsage{short: "List objects of a token", usage: "list-objects [--login] [--provider=<...>] pkcs11:token=<...>"},
		options: withProvider | withLogin | withJSON,
		flags: func(fs *pflag.FlagSet) {
			fs.BoolVar(&how.onlyURIs, "only-uris", false, "only print the objects' URIs")
			fs.BoolVar(&how.all, "all", false, "list what says how far certificates are trusted, too")
			own(fs, "only-uris", "all")
		},
		run: func(j *job) error {
			return j.with(func(ctx context.Context, s *set) error { return listObjects(ctx, j, s, how) })
		},
	}
}

// A listing says what of the objects is to be printed.
type listing struct{ onlyURIs, all bool }

// trustClasses are the vendors' classes of objects that say how far certificates are trusted: there are several for each certificate.
var trustClasses = []ck.ObjectClass{0xce534353, 0xce534354, 0xd8444764} // nss-trust, nss-builtin-root-list, x-trust-assertion

// hides says whether objects of those classes are left out: as p11mux, where nothing asks for them.
func (l listing) hides(j *job) bool {
	for _, f := range []uri.Field{uri.TokenLabel, uri.TokenSerial, uri.TokenManufacturer, uri.TokenModel} {
		if _, named := j.uri.Get(f); named {
			return false
		}
	}
	_, class := j.uri.ObjectClass()
	return !j.isKit && !l.all && !class
}

// objects calls f for each object that the job's URI names on tokens, and stops when it is false. The error joins those of all tokens.
func (j *job) objects(ctx context.Context, tokens []*p11mux.Token, f func(*p11mux.Object) bool) error {
	var errs []error
	for _, t := range tokens {
		for o, err := range t.Find(ctx, j.uri.Attributes()...) {
			if err != nil {
				errs = append(errs, err)
				break
			}
			if !f(o) {
				return errors.Join(errs...)
			}
		}
	}
	return errors.Join(errs...)
}

func listObjects(ctx context.Context, j *job, s *set, how listing) error {
	all := []*objectInfo{}
	tokens, err := j.tokensToRead(ctx, s)
	if err != nil {
		return err
	}
	var empty error
	if len(tokens) == 0 {
		empty = j.emptyOfTokens(s)
	}
	hides, hidden := how.hides(j), 0
	p := j.progress("reading objects") // only now: a PIN may have been asked for on the same terminal
	var errs []error
	err = j.objects(ctx, tokens, func(o *p11mux.Object) bool {
		info, err := infoOfObject(ctx, o)
		if err != nil {
			errs = append(errs, err)
			return true
		}
		if hides && slices.Contains(trustClasses, info.class) {
			hidden++
		} else {
			all = append(all, info)
		}
		p.step()
		return true
	})
	p.done()
	if hidden > 0 {
		j.tell("%s that say how far certificates are trusted are left out: --all lists them", plural(hidden, "object"))
	} else if len(all) == 0 && len(tokens) > 0 && err == nil && len(errs) == 0 {
		empty = j.emptyOfObjects(ctx, tokens)
	}
	return errors.Join(j.writeObjects(all, how.onlyURIs), err, errors.Join(errs...), empty)
}

// noObject is the failure that no object is what the URI names.
func (j *job) noObject() error {
	hint := "run 'p11mux list-objects' to see what there is"
	if !j.loggedIn {
		hint += "; what is private shows with --login"
	}
	return hinted(errors.New("no matching object"), "%s", hint)
}

// emptyOfObjects says why a list of the objects of tokens is empty. It is a failure, but as p11-kit, if the URI asks for some; a token may
// well have none.
func (j *job) emptyOfObjects(ctx context.Context, tokens []*p11mux.Token) error {
	if !j.isKit && len(j.uri.Attributes()) > 0 {
		return j.noObject()
	}
	text := "there is no object"
	if !j.loggedIn && slices.ContainsFunc(tokens, func(t *p11mux.Token) bool {
		info, err := t.Info(ctx)
		return err == nil && info.Flags&ck.CKF_LOGIN_REQUIRED != 0
	}) {
		text += "; what is private shows with --login"
	}
	j.tell("%s", text)
	return nil
}

func (j *job) writeObjects(all []*objectInfo, onlyURIs bool) error {
	switch {
	case j.json:
		return writeJSON(j.out, all)
	case onlyURIs:
		return printLines(j.out, all, func(i *objectInfo) string { return i.URI })
	case j.isKit:
		k := newKitText(j.out)
		for n, i := range all {
			i.kit(k, fmt.Sprintf("#%d", n))
		}
		return k.flush()
	}
	t := table{head: []string{"TOKEN", "CLASS", "TYPE", "LABEL", "ID", "FLAGS"}}
	for _, i := range all {
		t.row(i.Token, strings.ReplaceAll(nickOfClass(i.class), "-", " "), i.kind(), text(i.Label), text(i.ID), strings.Join(i.Flags, " "))
	}
	return t.write(j.out)
}

// text is a text that may be missing.
func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
