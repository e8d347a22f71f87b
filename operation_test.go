package p11mux

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"io"
	"sync"
	"testing"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/internal/softtoken"
	"github.com/p11mux/p11mux/module"
)

// secretKey makes a session key of known octets.
func (f *fixture) secretKey(typ ck.KeyType, value []byte, more ...ck.Attribute) *Object {
	f.Helper()
	o, err := f.CreateObject(f.ctx, append([]ck.Attribute{Attr(ck.CKA_CLASS, ck.CKO_SECRET_KEY), Attr(ck.CKA_KEY_TYPE, typ), Attr(ck.CKA_VALUE, value),
		Attr(ck.CKA_ENCRYPT, true), Attr(ck.CKA_DECRYPT, true), Attr(ck.CKA_WRAP, true), Attr(ck.CKA_UNWRAP, true),
		Attr(ck.CKA_SIGN, true), Attr(ck.CKA_VERIFY, true), Attr(ck.CKA_EXTRACTABLE, true), Attr(ck.CKA_SENSITIVE, false)}, more...)...)
	f.must(err)
	return o
}

var (
	aesKey  = bytes.Repeat([]byte{0x42}, 32)
	message = bytes.Repeat([]byte("a message that is longer than a part of it. "), 1000)
)

func TestDigest(t *testing.T) {
	f := openToken(t)
	for _, data := range [][]byte{nil, []byte("abc"), message} {
		want := sha256.Sum256(data)
		got, err := f.Digest(f.ctx, ck.Mechanism{Type: ck.CKM_SHA256}, data)
		if err != nil || !bytes.Equal(got, want[:]) {
			t.Errorf("%d octets: %x, %v", len(data), got, err)
		}
		w, err := f.NewDigest(f.ctx, ck.Mechanism{Type: ck.CKM_SHA256})
		f.must(err)
		_, err = io.Copy(w, bytes.NewReader(data))
		f.must(err)
		got, err = w.Sum()
		if err != nil || !bytes.Equal(got, want[:]) {
			t.Errorf("%d octets in parts: %x, %v", len(data), got, err)
		}
		_, err = w.Sum()
		refused(t, "Sum twice", err, errOver)
		_, err = w.Write(data)
		refused(t, "Write after Sum", err, errOver)
		f.must(w.Close())
	}
}

func TestMAC(t *testing.T) {
	f := openToken(t)
	key := f.secretKey(ck.CKK_GENERIC_SECRET, aesKey)
	hmacSHA256 := ck.Mechanism{Type: ck.CKM_SHA256_HMAC}
	mac := hmac.New(sha256.New, aesKey)
	mac.Write(message)
	want := mac.Sum(nil)
	got, err := f.Sign(f.ctx, hmacSHA256, key, message)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%x, %v", got, err)
	}
	f.must(f.Verify(f.ctx, hmacSHA256, key, message, got))
	refused(t, "a wrong code", f.Verify(f.ctx, hmacSHA256, key, message[1:], got), ck.CKR_SIGNATURE_INVALID)
	refused(t, "a short code", f.Verify(f.ctx, hmacSHA256, key, message, nil), ck.CKR_SIGNATURE_LEN_RANGE)

	w, err := f.NewSigner(f.ctx, hmacSHA256, key)
	f.must(err)
	_, err = w.Write(message)
	f.must(err)
	got, err = w.Sum()
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("in parts: %x, %v", got, err)
	}
	for _, data := range [][]byte{message, message[1:]} {
		v, err := f.NewVerifier(f.ctx, hmacSHA256, key)
		f.must(err)
		_, err = v.Write(data)
		f.must(err)
		if err := v.Verify(want); len(data) == len(message) {
			f.must(err)
		} else {
			refused(t, "a wrong code in parts", err, ck.CKR_SIGNATURE_INVALID)
		}
		f.must(v.Close())
	}
}

