package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"github.com/p11mux/p11mux"
	"github.com/p11mux/p11mux/uri"
)

func listObjectsVerb() *verb {
	var onlyURIs bool
	return &verb{
		name: "list-objects", operand: "OBJECT-URI", uri: uri.ForObjectOnToken, some: true,
		short: "List objects of tokens",
		long: `List the objects that a PKCS#11 URI names, or those of all tokens. What is private
shows after a login only, with --login or a PIN.`,
		example: `  p11mux list-objects 'pkcs11:token=work;type=cert'
  p11mux list-objects --login --json pkcs11:token=work`,
		kit:     kitUsage{short: "List objects of a token", usage: "list-objects [--login] [--provider=<...>] pkcs11:token=<...>"},
		options: withProvider | withLogin | withJSON,
		flags: func(fs *pflag.FlagSet) {
			fs.BoolVar(&onlyURIs, "only-uris", false, "only print the objects' URIs")
			own(fs, "only-uris")
		},
		run: func(j *job) error {
			return j.with(func(ctx context.Context, s *set) error { return listObjects(ctx, j, s, onlyURIs) })
		},
	}
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

func listObjects(ctx context.Context, j *job, s *set, onlyURIs bool) error {
	all := []*objectInfo{}
	tokens, err := j.tokensToRead(ctx, s)
	if err != nil {
		return err
	}
	p := j.progress("reading objects") // only now: a PIN may have been asked for on the same terminal
	var errs []error
	err = j.objects(ctx, tokens, func(o *p11mux.Object) bool {
		info, err := infoOfObject(ctx, o)
		if err != nil {
			errs = append(errs, err)
			return true
		}
		all = append(all, info)
		p.step()
		return true
	})
	p.done()
	return errors.Join(j.writeObjects(all, onlyURIs), err, errors.Join(errs...))
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
