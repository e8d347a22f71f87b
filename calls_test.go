package p11mux

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/internal/softtoken"
)

const (
	testKey       = "the key's octets" // 16 of them
	testPlaintext = "what nobody is to read in a log!"
)

// useSecrets makes a key of known octets and encrypts and decrypts a known text with it; all this is in a log that is kept of it.
func useSecrets(f *fixture) {
	f.Helper()
	key, err := f.CreateObject(f.ctx, Attr(ck.CKA_CLASS, ck.CKO_SECRET_KEY), Attr(ck.CKA_KEY_TYPE, ck.CKK_AES),
		Attr(ck.CKA_VALUE, testKey), Attr(ck.CKA_LABEL, "logged"), Attr(ck.CKA_ENCRYPT, true), Attr(ck.CKA_DECRYPT, true))
	f.must(err)
	mechanism := ck.Mechanism{Type: ck.CKM_AES_CBC_PAD, Param: ck.RawParam("an iv of 16 octs")}
	sealed, err := f.Encrypt(f.ctx, mechanism, key, []byte(testPlaintext))
	f.must(err)
	opened, err := f.Decrypt(f.ctx, mechanism, key, sealed)
	if f.must(err); string(opened) != testPlaintext {
		f.Errorf("decrypted %q", opened)
	}
}

// withoutSecrets fails the test if a log has one of them, as text or in hexadecimal.
func withoutSecrets(t *testing.T, log string, secrets ...string) {
	t.Helper()
	for _, secret := range append(secrets, testKey, testPlaintext) {
		for _, form := range []string{secret, hex.EncodeToString([]byte(secret)), strings.ToUpper(hex.EncodeToString([]byte(secret)))} {
			if strings.Contains(log, form) {
				t.Errorf("the log has %q", form)
			}
		}
	}
}

func TestCallLog(t *testing.T) {
	var log bytes.Buffer
	handler := slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})
	f := openToken(t, WithCallLog(slog.New(handler)), WithProgname("the-program"))
	useSecrets(f)
	withoutSecrets(t, log.String())
	type record struct {
		Level, Msg, Caller, Module, Result string
		Session, Duration                  float64
		Arguments, Output                  map[string]any
	}
	records := map[string][]record{}
	for line := range strings.Lines(log.String()) {
		var r record
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if r.Level != "DEBUG" || r.Caller != "the-program" || r.Module != "soft" || r.Duration <= 0 {
			t.Errorf("record %s", line)
		}
		records[r.Msg] = append(records[r.Msg], r)
	}
	login, create, open := records["C_Login"], records["C_CreateObject"], records["C_OpenSession"]
	if len(login) != 1 || len(create) != 1 || len(open) == 0 {
		t.Fatalf("%d logins, %d objects, %d sessions", len(login), len(create), len(open))
	}
	if l := login[0]; l.Result != "CKR_OK" || l.Arguments["userType"] != "CKU_USER" || l.Arguments["pPin"].(map[string]any)["length"] != 4.0 || l.Session == 0 {
		t.Errorf("login %+v", l)
	}
	template := create[0].Arguments["pTemplate"].(map[string]any)
	if value := template["2"].(map[string]any); value["type"] != "CKA_VALUE" || value["length"] != 16.0 || len(value) != 2 {
		t.Errorf("value %v", value)
	}
	if label := template["3"].(map[string]any); label["text"] != "logged" {
		t.Errorf("label %v", label)
	}
	if create[0].Output["phObject"] == nil || open[0].Session != open[0].Output["phSession"] {
		t.Errorf("output %v, %v", create[0].Output, open[0])
	}
	if len(records["C_Initialize"]) != 1 || len(records["C_Encrypt"]) == 0 {
		t.Errorf("calls of %v", slices.Collect(func(yield func(string) bool) {
			for name := range records {
				if !yield(name) {
					return
				}
			}
		}))
	}
}

// A logger that does not want records is not given any.
func TestCallLogLevel(t *testing.T) {
	var log bytes.Buffer
	f := openToken(t, WithCallLog(slog.New(slog.NewTextHandler(&log, nil))))
	useSecrets(f)
	if log.Len() != 0 {
		t.Errorf("logged at level Info: %s", log.String())
	}
}

// Closing is in the log, and errors come through it as they are.
func TestCallLogErrors(t *testing.T) {
	var log bytes.Buffer
	m := loadLogged(t, &log)
	token := firstToken(t, m)
	if err := token.Login(t.Context(), PINString("wrong")); err == nil {
		t.Error("a wrong PIN is taken")
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	for _, want := range []string{"msg=C_Login", "result=CKR_PIN_INCORRECT", "msg=C_Finalize"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, log.String())
		}
	}
}

func loadLogged(t *testing.T, log *bytes.Buffer) *Module {
	return load(t, softtoken.New(), WithCallLog(slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))))
}
