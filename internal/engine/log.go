package engine

import (
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/p11mux/p11mux/calllog"
	"github.com/p11mux/p11mux/conf"
	"github.com/p11mux/p11mux/registry"
)

// logs are the callers whose calls are logged, by their ids, which C code has. An id is never given again.
type logs struct {
	mu  sync.Mutex // for adding
	all atomic.Pointer[[]*calllog.Caller]
}

// add gives a caller an id, which is not 0.
func (l *logs) add(c *calllog.Caller) uint32 {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []*calllog.Caller
	if old := l.all.Load(); old != nil {
		all = *old
	}
	all = append(all, c) // readers have shorter slices of the same memory
	l.all.Store(&all)
	return uint32(len(all))
}

// Logged gives the caller with an id whose calls are logged; nil, which logs nothing, for an id that was not given.
func (e *Engine) Logged(id uint32) *calllog.Caller {
	all := e.logs.all.Load()
	if all == nil || id == 0 || int(id) > len(*all) {
		return nil
	}
	return (*all)[id-1]
}

// moduleName is what a log calls a module.
func moduleName(m *registry.Module) string {
	if config := m.Config(); config != nil {
		return config.Name
	}
	path := m.Path()
	return strings.TrimSuffix(path[strings.LastIndexByte(path, '/')+1:], ".so")
}

// proxyName is what a log calls the proxy module.
const proxyName = "proxy"

// startLog begins to log the calls of a caller of a module in a view, and gives its id and, for a forked child, the settings; 0, with a message,
// if the log cannot be written.
func (e *Engine) startLog(view *calllog.View, how *conf.Logging, module string) (id uint32, settings string) {
	log, err := calllog.Open(calllog.Options{JSON: how.JSON, Secrets: how.Secrets, File: how.File}, module)
	if err != nil {
		e.host.Message("the calls of module '" + module + "' are not logged: cannot write to " + how.File + ": " + err.Error())
		return 0, ""
	}
	settings = "text"
	if how.JSON {
		settings = "json"
	}
	if how.Secrets {
		settings += " secrets"
	}
	settings += "\x00" + how.File + "\x00" + module + "\x00" + strconv.FormatUint(view.Number(), 10)
	return e.logs.add(log.NewCaller(view, e.host.Progname(), module)), settings
}

// logHandle has the calls of a new handle logged; how is nil where they are not.
func (e *Engine) logHandle(h Handle, view *calllog.View, how *conf.Logging, module string) {
	if how == nil {
		return
	}
	id, settings := e.startLog(view, how, module)
	switch {
	case id == 0:
	case e.host.LogHandle(h, id, settings):
		e.logged.Store(h, id)
	default:
		e.host.Message("the calls of module '" + module + "' are not logged: no memory")
	}
}

// AdoptHandleLog has the calls of an adopted handle logged by what [Engine.AdoptLog] gave an id.
func (e *Engine) AdoptHandleLog(h Handle, id uint32) {
	if id != 0 {
		e.logged.Store(h, id)
	}
}

// AdoptLog goes on with a log that the process had before it was forked, and gives the id that its caller has here; 0 if it cannot be
// written any more. The view's number stays as it was.
func (e *Engine) AdoptLog(settings string) uint32 {
	format, rest, _ := strings.Cut(settings, "\x00")
	file, rest, _ := strings.Cut(rest, "\x00")
	module, text, _ := strings.Cut(rest, "\x00")
	view := new(calllog.View)
	if n, err := strconv.ParseUint(text, 10, 64); err == nil {
		view = calllog.AdoptView(n)
	}
	id, _ := e.startLog(view, &conf.Logging{
		JSON:    strings.HasPrefix(format, "json"),
		Secrets: strings.HasSuffix(format, "secrets"),
		File:    file,
	}, module)
	return id
}
