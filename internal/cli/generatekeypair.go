package cli

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/p11mux/p11mux"
	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/uri"
)

// A generation says which keys are to be made.
type generation struct {
	newNames
	typ, bits, curve string

	mechanism       ck.MechanismType
	size            uint64         // of an RSA key, in bits
	public, private []ck.Attribute // what the type of key asks for
}

func generateKeypairVerb() *verb {
	g := new(generation)
	return &verb{
		name: "generate-keypair", group: groupChange, operand: "TOKEN-URI", uri: uri.ForToken, some: true,
		short: "Make a pair of keys on a token",
		long: `Make a private key and its public key on the token that a PKCS#11 URI names, and
print the URIs of both. Without --id the keys get a random one, by which they
find each other. Without --bits an RSA key has 3072, and without --curve an ECDSA
key is on secp256r1 and an EdDSA key on ed25519.`,
		example: `  p11mux generate-keypair --type ecdsa --label server pkcs11:token=work`,
		kit: kitUsage{short: "Generate key-pair on a PKCS#11 token",
			usage: "generate-keypair [--label=<...>] [--id=<...>] --type=<algorithm> {--bits=<...>|--curve=<...>} [--login] [--provider=<...>] pkcs11:token=<...>"},
		options: withProvider | withLogin | withJSON,
		values:  map[string][]string{"type": keyTypes, "curve": curveNames()},
		flags: func(fs *pflag.FlagSet) {
			fs.StringVarP(&g.typ, "type", "t", "", "type of keys: rsa, ecdsa or eddsa")
			fs.StringVarP(&g.bits, "bits", "b", "", "number of bits of an RSA key")
			fs.StringVarP(&g.curve, "curve", "c", "", "name of the curve: "+strings.Join(curveNames(), ", "))
			g.register(fs)
		},
		run: func(j *job) error {
			if err := g.prepare(j.isKit); err != nil {
				return err
			}
			return j.with(func(ctx context.Context, s *set) error { return g.generate(ctx, j, s) })
		},
	}
}

// curves are the curves that have names, with the DER of their object identifiers (RFC 5480, RFC 8410).
var curves = []struct {
	name   string
	params []byte
}{
	{"secp256r1", []byte{0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07}},
	{"secp384r1", []byte{0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22}},
	{"secp521r1", []byte{0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23}},
	{"ed25519", []byte{0x06, 0x03, 0x2b, 0x65, 0x70}},
	{"ed448", []byte{0x06, 0x03, 0x2b, 0x65, 0x71}},
}

func curveNames() []string {
	var names []string
	for _, c := range curves {
		names = append(names, c.name)
	}
	return names
}

// keyTypes are the types of keys that can be made.
var keyTypes = []string{"rsa", "ecdsa", "eddsa"}

// otherCurves are what the curves of NIST are called elsewhere.
var otherCurves = map[string]string{
	"p256": "secp256r1", "p-256": "secp256r1", "prime256v1": "secp256r1", "p384": "secp384r1", "p-384": "secp384r1",
	"p521": "secp521r1", "p-521": "secp521r1",
}

// unknown is a value that is none of the known ones. p11-kit does not name these.
func unknown(isKit bool, words string, known []string) error {
	if isKit {
		return usage("%s", words)
	}
	return usage("%s: it is one of %s", words, strings.Join(known, ", "))
}

