package registry

import (
	"context"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/conf"
	"github.com/p11mux/p11mux/internal/cabi"
	"github.com/p11mux/p11mux/internal/native"
	"github.com/p11mux/p11mux/internal/stream"
	"github.com/p11mux/p11mux/managed"
	"github.com/p11mux/p11mux/rpc"
	"github.com/p11mux/p11mux/transport"
)

// A remote is a module that is at the other end of a connection. It is told from others by its name and its address, since there
// is no file that two names could have in common.
type remote struct {
	name, address string
	client        *rpc.Client
	record        atomic.Pointer[byte] // what Hooks.Loaded gave, for those who do not hold the lock
}

// openRemote finds or makes a configured remote module, and holds a reference to it. Nothing is connected before C_Initialize.
func (r *Registry) openRemote(mc *conf.Module, text string, q Query) (*Module, error) {
	tell := r.tell(q)
	address, err := transport.Parse(text)
	if err != nil {
		tell(err.Error())
		return nil, loadError(ck.CKR_GENERAL_ERROR, err.Error())
	}
	timeout := time.Duration(0) // rpc's own
	if seconds, ok := mc.Options.Get("remote-timeout"); ok {
		if timeout, err = transport.ParseTimeout(seconds); err != nil {
			tell(mc.File + ": " + err.Error() + ": " + seconds)
			timeout = 0
		}
	}
	m, err := r.holdRemote(mc, text, address, timeout)
	if err != nil {
		tell(err.Error())
		return nil, err
	}
	r.configure(m, mc, q)
	return m, nil
}

// Client makes a remote module that no configuration names and that is shared with nobody, of the server at an address. It must be
// released.
func (r *Registry) Client(name, address string) (*Module, error) {
	mc := &conf.Module{Name: name, Options: conf.Options{{Key: "remote", Value: address}}}
	parsed, err := transport.Parse(address)
	if err != nil {
		return nil, loadError(ck.CKR_GENERAL_ERROR, err.Error())
	}
	m, err := r.addRemote(mc, address, parsed, 0)
	if err != nil {
		return nil, err
	}
	r.configure(m, mc, Query{})
	return m, nil
}

// holdRemote finds the module, or takes it in.
func (r *Registry) holdRemote(mc *conf.Module, text string, address *transport.Address, timeout time.Duration) (*Module, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.modules {
		if m.remote != nil && m.remote.name == mc.Name && m.remote.address == text {
			m.refs++
			return m, nil
		}
	}
	return r.addRemoteLocked(mc, text, address, timeout)
}

// addRemote takes in another remote module, and holds a reference to it.
func (r *Registry) addRemote(mc *conf.Module, text string, address *transport.Address, timeout time.Duration) (*Module, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.addRemoteLocked(mc, text, address, timeout)
}

// addRemoteLocked is addRemote for who holds the lock.
func (r *Registry) addRemoteLocked(mc *conf.Module, text string, address *transport.Address, timeout time.Duration) (*Module, error) {
	m := r.newRemote(mc, text, address, timeout)
	m.refs = 1
	if r.host().Loaded != nil {
		if m.record = r.host().Loaded(nil); m.record == nil {
			return nil, loadError(ck.CKR_HOST_MEMORY, "no memory to load "+mc.Name)
		}
		m.remote.record.Store((*byte)(m.record))
	}
	r.modules = append(r.modules, m)
	return m, nil
}

// newRemote makes a remote module. The lock must be held.
func (r *Registry) newRemote(mc *conf.Module, text string, address *transport.Address, timeout time.Duration) *Module {
	m := &Module{registry: r, remote: &remote{name: mc.Name, address: text}}
	if timeout == 0 {
		timeout = rpc.DefaultTimeout
	}
	o := rpc.Options{
		Dial: func(ctx context.Context) (rpc.Conn, error) {
			return address.Dial(ctx, timeout, func(connection, process int) {
				if connected := r.host().Connected; connected != nil {
					connected(unsafe.Pointer(m.remote.record.Load()), connection, process)
				}
			})
		},
		Name:     mc.Name,
		Timeout:  timeout,
		Reserved: cabi.Text,
		Address:  native.IsAddress,
		Pause:    stream.Pause,
	}
	if r.host().Guest {
		o.NewWaiter = func() rpc.Waiter { return new(stream.Waiter) }
		o.NewMutex = func() rpc.Mutex { return new(stream.Mutex) }
		stream.ManyThreads()
	}
	m.remote.client = rpc.NewClient(o)
	m.shared = managed.New(told{r, m.remote}, r.options(nil, false))
	return m
}

// AdoptRemote takes in a remote module that the process inherited over a fork. Its connection is the parent's, so it has none.
func (r *Registry) AdoptRemote(config *conf.Module, record unsafe.Pointer) {
	text, _ := config.Remote()
	address, err := transport.Parse(text)
	if err != nil {
		return // it was understood when it was loaded
	}
	timeout := time.Duration(0)
	if seconds, ok := config.Options.Get("remote-timeout"); ok {
		timeout, _ = transport.ParseTimeout(seconds)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.newRemote(config, text, address, timeout)
	m.config, m.record, m.pinned = config, record, true
	m.remote.record.Store((*byte)(record))
	m.shared.SetOptions(r.options(config, false))
	r.modules = append(r.modules, m)
}

// Absent says why the server of a remote module is not there, while the module is initialized; it is nil for every other module. It may be
// called from any goroutine.
func (m *Module) Absent() error {
	if m.remote == nil {
		return nil
	}
	return m.remote.client.Absent()
}

// told is a remote module that tells the host why it could not be connected to, which a return value cannot.
type told struct {
	registry *Registry
	remote   *remote
}

// Do executes a call.
func (t told) Do(ctx context.Context, call ck.Call) error {
	err := t.remote.client.Do(ctx, call)
	if _, first := call.(*ck.InitializeCall); !first {
		return err
	}
	if err == nil {
		if absent := t.remote.client.Absent(); absent != nil {
			t.registry.host().Message("module '" + t.remote.name + "' has no slots: " + absent.Error())
		}
	} else if _, refused := err.(ck.RV); !refused {
		t.registry.host().Message("couldn't connect to module '" + t.remote.name + "': " + err.Error())
	}
	return err
}
