package cli

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/p11mux/p11mux"
	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/uri"
)

func exportObjectVerb() *verb {
	return &verb{
		name: "export-object", group: groupSee, operand: "OBJECT-URI", uri: uri.ForObjectOnToken,
		short: "Print a certificate or a public key",
		long: `Print the certificate or the public key that a PKCS#11 URI names, in PEM. A
private key's URI is no good: name the public key that belongs to it.`,
		example: `  p11mux export-object 'pkcs11:token=work;object=server;type=cert' > server.pem`,
		kit: kitUsage{short: "Export object matching PKCS#11 URI",
			usage: "export-object [--login] [--provider=<...>] pkcs11:object=<...>"},
		options: withProvider | withLogin,
		run: func(j *job) error {
			return j.with(func(ctx context.Context, s *set) error {
				object, err := j.object(ctx, s, "give the URI of one of them")
				if err != nil {
					return err
				}
				block, err := blockOf(ctx, object)
				if err != nil {
					return err
				}
				return pem.Encode(j.out, block)
			})
		},
	}
}

// object gives the object that the URI names: the first one as p11-kit, and the only one as p11mux. hint is what to do if there are
// several.
func (j *job) object(ctx context.Context, s *set, hint string) (*p11mux.Object, error) {
	tokens, err := j.tokensToRead(ctx, s)
	if err != nil {
		return nil, err
	}
	var found []*p11mux.Object
	err = j.objects(ctx, tokens, func(o *p11mux.Object) bool {
		found = append(found, o)
		return !j.isKit && len(found) < 2
	})
	switch {
	case len(found) == 0 && err != nil:
		return nil, err
	case len(found) == 0:
		return nil, j.noObject()
	case len(found) > 1:
		if found[0].URI() == found[1].URI() {
			return nil, hinted(fmt.Errorf("there are several objects of this URI: %s", found[0].URI()),
				"no URI tells them apart: 'p11mux delete-object --all' deletes all of them")
		}
		return nil, j.several("object", found[0].URI(), found[1].URI(), hint)
	}
	return found[0], nil
}

// blockOf makes a block of PEM of an object.
func blockOf(ctx context.Context, o *p11mux.Object) (*pem.Block, error) {
	a, err := o.Attributes(ctx, ck.CKA_CLASS, ck.CKA_CERTIFICATE_TYPE, ck.CKA_VALUE, ck.CKA_KEY_TYPE, ck.CKA_PUBLIC_KEY_INFO,
		ck.CKA_MODULUS, ck.CKA_PUBLIC_EXPONENT, ck.CKA_EC_PARAMS, ck.CKA_EC_POINT)
	if err != nil {
		return nil, err
	}
	switch a.Class() {
	case ck.CKO_CERTIFICATE:
		if typ, ok := a.Uint(ck.CKA_CERTIFICATE_TYPE); !ok || ck.CertificateType(typ) != ck.CKC_X_509 {
			return nil, hinted(errors.New("unrecognized certificate type"), "only X.509 certificates can be exported")
		}
		value := a.Bytes(ck.CKA_VALUE)
		if len(value) == 0 {
			return nil, errors.New("failed to retrieve attributes")
		}
		return &pem.Block{Type: "CERTIFICATE", Bytes: value}, nil
	case ck.CKO_PUBLIC_KEY:
		der, err := publicKeyDER(a)
		return &pem.Block{Type: "PUBLIC KEY", Bytes: der}, err
	}
	return nil, hinted(errors.New("unsupported object class"), "add type=cert or type=public to the URI")
}