func TestEncrypt(t *testing.T) {
	f := openToken(t)
	key := f.secretKey(ck.CKK_AES, aesKey)
	iv := bytes.Repeat([]byte{1}, 16)
	block, err := aes.NewCipher(aesKey)
	f.must(err)
	gcm, err := cipher.NewGCM(block)
	f.must(err)
	wantGCM := gcm.Seal(nil, iv[:12], message, []byte("aad"))
	for _, test := range []struct {
		name      string
		mechanism func() ck.Mechanism
		want      []byte
	}{
		{"CBC", func() ck.Mechanism { return ck.Mechanism{Type: ck.CKM_AES_CBC_PAD, Param: ck.RawParam(iv)} }, nil},
		{"GCM", func() ck.Mechanism {
			return ck.Mechanism{Type: ck.CKM_AES_GCM, Param: &ck.GCMParams{IV: iv[:12], IVBits: 96, AAD: []byte("aad"), TagBits: 128}}
		}, wantGCM},
	} {
		sealed, err := f.Encrypt(f.ctx, test.mechanism(), key, message)
		f.must(err)
		if test.want != nil && !bytes.Equal(sealed, test.want) {
			t.Errorf("%s: a wrong ciphertext", test.name)
		}
		plain, err := f.Decrypt(f.ctx, test.mechanism(), key, sealed)
		if err != nil || !bytes.Equal(plain, message) {
			t.Errorf("%s: %d octets, %v", test.name, len(plain), err)
		}
		_, err = f.Decrypt(f.ctx, test.mechanism(), key, sealed[1:])
		if err == nil {
			t.Errorf("%s: a bad ciphertext is decrypted", test.name)
		}

		var out bytes.Buffer
		w, err := f.NewEncrypter(f.ctx, &out, test.mechanism(), key)
		f.must(err)
		for rest := message; len(rest) > 0; {
			n := min(len(rest), 777)
			_, err := w.Write(rest[:n])
			f.must(err)
			rest = rest[n:]
		}
		f.must(w.Close())
		f.must(w.Close())
		if !bytes.Equal(out.Bytes(), sealed) {
			t.Errorf("%s: in parts another ciphertext", test.name)
		}
		out.Reset()
		w, err = f.NewDecrypter(f.ctx, &out, test.mechanism(), key)
		f.must(err)
		_, err = w.Write(sealed)
		f.must(err)
		f.must(w.Close())
		if !bytes.Equal(out.Bytes(), message) {
			t.Errorf("%s: in parts another message", test.name)
		}
		w, err = f.NewDecrypter(f.ctx, &out, test.mechanism(), key)
		f.must(err)
		_, err = w.Write(sealed[:len(sealed)-1])
		f.must(err)
		first := w.Close()
		if first == nil || w.Close() == nil {
			t.Errorf("%s: a bad ciphertext is decrypted in parts", test.name)
		}
	}
}

// An operation that is given up leaves its session free, with a module of 3.0 and with an older one.
func TestCancel(t *testing.T) {
	soft := softtoken.New()
	for name, mod := range map[string]module.Module{
		"3.0": soft,
		"2.40": module.Func(func(ctx context.Context, call ck.Call) error {
			if _, ok := call.(*ck.SessionCancelCall); ok {
				return ck.CKR_FUNCTION_NOT_SUPPORTED
			}
			return soft.Do(ctx, call)
		}),
	} {
		t.Run(name, func(t *testing.T) {
			f := use(t, load(t, mod), softtoken.UserPIN)
			key := f.secretKey(ck.CKK_GENERIC_SECRET, aesKey)
			aes := f.secretKey(ck.CKK_AES, aesKey)
			mac, cbc := ck.Mechanism{Type: ck.CKM_SHA256_HMAC}, ck.Mechanism{Type: ck.CKM_AES_CBC_PAD, Param: ck.RawParam(make([]byte, 16))}
			for range 2 {
				digest, err := f.NewDigest(f.ctx, ck.Mechanism{Type: ck.CKM_SHA256})
				f.must(err)
				signer, err := f.NewSigner(f.ctx, mac, key)
				f.must(err)
				verifier, err := f.NewVerifier(f.ctx, mac, key)
				f.must(err)
				encrypter, err := f.NewEncrypter(f.ctx, io.Discard, cbc, aes)
				f.must(err)
				decrypter, err := f.NewDecrypter(f.ctx, io.Discard, cbc, aes)
				f.must(err)
				_, err = f.NewSigner(f.ctx, mac, key)
				refused(t, "a second signature", err, ck.CKR_OPERATION_ACTIVE)
				for _, w := range []io.Writer{digest, signer, verifier, encrypter, decrypter} {
					_, err := w.Write([]byte("some data"))
					f.must(err)
				}
				f.must(digest.Close())
				f.must(digest.Close())
				f.must(signer.Close())
				f.must(verifier.Close())
				encrypter.Cancel()
				decrypter.Cancel()
				refused(t, "Close after Cancel", encrypter.Close(), errCanceled)
				_, err = signer.Sum()
				refused(t, "Sum after Close", err, errCanceled)
			}
		})
	}
}

