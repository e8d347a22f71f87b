package softtoken

import (
	"context"
	"sync"

	"github.com/p11mux/p11mux/ck"
)

// What a new token answers to.
const (
	Label   = "p11mux demo" // CK_TOKEN_INFO.label until C_InitToken changes it
	UserPIN = "1234"        // the normal user's PIN until C_SetPIN or C_InitPIN changes it
	SOPIN   = "12345678"    // the security officer's PIN until C_SetPIN changes it
)

// Slot is the only slot.
const Slot ck.SlotID = 0

const (
	manufacturer = "p11mux"
	model        = "softtoken"
	serial       = "0001"
	description  = "p11mux token in memory"
)

// A Token is a PKCS#11 module with one slot and one token in it. Make it with [New].
//
// It implements module.Module and is safe for concurrent use. Like every module it is initialized once at a time: a
// second C_Initialize is refused. Token objects outlive C_Finalize; they end with the Token or with C_InitToken.
type Token struct {
	mu          sync.Mutex
	initialized bool
	finalized   chan struct{} // closed by C_Finalize
	label       [32]byte
	user, so    pin
	login       role
	sessions    map[ck.SessionHandle]*session
	objects     map[ck.ObjectHandle]*object
	lastSession ck.SessionHandle // handles are not used twice
	lastObject  ck.ObjectHandle
}

// New makes a token with the label [Label], the PINs [UserPIN] and [SOPIN], and no keys.
func New() *Token {
	t := &Token{
		sessions: make(map[ck.SessionHandle]*session),
		objects:  make(map[ck.ObjectHandle]*object),
	}
	t.user.set([]byte(UserPIN))
	t.so.set([]byte(SOPIN))
	t.format(Label)
	return t
}

// format empties the token. The caller holds t.mu or is alone.
func (t *Token) format(label string) {
	ck.Pad(t.label[:], label)
	clear(t.objects)
	t.publish(newProfile())
}

