package p11mux

import (
	"bytes"
	"context"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/uri"
)

const (
	noClass   = ck.ObjectClass(ck.CK_UNAVAILABLE_INFORMATION)
	noKeyType = ck.KeyType(ck.CK_UNAVAILABLE_INFORMATION)
)

// An Object is an object of a token: a key, a certificate, or something else. It is used in the session that it was found
// or made in; one that [Token.Find] or a URI has found is used in sessions of the token's pool, by several goroutines at
// the same time.
//
// Safe for concurrent use. It is of no use any more when its session was closed (if it has one), when the object was
// destroyed, and, for private objects, after a logout: CKR_OBJECT_HANDLE_INVALID, CKR_KEY_HANDLE_INVALID.
type Object struct {
	source
	handle     ck.ObjectHandle
	generation uint32 // of the token, when it was found

	// What it said of itself when it was found.
	class     ck.ObjectClass
	keyType   ck.KeyType
	label, id []byte
}

// Token is the token that the object is on.
func (o *Object) Token() *Token { return o.token }

// Handle is the object's number, for calls by [Session.Do].
func (o *Object) Handle() ck.ObjectHandle { return o.handle }

// Class gives CKA_CLASS as it was when the object was found; all ones, which is no class, if it did not tell.
func (o *Object) Class() ck.ObjectClass { return o.class }

// KeyType gives CKA_KEY_TYPE as it was when the object was found; all ones, which is no type, if it is no key.
func (o *Object) KeyType() ck.KeyType { return o.keyType }

// Label gives CKA_LABEL as it was when the object was found; empty if it has none.
func (o *Object) Label() string { return string(o.label) }

// ID gives a copy of CKA_ID as it was when the object was found; nil if it has none.
func (o *Object) ID() []byte { return bytes.Clone(o.id) }

// URI names the object and its token by a PKCS#11 URI, without a PIN.
func (o *Object) URI() string {
	var u uri.URI
	u.SetTokenInfo(&o.token.info)
	if len(o.id) > 0 {
		u.SetObjectID(o.id)
	}
	if len(o.label) > 0 {
		u.SetObjectLabel(string(o.label))
	}
	if o.class != noClass {
		u.SetObjectClass(o.class)
	}
	return u.Format(uri.ForObjectOnToken)
}

// String gives the object's URI.
func (o *Object) String() string { return o.URI() }

// Object makes an object of a handle that came by other ways than this package's. CKR_OBJECT_HANDLE_INVALID if the session
// has no such object.
func (s *Session) Object(ctx context.Context, handle ck.ObjectHandle) (*Object, error) {
	if err := s.begin(ctx, ck.FuncGetAttributeValue); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	return s.object(ctx, handle)
}

// object is Object for who has taken the session.
func (s *Session) object(ctx context.Context, handle ck.ObjectHandle) (*Object, error) {
	if s.description == nil {
		s.description = new(description)
	}
	o := &Object{source: s.source(), handle: handle, generation: s.generation}
	var slab []byte
	if err := s.describeOne(ctx, o, &slab); err != nil {
		return nil, err
	}
	return o, nil
}

// Attributes reads attributes of the object. What the object does not have, and what is secret, is left out of the result
// without an error. Attributes that are templates, such as CKA_WRAP_TEMPLATE, are refused: [Session.Do] reads them
// (C_GetAttributeValue, PKCS#11 3.2 §5.7).
func (o *Object) Attributes(ctx context.Context, types ...ck.AttributeType) (Attributes, error) {
	if len(types) == 0 {
		return nil, nil
	}
	var found Attributes
	err := o.read(ctx, ck.FuncGetAttributeValue, func(s *Session, handle ck.ObjectHandle) (err error) {
		found, err = s.attributes(ctx, handle, types)
		return err
	})
	return found, err
}

