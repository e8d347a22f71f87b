// Package softtoken is a PKCS#11 token in memory: one slot, one token that is ready for use, nothing on disk.
//
// It is there for demonstrations, examples and tests. It is not a place to keep keys: its PINs are written below, what it
// holds is gone when the process ends, and key material lies in ordinary memory that Go's garbage collector may copy.
//
// It also shows how a PKCS#11 module is written in Go. A module is one method, [Token.Do], which gets each C_ function as
// a struct of package ck. Do is a type switch, which also finds and locks the session of a call that has one; behind it
// stands one method per function, which reads the arguments from the call, stores the results into it, and gives nil or a
// ck.RV:
//
//	func (t *Token) getSessionInfo(s *session, c *ck.GetSessionInfoCall) error {
//		c.Info = ...
//		return nil
//	}
//
// What there is to know before writing another one:
//
//   - Byte slices in a call may be memory of a C caller. They are valid while the call runs, so whatever is kept is
//     copied (PINs are not: only a salted hash of them is kept), and inputs are never written to. Input and output
//     may be the same memory, so a result is complete before it is copied out.
//   - A result of variable length goes through room, which keeps the two-call convention (PKCS#11 3.2 §5.2): a nil buffer
//     asks for the length, a buffer that is too short gives CKR_BUFFER_TOO_SMALL, and neither ends an operation.
//   - Objects do not change once they can be found: C_SetAttributeValue puts a changed copy in their place. So an
//     operation that has begun keeps its key without a lock.
//   - There are two kinds of locks. session.mu guards the operations of a session and is held while its calls run;
//     Token.mu guards everything that sessions share and is held for moments only. A session's lock is taken first,
//     and never two of them.
package softtoken