// Do executes a call. A refusal is a ck.RV; functions that the token does not offer give CKR_FUNCTION_NOT_SUPPORTED. Of all
// calls only C_WaitForSlotEvent can take long enough to look at ctx.
func (t *Token) Do(ctx context.Context, call ck.Call) error {
	switch c := call.(type) {
	case *ck.InitializeCall:
		return t.initialize(c)
	case *ck.GetFunctionListCall, *ck.GetInterfaceListCall, *ck.GetInterfaceCall:
		return ck.CKR_FUNCTION_NOT_SUPPORTED // C addresses are for the C face of a module to give, initialized or not
	}
	if !t.ready() {
		return ck.CKR_CRYPTOKI_NOT_INITIALIZED
	}
	switch c := call.(type) {
	case *ck.FinalizeCall:
		return t.finalize(c)
	case *ck.GetInfoCall:
		return t.getInfo(c)
	case *ck.WaitForSlotEventCall:
		return t.waitForSlotEvent(ctx, c)

	// Slots and tokens.
	case *ck.GetSlotListCall:
		return t.getSlotList(c)
	case *ck.GetSlotInfoCall:
		return t.getSlotInfo(c)
	case *ck.GetTokenInfoCall:
		return t.getTokenInfo(c)
	case *ck.GetMechanismListCall:
		return t.getMechanismList(c)
	case *ck.GetMechanismInfoCall:
		return t.getMechanismInfo(c)
	case *ck.InitTokenCall:
		return t.initToken(c)
	case *ck.InitPINCall:
		return in(t, c.Session, c, (*Token).initPIN)
	case *ck.SetPINCall:
		return in(t, c.Session, c, (*Token).setPIN)

	// Sessions.
	case *ck.OpenSessionCall:
		return t.openSession(c)
	case *ck.CloseSessionCall:
		return t.closeSession(c)
	case *ck.CloseAllSessionsCall:
		return t.closeAllSessions(c)
	case *ck.GetSessionInfoCall:
		return in(t, c.Session, c, (*Token).getSessionInfo)
	case *ck.SessionCancelCall:
		return in(t, c.Session, c, (*Token).sessionCancel)
	case *ck.GetOperationStateCall:
		return in(t, c.Session, c, (*Token).getOperationState)
	case *ck.SetOperationStateCall:
		return in(t, c.Session, c, (*Token).setOperationState)
	case *ck.LoginCall:
		return in(t, c.Session, c, (*Token).doLogin)
	case *ck.LogoutCall:
		return t.doLogout(c)
	case *ck.GetFunctionStatusCall, *ck.CancelFunctionCall:
		return ck.CKR_FUNCTION_NOT_PARALLEL

	// Objects.
	case *ck.CreateObjectCall:
		return in(t, c.Session, c, (*Token).createObject)
	case *ck.CopyObjectCall:
		return in(t, c.Session, c, (*Token).copyObject)
	case *ck.DestroyObjectCall:
		return in(t, c.Session, c, (*Token).destroyObject)
	case *ck.GetObjectSizeCall:
		return in(t, c.Session, c, (*Token).getObjectSize)
	case *ck.GetAttributeValueCall:
		return in(t, c.Session, c, (*Token).getAttributeValue)
	case *ck.SetAttributeValueCall:
		return in(t, c.Session, c, (*Token).setAttributeValue)
	case *ck.FindObjectsInitCall:
		return in(t, c.Session, c, (*Token).findObjectsInit)
	case *ck.FindObjectsCall:
		return in(t, c.Session, c, (*Token).findObjects)
	case *ck.FindObjectsFinalCall:
		return in(t, c.Session, c, (*Token).findObjectsFinal)

	// Operations.
	case *ck.EncryptInitCall:
		return in(t, c.Session, c, (*Token).encryptInit)
	case *ck.EncryptCall:
		return in(t, c.Session, c, (*Token).encrypt)
	case *ck.EncryptUpdateCall:
		return in(t, c.Session, c, (*Token).encryptUpdate)
	case *ck.EncryptFinalCall:
		return in(t, c.Session, c, (*Token).encryptFinal)
	case *ck.DecryptInitCall:
		return in(t, c.Session, c, (*Token).decryptInit)
	case *ck.DecryptCall:
		return in(t, c.Session, c, (*Token).decrypt)
	case *ck.DecryptUpdateCall:
		return in(t, c.Session, c, (*Token).decryptUpdate)
	case *ck.DecryptFinalCall:
		return in(t, c.Session, c, (*Token).decryptFinal)
	case *ck.DigestInitCall:
		return in(t, c.Session, c, (*Token).digestInit)
	case *ck.DigestCall:
		return in(t, c.Session, c, (*Token).digest)
	case *ck.DigestUpdateCall:
		return in(t, c.Session, c, (*Token).digestUpdate)
	case *ck.DigestKeyCall:
		return in(t, c.Session, c, (*Token).digestKey)
	case *ck.DigestFinalCall:
		return in(t, c.Session, c, (*Token).digestFinal)
	case *ck.SignInitCall:
		return in(t, c.Session, c, (*Token).signInit)
	case *ck.SignCall:
		return in(t, c.Session, c, (*Token).sign)
	case *ck.SignUpdateCall:
		return in(t, c.Session, c, (*Token).signUpdate)
	case *ck.SignFinalCall:
		return in(t, c.Session, c, (*Token).signFinal)
	case *ck.VerifyInitCall:
		return in(t, c.Session, c, (*Token).verifyInit)
	case *ck.VerifyCall:
		return in(t, c.Session, c, (*Token).verify)
	case *ck.VerifyUpdateCall:
		return in(t, c.Session, c, (*Token).verifyUpdate)
	case *ck.VerifyFinalCall:
		return in(t, c.Session, c, (*Token).verifyFinal)

	// Keys.
	case *ck.GenerateKeyCall:
		return in(t, c.Session, c, (*Token).generateKey)
	case *ck.GenerateKeyPairCall:
		return in(t, c.Session, c, (*Token).generateKeyPair)
	case *ck.WrapKeyCall:
		return in(t, c.Session, c, (*Token).wrapKey)
	case *ck.UnwrapKeyCall:
		return in(t, c.Session, c, (*Token).unwrapKey)
	case *ck.DeriveKeyCall:
		return in(t, c.Session, c, (*Token).deriveKey)
	case *ck.SeedRandomCall:
		return in(t, c.Session, c, (*Token).seedRandom)
	case *ck.GenerateRandomCall:
		return in(t, c.Session, c, (*Token).generateRandom)
	}
	return ck.CKR_FUNCTION_NOT_SUPPORTED
}