// A writer that fails ends the operation.
func TestWriterFails(t *testing.T) {
	f := openToken(t)
	key := f.secretKey(ck.CKK_AES, aesKey)
	full := errors.New("the disk is full")
	w, err := f.NewEncrypter(f.ctx, writerFunc(func([]byte) (int, error) { return 0, full }), ck.Mechanism{Type: ck.CKM_AES_CBC_PAD, Param: ck.RawParam(make([]byte, 16))}, key)
	f.must(err)
	_, err = w.Write(message)
	refused(t, "Write", err, full)
	refused(t, "Close", w.Close(), full)
	_, err = f.Digest(f.ctx, ck.Mechanism{Type: ck.CKM_SHA256}, nil)
	f.must(err)
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestKeys(t *testing.T) {
	f := openToken(t)
	key, err := f.GenerateKey(f.ctx, ck.Mechanism{Type: ck.CKM_AES_KEY_GEN}, Attr(ck.CKA_VALUE_LEN, 32), Attr(ck.CKA_LABEL, "made"),
		Attr(ck.CKA_EXTRACTABLE, true), Attr(ck.CKA_SENSITIVE, false))
	f.must(err)
	if key.Class() != ck.CKO_SECRET_KEY || key.KeyType() != ck.CKK_AES || key.Label() != "made" {
		t.Errorf("%v %v %q", key.Class(), key.KeyType(), key.Label())
	}
	value, err := key.Attributes(f.ctx, ck.CKA_VALUE)
	f.must(err)

	wrapping := f.secretKey(ck.CKK_AES, aesKey)
	wrap := ck.Mechanism{Type: ck.CKM_AES_KEY_WRAP}
	wrapped, err := f.WrapKey(f.ctx, wrap, wrapping, key)
	f.must(err)
	again, err := f.UnwrapKey(f.ctx, wrap, wrapping, wrapped, Attr(ck.CKA_CLASS, ck.CKO_SECRET_KEY), Attr(ck.CKA_KEY_TYPE, ck.CKK_AES),
		Attr(ck.CKA_EXTRACTABLE, true), Attr(ck.CKA_SENSITIVE, false))
	f.must(err)
	value2, err := again.Attributes(f.ctx, ck.CKA_VALUE)
	f.must(err)
	if len(value.Bytes(ck.CKA_VALUE)) != 32 || !bytes.Equal(value.Bytes(ck.CKA_VALUE), value2.Bytes(ck.CKA_VALUE)) {
		t.Error("the unwrapped key is another one")
	}
	_, err = f.UnwrapKey(f.ctx, wrap, wrapping, wrapped[1:], Attr(ck.CKA_CLASS, ck.CKO_SECRET_KEY), Attr(ck.CKA_KEY_TYPE, ck.CKK_AES))
	if err == nil {
		t.Error("a bad wrapped key is unwrapped")
	}
	_, err = f.WrapKey(f.ctx, wrap, nil, key)
	refused(t, "no wrapping key", err, ck.CKR_KEY_HANDLE_INVALID)

	_, a := f.generate("P-256", "a", Attr(ck.CKA_DERIVE, true))
	pubB, b := f.generate("P-256", "b", Attr(ck.CKA_DERIVE, true))
	pubA, _, err := next(f.Find(f.ctx, Attr(ck.CKA_CLASS, ck.CKO_PUBLIC_KEY), Attr(ck.CKA_LABEL, "a")))
	f.must(err)
	if !bytes.Equal(f.agree(a, pubB), f.agree(b, pubA)) {
		t.Error("two secrets")
	}
}

// agree derives a secret by ECDH.
func (f *fixture) agree(private, public *Object) []byte {
	f.Helper()
	point, err := public.Attributes(f.ctx, ck.CKA_EC_POINT)
	f.must(err)
	params := &ck.ECDH1DeriveParams{KDF: ck.CKD_NULL, PublicData: point.Bytes(ck.CKA_EC_POINT)[2:]}
	secret, err := f.DeriveKey(f.ctx, ck.Mechanism{Type: ck.CKM_ECDH1_DERIVE, Param: params}, private, Attr(ck.CKA_CLASS, ck.CKO_SECRET_KEY),
		Attr(ck.CKA_KEY_TYPE, ck.CKK_GENERIC_SECRET), Attr(ck.CKA_VALUE_LEN, 32), Attr(ck.CKA_EXTRACTABLE, true), Attr(ck.CKA_SENSITIVE, false))
	f.must(err)
	value, err := secret.Attributes(f.ctx, ck.CKA_VALUE)
	f.must(err)
	if len(value.Bytes(ck.CKA_VALUE)) != 32 {
		f.Errorf("a secret of %d octets", len(value.Bytes(ck.CKA_VALUE)))
	}
	return value.Bytes(ck.CKA_VALUE)
}

func TestRandom(t *testing.T) {
	f := openToken(t)
	a, b := make([]byte, 40000), make([]byte, 40000)
	f.must(f.Random(f.ctx, a))
	_, err := io.ReadFull(f.token.Random(f.ctx), b)
	f.must(err)
	if bytes.Equal(a, b) || bytes.Count(a, []byte{0}) > 1000 {
		t.Error("not random")
	}
	f.must(f.Random(f.ctx, nil))
	if err := f.SeedRandom(f.ctx, a[:16]); err != nil {
		refused(t, "seed", err, ck.CKR_RANDOM_SEED_NOT_SUPPORTED)
	}
}

// One session serves many goroutines.
func TestOneSessionForMany(t *testing.T) {
	f := openToken(t)
	key := f.secretKey(ck.CKK_GENERIC_SECRET, aesKey)
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			data := bytes.Repeat([]byte{byte(i)}, i)
			mac := hmac.New(sha256.New, aesKey)
			mac.Write(data)
			for range 10 {
				got, err := f.Sign(f.ctx, ck.Mechanism{Type: ck.CKM_SHA256_HMAC}, key, data)
				if err != nil || !bytes.Equal(got, mac.Sum(nil)) {
					t.Errorf("%x, %v", got, err)
				}
				for _, err := range f.Find(f.ctx) {
					if err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
}
