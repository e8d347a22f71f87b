package softtoken

import (
	"hash"

	"github.com/p11mux/p11mux/ck"
)

// A digestOp is an active digest.
type digestOp struct {
	hash    hash.Hash
	started bool // C_DigestUpdate or C_DigestKey was called
}

// digestInit is C_DigestInit.
func (t *Token) digestInit(s *session, c *ck.DigestInitCall) error {
	if c.Mechanism == nil {
		return stop(&s.digest)
	}
	if s.digest != nil {
		return ck.CKR_OPERATION_ACTIVE
	}
	m, err := mechanismFor(c.Mechanism, ck.CKF_DIGEST)
	if err != nil {
		return err
	}
	if err := noParam(c.Mechanism); err != nil {
		return err
	}
	s.digest = &digestOp{hash: m.hash.New()}
	return nil
}

// stop ends an operation for an Init call without a mechanism (PKCS#11 3.2 §5.8).
func stop[T any](op **T) error {
	if *op == nil {
		return ck.CKR_OPERATION_NOT_INITIALIZED
	}
	*op = nil
	return nil
}

// digest is C_Digest.
func (t *Token) digest(s *session, c *ck.DigestCall) error {
	op := s.digest
	switch {
	case op == nil:
		return ck.CKR_OPERATION_NOT_INITIALIZED
	case op.started:
		s.digest = nil
		return ck.CKR_OPERATION_ACTIVE
	}
	if over, err := room(&c.Digest, op.hash.Size()); over {
		return err
	}
	s.digest = nil
	op.hash.Write(c.Data)
	copy(c.Digest.Buf, op.hash.Sum(nil))
	return nil
}

// digestUpdate is C_DigestUpdate.
func (t *Token) digestUpdate(s *session, c *ck.DigestUpdateCall) error {
	if s.digest == nil {
		return ck.CKR_OPERATION_NOT_INITIALIZED
	}
	s.digest.started = true
	s.digest.hash.Write(c.Part)
	return nil
}

// digestKey is C_DigestKey. A wrong key does not end the digest.
func (t *Token) digestKey(s *session, c *ck.DigestKeyCall) error {
	if s.digest == nil {
		return ck.CKR_OPERATION_NOT_INITIALIZED
	}
	o, err := t.object(c.Key)
	if err != nil {
		return ck.CKR_KEY_HANDLE_INVALID
	}
	value, ok := o.key.([]byte)
	if !ok {
		return ck.CKR_KEY_INDIGESTIBLE
	}
	s.digest.started = true
	s.digest.hash.Write(value)
	return nil
}

// digestFinal is C_DigestFinal.
func (t *Token) digestFinal(s *session, c *ck.DigestFinalCall) error {
	op := s.digest
	if op == nil {
		return ck.CKR_OPERATION_NOT_INITIALIZED
	}
	if over, err := room(&c.Digest, op.hash.Size()); over {
		return err
	}
	s.digest = nil
	copy(c.Digest.Buf, op.hash.Sum(nil))
	return nil
}