// prepare says whether the options are right, and makes of them what the token gets. p11-kit has no defaults.
func (g *generation) prepare(isKit bool) error {
	yes := func(types ...ck.AttributeType) []ck.Attribute {
		var all []ck.Attribute
		for _, t := range types {
			all = append(all, p11mux.Attr(t, true))
		}
		return all
	}
	g.public = append(yes(ck.CKA_TOKEN, ck.CKA_VERIFY), p11mux.Attr(ck.CKA_PRIVATE, false))
	g.private = yes(ck.CKA_TOKEN, ck.CKA_PRIVATE, ck.CKA_SIGN)
	defaultCurve := "secp256r1"
	switch strings.ToLower(g.typ) {
	case "":
		return usage("no type specified")
	case "rsa":
		return g.prepareRSA(isKit)
	case "ecdsa":
		g.mechanism = ck.CKM_EC_KEY_PAIR_GEN
	case "eddsa":
		g.mechanism, defaultCurve = ck.CKM_EC_EDWARDS_KEY_PAIR_GEN, "ed25519"
	default:
		return unknown(isKit, "unknown mechanism type: "+g.typ, keyTypes)
	}
	switch {
	case g.bits != "" && g.curve != "":
		return usage("both --bits and --curve cannot be specified at once")
	case isKit && g.curve == "":
		return usage("no curve specified")
	case g.bits != "":
		return usage("--bits is for RSA keys: one of type %s is on a --curve", strings.ToLower(g.typ))
	case g.curve == "":
		g.curve = defaultCurve
	}
	name := strings.ToLower(g.curve)
	if other, ok := otherCurves[name]; ok && !isKit {
		name = other
	}
	i := slices.Index(curveNames(), name)
	if i < 0 {
		return unknown(isKit, "unknown curve name: "+g.curve, curveNames())
	}
	g.public = append(g.public, p11mux.Attr(ck.CKA_EC_PARAMS, curves[i].params))
	return nil
}

func (g *generation) prepareRSA(isKit bool) error {
	g.mechanism = ck.CKM_RSA_PKCS_KEY_PAIR_GEN
	switch {
	case g.bits != "" && g.curve != "":
		return usage("both --bits and --curve cannot be specified at once")
	case isKit && g.bits == "":
		return usage("no bits specified")
	case g.curve != "":
		return usage("--curve is for ECDSA and EdDSA keys: one of type rsa has --bits")
	case g.bits == "":
		g.bits = "3072"
	}
	bits, err := strconv.ParseUint(g.bits, 10, 31)
	if err != nil || bits == 0 {
		return usage("failed to parse bits value: %s", g.bits)
	}
	g.size = bits
	g.public = append(g.public, p11mux.Attr(ck.CKA_ENCRYPT, true), p11mux.Attr(ck.CKA_MODULUS_BITS, uint64(bits)))
	g.private = append(g.private, p11mux.Attr(ck.CKA_DECRYPT, true))
	return nil
}

// leastBits is what no token's largest RSA key is below. One that says so counts octets, against PKCS#11 3.2 §6.1.4.
const leastBits = 512

// fits says whether the token makes RSA keys of the size. Tokens that are asked for another one often do not say what is wrong.
func (g *generation) fits(ctx context.Context, t *p11mux.Token) error {
	if g.size == 0 {
		return nil
	}
	info, err := t.MechanismInfo(ctx, g.mechanism)
	if err != nil || info.MaxKeySize < leastBits || info.MinKeySize <= g.size && g.size <= info.MaxKeySize {
		return nil // what cannot be known, the token says
	}
	return hinted(fmt.Errorf("%q makes RSA keys of %d to %d bits, and none of %d", t.Label(), info.MinKeySize, info.MaxKeySize, g.size),
		"give --bits a number in that range, such as 3072")
}

// A pairInfo names two keys.
type pairInfo struct {
	Public  string `json:"public"`  // the URI
	Private string `json:"private"` // the URI
}

func (g *generation) generate(ctx context.Context, j *job, s *set) error {
	names, err := g.attributes()
	if err != nil {
		return err
	}
	if g.id == "" && !j.isKit {
		id := make([]byte, 16)
		_, _ = rand.Read(id) // never fails
		names = append(names, p11mux.Attr(ck.CKA_ID, id))
	}
	var made pairInfo
	err = j.change(ctx, s, func(token *p11mux.Token, session *p11mux.Session) error {
		if err := g.fits(ctx, token); err != nil && !j.isKit {
			return err
		}
		p := j.progress("making the keys")
		public, private, err := session.GenerateKeyPair(ctx, ck.Mechanism{Type: g.mechanism}, append(g.public, names...), append(g.private, names...))
		p.done()
		if err != nil {
			return j.fail("key-pair generation failed", err)
		}
		made = pairInfo{public.URI(), private.URI()}
		return nil
	})
	switch {
	case err != nil, j.isKit:
		return err
	case j.json:
		return writeJSON(j.out, made)
	}
	_, err = fmt.Fprintf(j.out, "%s\n%s\n", made.Public, made.Private)
	return err
}
