package softtoken

import "github.com/p11mux/p11mux/ck"

// A transform is one direction of a cipher with its key and parameters.
type transform interface {
	// bound gives the most octets that n octets in one part can become.
	bound(n int) int
	// whole does data in one part. It does not change the transform.
	whole(in []byte) ([]byte, error)
	// next gives how many octets update will give for n octets.
	next(n int) (int, error)
	// update does a part of the data.
	update(part []byte) ([]byte, error)
	// last does what update has held back. It does not change the transform.
	last() ([]byte, error)
}

// A cipherOp is an active encryption or decryption.
type cipherOp struct {
	transform
	started bool // C_EncryptUpdate or C_DecryptUpdate was called
	locked  bool // waits for C_Login with CKU_CONTEXT_SPECIFIC
}

// startCipher is C_EncryptInit and C_DecryptInit.
func (t *Token) startCipher(op **cipherOp, m *ck.Mechanism, h ck.ObjectHandle, u use) error {
	if m == nil {
		return stop(op)
	}
	if *op != nil {
		return ck.CKR_OPERATION_ACTIVE
	}
	_, key, err := t.keyFor(m, h, u)
	if err != nil {
		return err
	}
	tr, err := newTransform(m, key, u == toDecrypt)
	if err != nil {
		return err
	}
	*op = &cipherOp{transform: tr, locked: u == toDecrypt && key.flag(ck.CKA_ALWAYS_AUTHENTICATE)}
	return nil
}

// onePart is C_Encrypt and C_Decrypt: all but a length query and CKR_BUFFER_TOO_SMALL ends the operation.
func onePart(op **cipherOp, in []byte, out *ck.Out[byte]) error {
	o := *op
	switch {
	case o == nil:
		return ck.CKR_OPERATION_NOT_INITIALIZED
	case o.started:
		*op = nil
		return ck.CKR_OPERATION_ACTIVE
	case out.Buf == nil:
		_, err := room(out, o.bound(len(in)))
		return err
	case o.locked:
		return ck.CKR_USER_NOT_LOGGED_IN
	}
	result, err := o.whole(in)
	if err != nil {
		*op = nil
		return err
	}
	if err := deliver(out, result); err != nil {
		return err
	}
	*op = nil
	return nil
}

// nextPart is C_EncryptUpdate and C_DecryptUpdate.
func nextPart(op **cipherOp, part []byte, out *ck.Out[byte]) error {
	o := *op
	switch {
	case o == nil:
		return ck.CKR_OPERATION_NOT_INITIALIZED
	case o.locked:
		return ck.CKR_USER_NOT_LOGGED_IN
	}
	n, err := o.next(len(part))
	if err != nil {
		*op = nil
		return err
	}
	if over, err := room(out, n); over {
		return err
	}
	result, err := o.update(part)
	if err != nil {
		*op = nil
		return err
	}
	o.started = true
	copy(out.Buf, result)
	return nil
}

// lastPart is C_EncryptFinal and C_DecryptFinal.
func lastPart(op **cipherOp, out *ck.Out[byte]) error {
	o := *op
	switch {
	case o == nil:
		return ck.CKR_OPERATION_NOT_INITIALIZED
	case o.locked:
		return ck.CKR_USER_NOT_LOGGED_IN
	}
	result, err := o.last()
	if err != nil {
		*op = nil
		return err
	}
	over, err := room(out, len(result))
	if over {
		return err
	}
	copy(out.Buf, result)
	*op = nil
	return nil
}

// encryptInit is C_EncryptInit.
func (t *Token) encryptInit(s *session, c *ck.EncryptInitCall) error {
	return t.startCipher(&s.encrypt, c.Mechanism, c.Key, toEncrypt)
}

// encrypt is C_Encrypt.
func (t *Token) encrypt(s *session, c *ck.EncryptCall) error {
	return onePart(&s.encrypt, c.Data, &c.EncryptedData)
}

// encryptUpdate is C_EncryptUpdate.
func (t *Token) encryptUpdate(s *session, c *ck.EncryptUpdateCall) error {
	return nextPart(&s.encrypt, c.Part, &c.EncryptedPart)
}

// encryptFinal is C_EncryptFinal.
func (t *Token) encryptFinal(s *session, c *ck.EncryptFinalCall) error {
	return lastPart(&s.encrypt, &c.LastEncryptedPart)
}

// decryptInit is C_DecryptInit.
func (t *Token) decryptInit(s *session, c *ck.DecryptInitCall) error {
	return t.startCipher(&s.decrypt, c.Mechanism, c.Key, toDecrypt)
}

// decrypt is C_Decrypt.
func (t *Token) decrypt(s *session, c *ck.DecryptCall) error {
	return onePart(&s.decrypt, c.EncryptedData, &c.Data)
}

// decryptUpdate is C_DecryptUpdate.
func (t *Token) decryptUpdate(s *session, c *ck.DecryptUpdateCall) error {
	return nextPart(&s.decrypt, c.EncryptedPart, &c.Part)
}

// decryptFinal is C_DecryptFinal.
func (t *Token) decryptFinal(s *session, c *ck.DecryptFinalCall) error {
	return lastPart(&s.decrypt, &c.LastPart)
}
