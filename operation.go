package p11mux

import (
	"context"

	"github.com/p11mux/p11mux/ck"
)

// calls are used again and again. What users pass in is taken out of them after each use.
type calls struct {
	sessionInfo ck.GetSessionInfoCall

	mechanism   ck.Mechanism
	signInit    ck.SignInitCall
	sign        ck.SignCall
	verifyInit  ck.VerifyInitCall
	verify      ck.VerifyCall
	encryptInit ck.EncryptInitCall
	encrypt     ck.EncryptCall
	decryptInit ck.DecryptInitCall
	decrypt     ck.DecryptCall
	digestInit  ck.DigestInitCall
	digest      ck.DigestCall

	findInit   ck.FindObjectsInitCall
	find       ck.FindObjectsCall
	findFinal  ck.FindObjectsFinalCall
	attributes ck.GetAttributeValueCall
}

// init gives the call that begins an operation with the mechanism.
func (c *calls) init(f ck.Func, session ck.SessionHandle, key ck.ObjectHandle) ck.Call {
	switch f {
	case ck.FuncSignInit:
		c.signInit = ck.SignInitCall{Session: session, Mechanism: &c.mechanism, Key: key}
		return &c.signInit
	case ck.FuncVerifyInit:
		c.verifyInit = ck.VerifyInitCall{Session: session, Mechanism: &c.mechanism, Key: key}
		return &c.verifyInit
	case ck.FuncEncryptInit:
		c.encryptInit = ck.EncryptInitCall{Session: session, Mechanism: &c.mechanism, Key: key}
		return &c.encryptInit
	case ck.FuncDecryptInit:
		c.decryptInit = ck.DecryptInitCall{Session: session, Mechanism: &c.mechanism, Key: key}
		return &c.decryptInit
	}
	c.digestInit = ck.DigestInitCall{Session: session, Mechanism: &c.mechanism}
	return &c.digestInit
}

// forget takes out what users have passed in.
func (c *calls) forget() {
	c.mechanism.Param = nil
	c.sign.Data, c.verify.Data, c.verify.Signature = nil, nil, nil
	c.encrypt.Data, c.decrypt.EncryptedData, c.digest.Data = nil, nil, nil
}

// start takes the session and begins an operation, to be followed by end; not so if it fails. A digest has no key. again
// points at the PIN for keys that want it before each use, and is nil for others.
func (s *Session) start(ctx context.Context, f ck.Func, mechanism ck.Mechanism, key *Object, again *PIN) (err error) {
	var handle ck.ObjectHandle
	if f != ck.FuncDigestInit {
		if handle, err = s.use(key, f); err != nil {
			return err
		}
	}
	if again == nil {
		return s.init(ctx, f, mechanism, handle)
	}
	return s.withTurn(ctx, ck.CKU_CONTEXT_SPECIFIC, *again, func(pin []byte) error {
		if err := s.init(ctx, f, mechanism, handle); err != nil {
			return err
		}
		if err := s.present(ctx, ck.CKU_CONTEXT_SPECIFIC, pin); err != nil {
			s.unsure = true // the operation has begun
			s.end()
			return err
		}
		return nil
	})
}

// init takes the session and makes the call that begins an operation.
func (s *Session) init(ctx context.Context, f ck.Func, mechanism ck.Mechanism, key ck.ObjectHandle) error {
	if err := s.begin(ctx, f); err != nil {
		return err
	}
	s.calls.mechanism = mechanism
	err := s.do(ctx, s.calls.init(f, s.handle, key))
	if err != nil {
		s.end()
	}
	return err
}

// end gives the session back.
func (s *Session) end() {
	s.calls.forget()
	s.mu.Unlock()
}

// notNil gives data that is not NULL for the module.
func notNil(data []byte) []byte {
	if data == nil {
		return []byte{}
	}
	return data
}

// Sign signs data in one part, or makes a message authentication code (C_SignInit and C_Sign, PKCS#11 3.2 §5.13). What
// data has to be, a message or its digest, is for the mechanism to say; [PrivateKey] is a crypto.Signer.
func (s *Session) Sign(ctx context.Context, mechanism ck.Mechanism, key *Object, data []byte) ([]byte, error) {
	return s.signAgain(ctx, mechanism, key, data, nil)
}

// signAgain is Sign with the PIN for keys that want it before each use.
func (s *Session) signAgain(ctx context.Context, mechanism ck.Mechanism, key *Object, data []byte, again *PIN) ([]byte, error) {
	if err := s.start(ctx, ck.FuncSignInit, mechanism, key, again); err != nil {
		return nil, err
	}
	defer s.end()
	call := &s.calls.sign
	call.Session, call.Data = s.handle, notNil(data)
	return s.output(ctx, call, &call.Signature, 0)
}

// Verify verifies a signature, or a message authentication code, over data in one part (C_VerifyInit and C_Verify,
// PKCS#11 3.2 §5.15). CKR_SIGNATURE_INVALID or CKR_SIGNATURE_LEN_RANGE if it is not right.
func (s *Session) Verify(ctx context.Context, mechanism ck.Mechanism, key *Object, data, signature []byte) error {
	if err := s.start(ctx, ck.FuncVerifyInit, mechanism, key, nil); err != nil {
		return err
	}
	defer s.end()
	call := &s.calls.verify
	call.Session, call.Data, call.Signature = s.handle, notNil(data), notNil(signature)
	return s.do(ctx, call)
}

// Encrypt encrypts data in one part (C_EncryptInit and C_Encrypt, PKCS#11 3.2 §5.8).
func (s *Session) Encrypt(ctx context.Context, mechanism ck.Mechanism, key *Object, data []byte) ([]byte, error) {
	if err := s.start(ctx, ck.FuncEncryptInit, mechanism, key, nil); err != nil {
		return nil, err
	}
	defer s.end()
	call := &s.calls.encrypt
	call.Session, call.Data = s.handle, notNil(data)
	return s.output(ctx, call, &call.EncryptedData, len(data))
}

// Decrypt decrypts data in one part (C_DecryptInit and C_Decrypt, PKCS#11 3.2 §5.10). What comes of it is the caller's to
// wipe.
func (s *Session) Decrypt(ctx context.Context, mechanism ck.Mechanism, key *Object, data []byte) ([]byte, error) {
	return s.decryptAgain(ctx, mechanism, key, data, nil)
}

// decryptAgain is Decrypt with the PIN for keys that want it before each use.
func (s *Session) decryptAgain(ctx context.Context, mechanism ck.Mechanism, key *Object, data []byte, again *PIN) ([]byte, error) {
	if err := s.start(ctx, ck.FuncDecryptInit, mechanism, key, again); err != nil {
		return nil, err
	}
	defer s.end()
	call := &s.calls.decrypt
	call.Session, call.EncryptedData = s.handle, notNil(data)
	return s.output(ctx, call, &call.Data, len(data))
}

// Digest digests data in one part (C_DigestInit and C_Digest, PKCS#11 3.2 §5.12).
func (s *Session) Digest(ctx context.Context, mechanism ck.Mechanism, data []byte) ([]byte, error) {
	if err := s.start(ctx, ck.FuncDigestInit, mechanism, nil, nil); err != nil {
		return nil, err
	}
	defer s.end()
	call := &s.calls.digest
	call.Session, call.Data = s.handle, notNil(data)
	return s.output(ctx, call, &call.Digest, 0)
}
