// Package serve is what a process does that serves modules to one client, over a stream: package rpc's server, and what it serves.
package serve

import (
	"context"
	"errors"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/filter"
	"github.com/p11mux/p11mux/internal/native"
	"github.com/p11mux/p11mux/internal/stream"
	"github.com/p11mux/p11mux/module"
	"github.com/p11mux/p11mux/proxy"
	"github.com/p11mux/p11mux/registry"
	"github.com/p11mux/p11mux/rpc"
	"github.com/p11mux/p11mux/uri"
)

// Prefix is what tells the URI of tokens from the path of a module.
const Prefix = "pkcs11:"

// Options are for Prepare.
type Options struct {
	// Message is told what a user should know; nil for nobody.
	Message func(text string)
}

// A Served is what one client gets. Prepare makes it; it serves once.
type Served struct {
	module module.Module
	close  func()
}

// ErrUsage is the cause of errors about what was to be served, before anything was tried.
var ErrUsage = errors.New("not to be served")

// A usageError says what is wrong with what was to be served.
type usageError string

// Error says it.
func (e usageError) Error() string { return string(e) }

// Unwrap gives ErrUsage.
func (e usageError) Unwrap() error { return ErrUsage }

// Prepare loads what is to be served, and initializes nothing. what is the path of one module, or the URIs of tokens; these are of
// the module with the path provider, of all configured modules if it is empty. A path that does not begin with a slash is looked up
// in the module directory. An error that is no ErrUsage has been told to Message.
func Prepare(provider string, what []string, o Options) (*Served, error) {
	if len(what) == 0 {
		return nil, usageError("specify a module or tokens to remote")
	}
	if slices.Contains(what, "") {
		return nil, usageError("one of the words is empty: in the configuration of a module, two blanks make such a word")
	}
	if o.Message == nil {
		o.Message = func(string) {}
	}
	reg := registry.New(registry.Hooks{Message: o.Message})
	if strings.HasPrefix(what[0], Prefix) {
		return tokens(reg, provider, what, o)
	}
	if len(what) > 1 {
		return nil, usageError("only one module can be specified")
	}
	m, err := reg.ByPath(what[0])
	if err != nil {
		return nil, err
	}
	return &Served{m, func() { reg.Release(m); reg.Sweep() }}, nil
}

// tokens prepares tokens by their URIs.
func tokens(reg *registry.Registry, provider string, uris []string, o Options) (*Served, error) {
	rules, err := rulesOf(uris, o.Message)
	if err != nil {
		return nil, err
	}
	var members []proxy.Member
	var release func()
	if provider != "" {
		m, err := reg.ByPath(provider)
		if err != nil {
			return nil, err
		}
		members = []proxy.Member{{Key: m, Name: m.Name(), Module: m.Shared().NewCaller(nil)}}
		release = func() { reg.Release(m); reg.Sweep() }
	} else {
		choices, err := reg.Configured(registry.Query{Progname: "p11-kit-remote"})
		if err != nil {
			return nil, err
		}
		for _, c := range choices {
			members = append(members, proxy.Member{
				Key: c.Module, Name: c.Module.Name(), Module: c.Module.Shared().NewCaller(nil), Critical: c.Config.Critical(),
			})
		}
		release = func() {
			for _, c := range choices {
				reg.Release(c.Module)
			}
			reg.Sweep()
		}
	}
	all := proxy.New(proxy.Options{
		Version: ck.Version{Major: 3, Minor: 2}, Members: members, Message: o.Message, Describe: ck.RV.Error, Pause: stream.Pause,
	})
	return &Served{filter.New(all, filter.Options{Rules: rules, First: filter.FirstServed}), release}, nil
}

// rulesOf makes rules of URIs.
func rulesOf(uris []string, tell func(text string)) ([]filter.Rule, error) {
	var rules []filter.Rule
	for _, text := range uris {
		u, err := uri.Parse(text, uri.ForToken)
		if err != nil {
			text := "couldn't parse the URI of a token" // it may have a PIN in it
			if code, ok := errors.AsType[uri.Code](err); ok {
				text += ": " + code.Error()
			}
			tell(text)
			return nil, errors.New(text)
		}
		protect, _ := u.VendorQuery("write-protected")
		if protect != "" && protect != "yes" && protect != "no" {
			tell("the URI of a token has a value for write-protected that is neither yes nor no: the token can be written")
		}
		rules = append(rules, filter.Rule{Match: u.MatchToken, ReadOnly: protect == "yes"})
	}
	return rules, nil
}

// Module is what is served, for who serves it otherwise than [Served.Serve] does. It stays loaded.
func (s *Served) Module() module.Module { return s.module }

// Serve serves one client by two descriptors, which may be one, until the client is gone, and unloads everything. nil where the client
// has gone between two calls. The module is finalized if the client has not done so.
func (s *Served) Serve(ctx context.Context, in, out int) error {
	stream.ManyThreads()
	err := rpc.Serve(ctx, s.module, stream.Descriptor(in), stream.Descriptor(out), rpc.ServerOptions{
		Reserved: native.OneReserved(), Pause: stream.Sleep,
	})
	_ = s.module.Do(ctx, &ck.FinalizeCall{}) // which says so if it is not initialized
	s.close()
	return err
}

// Farewell is how long calls may take whose client is gone, before the process that serves nobody else ends.
const Farewell = 10 * time.Second

// Gone waits until nobody is at the other end of a descriptor any more, whatever there is to be read still. Who serves can be at work for
// the client, and not read, when it goes. It takes a thread, and returns also where the descriptor cannot be asked.
func Gone(fd int) {
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
	for {
		if n, err := unix.Poll(p, -1); n > 0 || err != nil && err != unix.EINTR {
			return
		}
	}
}

// TakeStdio takes the standard input and output away for the client alone: a module that prints must not speak to it. What is printed
// goes to the standard error. The descriptors are not inherited by programs, and are the caller's.
func TakeStdio() (in, out int, err error) {
	if in, err = aboveStdio(syscall.Stdin); err != nil {
		return -1, -1, err
	}
	if out, err = aboveStdio(syscall.Stdout); err != nil {
		return -1, -1, err
	}
	null, err := syscall.Open("/dev/null", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err == nil {
		err = syscall.Dup3(null, syscall.Stdin, 0)
		_ = syscall.Close(null)
	}
	if err == nil {
		err = syscall.Dup3(syscall.Stderr, syscall.Stdout, 0)
	}
	return in, out, err
}

// aboveStdio gives another descriptor for the same, above the first three, which programs do not inherit.
func aboveStdio(fd int) (int, error) { return unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3) }