// ready tells whether C_Initialize has been called.
func (t *Token) ready() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.initialized
}

// initialize is C_Initialize. Go's locks serve every thread of the process and the token starts no threads, so what the
// arguments say about both needs no more than a check that they are well formed (PKCS#11 3.2 §5.4).
func (t *Token) initialize(c *ck.InitializeCall) error {
	if a := c.Args; a != nil {
		given := 0
		for _, f := range [...]uintptr{a.CreateMutex, a.DestroyMutex, a.LockMutex, a.UnlockMutex} {
			if f != 0 {
				given++
			}
		}
		if a.Reserved != 0 || given != 0 && given != 4 {
			return ck.CKR_ARGUMENTS_BAD
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.initialized {
		return ck.CKR_CRYPTOKI_ALREADY_INITIALIZED
	}
	t.initialized = true
	t.finalized = make(chan struct{})
	return nil
}

// finalize is C_Finalize: it ends all sessions and wakes those who wait in C_WaitForSlotEvent.
func (t *Token) finalize(c *ck.FinalizeCall) error {
	if c.Reserved != 0 {
		return ck.CKR_ARGUMENTS_BAD
	}
	t.mu.Lock()
	if !t.initialized {
		t.mu.Unlock()
		return ck.CKR_CRYPTOKI_NOT_INITIALIZED
	}
	t.initialized = false
	close(t.finalized)
	ended := t.forgetAllSessions()
	t.mu.Unlock()
	endAll(ended)
	return nil
}

// getInfo is C_GetInfo.
func (t *Token) getInfo(c *ck.GetInfoCall) error {
	c.Info = ck.Info{
		CryptokiVersion: ck.Version{Major: 3, Minor: 0},
		LibraryVersion:  ck.Version{Major: 1, Minor: 0},
	}
	ck.Pad(c.Info.ManufacturerID[:], manufacturer)
	ck.Pad(c.Info.LibraryDescription[:], description)
	return nil
}

// waitForSlotEvent is C_WaitForSlotEvent. Nothing ever happens to the slot, so waiting ends with C_Finalize or ctx.
func (t *Token) waitForSlotEvent(ctx context.Context, c *ck.WaitForSlotEventCall) error {
	if c.Reserved != 0 {
		return ck.CKR_ARGUMENTS_BAD
	}
	if c.Flags&ck.CKF_DONT_BLOCK != 0 {
		return ck.CKR_NO_EVENT
	}
	t.mu.Lock()
	initialized, finalized := t.initialized, t.finalized
	t.mu.Unlock()
	if !initialized {
		return ck.CKR_CRYPTOKI_NOT_INITIALIZED
	}
	select {
	case <-finalized:
		return ck.CKR_CRYPTOKI_NOT_INITIALIZED
	case <-ctx.Done():
		return &ck.CallError{Module: model, Call: c.Func().String(), RV: ck.CKR_FUNCTION_CANCELED, Err: ctx.Err()}
	}
}

// room says where a result of n elements goes under the two-call convention: it sets out.N, and tells that the call is
// over when only the length was asked, or when the buffer is too short (PKCS#11 3.2 §5.2).
func room[T any](out *ck.Out[T], n int) (over bool, err error) {
	out.N = uint64(n)
	switch {
	case out.Buf == nil:
		return true, nil
	case len(out.Buf) < n:
		return true, ck.CKR_BUFFER_TOO_SMALL
	}
	return false, nil
}

// deliver gives a result that is complete to the caller.
func deliver[T any](out *ck.Out[T], result []T) error {
	over, err := room(out, len(result))
	if !over {
		copy(out.Buf, result)
	}
	return err
}
