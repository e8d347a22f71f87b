package proxy_test

import (
	"context"
	"testing"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/internal/softtoken"
	"github.com/p11mux/p11mux/managed"
	"github.com/p11mux/p11mux/module"
	"github.com/p11mux/p11mux/module/moduletest"
	"github.com/p11mux/p11mux/proxy"
)

// unlabelled is a token with another label, so that the suite does not take it for the one to be tested.
func unlabelled(m module.Module) module.Module {
	return module.Func(func(ctx context.Context, call ck.Call) error {
		err := m.Do(ctx, call)
		if c, ok := call.(*ck.GetTokenInfoCall); ok && err == nil {
			ck.Pad(c.Info.Label[:], "not this one")
		}
		return err
	})
}

// caller shares a module, and gives a caller of it.
func caller(t *testing.T, m module.Module) module.Module {
	shared := managed.New(m, managed.Options{Args: ck.InitializeArgs{Flags: ck.CKF_OS_LOCKING_OK}, Message: func(text string) { t.Error(text) }})
	return shared.NewCaller(nil)
}

// A proxy behaves as every module has to, wherever the token is among its members, and whether they are managed or not.
func TestModule(t *testing.T) {
	for name, members := range map[string]func(t *testing.T) []module.Module{
		"alone": func(*testing.T) []module.Module { return []module.Module{softtoken.New()} },
		"first": func(*testing.T) []module.Module {
			return []module.Module{softtoken.New(), unlabelled(softtoken.New())}
		},
		"last": func(*testing.T) []module.Module {
			return []module.Module{unlabelled(softtoken.New()), unlabelled(softtoken.New()), softtoken.New()}
		},
		"managed": func(t *testing.T) []module.Module {
			return []module.Module{caller(t, unlabelled(softtoken.New())), caller(t, softtoken.New())}
		},
		"a proxy of proxies": func(t *testing.T) []module.Module {
			inner := proxy.New(proxy.Options{Members: []proxy.Member{
				{Module: caller(t, unlabelled(softtoken.New())), Key: 1, Name: "inner"}, {Module: softtoken.New(), Key: 2, Name: "inner"},
			}, Version: ck.Version{Major: 3}})
			return []module.Module{unlabelled(softtoken.New()), inner}
		},
	} {
		t.Run(name, func(t *testing.T) {
			moduletest.Run(t, func(t *testing.T) moduletest.Fixture {
				o := proxy.Options{Version: ck.Version{Major: 3, Minor: 2}, Message: func(text string) { t.Error(text) }}
				for i, m := range members(t) {
					o.Members = append(o.Members, proxy.Member{Module: m, Key: i, Name: name})
				}
				return moduletest.Fixture{
					Module: proxy.New(o), Label: softtoken.Label, UserPIN: []byte(softtoken.UserPIN), SOPIN: []byte(softtoken.SOPIN),
					Again: ck.CKR_CRYPTOKI_ALREADY_INITIALIZED, Offers: []ck.MechanismType{ck.CKM_SHA256, ck.CKM_ECDSA, ck.CKM_AES_GCM},
				}
			})
		})
	}
}
