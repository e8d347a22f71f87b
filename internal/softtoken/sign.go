package softtoken

import (
	"io"

	"github.com/p11mux/p11mux/ck"
)

// An accumulator takes the data of an operation in parts: a hash, a MAC, or memory.
type accumulator interface {
	io.Writer
	Sum(b []byte) []byte
}

// memory is an accumulator that keeps the data.
type memory []byte

func (m *memory) Write(p []byte) (int, error) {
	*m = append(*m, p...)
	return len(p), nil
}

func (m *memory) Sum(b []byte) []byte { return append(b, *m...) }

// A signOp is an active signature or verification.
type signOp struct {
	input   accumulator
	length  int  // of a signature, octets
	single  bool // the mechanism takes data in one part only
	started bool // C_SignUpdate or C_VerifyUpdate was called
	locked  bool // waits for C_Login with CKU_CONTEXT_SPECIFIC

	// sign makes a signature of what input sums up; verify checks one of the right length. Which of the two there is
	// follows from the key.
	sign   func(sum []byte) ([]byte, error)
	verify func(sum, signature []byte) error
}

// update adds a part of the data.
func (op *signOp) update(part []byte) error {
	switch {
	case op.single:
		return ck.CKR_FUNCTION_NOT_SUPPORTED
	case op.locked:
		return ck.CKR_USER_NOT_LOGGED_IN
	}
	op.started = true
	op.input.Write(part)
	return nil
}

// signInit is C_SignInit.
func (t *Token) signInit(s *session, c *ck.SignInitCall) error {
	return t.startSign(&s.sign, c.Mechanism, c.Key, toSign)
}

// verifyInit is C_VerifyInit.
func (t *Token) verifyInit(s *session, c *ck.VerifyInitCall) error {
	return t.startSign(&s.verify, c.Mechanism, c.Key, toVerify)
}

func (t *Token) startSign(op **signOp, m *ck.Mechanism, h ck.ObjectHandle, u use) error {
	if m == nil {
		return stop(op)
	}
	if *op != nil {
		return ck.CKR_OPERATION_ACTIVE
	}
	mech, key, err := t.keyFor(m, h, u)
	if err != nil {
		return err
	}
	n, err := newSignOp(mech, m, key)
	if err != nil {
		return err
	}
	n.locked = !u.public && key.flag(ck.CKA_ALWAYS_AUTHENTICATE)
	*op = n
	return nil
}

// sign is C_Sign.
func (t *Token) sign(s *session, c *ck.SignCall) error {
	op := s.sign
	switch {
	case op == nil:
		return ck.CKR_OPERATION_NOT_INITIALIZED
	case op.started:
		s.sign = nil
		return ck.CKR_OPERATION_ACTIVE
	}
	if over, err := room(&c.Signature, op.length); over {
		return err
	}
	if op.locked {
		return ck.CKR_USER_NOT_LOGGED_IN
	}
	op.input.Write(c.Data)
	return s.finishSign(&c.Signature)
}

// signUpdate is C_SignUpdate.
func (t *Token) signUpdate(s *session, c *ck.SignUpdateCall) error {
	if s.sign == nil {
		return ck.CKR_OPERATION_NOT_INITIALIZED
	}
	return s.sign.update(c.Part)
}

// signFinal is C_SignFinal.
func (t *Token) signFinal(s *session, c *ck.SignFinalCall) error {
	op := s.sign
	switch {
	case op == nil:
		return ck.CKR_OPERATION_NOT_INITIALIZED
	case op.single:
		s.sign = nil
		return ck.CKR_FUNCTION_NOT_SUPPORTED
	}
	if over, err := room(&c.Signature, op.length); over {
		return err
	}
	if op.locked {
		return ck.CKR_USER_NOT_LOGGED_IN
	}
	return s.finishSign(&c.Signature)
}

// finishSign makes the signature and ends the operation. There is room for it.
func (s *session) finishSign(out *ck.Out[byte]) error {
	op := s.sign
	s.sign = nil
	signature, err := op.sign(op.input.Sum(nil))
	if err != nil {
		return err
	}
	return deliver(out, signature)
}

// verify is C_Verify.
func (t *Token) verify(s *session, c *ck.VerifyCall) error {
	op := s.verify
	switch {
	case op == nil:
		return ck.CKR_OPERATION_NOT_INITIALIZED
	case op.started:
		s.verify = nil
		return ck.CKR_OPERATION_ACTIVE
	}
	op.input.Write(c.Data)
	return s.finishVerify(c.Signature)
}

// verifyUpdate is C_VerifyUpdate.
func (t *Token) verifyUpdate(s *session, c *ck.VerifyUpdateCall) error {
	if s.verify == nil {
		return ck.CKR_OPERATION_NOT_INITIALIZED
	}
	return s.verify.update(c.Part)
}

// verifyFinal is C_VerifyFinal.
func (t *Token) verifyFinal(s *session, c *ck.VerifyFinalCall) error {
	op := s.verify
	switch {
	case op == nil:
		return ck.CKR_OPERATION_NOT_INITIALIZED
	case op.single:
		s.verify = nil
		return ck.CKR_FUNCTION_NOT_SUPPORTED
	}
	return s.finishVerify(c.Signature)
}

// finishVerify checks the signature and ends the operation.
func (s *session) finishVerify(signature []byte) error {
	op := s.verify
	s.verify = nil
	if len(signature) != op.length {
		return ck.CKR_SIGNATURE_LEN_RANGE
	}
	return op.verify(op.input.Sum(nil), signature)
}
