package rpc_test

import (
	"context"
	"net"
	"sync"
	"testing"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/internal/softtoken"
	"github.com/p11mux/p11mux/module"
	"github.com/p11mux/p11mux/module/moduletest"
	"github.com/p11mux/p11mux/rpc"
)

var _ module.Module = (*rpc.Client)(nil)

// serve has a module served to each client that dials, until the test is over.
func serve(t testing.TB, m module.Module) func(context.Context) (rpc.Conn, error) {
	var servers sync.WaitGroup
	t.Cleanup(servers.Wait)
	return func(context.Context) (rpc.Conn, error) {
		here, there := net.Pipe()
		servers.Go(func() {
			defer there.Close()
			if err := rpc.Serve(context.Background(), m, there, there, rpc.ServerOptions{}); err != nil {
				t.Errorf("the server ends with %v", err)
			}
		})
		t.Cleanup(func() { here.Close() })
		return rpc.NewConn(here), nil
	}
}

// A module at the other end behaves as every module has to.
func TestModule(t *testing.T) {
	moduletest.Run(t, func(t *testing.T) moduletest.Fixture {
		return moduletest.Fixture{
			Module: rpc.NewClient(rpc.Options{Dial: serve(t, softtoken.New())}),
			Label:  softtoken.Label, UserPIN: []byte(softtoken.UserPIN), SOPIN: []byte(softtoken.SOPIN),
			Again: ck.CKR_CRYPTOKI_ALREADY_INITIALIZED,
			Offers: []ck.MechanismType{
				ck.CKM_RSA_PKCS_KEY_PAIR_GEN, ck.CKM_SHA256_RSA_PKCS, ck.CKM_SHA256_RSA_PKCS_PSS, ck.CKM_RSA_PKCS_OAEP,
				ck.CKM_EC_KEY_PAIR_GEN, ck.CKM_ECDSA, ck.CKM_EDDSA, ck.CKM_ECDH1_DERIVE,
				ck.CKM_AES_KEY_GEN, ck.CKM_AES_CBC_PAD, ck.CKM_AES_GCM, ck.CKM_AES_KEY_WRAP, ck.CKM_SHA256,
			},
		}
	})
}
