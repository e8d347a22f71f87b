//go:build cgo

package native

import (
	"testing"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/internal/testkit"
	"github.com/p11mux/p11mux/module/moduletest"
)

// softHSM opens SoftHSM with a new token of its own.
func softHSM(t *testing.T) moduletest.Fixture {
	t.Helper()
	lib, _ := testkit.SoftHSMTokens(t, "moduletest")
	m, err := Open(lib)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return moduletest.Fixture{
		Module: m, Label: "moduletest", UserPIN: []byte(testkit.UserPIN), SOPIN: []byte(testkit.SOPIN), Again: ck.CKR_CRYPTOKI_ALREADY_INITIALIZED,
		Offers: []ck.MechanismType{ck.CKM_SHA256, ck.CKM_RSA_PKCS_KEY_PAIR_GEN, ck.CKM_SHA256_RSA_PKCS, ck.CKM_SHA256_RSA_PKCS_PSS, ck.CKM_RSA_PKCS_OAEP,
			ck.CKM_EC_KEY_PAIR_GEN, ck.CKM_ECDSA, ck.CKM_AES_KEY_GEN, ck.CKM_AES_CBC_PAD, ck.CKM_AES_GCM, ck.CKM_AES_KEY_WRAP},
	}
}

func TestSoftHSM(t *testing.T) { moduletest.Run(t, softHSM) }
