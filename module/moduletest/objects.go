package moduletest

import (
	"bytes"
	"slices"

	"github.com/p11mux/p11mux/ck"
)

// data creates a data object of the session.
func (s *suite) data(session ck.SessionHandle, label string, value []byte) ck.ObjectHandle {
	s.Helper()
	call := &ck.CreateObjectCall{Session: session, Template: []ck.Attribute{
		{Type: ck.CKA_CLASS, Value: ulong(ck.CKO_DATA)},
		{Type: ck.CKA_TOKEN, Value: no},
		{Type: ck.CKA_PRIVATE, Value: no},
		{Type: ck.CKA_LABEL, Value: []byte(label)},
		{Type: ck.CKA_APPLICATION, Value: []byte("moduletest")},
		{Type: ck.CKA_VALUE, Value: value},
	}}
	s.must(call)
	if call.Object == 0 {
		s.Fatal("the new object has no handle")
	}
	return call.Object
}

// objects creates, changes, copies and destroys objects.
func (s *suite) objects() {
	session := s.user()
	object := s.data(session, "one", []byte("value"))
	if got := s.get(session, object, ck.CKA_VALUE); string(got) != "value" {
		s.Errorf("the value is %q", got)
	}
	s.must(&ck.SetAttributeValueCall{Session: session, Object: object, Template: []ck.Attribute{{Type: ck.CKA_LABEL, Value: []byte("a longer label")}}})
	if got := s.get(session, object, ck.CKA_LABEL); string(got) != "a longer label" {
		s.Errorf("the label is %q", got)
	}
	copied := &ck.CopyObjectCall{Session: session, Object: object, Template: []ck.Attribute{{Type: ck.CKA_LABEL, Value: []byte("copy")}}}
	s.must(copied)
	if copied.NewObject == object || string(s.get(session, copied.NewObject, ck.CKA_LABEL)) != "copy" || string(s.get(session, copied.NewObject, ck.CKA_VALUE)) != "value" {
		s.Error("the copy is not a copy")
	}
	if size := (&ck.GetObjectSizeCall{Session: session, Object: object}); s.do(size) == nil && size.Size == 0 {
		s.Error("the object has no size")
	}
	s.must(&ck.DestroyObjectCall{Session: session, Object: object})
	s.refused(&ck.DestroyObjectCall{Session: session, Object: object}, ck.CKR_OBJECT_HANDLE_INVALID)
	s.refused(&ck.GetAttributeValueCall{Session: session, Object: object, Template: []ck.AttributeOut{{Type: ck.CKA_LABEL}}}, ck.CKR_OBJECT_HANDLE_INVALID)
	s.refused(&ck.CreateObjectCall{Session: session, Template: []ck.Attribute{{Type: ck.CKA_TOKEN, Value: no}}},
		ck.CKR_TEMPLATE_INCOMPLETE, ck.CKR_TEMPLATE_INCONSISTENT)
	s.must(&ck.DestroyObjectCall{Session: session, Object: copied.NewObject})
}

// attributes reads attributes that fit, that do not, and that the object does not have, in one call.
func (s *suite) attributes() {
	session := s.user()
	object := s.data(session, "attributes", []byte("0123456789"))
	out := func(t ck.AttributeType, room int) ck.AttributeOut {
		a := ck.AttributeOut{Type: t}
		if room >= 0 {
			a.Buf = make([]byte, room)
		}
		return a
	}
	ask := &ck.GetAttributeValueCall{Session: session, Object: object, Template: []ck.AttributeOut{
		out(ck.CKA_LABEL, -1), out(ck.CKA_CLASS, 8), out(ck.CKA_VALUE, 20), out(ck.CKA_PRIVATE, 1),
	}}
	s.must(ask)
	a := ask.Template
	if a[0].N != 10 || !bytes.Equal(a[1].Bytes(), ulong(ck.CKO_DATA)) || string(a[2].Bytes()) != "0123456789" || !bytes.Equal(a[3].Bytes(), no) {
		s.Errorf("got %+v", a)
	}
	ask.Template = []ck.AttributeOut{out(ck.CKA_VALUE, 4), out(ck.CKA_LABEL, 10)}
	s.refused(ask, ck.CKR_BUFFER_TOO_SMALL)
	if n := ask.Template[0].N; n != ck.CK_UNAVAILABLE_INFORMATION {
		s.Errorf("what does not fit has the length %d", n)
	}
	if string(ask.Template[1].Bytes()) != "attributes" {
		s.Errorf("what does fit is %q", ask.Template[1].Bytes())
	}
	ask.Template = []ck.AttributeOut{out(ck.CKA_MODULUS, 4), out(ck.CKA_LABEL, 10)}
	s.refused(ask, ck.CKR_ATTRIBUTE_TYPE_INVALID)
	if ask.Template[0].N != ck.CK_UNAVAILABLE_INFORMATION || string(ask.Template[1].Bytes()) != "attributes" {
		s.Errorf("got %+v", ask.Template)
	}
	if s.offered(ck.CKM_AES_KEY_GEN, ck.CKF_GENERATE) {
		key := s.aes(session)
		secret := &ck.GetAttributeValueCall{Session: session, Object: key, Template: []ck.AttributeOut{out(ck.CKA_VALUE, 64), out(ck.CKA_VALUE_LEN, 8)}}
		s.refused(secret, ck.CKR_ATTRIBUTE_SENSITIVE)
		if secret.Template[0].N != ck.CK_UNAVAILABLE_INFORMATION || !bytes.Equal(secret.Template[1].Bytes(), ulong(uint64(32))) {
			s.Errorf("of a sensitive key: %+v", secret.Template)
		}
	}
}

