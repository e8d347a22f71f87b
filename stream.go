package p11mux

import (
	"context"
	"errors"
	"io"

	"github.com/p11mux/p11mux/ck"
)

// A stream is an operation in parts. It occupies its session for operations of its kind.
type stream struct {
	session *Session
	ctx     context.Context // that it was begun with
	f       ck.Func         // that it was begun by
	written uint64
	over    bool
	err     error // why it is over, nil for a good end
}

// errOver is what an operation in parts gives after its end.
var errOver = errors.New("the operation is over")

// stream begins an operation in parts.
func (s *Session) stream(ctx context.Context, f ck.Func, mechanism ck.Mechanism, key *Object) (stream, error) {
	if err := s.start(ctx, f, mechanism, key, nil); err != nil {
		return stream{}, err
	}
	s.active++
	s.end()
	return stream{session: s, ctx: ctx, f: f}, nil
}

// part is how much is passed on at a time: what comes of it fits into the room that a session keeps.
const part = maxKept - guess

// write passes data on in parts, and what comes of them to w.
func (x *stream) write(p []byte, w io.Writer) (n int, err error) {
	for len(p) > 0 {
		m := min(len(p), part)
		out, err := x.step(p[:m])
		if err != nil {
			return n, err
		}
		if len(out) > 0 {
			if _, err := w.Write(out); err != nil {
				x.cancel(err)
				return n, err
			}
		}
		n, p = n+m, p[m:]
		x.written += uint64(m)
	}
	return n, x.ended()
}

// ended is the error of an operation that is over.
func (x *stream) ended() error {
	if x.over && x.err == nil {
		return errOver
	}
	return x.err
}

// take takes the session for one more call.
func (x *stream) take() error {
	if x.over {
		return x.ended()
	}
	if err := x.session.begin(x.ctx, x.f); err != nil {
		// It cannot go on, but a canceled context leaves it to be ended.
		if x.session.closed.Load() {
			x.over, x.err = true, err
		}
		return err
	}
	return nil
}

// close notes that the module has ended the operation. The session must have been taken.
func (x *stream) close(err error) {
	x.over, x.err = true, err
	x.session.active--
	if err != nil {
		x.session.unsure = true
	}
}

// step does one part of the operation, and gives what comes of it.
func (x *stream) step(p []byte) (out []byte, err error) {
	if err := x.take(); err != nil {
		return nil, err
	}
	s := x.session
	defer s.mu.Unlock()
	switch x.f {
	case ck.FuncDigestInit:
		err = s.do(x.ctx, &ck.DigestUpdateCall{Session: s.handle, Part: p})
	case ck.FuncSignInit:
		err = s.do(x.ctx, &ck.SignUpdateCall{Session: s.handle, Part: p})
	case ck.FuncVerifyInit:
		err = s.do(x.ctx, &ck.VerifyUpdateCall{Session: s.handle, Part: p})
	case ck.FuncEncryptInit:
		call := &ck.EncryptUpdateCall{Session: s.handle, Part: p}
		out, err = s.output(x.ctx, call, &call.EncryptedPart, len(p))
	case ck.FuncDecryptInit:
		call := &ck.DecryptUpdateCall{Session: s.handle, EncryptedPart: p}
		out, err = s.output(x.ctx, call, &call.Part, len(p))
	}
	if err != nil {
		x.close(err)
	}
	return out, err
}

// finish ends the operation, and gives what comes last. signature is for verification.
func (x *stream) finish(signature []byte) (out []byte, err error) {
	if err := x.take(); err != nil {
		return nil, err
	}
	defer x.session.mu.Unlock()
	out, err = x.final(x.ctx, signature)
	x.close(err)
	return out, err
}

// final makes the call that ends the operation. The session must have been taken.
func (x *stream) final(ctx context.Context, signature []byte) (out []byte, err error) {
	s := x.session
	switch x.f {
	case ck.FuncDigestInit:
		call := &ck.DigestFinalCall{Session: s.handle}
		return s.output(ctx, call, &call.Digest, 0)
	case ck.FuncSignInit:
		call := &ck.SignFinalCall{Session: s.handle}
		return s.output(ctx, call, &call.Signature, 0)
	case ck.FuncVerifyInit:
		return nil, s.do(ctx, &ck.VerifyFinalCall{Session: s.handle, Signature: notNil(signature)})
	case ck.FuncEncryptInit:
		call := &ck.EncryptFinalCall{Session: s.handle}
		return s.outputUpTo(ctx, call, &call.LastEncryptedPart, maxKept, x.written+maxResult)
	}
	call := &ck.DecryptFinalCall{Session: s.handle}
	return s.outputUpTo(ctx, call, &call.LastPart, maxKept, x.written+maxResult)
}

// cancel ends the operation without a result, if it is not over, for the reason err.
func (x *stream) cancel(err error) {
	if x.over {
		return
	}
	s := x.session
	if s.lock(x.f) != nil {
		x.over, x.err = true, err
		return
	}
	defer s.mu.Unlock()
	ctx := context.Background()
	if e := s.do(ctx, &ck.SessionCancelCall{Session: s.handle, Flags: kind(x.f)}); e != nil {
		// Before 3.0, an operation ends by its end only.
		_, _ = x.final(ctx, nil)
	}
	x.close(err)
}

