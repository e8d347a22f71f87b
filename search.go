package p11mux

import (
	"context"
	"crypto/tls"
	"iter"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/uri"
)

// A search is for what a PKCS#11 URI names.
type search struct {
	uri     *uri.URI // without a PIN
	pin     PIN      // the URI's, or nil
	modules []*Module
	// Why something may not have been found.
	problems []error  // with modules that are not there
	matched  int      // tokens that the URI names
	closed   []*Token // of them, those that were not logged in to
}

func newSearch(text string, in place) (*search, error) {
	u, err := uri.Parse(text, uri.ForAny)
	if err != nil {
		return nil, err
	}
	defer u.ClearPIN()
	if u.Unrecognized() {
		return nil, errUnrecognized(u.UnrecognizedAttribute())
	}
	pin, err := PINFromURI(u)
	if err != nil {
		return nil, err
	}
	return &search{uri: u.WithoutPIN(), pin: pin, modules: in.modules, problems: in.problems}, nil
}

// A place is where things are looked for: modules, and what is known of others.
type place struct {
	modules  []*Module
	problems []error
}

// find does a search for one thing.
func find[T any](text string, in place, f func(*search) (T, error)) (found T, err error) {
	s, err := newSearch(text, in)
	if err != nil {
		return found, err
	}
	return f(s)
}

// objects goes through what a URI names.
func objects(ctx context.Context, text string, in place) iter.Seq2[*Object, error] {
	return func(yield func(*Object, error) bool) {
		s, err := newSearch(text, in)
		if err != nil {
			yield(nil, err)
			return
		}
		s.objects(ctx, s.template(), yield)
	}
}

// tokensOf goes through the tokens that a URI names.
func tokensOf(ctx context.Context, text string, in place) iter.Seq2[*Token, error] {
	return func(yield func(*Token, error) bool) {
		s, err := newSearch(text, in)
		if err != nil {
			yield(nil, err)
			return
		}
		found, errs := s.tokens(ctx)
		for _, t := range found {
			if !yield(t, nil) {
				return
			}
		}
		for _, err := range errs {
			if !yield(nil, err) {
				return
			}
		}
	}
}

// template is what the URI says about objects.
func (s *search) template() []ck.Attribute {
	var template []ck.Attribute
	for _, typ := range []ck.AttributeType{ck.CKA_CLASS, ck.CKA_LABEL, ck.CKA_ID} {
		if a, ok := s.uri.Attribute(typ); ok {
			template = append(template, a)
		}
	}
	return template
}

// templateFor is what the URI says about objects, of a class that it may not say.
func (s *search) templateFor(class ck.ObjectClass) []ck.Attribute {
	template := []ck.Attribute{Attr(ck.CKA_CLASS, class)}
	for _, a := range s.template() {
		if a.Type != ck.CKA_CLASS {
			template = append(template, a)
		}
	}
	return template
}

// inModule tells whether the module may have what the URI names.
func (s *search) inModule(ctx context.Context, m *Module) (bool, error) {
	if name, ok := s.uri.Get(uri.ModuleName); ok && name != m.name {
		return false, nil
	}
	if path, ok := s.uri.Get(uri.ModulePath); ok && path != m.path {
		return false, nil
	}
	var any uri.URI
	if s.uri.ModuleInfo() == any.ModuleInfo() {
		return true, nil
	}
	info, err := m.Info(ctx)
	return err == nil && s.uri.MatchModule(&info), err
}

// inSlot tells whether the slot may have what the URI names.
func (s *search) inSlot(ctx context.Context, slot *Slot) (bool, error) {
	if !s.uri.MatchSlotID(slot.id) {
		return false, nil
	}
	if s.uri.SlotInfo() == (ck.SlotInfo{}) {
		return true, nil
	}
	info, err := slot.Info(ctx)
	return err == nil && s.uri.MatchSlot(&info), err
}

