package calllog_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/p11mux/p11mux/calllog"
	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/internal/softtoken"
	"github.com/p11mux/p11mux/module/moduletest"
)

// A module whose calls are logged behaves as every module has to, and the log has every function that was called.
func TestLoggedModule(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		t.Run(format, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "log")
			log, err := calllog.Open(calllog.Options{JSON: format == "json", File: path}, "soft")
			if err != nil {
				t.Fatal(err)
			}
			moduletest.Run(t, func(t *testing.T) moduletest.Fixture {
				return moduletest.Fixture{
					Module: log.NewCaller(new(calllog.View), "test", "soft").Module(softtoken.New()), Label: softtoken.Label, UserPIN: []byte(softtoken.UserPIN),
					SOPIN: []byte(softtoken.SOPIN), Again: ck.CKR_CRYPTOKI_ALREADY_INITIALIZED,
					Offers: []ck.MechanismType{ck.CKM_SHA256, ck.CKM_ECDSA, ck.CKM_AES_GCM},
				}
			})
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range []string{"C_Initialize", "C_Login", "C_FindObjects", "C_GetAttributeValue", "C_Sign", "C_WrapKey", "C_Finalize"} {
				if !strings.Contains(string(text), f+" = CKR_OK\n") && !strings.Contains(string(text), `"function":"`+f+`"`) {
					t.Errorf("the log has no %s", f)
				}
			}
			if format == "json" {
				for line := range strings.Lines(string(text)) {
					if !json.Valid([]byte(line)) {
						t.Errorf("not JSON: %s", line)
					}
				}
			}
		})
	}
}
