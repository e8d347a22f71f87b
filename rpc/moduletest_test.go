package rpc_test

import (
	"context"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/internal/softtoken"
	"github.com/p11mux/p11mux/module"
	"github.com/p11mux/p11mux/module/moduletest"
	"github.com/p11mux/p11mux/rpc"
)

var _ module.Module = (*rpc.Client)(nil)

// aged is the stream of a client that speaks no higher version than this.
type aged struct {
	net.Conn
	version rpc.Version
	greeted bool
}

func (a *aged) Read(p []byte) (int, error) {
	n, err := a.Conn.Read(p)
	if n > 0 && !a.greeted {
		p[0], a.greeted = min(p[0], byte(a.version)), true
	}
	return n, err
}

// serve has a module served to each client that dials, at a version of the protocol, until the test is over.
func serve(t testing.TB, m module.Module, version rpc.Version) func(context.Context) (rpc.Conn, error) {
	return serveWith(t, m, version, rpc.ServerOptions{})
}

func serveWith(t testing.TB, m module.Module, version rpc.Version, o rpc.ServerOptions) func(context.Context) (rpc.Conn, error) {
	var servers sync.WaitGroup
	t.Cleanup(servers.Wait)
	return func(context.Context) (rpc.Conn, error) {
		here, there := net.Pipe()
		servers.Go(func() {
			defer there.Close()
			if err := rpc.Serve(context.Background(), m, &aged{Conn: there, version: version}, there, o); err != nil {
				t.Errorf("the server ends with %v", err)
			}
		})
		t.Cleanup(func() { here.Close() })
		return rpc.NewConn(here), nil
	}
}

// pauses are how servers wait.
var pauses = [2]func(time.Duration){nil, time.Sleep}

// A module at the other end behaves as every module has to, by every version of the protocol.
func TestModule(t *testing.T) {
	for version := range rpc.MaxVersion + 1 {
		t.Run("version "+strconv.Itoa(int(version)), func(t *testing.T) {
			moduletest.Run(t, func(t *testing.T) moduletest.Fixture {
				f := moduletest.Fixture{
					Module: rpc.NewClient(rpc.Options{Dial: serveWith(t, softtoken.New(), version, rpc.ServerOptions{Pause: pauses[version%2]})}),
					Label:  softtoken.Label, UserPIN: []byte(softtoken.UserPIN), SOPIN: []byte(softtoken.SOPIN),
					Again: ck.CKR_CRYPTOKI_ALREADY_INITIALIZED,
					Offers: []ck.MechanismType{
						ck.CKM_RSA_PKCS_KEY_PAIR_GEN, ck.CKM_SHA256_RSA_PKCS, ck.CKM_SHA256_RSA_PKCS_PSS, ck.CKM_RSA_PKCS_OAEP,
						ck.CKM_EC_KEY_PAIR_GEN, ck.CKM_ECDSA, ck.CKM_EDDSA,
						ck.CKM_AES_KEY_GEN, ck.CKM_AES_CBC_PAD, ck.CKM_AES_KEY_WRAP, ck.CKM_SHA256,
					},
				}
				if version == 0 {
					f.Module = without(f.Module, ck.CKM_AES_GCM) // its parameter has addresses, and no layout yet
				} else {
					f.Offers = append(f.Offers, ck.CKM_AES_GCM)
				}
				return f
			})
		})
	}
}

// without is a module that says that a mechanism is good for nothing.
func without(m module.Module, t ck.MechanismType) module.Module {
	return module.Func(func(ctx context.Context, call ck.Call) error {
		err := m.Do(ctx, call)
		if info, ok := call.(*ck.GetMechanismInfoCall); ok && info.Type == t {
			info.Info.Flags = 0
		}
		return err
	})
}