// tokens gives the tokens that the URI names, and what went wrong with others.
func (s *search) tokens(ctx context.Context) (found []*Token, errs []error) {
	for _, m := range s.modules {
		in, err := s.inModule(ctx, m)
		if err != nil {
			errs = append(errs, err)
		}
		if !in {
			continue
		}
		for t, err := range m.Tokens(ctx) {
			if err == nil && !s.uri.MatchToken(&t.info) {
				continue
			}
			if err == nil {
				if in, err = s.inSlot(ctx, t.slot); in {
					found = append(found, t)
				}
			}
			if err != nil {
				errs = append(errs, err)
			}
		}
	}
	return found, errs
}

// token gives the one token that the URI names.
func (s *search) token(ctx context.Context) (*Token, error) {
	found, errs := s.tokens(ctx)
	switch len(found) {
	case 0:
		return nil, s.notFound(ctx, "token", errs)
	case 1:
		return found[0], nil
	}
	return nil, ambiguous(s, "tokens", found)
}

// needLogin gives those of the tokens that want a PIN.
func needLogin(tokens []*Token) (found []*Token) {
	for _, t := range tokens {
		if t.has(ck.CKF_LOGIN_REQUIRED) {
			found = append(found, t)
		}
	}
	return found
}

// pinFor is the PIN that there is for a token.
func (s *search) pinFor(t *Token) PIN {
	if s.pin != nil {
		return s.pin
	}
	return t.module().options.pin
}

// objects goes through the objects that match a template on the tokens that the URI names. A PIN is used only where it can
// be meant for one token alone: each wrong try counts.
func (s *search) objects(ctx context.Context, template []ck.Attribute, yield func(*Object, error) bool) {
	tokens, errs := s.tokens(ctx)
	for _, err := range errs {
		if !yield(nil, err) {
			return
		}
	}
	s.matched = len(tokens)
	var login *Token
	switch need := needLogin(tokens); {
	case len(need) > 1 && s.pin != nil:
		err := ambiguous(s, "tokens", need).(*searchError)
		err.causes = []error{errPINForOne}
		yield(nil, err)
		return
	case len(need) == 1 && s.pinFor(need[0]) != nil:
		login = need[0]
	default:
		s.closed = need
	}
	for _, t := range tokens {
		if t == login {
			if err := t.Login(ctx, s.pinFor(t)); err != nil {
				if !yield(nil, err) {
					return
				}
				continue
			}
		}
		for o, err := range t.Find(ctx, template...) {
			if !yield(o, err) {
				return
			}
		}
	}
}

// key finds the one private key that the URI names.
func (s *search) key(ctx context.Context) (*Object, error) {
	var found []*Object
	var errs []error
	s.objects(ctx, s.templateFor(ck.CKO_PRIVATE_KEY), func(o *Object, err error) bool {
		switch {
		case err != nil:
			errs = append(errs, err)
		case len(found) == 0 || !found[0].sameAs(o):
			found = append(found, o)
		}
		return len(found) <= maxCandidates
	})
	switch len(found) {
	case 0:
		return nil, s.notFound(ctx, "private key", errs)
	case 1:
		return found[0], nil
	}
	return nil, ambiguous(s, "private keys", found)
}

// sameAs tells whether two objects are one, seen through two modules.
func (o *Object) sameAs(p *Object) bool {
	return o.token.module() != p.token.module() && o.token.is(&p.token.info) && o.class == p.class && len(o.id) > 0 &&
		string(o.id) == string(p.id) && string(o.label) == string(p.label)
}

func (s *search) privateKey(ctx context.Context) (*PrivateKey, error) {
	o, err := s.key(ctx)
	if err != nil {
		return nil, err
	}
	return o.privateKey(ctx, s.pin)
}

func (s *search) tlsCertificate(ctx context.Context) (tls.Certificate, error) {
	key, err := s.privateKey(ctx)
	if err != nil {
		return tls.Certificate{}, err
	}
	return key.TLSCertificate(ctx)
}
