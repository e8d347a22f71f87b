package rpc

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A recorded is a request of a flow and its reply, as whole frames or, for the handshake, one octet each.
type recorded struct {
	name           string
	request, reply []byte
}

// readFlow reads a recorded conversation.
func readFlow(t testing.TB, name string) []recorded {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "flows", name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var flow []recorded
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) != 3 || fields[0] == "#" {
			continue
		}
		b, err := hex.DecodeString(fields[2])
		if err != nil {
			t.Fatalf("%s: %v", fields[0], err)
		}
		if fields[1] == "request" {
			flow = append(flow, recorded{name: fields[0], request: b})
		} else {
			flow[len(flow)-1].reply = b
		}
	}
	if err := lines.Err(); err != nil || len(flow) == 0 {
		t.Fatalf("%s: %d frames, %v", name, len(flow), err)
	}
	return flow
}

// flows are the recorded conversations.
var flows = []string{"v0", "v1", "v2", "v2tok", "v2m", "v2mech", "v2raw"}

// others are the frames that we write differently, and why.
var others = map[string]string{
	"v0/62-C_Login_NULL_pin":                         "we write NULL as all servers read it",
	"v1/65-C_GetAttributeValue_template_types":       "we ask for templates from version 2 on",
	"v1/65-C_GetAttributeValue_template_types reply": "so there is none in what we understood",
	"v0/70-C_InitToken":                              "the client measures the label as a C string and sends 33 octets",
	"v1/64-C_GetAttributeValue_template_NULL":        "the client writes a list for a template without room",
	"v2/27-C_GetAttributeValue_allowed_NULL":         "we ask for the mechanisms where only their length is wanted",
	"v2/27-C_GetAttributeValue_allowed_NULL reply":   "the server leaves out the list that it announces",
}

// split gives the message of a frame.
func split(t testing.TB, name string, frame []byte) (h header, message []byte) {
	t.Helper()
	r := bytes.NewReader(frame)
	h, err := readHeader(r)
	if err == nil {
		message, err = readMessage(r, h)
	}
	if err != nil || r.Len() != 0 {
		t.Fatalf("%s: %v, %d octets left", name, err, r.Len())
	}
	return h, message
}

// Every recorded frame is understood to its last octet, and what was understood is written as it was.
func TestFlows(t *testing.T) {
	differs := map[string]bool{}
	for _, name := range flows {
		flow := readFlow(t, name)
		version := Version(flow[0].reply[0])
		d := dialectFor(version)
		for _, f := range flow[1:] {
			id := name + "/" + f.name
			h, message := split(t, id, f.request)
			before := d
			r, err := decodeRequest(message, &d)
			if err != nil {
				t.Errorf("%s: %v", id, err)
				continue
			}
			if d != before && others[id] == "" {
				t.Errorf("%s was taken for %+v", id, d)
			}
			d = before
			x := coder{b: startFrame(string(f.request[headerSize : headerSize+h.options])), dialect: d}
			if err := x.encodeRequest(&request{call: r.call, reserved: r.reserved}); err != nil && !strings.HasPrefix(f.name, "09-C_MessageEncryptInit") && !strings.HasPrefix(f.name, "14-C_MessageDecryptInit") {
				t.Errorf("%s: %v", id, err)
				continue
			} else if err == nil {
				finishFrame(x.b, h.code, h.options)
				compare(t, differs, id, x.b, f.request)
			}

			h, message = split(t, id, f.reply)
			err = decodeReply(message, &r, d)
			y := coder{b: startFrame(""), dialect: d}
			y.encodeReply(&r, rvOf(t, id, err))
			finishFrame(y.b, h.code, 0)
			compare(t, differs, id+" reply", y.b, f.reply)
		}
	}
	for id := range others {
		if !differs[id] {
			t.Errorf("%s is written as it was, but is listed as one that is not", id)
		}
	}
}

func compare(t *testing.T, differs map[string]bool, id string, got, want []byte) {
	t.Helper()
	if bytes.Equal(got, want) {
		return
	}
	differs[id] = true
	if others[id] == "" {
		t.Errorf("%s is written\n%x, was\n%x", id, got, want)
	}
}
