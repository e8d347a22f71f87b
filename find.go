package p11mux

import (
	"context"
	"errors"
	"iter"

	"github.com/p11mux/p11mux/ck"
)

// A source is where calls for an object are made: a session of the user's, or, if that is nil, the token's pool.
type source struct {
	token   *Token
	session *Session
}

// source is where calls for the objects are made that the session finds or makes.
func (s *Session) source() source {
	if s.pooled {
		return source{token: s.token} // it goes on to others
	}
	return source{s.token, s}
}

// get gives a session, to be given back with put.
func (x source) get(ctx context.Context) (*Session, error) {
	if x.session != nil {
		return x.session, nil
	}
	return x.token.pool.get(ctx)
}

func (x source) put(s *Session) {
	if x.session == nil {
		x.token.pool.put(s)
	}
}

// Find goes through the objects of the token that have all attributes of the template; an empty one matches all. Only
// public objects are found before a login. The search is over before the first object is yielded, so the body of the loop
// may use the token as it likes. An error is yielded and ends it (C_FindObjects, PKCS#11 3.2 §5.7).
func (t *Token) Find(ctx context.Context, template ...ck.Attribute) iter.Seq2[*Object, error] {
	return source{token: t}.find(ctx, template)
}

// Find is [Token.Find] in this session. The objects are used with this session too.
func (s *Session) Find(ctx context.Context, template ...ck.Attribute) iter.Seq2[*Object, error] {
	return s.source().find(ctx, template)
}

const (
	// batch is how many objects are asked for, and described, at a time.
	batch = 64
	// maxObjects is how many objects this package believes a token to have.
	maxObjects = 1 << 22
)

func (x source) find(ctx context.Context, template []ck.Attribute) iter.Seq2[*Object, error] {
	return func(yield func(*Object, error) bool) {
		s, err := x.get(ctx)
		if err != nil {
			yield(nil, err)
			return
		}
		handles, err := s.search(ctx, template)
		for {
			var objects []Object
			n := min(len(handles), batch)
			if err == nil {
				objects, err = s.describe(ctx, x, handles[:n])
			}
			x.put(s)
			if err != nil {
				yield(nil, err)
				return
			}
			for i := range objects {
				if !yield(&objects[i], nil) {
					return
				}
			}
			if handles = handles[n:]; len(handles) == 0 {
				return
			}
			if s, err = x.get(ctx); err != nil {
				yield(nil, err)
				return
			}
		}
	}
}

// search gives the handles of all objects that match.
func (s *Session) search(ctx context.Context, template []ck.Attribute) (handles []ck.ObjectHandle, err error) {
	if err := s.begin(ctx, ck.FuncFindObjectsInit); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	init, call, final := &s.calls.findInit, &s.calls.find, &s.calls.findFinal
	init.Session, init.Template = s.handle, template
	err = s.do(ctx, init)
	init.Template = nil
	if err != nil {
		return nil, err
	}
	defer func() {
		final.Session = s.handle
		if e := s.do(ctx, final); e != nil {
			s.unsure = true // the search may still be active
		}
	}()
	if call.Objects.Buf == nil {
		call.Objects.Buf = make([]ck.ObjectHandle, batch)
	}
	for {
		call.Session = s.handle
		if err := s.do(ctx, call); err != nil {
			return nil, err
		}
		n := call.Objects.N
		if n > batch || len(handles) > maxObjects {
			return nil, s.token.module().refused(call.Func(), ck.CKR_GENERAL_ERROR, errCount)
		}
		handles = append(handles, call.Objects.Buf[:n]...)
		if n == 0 {
			return handles, nil
		}
		if ctx.Err() != nil { // it may be many
			return nil, s.token.module().canceled(call.Func(), ctx)
		}
	}
}

// The attributes that every object is described by, and room for each.
const (
	labelRoom = 128
	idRoom    = 64
)

// description is room for what describes an object.
type description struct {
	template [4]ck.AttributeOut
	class    [ulongSize]byte
	keyType  [ulongSize]byte
	label    [labelRoom]byte
	id       [idRoom]byte
}

// ask makes the template ready for a call.
func (d *description) ask() []ck.AttributeOut {
	d.template = [...]ck.AttributeOut{
		{Type: ck.CKA_CLASS, Out: ck.Out[byte]{Buf: d.class[:]}},
		{Type: ck.CKA_KEY_TYPE, Out: ck.Out[byte]{Buf: d.keyType[:]}},
		{Type: ck.CKA_LABEL, Out: ck.Out[byte]{Buf: d.label[:]}},
		{Type: ck.CKA_ID, Out: ck.Out[byte]{Buf: d.id[:]}},
	}
	return d.template[:]
}

// describe makes objects of handles. Those that are gone meanwhile are left out.
func (s *Session) describe(ctx context.Context, from source, handles []ck.ObjectHandle) ([]Object, error) {
	if len(handles) == 0 {
		return nil, nil
	}
	if err := s.begin(ctx, ck.FuncGetAttributeValue); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	if s.description == nil {
		s.description = new(description)
	}
	objects := make([]Object, 0, len(handles))
	slab := make([]byte, 0, 32*len(handles))
	for _, handle := range handles {
		o := Object{source: from, handle: handle, generation: s.generation}
		err := s.describeOne(ctx, &o, &slab)
		if errors.Is(err, ck.CKR_OBJECT_HANDLE_INVALID) {
			continue
		}
		if err != nil {
			return nil, err
		}
		objects = append(objects, o)
	}
	return objects, nil
}

