package managed_test

import (
	"testing"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/internal/softtoken"
	"github.com/p11mux/p11mux/managed"
	"github.com/p11mux/p11mux/module/moduletest"
)

// A caller behaves as every module has to, alone, and beside another caller that has a session.
func TestModule(t *testing.T) {
	for _, beside := range []bool{false, true} {
		name := "alone"
		if beside {
			name = "beside another"
		}
		t.Run(name, func(t *testing.T) {
			moduletest.Run(t, func(t *testing.T) moduletest.Fixture {
				shared := managed.New(softtoken.New(), managed.Options{Args: ck.InitializeArgs{Flags: ck.CKF_OS_LOCKING_OK}, Message: func(text string) { t.Error(text) }})
				if beside {
					other := shared.NewCaller(nil)
					for _, call := range []ck.Call{&ck.InitializeCall{}, &ck.OpenSessionCall{Flags: ck.CKF_SERIAL_SESSION | ck.CKF_RW_SESSION}} {
						if err := other.Do(t.Context(), call); err != nil {
							t.Fatalf("%v: %v", call.Func(), err)
						}
					}
				}
				return moduletest.Fixture{
					Module: shared.NewCaller(nil), Label: softtoken.Label, UserPIN: []byte(softtoken.UserPIN), SOPIN: []byte(softtoken.SOPIN),
					Again: ck.CKR_CRYPTOKI_ALREADY_INITIALIZED, Offers: []ck.MechanismType{ck.CKM_SHA256, ck.CKM_ECDSA, ck.CKM_AES_GCM},
				}
			})
		})
	}
}