// Size gives the object's size in octets, which not all modules tell (C_GetObjectSize, PKCS#11 3.2 §5.7).
func (o *Object) Size(ctx context.Context) (uint64, error) {
	var call ck.GetObjectSizeCall
	err := o.read(ctx, call.Func(), func(s *Session, handle ck.ObjectHandle) error {
		call.Session, call.Object = s.handle, handle
		return s.do(ctx, &call)
	})
	return call.Size, err
}

// Set changes attributes of the object (C_SetAttributeValue, PKCS#11 3.2 §5.7). An object of the token is changed in a
// session that can write, opened for it if need be.
func (o *Object) Set(ctx context.Context, attrs ...ck.Attribute) error {
	return o.write(ctx, ck.FuncSetAttributeValue, func(s *Session, handle ck.ObjectHandle) error {
		return s.do(ctx, &ck.SetAttributeValueCall{Session: s.handle, Object: handle, Template: attrs})
	})
}

// Destroy destroys the object (C_DestroyObject, PKCS#11 3.2 §5.7). An object of the token is destroyed in a session that
// can write, opened for it if need be.
func (o *Object) Destroy(ctx context.Context) error {
	return o.write(ctx, ck.FuncDestroyObject, func(s *Session, handle ck.ObjectHandle) error {
		return s.do(ctx, &ck.DestroyObjectCall{Session: s.handle, Object: handle})
	})
}

// CreateObject makes an object of its attributes (C_CreateObject, PKCS#11 3.2 §5.7). It is a session object, which ends
// with the session, unless it has CKA_TOKEN.
func (s *Session) CreateObject(ctx context.Context, template ...ck.Attribute) (*Object, error) {
	call := &ck.CreateObjectCall{Template: template}
	return s.make(ctx, call, &call.Object)
}

// CopyObject makes a copy of an object, changed by the template (C_CopyObject, PKCS#11 3.2 §5.7).
func (s *Session) CopyObject(ctx context.Context, o *Object, template ...ck.Attribute) (*Object, error) {
	handle, err := s.use(o, ck.FuncCopyObject)
	if err != nil {
		return nil, err
	}
	call := &ck.CopyObjectCall{Object: handle, Template: template}
	return s.make(ctx, call, &call.NewObject)
}

// make makes a call that has an object for its result.
func (s *Session) make(ctx context.Context, call ck.Call, handle *ck.ObjectHandle) (*Object, error) {
	if err := s.begin(ctx, call.Func()); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	*ck.SessionOf(call) = s.handle
	if err := s.do(ctx, call); err != nil {
		return nil, err
	}
	return s.made(ctx, *handle), nil
}

// made describes an object that there is now, whether it tells about itself or not. The session must have been taken.
func (s *Session) made(ctx context.Context, handle ck.ObjectHandle) *Object {
	if o, err := s.object(ctx, handle); err == nil {
		return o
	}
	return &Object{source: s.source(), handle: handle, generation: s.generation, class: noClass, keyType: noKeyType}
}

// read takes a session that may read the object.
func (o *Object) read(ctx context.Context, f ck.Func, use func(*Session, ck.ObjectHandle) error) error {
	s, err := o.get(ctx)
	if err != nil {
		return err
	}
	defer o.put(s)
	return o.in(ctx, s, f, use)
}

// write takes a session that may change the object.
func (o *Object) write(ctx context.Context, f ck.Func, use func(*Session, ck.ObjectHandle) error) error {
	if o.session != nil {
		return o.in(ctx, o.session, f, use)
	}
	return o.token.withReadWrite(ctx, func(s *Session) error { return o.in(ctx, s, f, use) })
}

// in uses the object in a session. A stale object is refused as one whose handle is invalid.
func (o *Object) in(ctx context.Context, s *Session, f ck.Func, use func(*Session, ck.ObjectHandle) error) error {
	handle, err := s.use(o, f)
	if err != nil {
		return err
	}
	if err := s.begin(ctx, f); err != nil {
		return err
	}
	defer s.mu.Unlock()
	return use(s, handle)
}
