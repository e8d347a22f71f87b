package engine

import (
	"context"
	"unsafe"

	"github.com/p11mux/p11mux/calllog"
	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/filter"
	"github.com/p11mux/p11mux/internal/native"
	"github.com/p11mux/p11mux/internal/stream"
	"github.com/p11mux/p11mux/module"
	"github.com/p11mux/p11mux/proxy"
	"github.com/p11mux/p11mux/rpc"
)

// executor is who executes calls for a function list: our own caller, logged if calls of the list are, or the functions of a list that
// is not ours.
func (e *Engine) executor(list unsafe.Pointer) module.Module {
	if m := e.Module(Handle(list)); m != nil {
		if id, ok := e.logged.Load(Handle(list)); ok {
			return e.Logged(id.(uint32)).Module(m)
		}
		return m
	}
	return native.NewFunctions(list, native.ListBytes(list))
}

// ServeModule is p11_kit_remote_serve_module: it serves a module until the client is gone. False for any end but one between
// two calls.
func (e *Engine) ServeModule(list unsafe.Pointer, in, out int) bool {
	return e.serve(e.executor(list), in, out, rpc.ServerOptions{Reserved: native.OneReserved()})
}

// A ServedToken says which tokens are to be served: those that have each text of Like that does not begin with 0.
type ServedToken struct {
	Like     ck.TokenInfo
	ReadOnly bool // nothing may be written to them
}

// rules are what says the same to a filter.
func rules(served []ServedToken) []filter.Rule {
	var rules []filter.Rule
	for _, s := range served {
		rules = append(rules, filter.Rule{Match: filter.Like(s.Like), ReadOnly: s.ReadOnly})
	}
	return rules
}

// ServeToken is p11_kit_remote_serve_token: tokens of a module.
func (e *Engine) ServeToken(list unsafe.Pointer, token ServedToken, in, out int) bool {
	served := filter.New(e.executor(list), filter.Options{Rules: rules([]ServedToken{token})})
	return e.serve(served, in, out, rpc.ServerOptions{Reserved: native.OneReserved()})
}

// ServeTokens is p11_kit_remote_serve_tokens: tokens of the module with a function list, or of all configured modules if there
// is none.
func (e *Engine) ServeTokens(tokens []ServedToken, list unsafe.Pointer, in, out int) bool {
	var members []proxy.Member
	if list != nil {
		members = []proxy.Member{{Module: e.executor(list), Key: list}}
	} else {
		choices, err := e.registry.Configured(e.query(0))
		if err != nil {
			return false
		}
		defer e.registry.Sweep()
		defer func() {
			for _, c := range choices {
				e.registry.Release(c.Module)
			}
		}()
		ids := make([]uint32, len(choices))
		view := new(calllog.View)
		for i, c := range choices {
			if c.Log != nil {
				ids[i], _ = e.startLog(view, c.Log, moduleName(c.Module))
			}
		}
		members = e.membersOf(choices, ids)
	}
	all := proxy.New(proxy.Options{
		Version: ck.Version{Major: 3, Minor: 2}, Members: members, Message: e.host.Message, Describe: e.host.Describe, Pause: stream.Pause,
	})
	ok := e.serve(filter.New(all, filter.Options{Rules: rules(tokens), First: filter.FirstServed}), in, out, rpc.ServerOptions{})
	if err := all.Close(context.Background()); err != nil {
		e.host.Message("couldn't finalize the modules that were served: " + err.Error())
	}
	return ok
}

// serve serves a module on descriptors.
func (e *Engine) serve(m module.Module, in, out int, o rpc.ServerOptions) bool {
	if e.host.Guest() {
		stream.ManyThreads()
	}
	if err := rpc.Serve(context.Background(), m, stream.Descriptor(in), stream.Descriptor(out), o); err != nil {
		e.host.Message("couldn't serve a remote client any more: " + err.Error())
		return false
	}
	return true
}
