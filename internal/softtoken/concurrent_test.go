package softtoken

import (
	"bytes"
	"context"
	"sync"
	"testing"

	"github.com/p11mux/p11mux/ck"
)

// Threads with sessions of their own, and some that share one, make all kinds of calls at once. Each result that there is
// must be right; -race watches the rest.
func TestConcurrent(t *testing.T) {
	c := openUser(t)
	kept := c.secretKey(ck.CKK_AES, make([]byte, 16), flag(ck.CKA_TOKEN, true))
	m := mechWith(ck.CKM_AES_CBC_PAD, ck.RawParam(make([]byte, 16)))
	want := c.encrypt(m, kept, []byte("data"))
	shared := c.openSession(readWrite)

	var threads sync.WaitGroup
	for range 8 {
		threads.Go(func() {
			d := &client{T: t, token: c.token}
			for round := range 20 {
				open := &ck.OpenSessionCall{Flags: readWrite}
				if err := d.try(open); err != nil {
					t.Error(err)
					return
				}
				d.session = open.Session
				create := &ck.CreateObjectCall{Session: d.session, Template: []ck.Attribute{
					num(ck.CKA_CLASS, ck.CKO_DATA), octs(ck.CKA_VALUE, "v")}}
				if err := d.try(create); err != nil {
					t.Error(err)
				}
				if err := d.try(&ck.EncryptInitCall{Session: d.session, Mechanism: m, Key: kept}); err != nil {
					t.Error(err)
				}
				encrypt := &ck.EncryptCall{Session: d.session, Data: []byte("data"), EncryptedData: ck.Out[byte]{Buf: make([]byte, 16)}}
				if err := d.try(encrypt); err != nil || !bytes.Equal(encrypt.EncryptedData.Bytes(), want) {
					t.Errorf("C_Encrypt: %v, %x", err, encrypt.EncryptedData.Bytes())
				}
				// The object that all share changes under the hands of those who use it.
				set := &ck.SetAttributeValueCall{Session: d.session, Object: kept, Template: []ck.Attribute{octs(ck.CKA_LABEL, []byte{byte(round)})}}
				if err := d.try(set); err != nil {
					t.Error(err)
				}
				get := &ck.GetAttributeValueCall{Session: d.session, Object: kept, Template: []ck.AttributeOut{{Type: ck.CKA_LABEL, Out: ck.Out[byte]{Buf: make([]byte, 1)}}}}
				if err := d.try(get); err != nil {
					t.Error(err)
				}
				// In a shared session calls of one thread get in the way of another's, but nothing else.
				for _, call := range []ck.Call{
					&ck.FindObjectsInitCall{Session: shared},
					&ck.FindObjectsCall{Session: shared, Objects: ck.Out[ck.ObjectHandle]{Buf: make([]ck.ObjectHandle, 10)}},
					&ck.FindObjectsFinalCall{Session: shared},
					&ck.DigestInitCall{Session: shared, Mechanism: mech(ck.CKM_SHA256)},
					&ck.DigestUpdateCall{Session: shared, Part: []byte("x")},
					&ck.DigestFinalCall{Session: shared, Digest: ck.Out[byte]{Buf: make([]byte, 32)}},
				} {
					switch rv := ck.RVOf(d.try(call)); rv {
					case ck.CKR_OK, ck.CKR_OPERATION_ACTIVE, ck.CKR_OPERATION_NOT_INITIALIZED:
					default:
						t.Errorf("%v in a shared session: %v", call.Func(), rv)
					}
				}
				if err := d.try(&ck.CloseSessionCall{Session: d.session}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	threads.Wait()
	if n := len(c.token.objects); n != 2 {
		t.Errorf("%d objects are left, want the profile and the key", n)
	}
}

// C_Finalize, C_Logout and C_CloseAllSessions come while others work. Nobody may hang, and nothing may be left.
func TestConcurrentEnd(t *testing.T) {
	token := New()
	done := make(chan struct{})
	var threads sync.WaitGroup
	for range 4 {
		threads.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				open := &ck.OpenSessionCall{Flags: readWrite}
				token.Do(context.Background(), open)
				s := open.Session
				for _, call := range []ck.Call{
					&ck.LoginCall{Session: s, UserType: ck.CKU_USER, PIN: []byte(UserPIN)},
					&ck.GenerateKeyCall{Session: s, Mechanism: mech(ck.CKM_AES_KEY_GEN), Template: []ck.Attribute{num(ck.CKA_VALUE_LEN, 16)}},
					&ck.FindObjectsInitCall{Session: s},
					&ck.WaitForSlotEventCall{Flags: ck.CKF_DONT_BLOCK},
				} {
					token.Do(context.Background(), call)
				}
			}
		})
	}
	for i := range 200 {
		token.Do(context.Background(), &ck.InitializeCall{})
		open := &ck.OpenSessionCall{Flags: readWrite}
		token.Do(context.Background(), open)
		token.Do(context.Background(), &ck.LogoutCall{Session: open.Session})
		if i%2 == 0 {
			token.Do(context.Background(), &ck.CloseAllSessionsCall{})
		}
		if err := token.Do(context.Background(), &ck.FinalizeCall{}); err != nil {
			t.Error(err)
		}
	}
	close(done)
	threads.Wait()
	if len(token.sessions) != 0 || len(token.objects) != 1 || token.login != public {
		t.Errorf("%d sessions and %d objects are left, login %v", len(token.sessions), len(token.objects), token.login)
	}
}
