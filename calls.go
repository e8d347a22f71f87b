package p11mux

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/p11mux/p11mux/calllog"
	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/conf"
	"github.com/p11mux/p11mux/module"
)

// loggedCaller is a view whose calls are logged by a layer above it.
type loggedCaller struct {
	caller
	above module.Module
}

// Do executes a call and has it logged.
func (l loggedCaller) Do(ctx context.Context, call ck.Call) error { return l.above.Do(ctx, call) }

// Close is C_Finalize for the log.
func (l loggedCaller) Close(ctx context.Context) error {
	err := l.above.Do(ctx, &ck.FinalizeCall{})
	if errors.Is(err, ck.CKR_CRYPTOKI_NOT_INITIALIZED) {
		err = nil
	}
	return errors.Join(err, l.caller.Close(ctx))
}

// logged gives a view, with what numbers it in the log, whose calls are logged as the configuration says (how is nil for not at all) and as [WithCallLog] does.
func (o *options) logged(view caller, number *calllog.View, name string, how *conf.Logging) caller {
	if how != nil {
		log, err := calllog.Open(calllog.Options{JSON: how.JSON, Secrets: how.Secrets, File: how.File}, name)
		if err != nil {
			o.tell("the calls of module '" + name + "' are not logged: cannot write to " + how.File + ": " + err.Error())
		} else {
			view = loggedCaller{view, log.NewCaller(number, o.progname, name).Module(view)}
		}
	}
	if o.callLog != nil {
		view = loggedCaller{view, callLogger{o.callLog, o.progname, name, view}}
	}
	return view
}

// callLogger writes calls to a logger.
type callLogger struct {
	logger       *slog.Logger
	caller, name string
	next         module.Module
}

// Do executes a call and writes it down.
func (c callLogger) Do(ctx context.Context, call ck.Call) error {
	if !c.logger.Enabled(ctx, slog.LevelDebug) {
		return c.next.Do(ctx, call)
	}
	arguments, output := calllog.Describe(call, false)
	start := time.Now()
	err := c.next.Do(ctx, call)
	took := time.Since(start)
	rv := ck.RVOf(err)
	attrs := []slog.Attr{slog.String("caller", c.caller), slog.String("module", c.name)}
	if session := sessionOf(call, rv); session != 0 {
		attrs = append(attrs, slog.Uint64("session", uint64(session)))
	}
	attrs = append(attrs, group("arguments", arguments))
	if results := output(rv); results != "" {
		attrs = append(attrs, group("output", results))
	}
	attrs = append(attrs, slog.String("result", calllog.Name(rv)), slog.Duration("duration", took))
	c.logger.LogAttrs(ctx, slog.LevelDebug, call.Func().String(), attrs...)
	return err
}

// sessionOf is the session of a call, or the one that it has opened; 0 if it is made in none.
func sessionOf(call ck.Call, rv ck.RV) ck.SessionHandle {
	if open, ok := call.(*ck.OpenSessionCall); ok && rv == ck.CKR_OK {
		return open.Session
	}
	if session := ck.SessionOf(call); session != nil {
		return *session
	}
	return 0
}

// group makes an attribute of a JSON object, with what is in it in the same order.
func group(key, object string) slog.Attr {
	d := json.NewDecoder(strings.NewReader(object))
	d.UseNumber()
	return slog.Attr{Key: key, Value: logValue(d)}
}

// logValue reads one value. What package calllog writes is well formed.
func logValue(d *json.Decoder) slog.Value {
	token, err := d.Token()
	if err != nil {
		return slog.Value{}
	}
	switch v := token.(type) {
	case json.Number:
		if n, err := strconv.ParseUint(v.String(), 10, 64); err == nil {
			return slog.Uint64Value(n)
		}
		return slog.StringValue(v.String())
	case json.Delim:
		if v == '[' {
			return logList(d)
		}
		var attrs []slog.Attr
		for d.More() {
			key, err := d.Token()
			if err != nil {
				break
			}
			name, _ := key.(string)
			attrs = append(attrs, slog.Attr{Key: name, Value: logValue(d)})
		}
		_, _ = d.Token()
		return slog.GroupValue(attrs...)
	}
	return slog.AnyValue(token)
}

// logList reads a list: groups by their places, other values as they are.
func logList(d *json.Decoder) slog.Value {
	var values []any
	var groups []slog.Attr
	for d.More() {
		v := logValue(d)
		if v.Kind() == slog.KindGroup {
			groups = append(groups, slog.Attr{Key: strconv.Itoa(len(groups)), Value: v})
		}
		values = append(values, v.Any())
	}
	_, _ = d.Token()
	if len(groups) > 0 {
		return slog.GroupValue(groups...)
	}
	return slog.AnyValue(values)
}