// kind is the flag of C_SessionCancel for an operation (PKCS#11 3.2 §5.6).
func kind(f ck.Func) ck.Flags {
	switch f {
	case ck.FuncDigestInit:
		return ck.CKF_DIGEST
	case ck.FuncSignInit:
		return ck.CKF_SIGN
	case ck.FuncVerifyInit:
		return ck.CKF_VERIFY
	case ck.FuncEncryptInit:
		return ck.CKF_ENCRYPT
	}
	return ck.CKF_DECRYPT
}

// errCanceled is what an operation gives that was closed before its end.
var errCanceled = errors.New("the operation was closed before its end")

// A SumWriter is an io.Writer for data that is digested or signed in parts. Not safe for concurrent use.
type SumWriter struct{ stream stream }

// NewDigest begins a digest in parts (C_DigestInit, PKCS#11 3.2 §5.12). The context is that of all its calls.
func (s *Session) NewDigest(ctx context.Context, mechanism ck.Mechanism) (*SumWriter, error) {
	return s.sum(ctx, ck.FuncDigestInit, mechanism, nil)
}

// NewSigner begins a signature, or a message authentication code, in parts (C_SignInit, PKCS#11 3.2 §5.13). The context is
// that of all its calls.
func (s *Session) NewSigner(ctx context.Context, mechanism ck.Mechanism, key *Object) (*SumWriter, error) {
	return s.sum(ctx, ck.FuncSignInit, mechanism, key)
}

func (s *Session) sum(ctx context.Context, f ck.Func, mechanism ck.Mechanism, key *Object) (*SumWriter, error) {
	x, err := s.stream(ctx, f, mechanism, key)
	if err != nil {
		return nil, err
	}
	return &SumWriter{x}, nil
}

// Write adds to the data.
func (w *SumWriter) Write(p []byte) (int, error) { return w.stream.write(p, io.Discard) }

// Sum ends the operation and gives the digest or the signature.
func (w *SumWriter) Sum() ([]byte, error) { return w.stream.finish(nil) }

// Close ends the operation without a result, if Sum has not ended it. Closing twice is harmless.
func (w *SumWriter) Close() error {
	w.stream.cancel(errCanceled)
	return nil
}

// A VerifyWriter is an io.Writer for data whose signature is verified in parts. Not safe for concurrent use.
type VerifyWriter struct{ stream stream }

// NewVerifier begins a verification in parts (C_VerifyInit, PKCS#11 3.2 §5.15). The context is that of all its calls.
func (s *Session) NewVerifier(ctx context.Context, mechanism ck.Mechanism, key *Object) (*VerifyWriter, error) {
	x, err := s.stream(ctx, ck.FuncVerifyInit, mechanism, key)
	if err != nil {
		return nil, err
	}
	return &VerifyWriter{x}, nil
}

// Write adds to the data.
func (w *VerifyWriter) Write(p []byte) (int, error) { return w.stream.write(p, io.Discard) }

// Verify ends the operation: CKR_SIGNATURE_INVALID or CKR_SIGNATURE_LEN_RANGE if the signature is not right.
func (w *VerifyWriter) Verify(signature []byte) error {
	_, err := w.stream.finish(signature)
	return err
}

// Close ends the operation without a result, if Verify has not ended it. Closing twice is harmless.
func (w *VerifyWriter) Close() error {
	w.stream.cancel(errCanceled)
	return nil
}

// A CipherWriter is an io.WriteCloser for data that is encrypted or decrypted in parts, and written to another io.Writer.
// It is complete only when Close has given no error. Not safe for concurrent use.
type CipherWriter struct {
	stream stream
	w      io.Writer
}

// NewEncrypter begins an encryption in parts (C_EncryptInit, PKCS#11 3.2 §5.8), whose result goes to w. The context is that
// of all its calls.
func (s *Session) NewEncrypter(ctx context.Context, w io.Writer, mechanism ck.Mechanism, key *Object) (*CipherWriter, error) {
	return s.cipher(ctx, w, ck.FuncEncryptInit, mechanism, key)
}

// NewDecrypter begins a decryption in parts (C_DecryptInit, PKCS#11 3.2 §5.10), whose result goes to w. The context is that
// of all its calls. What is written before Close has not been authenticated.
func (s *Session) NewDecrypter(ctx context.Context, w io.Writer, mechanism ck.Mechanism, key *Object) (*CipherWriter, error) {
	return s.cipher(ctx, w, ck.FuncDecryptInit, mechanism, key)
}

func (s *Session) cipher(ctx context.Context, w io.Writer, f ck.Func, mechanism ck.Mechanism, key *Object) (*CipherWriter, error) {
	x, err := s.stream(ctx, f, mechanism, key)
	if err != nil {
		return nil, err
	}
	return &CipherWriter{x, w}, nil
}

// Write encrypts or decrypts, and writes what is ready.
func (c *CipherWriter) Write(p []byte) (int, error) { return c.stream.write(p, c.w) }

// Close ends the operation and writes what is left. Closing twice gives the error of the first time, if there was one.
func (c *CipherWriter) Close() error {
	if c.stream.over {
		return c.stream.err
	}
	out, err := c.stream.finish(nil)
	if err == nil && len(out) > 0 {
		_, err = c.w.Write(out)
		c.stream.err = err
	}
	return err
}

// Cancel ends the operation without its rest. What Write has written stays, and Close gives an error. After Close it does
// nothing.
func (c *CipherWriter) Cancel() { c.stream.cancel(errCanceled) }
