package softtoken_test

import (
	"testing"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/internal/softtoken"
	"github.com/p11mux/p11mux/module"
	"github.com/p11mux/p11mux/module/moduletest"
)

var _ module.Module = (*softtoken.Token)(nil)

func TestModule(t *testing.T) {
	moduletest.Run(t, func(*testing.T) moduletest.Fixture {
		return moduletest.Fixture{
			Module:  softtoken.New(),
			Label:   softtoken.Label,
			UserPIN: []byte(softtoken.UserPIN),
			SOPIN:   []byte(softtoken.SOPIN),
			Again:   ck.CKR_CRYPTOKI_ALREADY_INITIALIZED,
			Offers: []ck.MechanismType{
				ck.CKM_RSA_PKCS_KEY_PAIR_GEN, ck.CKM_SHA256_RSA_PKCS, ck.CKM_SHA256_RSA_PKCS_PSS, ck.CKM_RSA_PKCS_OAEP,
				ck.CKM_EC_KEY_PAIR_GEN, ck.CKM_ECDSA, ck.CKM_EDDSA, ck.CKM_ECDH1_DERIVE,
				ck.CKM_AES_KEY_GEN, ck.CKM_AES_CBC_PAD, ck.CKM_AES_GCM, ck.CKM_AES_KEY_WRAP, ck.CKM_SHA256,
			},
		}
	})
}