// describeOne fills in what describes an object. Its octets are put at the end of the slab.
func (s *Session) describeOne(ctx context.Context, o *Object, slab *[]byte) error {
	d, call := s.description, &s.calls.attributes
	call.Session, call.Object, call.Template = s.handle, o.handle, d.ask()
	err := s.do(ctx, call)
	call.Template = nil
	if err != nil && !isPartial(err) {
		return err
	}
	o.class, o.keyType = noClass, noKeyType
	if v, ok := toULong(d.template[0].Bytes()); ok {
		o.class = ck.ObjectClass(v)
	}
	if v, ok := toULong(d.template[1].Bytes()); ok {
		o.keyType = ck.KeyType(v)
	}
	label, id := d.template[2].Bytes(), d.template[3].Bytes()
	if err != nil && (label == nil || id == nil) {
		// They are longer than most, or the object has none.
		more, err := s.attributes(ctx, o.handle, []ck.AttributeType{ck.CKA_LABEL, ck.CKA_ID})
		if err != nil {
			return err
		}
		label, id = more.Bytes(ck.CKA_LABEL), more.Bytes(ck.CKA_ID)
	}
	if cap(*slab)-len(*slab) < len(label)+len(id) {
		*slab = make([]byte, 0, 1024+len(label)+len(id))
	}
	n := len(*slab)
	*slab = append(append(*slab, label...), id...)
	o.label = (*slab)[n : n+len(label) : n+len(label)]
	o.id = (*slab)[n+len(label) : len(*slab) : len(*slab)]
	return nil
}

// isPartial tells whether an answer of C_GetAttributeValue leaves usable values in the template (PKCS#11 3.2 §5.7).
func isPartial(err error) bool {
	switch ck.RVOf(err) {
	case ck.CKR_ATTRIBUTE_SENSITIVE, ck.CKR_ATTRIBUTE_TYPE_INVALID, ck.CKR_BUFFER_TOO_SMALL:
		return true
	}
	return false
}

// attributes reads attributes of an object: with room that is guessed, and a second time, after asking for the lengths,
// those that did not fit. The session must have been taken.
func (s *Session) attributes(ctx context.Context, handle ck.ObjectHandle, types []ck.AttributeType) (Attributes, error) {
	template := make([]ck.AttributeOut, 0, len(types))
	total := 0
	for _, typ := range types {
		if typ.IsTemplate() {
			return nil, s.token.module().refused(ck.FuncGetAttributeValue, ck.CKR_ATTRIBUTE_TYPE_INVALID, errTemplate)
		}
		template = append(template, ck.AttributeOut{Type: typ, Out: ck.Out[byte]{N: roomFor(typ)}})
		total += int(roomFor(typ))
	}
	err := s.fetch(ctx, handle, template, total)
	if err == nil {
		return collect(nil, template), nil
	}
	if !isPartial(err) {
		return nil, err
	}
	found := collect(nil, template)
	var missing []ck.AttributeOut
	for _, a := range template {
		if a.Bytes() == nil {
			missing = append(missing, ck.AttributeOut{Type: a.Type})
		}
	}
	// Without room, the call gives lengths.
	if err := s.fetch(ctx, handle, missing, 0); err != nil && !isPartial(err) {
		return nil, err
	}
	total = 0
	long := missing[:0]
	for _, a := range missing {
		if a.N > maxResult {
			continue // CK_UNAVAILABLE_INFORMATION, or a module that cannot count
		}
		if total += int(a.N); total > maxResult {
			return nil, s.token.module().refused(ck.FuncGetAttributeValue, ck.CKR_GENERAL_ERROR, errLength)
		}
		long = append(long, a)
	}
	if len(long) == 0 {
		return found, nil
	}
	if err := s.fetch(ctx, handle, long, total); err != nil && !isPartial(err) {
		return nil, err
	}
	return collect(found, long), nil
}

var errTemplate = errors.New("attributes that are templates are read with Session.Do")

// roomFor guesses how long an attribute is.
func roomFor(typ ck.AttributeType) uint64 {
	if typ == ck.CKA_VALUE {
		return 2048 // a certificate
	}
	return 512
}

// fetch reads attributes into fresh room, for each of the length that its N says; none at all if total is zero.
func (s *Session) fetch(ctx context.Context, handle ck.ObjectHandle, template []ck.AttributeOut, total int) error {
	var room []byte
	if total > 0 {
		room = make([]byte, total)
	}
	for i := range template {
		if n := template[i].N; total > 0 {
			template[i].Buf, room = room[:n:n], room[n:]
		}
	}
	call := &s.calls.attributes
	call.Session, call.Object, call.Template = s.handle, handle, template
	err := s.do(ctx, call)
	call.Template = nil
	return err
}

// collect adds what was read to the attributes.
func collect(found Attributes, template []ck.AttributeOut) Attributes {
	if found == nil {
		found = make(Attributes, 0, len(template))
	}
	for i := range template {
		if value := template[i].Bytes(); value != nil {
			found = append(found, ck.Attribute{Type: template[i].Type, Value: value[:len(value):len(value)]})
		}
	}
	return found
}