// search finds objects, a few at a time.
func (s *suite) search() {
	session := s.user()
	var want []ck.ObjectHandle
	for range 5 {
		want = append(want, s.data(session, "to be found", []byte("x")))
	}
	s.data(session, "another", []byte("x"))
	s.refused(&ck.FindObjectsCall{Session: session, Objects: ck.Out[ck.ObjectHandle]{Buf: make([]ck.ObjectHandle, 1)}}, ck.CKR_OPERATION_NOT_INITIALIZED)
	init := &ck.FindObjectsInitCall{Session: session, Template: []ck.Attribute{
		{Type: ck.CKA_CLASS, Value: ulong(ck.CKO_DATA)}, {Type: ck.CKA_LABEL, Value: []byte("to be found")},
	}}
	s.must(init)
	s.refused(init, ck.CKR_OPERATION_ACTIVE)
	var got []ck.ObjectHandle
	for {
		find := &ck.FindObjectsCall{Session: session, Objects: ck.Out[ck.ObjectHandle]{Buf: make([]ck.ObjectHandle, 2)}}
		s.must(find)
		if find.Objects.N == 0 {
			break
		}
		got = append(got, find.Objects.Bytes()...)
	}
	s.must(&ck.FindObjectsFinalCall{Session: session})
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		s.Errorf("found %v, want %v", got, want)
	}
	s.refused(&ck.FindObjectsFinalCall{Session: session}, ck.CKR_OPERATION_NOT_INITIALIZED)

	// Without a template everything is found.
	s.must(&ck.FindObjectsInitCall{Session: session})
	find := &ck.FindObjectsCall{Session: session, Objects: ck.Out[ck.ObjectHandle]{Buf: make([]ck.ObjectHandle, 100)}}
	s.must(find)
	s.must(&ck.FindObjectsFinalCall{Session: session})
	if find.Objects.N < 6 {
		s.Errorf("found %d objects, there are at least 6", find.Objects.N)
	}
}

// handles uses handles that nobody has given out.
func (s *suite) handles() {
	session := s.user()
	none := session + 123456
	for _, call := range []ck.Call{
		&ck.CloseSessionCall{Session: none}, &ck.GetSessionInfoCall{Session: none}, &ck.LoginCall{Session: none, UserType: ck.CKU_USER, PIN: s.UserPIN},
		&ck.LogoutCall{Session: none}, &ck.FindObjectsInitCall{Session: none}, &ck.DestroyObjectCall{Session: none, Object: 1},
		&ck.DigestInitCall{Session: none, Mechanism: &ck.Mechanism{Type: ck.CKM_SHA256}}, &ck.GenerateRandomCall{Session: none, RandomData: make([]byte, 4)},
		&ck.CreateObjectCall{Session: none, Template: []ck.Attribute{{Type: ck.CKA_CLASS, Value: ulong(ck.CKO_DATA)}}},
	} {
		s.refused(call, ck.CKR_SESSION_HANDLE_INVALID)
	}
	if s.offered(ck.CKM_AES_CBC_PAD, ck.CKF_ENCRYPT) {
		s.refused(&ck.EncryptInitCall{Session: session, Mechanism: &ck.Mechanism{Type: ck.CKM_AES_CBC_PAD, Param: ck.RawParam(make([]byte, 16))}, Key: 987654},
			ck.CKR_KEY_HANDLE_INVALID, ck.CKR_OBJECT_HANDLE_INVALID)
	}
	s.refused(&ck.SignCall{Session: session, Data: []byte("x"), Signature: ck.Out[byte]{Buf: make([]byte, 512)}}, ck.CKR_OPERATION_NOT_INITIALIZED)
}
