package cli

import (
	"context"
	"errors"

	"github.com/spf13/pflag"

	"github.com/p11mux/p11mux"
	"github.com/p11mux/p11mux/uri"
)

func deleteObjectVerb() *verb {
	var all bool
	return &verb{
		name: "delete-object", group: groupChange, operand: "OBJECT-URI", uri: uri.ForObjectOnToken,
		short: "Delete an object of a token",
		long: `Delete the object that a PKCS#11 URI names. If it names several, none is deleted
without --all. The URI has to say which objects, by object=, id= or type=: put it
in quotes, since a shell ends it at a semicolon. All objects of a token go type by
type: cert, public, private, secret-key and data.`,
		example: `  p11mux delete-object 'pkcs11:token=work;object=old;type=cert'
  p11mux delete-object --all 'pkcs11:token=work;type=cert'`,
		kit: kitUsage{short: "Delete objects matching PKCS#11 URI",
			usage: "delete-object [--login] [--provider=<...>] pkcs11:object=<...>"},
		options: withProvider | withLogin,
		flags: func(fs *pflag.FlagSet) {
			fs.BoolVar(&all, "all", false, "delete all objects that the URI names")
			own(fs, "all")
		},
		run: func(j *job) error {
			if !j.isKit && len(j.uri.Attributes()) == 0 {
				return hinted(usage("the URI names no objects"),
					"name objects by object=, id= or type=, and quote the URI, since a shell ends it at a semicolon")
			}
			return j.with(func(ctx context.Context, s *set) error { return deleteObjects(ctx, j, s, all) })
		},
	}
}

func deleteObjects(ctx context.Context, j *job, s *set, all bool) error {
	if !j.isKit {
		j.login = true // what can be deleted shows, and can be deleted, after a login
	}
	if !all {
		object, err := j.object(ctx, s, "give the URI of one of them, or --all to delete what it names")
		if err != nil {
			return err
		}
		return j.destroy(ctx, object)
	}
	tokens, err := j.tokensToRead(ctx, s)
	if err != nil {
		return err
	}
	var found []*p11mux.Object
	err = j.objects(ctx, tokens, func(o *p11mux.Object) bool {
		found = append(found, o)
		return true
	})
	if err == nil && len(found) == 0 {
		return j.noObject()
	}
	errs, deleted := []error{err}, 0
	p := j.progress("deleting objects")
	for _, o := range found {
		if err := j.destroy(ctx, o); err != nil {
			errs = append(errs, err)
			continue
		}
		deleted++
		p.step()
	}
	p.done()
	if len(found) > 0 {
		j.tell("%d of %s deleted", deleted, plural(len(found), "object"))
	}
	return errors.Join(errs...)
}

func (j *job) destroy(ctx context.Context, o *p11mux.Object) error {
	if err := o.Destroy(ctx); err != nil {
		return j.fail("failed to destroy an object", err)
	}
	return nil
}
