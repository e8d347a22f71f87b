package softtoken

import "github.com/p11mux/p11mux/ck"

// An object is what C_CreateObject and its like make. It does not change once it can be found.
type object struct {
	attributes
	class   ck.ObjectClass
	keyType ck.KeyType // of keys
	schema  schema
	key     any      // of keys, their form in Go: *rsa.PublicKey, ed25519.PrivateKey, []byte ...
	owner   *session // nil for token objects
}

// newProfile is the object that tells which profile of the standard the token follows (PKCS#11 3.2 §4.13).
func newProfile() *object {
	o := &object{class: ck.CKO_PROFILE, attributes: attributes{
		ck.CKA_CLASS:       fromULong(uint64(ck.CKO_PROFILE)),
		ck.CKA_TOKEN:       fromBool(true),
		ck.CKA_MODIFIABLE:  fromBool(false),
		ck.CKA_COPYABLE:    fromBool(false),
		ck.CKA_DESTROYABLE: fromBool(false),
		ck.CKA_PROFILE_ID:  fromULong(ck.CKP_BASELINE_PROVIDER),
	}}
	o.schema, _ = schemaFor(o.class, 0)
	o.addDefaults(created)
	return o
}

// hidden tells whether the value of an attribute is kept secret (PKCS#11 3.2 §4.9).
func (o *object) hidden(typ ck.AttributeType) bool {
	r := o.schema.rule(typ)
	return r != nil && r.traits&secret != 0 && (o.flag(ck.CKA_SENSITIVE) || !o.flag(ck.CKA_EXTRACTABLE))
}

// publish gives an object a handle. The caller holds t.mu or is alone.
func (t *Token) publish(o *object) ck.ObjectHandle {
	t.lastObject++
	t.objects[t.lastObject] = o
	return t.lastObject
}

// permit tells whether a session may put an object in the token; was is the object in its earlier form, or nil. The
// caller holds t.mu.
func (t *Token) permit(s *session, o, was *object) error {
	switch {
	case t.sessions[s.handle] != s:
		return ck.CKR_SESSION_HANDLE_INVALID // closed meanwhile
	case o.flag(ck.CKA_TOKEN) && !s.rw:
		return ck.CKR_SESSION_READ_ONLY
	case o.flag(ck.CKA_PRIVATE) && t.login != user:
		return ck.CKR_USER_NOT_LOGGED_IN
	case o.flag(ck.CKA_TRUSTED) && t.login != officer && (was == nil || !was.flag(ck.CKA_TRUSTED)):
		return ck.CKR_ATTRIBUTE_READ_ONLY // only the security officer trusts
	}
	return nil
}

// permitted is permit for a caller who does not hold t.mu: it tells early what add would refuse after much work.
func (t *Token) permitted(s *session, o *object) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.permit(s, o, nil)
}

// add puts new objects in the token, all or none, and stores their handles.
func (t *Token) add(s *session, objects []*object, handles ...*ck.ObjectHandle) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, o := range objects {
		if err := t.permit(s, o, nil); err != nil {
			return err
		}
	}
	for i, o := range objects {
		if !o.flag(ck.CKA_TOKEN) {
			o.owner = s
		}
		*handles[i] = t.publish(o)
	}
	return nil
}

// visible finds an object that who is logged in may know of, nil for none. The caller holds t.mu.
func (t *Token) visible(h ck.ObjectHandle) *object {
	o := t.objects[h]
	if o == nil || o.flag(ck.CKA_PRIVATE) && t.login != user {
		return nil
	}
	return o
}

// object is visible for a caller who does not hold t.mu.
func (t *Token) object(h ck.ObjectHandle) (*object, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if o := t.visible(h); o != nil {
		return o, nil
	}
	return nil, ck.CKR_OBJECT_HANDLE_INVALID
}

// createObject is C_CreateObject.
func (t *Token) createObject(s *session, c *ck.CreateObjectCall) error {
	a, err := readTemplate(c.Template)
	if err != nil {
		return err
	}
	o, err := newObject(a, created)
	if err != nil {
		return err
	}
	if o.isKey() {
		o.history(created, 0, nil)
	}
	if err := o.complete(); err != nil {
		return err
	}
	return t.add(s, []*object{o}, &c.Object)
}

// copyObject is C_CopyObject.
func (t *Token) copyObject(s *session, c *ck.CopyObjectCall) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.visible(c.Object)
	switch {
	case o == nil:
		return ck.CKR_OBJECT_HANDLE_INVALID
	case !o.flag(ck.CKA_COPYABLE):
		return ck.CKR_ACTION_PROHIBITED
	}
	n, err := o.changed(c.Template, settable|copied)
	if err != nil {
		return err
	}
	if err := t.permit(s, n, o); err != nil {
		return err
	}
	n.nameIt()
	n.owner = nil
	if !n.flag(ck.CKA_TOKEN) {
		n.owner = s
	}
	c.NewObject = t.publish(n)
	return nil
}

// destroyObject is C_DestroyObject. Operations that have begun with a key go on.
func (t *Token) destroyObject(s *session, c *ck.DestroyObjectCall) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.visible(c.Object)
	switch {
	case o == nil:
		return ck.CKR_OBJECT_HANDLE_INVALID
	case o.owner == nil && !s.rw:
		return ck.CKR_SESSION_READ_ONLY
	case !o.flag(ck.CKA_DESTROYABLE):
		return ck.CKR_ACTION_PROHIBITED
	}
	delete(t.objects, c.Object)
	return nil
}

// getObjectSize is C_GetObjectSize. The size is that of the values of the attributes.
func (t *Token) getObjectSize(s *session, c *ck.GetObjectSizeCall) error {
	o, err := t.object(c.Object)
	if err != nil {
		return err
	}
	c.Size = 0
	for _, v := range o.attributes {
		c.Size += uint64(len(v))
	}
	return nil
}

// getAttributeValue is C_GetAttributeValue: it goes through the whole template, whatever it meets.
func (t *Token) getAttributeValue(s *session, c *ck.GetAttributeValueCall) error {
	o, err := t.object(c.Object)
	if err != nil {
		return err
	}
	for i := range c.Template {
		out := &c.Template[i]
		value, known := o.attributes[out.Type]
		var refusal error
		switch {
		case !known, out.Nested != nil:
			refusal = ck.CKR_ATTRIBUTE_TYPE_INVALID
		case o.hidden(out.Type):
			refusal = ck.CKR_ATTRIBUTE_SENSITIVE
		default:
			refusal = deliver(&out.Out, value)
		}
		if refusal != nil {
			out.N = ck.CK_UNAVAILABLE_INFORMATION
			err = refusal
		}
	}
	return err
}

// setAttributeValue is C_SetAttributeValue: all of the template is done, or nothing.
func (t *Token) setAttributeValue(s *session, c *ck.SetAttributeValueCall) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.visible(c.Object)
	switch {
	case o == nil:
		return ck.CKR_OBJECT_HANDLE_INVALID
	case o.owner == nil && !s.rw:
		return ck.CKR_SESSION_READ_ONLY
	case !o.flag(ck.CKA_MODIFIABLE):
		return ck.CKR_ACTION_PROHIBITED
	}
	n, err := o.changed(c.Template, settable)
	if err != nil {
		return err
	}
	if err := t.permit(s, n, o); err != nil {
		return err
	}
	t.objects[c.Object] = n
	return nil
}

// isKey tells whether the object is a key.
func (o *object) isKey() bool {
	return o.class == ck.CKO_PUBLIC_KEY || o.class == ck.CKO_PRIVATE_KEY || o.class == ck.CKO_SECRET_KEY
}
