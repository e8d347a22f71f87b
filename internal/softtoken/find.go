package softtoken

import (
	"bytes"
	"slices"

	"github.com/p11mux/p11mux/ck"
)

// A finder is a search for objects.
type finder struct {
	found []ck.ObjectHandle // that have not been given out yet
}

// matches tells whether an object has all attributes of a template. Values that are hidden match nothing: a search must
// not be a way to guess them. Profiles are found only by those who ask for them (PKCS#11 3.2 §4.13).
func (o *object) matches(template []ck.Attribute) bool {
	named := o.class != ck.CKO_PROFILE
	for i := range template {
		a := &template[i]
		value, known := o.attributes[a.Type]
		if !known || a.Nested != nil || o.hidden(a.Type) || !bytes.Equal(value, a.Value) {
			return false
		}
		named = named || a.Type == ck.CKA_CLASS
	}
	return named
}

// findObjectsInit is C_FindObjectsInit.
func (t *Token) findObjectsInit(s *session, c *ck.FindObjectsInitCall) error {
	if s.find != nil {
		return ck.CKR_OPERATION_ACTIVE
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	f := new(finder)
	for h := range t.objects {
		if o := t.visible(h); o != nil && o.matches(c.Template) {
			f.found = append(f.found, h)
		}
	}
	slices.Sort(f.found)
	s.find = f
	return nil
}

// findObjects is C_FindObjects. Objects that have gone since the search began are left out.
func (t *Token) findObjects(s *session, c *ck.FindObjectsCall) error {
	f := s.find
	if f == nil {
		return ck.CKR_OPERATION_NOT_INITIALIZED
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for n < len(c.Objects.Buf) && len(f.found) > 0 {
		if t.visible(f.found[0]) != nil {
			c.Objects.Buf[n] = f.found[0]
			n++
		}
		f.found = f.found[1:]
	}
	c.Objects.N = uint64(n)
	return nil
}

// findObjectsFinal is C_FindObjectsFinal.
func (t *Token) findObjectsFinal(s *session, c *ck.FindObjectsFinalCall) error {
	if s.find == nil {
		return ck.CKR_OPERATION_NOT_INITIALIZED
	}
	s.find = nil
	return nil
}
