package rpc

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/module"
)

// FuzzRequest reads a request and writes what was understood: it must be understood in the same way again.
func FuzzRequest(f *testing.F) {
	for _, name := range flows {
		flow := readFlow(f, name)
		for _, frame := range flow[1:] {
			_, message := split(f, frame.name, frame.request)
			f.Add(flow[0].reply[0], message)
		}
	}
	f.Fuzz(func(t *testing.T, version byte, message []byte) {
		d := dialectFor(min(Version(version), MaxVersion))
		r, err := decodeRequest(message, &d)
		if err != nil || r.room > maxRoom && r.room != absent {
			return // not all of such room is made ready
		}
		first, ok := rewrite(d, &r)
		if !ok {
			return
		}
		again, err := decodeRequest(first, &d)
		if err != nil {
			t.Fatalf("%x is written as %x, which cannot be read: %v", message, first, err)
		}
		if second, ok := rewrite(d, &again); !ok || !bytes.Equal(first, second) {
			t.Fatalf("%x is written as %x, and that as %x", message, first, second)
		}
	})
}

// rewrite writes a request in a dialect. It is false for what clients of ours do not send.
func rewrite(d dialect, r *request) ([]byte, bool) {
	if messageFor(r.call.Func(), d.version) != r.id {
		return nil, false // the message of another version
	}
	x := coder{dialect: d}
	x.begin(r.id, messages[r.id].request)
	if r.id == messageInitialize {
		x.initialize(r)
	} else {
		x.request(r.call)
	}
	return x.b, x.err == nil
}

// FuzzReply reads a reply to a recorded request, whatever it says, and writes what was understood.
func FuzzReply(f *testing.F) {
	type asked struct {
		version Version
		message []byte
	}
	var requests []asked
	for _, name := range flows {
		flow := readFlow(f, name)
		for _, frame := range flow[1:] {
			_, message := split(f, frame.name, frame.request)
			_, reply := split(f, frame.name, frame.reply)
			f.Add(uint16(len(requests)), reply)
			requests = append(requests, asked{Version(flow[0].reply[0]), message})
		}
	}
	f.Fuzz(func(t *testing.T, n uint16, reply []byte) {
		a := requests[int(n)%len(requests)]
		d := dialectFor(a.version)
		read := func(reply []byte) (request, error) {
			r, err := decodeRequest(a.message, &d)
			if err != nil {
				t.Fatal(err)
			}
			return r, decodeReply(reply, &r, d)
		}
		r, err := read(reply)
		if rv, ok := err.(ck.RV); err != nil && !ok || rv == ck.CKR_BUFFER_TOO_SMALL {
			return // nonsense, or not all of the reply was kept
		}
		x := coder{dialect: d}
		x.encodeReply(&r, ck.RVOf(err))
		again, err2 := read(x.b)
		y := coder{dialect: d}
		y.encodeReply(&again, ck.RVOf(err2))
		if !bytes.Equal(x.b, y.b) {
			t.Fatalf("%x is written as %x, and that as %x", reply, x.b, y.b)
		}
	})
}

// obliging is a module that does everything at once and fills all the room that it is given.
var obliging = module.Func(func(_ context.Context, call ck.Call) error {
	fill := func(b []byte) uint64 {
		for i := range b {
			b[i] = byte(i)
		}
		return uint64(len(b))
	}
	if o := resultOf(call); o != nil {
		o.N = fill(o.Buf)
	}
	switch c := call.(type) {
	case *ck.OpenSessionCall:
		c.Session = 1
	case *ck.FindObjectsCall:
		c.Objects.N = uint64(min(len(c.Objects.Buf), 3))
	case *ck.GetAttributeValueCall:
		for i := range c.Template {
			c.Template[i].N = fill(c.Template[i].Buf)
		}
	case *ck.WaitForSlotEventCall:
		return ck.CKR_NO_EVENT
	}
	return nil
})

// FuzzServer sends octets to a server.
func FuzzServer(f *testing.F) {
	for _, name := range flows {
		var stream []byte
		for _, frame := range readFlow(f, name) {
			stream = append(stream, frame.request...)
		}
		f.Add(stream)
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		var out bytes.Buffer
		_ = Serve(t.Context(), obliging, bytes.NewReader(stream), &out, ServerOptions{}) // that it ends is all there is to see
		checkFrames(t, out.Bytes())
	})
}

// checkFrames fails the test unless what a server said is a version and whole frames.
func checkFrames(t testing.TB, out []byte) {
	t.Helper()
	r := bytes.NewReader(out)
	if _, err := r.ReadByte(); err != nil {
		return
	}
	for {
		h, err := readHeader(r)
		if errors.Is(err, io.EOF) && r.Len() == 0 {
			return
		}
		if err == nil {
			_, err = readMessage(r, h)
		}
		if err != nil {
			t.Fatalf("the server says %x: %v", out, err)
		}
	}
}

// script is a server that says what it says, whatever it is asked.
type script struct{ *bytes.Reader }

func (s script) Read(p []byte, _ time.Duration) (int, error) { return s.Reader.Read(p) }
func (s script) Write([]byte, time.Duration) error           { return nil }
func (s script) Close() error                                { return nil }

// FuzzClient has a client ask a server that answers octets.
func FuzzClient(f *testing.F) {
	for _, name := range flows {
		var stream []byte
		for i, frame := range readFlow(f, name) {
			reply := bytes.Clone(frame.reply)
			if i > 0 { // as our client counts
				reply[0], reply[1], reply[2], reply[3] = 0, 0, 0, byte(firstCode+i)
			}
			stream = append(stream, reply...)
		}
		f.Add(stream)
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		c := NewClient(Options{Dial: func(context.Context) (Conn, error) { return script{bytes.NewReader(stream)}, nil }})
		if c.Do(t.Context(), &ck.InitializeCall{}) != nil {
			return
		}
		for _, call := range []ck.Call{
			&ck.GetInfoCall{}, &ck.GetSlotListCall{}, &ck.GetSlotListCall{Slots: ck.Out[ck.SlotID]{Buf: make([]ck.SlotID, 2)}},
			&ck.GetTokenInfoCall{}, &ck.OpenSessionCall{}, &ck.LoginCall{}, &ck.FindObjectsCall{Objects: ck.Out[ck.ObjectHandle]{Buf: make([]ck.ObjectHandle, 2)}},
			&ck.GetAttributeValueCall{Template: []ck.AttributeOut{out(ck.CKA_LABEL, 5), {Type: ck.CKA_WRAP_TEMPLATE, Nested: []ck.AttributeOut{out(0, 4)}}}},
			&ck.SignCall{Signature: ck.Out[byte]{Buf: make([]byte, 9)}}, &ck.GenerateRandomCall{RandomData: make([]byte, 4)}, &ck.CloseSessionCall{},
		} {
			_ = c.Do(t.Context(), call) // that it returns is all there is to see
		}
		if err := c.Do(t.Context(), &ck.FinalizeCall{}); err != nil {
			t.Errorf("C_Finalize: %v", err)
		}
	})
}
