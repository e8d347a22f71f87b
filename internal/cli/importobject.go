package cli

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/pflag"

	"github.com/p11mux/p11mux"
	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/uri"
)

func importObjectVerb() *verb {
	var file string
	var names newNames
	return &verb{
		name: "import-object", group: groupChange, operand: "TOKEN-URI", uri: uri.ForToken, some: true,
		short: "Write certificates and public keys to a token",
		long: `Write the certificates and public keys of a PEM file to the token that a PKCS#11
URI names. Private keys are not taken: make them on the token. If the file has
anything else, nothing is written.`,
		example: `  p11mux import-object --file server.pem --label server --id 01 pkcs11:token=work`,
		kit: kitUsage{short: "Import object into PKCS#11 token",
			usage: "import-object --file=<...> [--label=<...>] [--id=<...>] [--login] [--provider=<...>] pkcs11:token=<...>"},
		options: withProvider | withLogin,
		flags: func(fs *pflag.FlagSet) {
			fs.StringVarP(&file, "file", "f", "", "object data to import, a `FILE` with PEM blocks")
			names.register(fs)
		},
		run: func(j *job) error {
			if file == "" {
				return usage("no file specified")
			}
			more, err := names.attributes()
			if err != nil {
				return err
			}
			objects, err := j.readObjects(file)
			if err != nil && (len(objects) == 0 || !j.isKit) {
				return err
			}
			return errors.Join(err, j.with(func(ctx context.Context, s *set) error { return importObjects(ctx, j, s, objects, more) }))
		},
	}
}

// readObjects makes templates of all blocks of a file that it can. The error is about the others.
func (j *job) readObjects(file string) ([][]ck.Attribute, error) {
	rest, err := os.ReadFile(file)
	if err != nil {
		if j.isKit {
			err = errors.New("failed to read file: " + file)
		}
		return nil, hinted(err, "give --file the name of a file with PEM blocks that you may read")
	}
	var objects [][]ck.Attribute
	var errs []error
	for n := 1; ; n++ {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		object, err := objectOf(block)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		objects = append(objects, object)
	}
	switch {
	case len(errs) > 0:
		return objects, hinted(errors.Join(errs...), "only blocks of CERTIFICATE and PUBLIC KEY can be imported: nothing was written, give a file without the others")
	case len(objects) == 0:
		return nil, hinted(errors.New("no object to import"), "give a file with PEM blocks: -----BEGIN CERTIFICATE----- or -----BEGIN PUBLIC KEY-----")
	}
	return objects, nil
}

// objectOf makes a template of a block.
func objectOf(block *pem.Block) ([]ck.Attribute, error) {
	switch block.Type {
	case "CERTIFICATE":
		return certificateObject(block.Bytes)
	case "PUBLIC KEY":
		return publicKeyObject(block.Bytes)
	}
	return nil, fmt.Errorf("unrecognized PEM label: %s", plain(block.Type))
}

func importObjects(ctx context.Context, j *job, s *set, objects [][]ck.Attribute, more []ck.Attribute) error {
	return j.change(ctx, s, func(_ *p11mux.Token, session *p11mux.Session) error {
		p := j.progress("writing objects")
		defer p.done()
		for n, object := range objects {
			if err := create(ctx, session, append(object, more...)); err != nil {
				if n > 0 {
					j.tell("%d of %s written", n, plural(len(objects), "object"))
				}
				return j.fail("failed to create object", err)
			}
			p.step()
		}
		return nil
	})
}

// create makes an object. Tokens that make CKA_PUBLIC_KEY_INFO themselves, or do not know it, get the rest.
func create(ctx context.Context, session *p11mux.Session, object []ck.Attribute) error {
	_, err := session.CreateObject(ctx, object...)
	if err == nil || !errors.Is(err, ck.CKR_ATTRIBUTE_TYPE_INVALID) && !errors.Is(err, ck.CKR_ATTRIBUTE_READ_ONLY) {
		return err
	}
	var rest []ck.Attribute
	for _, a := range object {
		if a.Type != ck.CKA_PUBLIC_KEY_INFO {
			rest = append(rest, a)
		}
	}
	_, err = session.CreateObject(ctx, rest...)
	return err
}
