package spec

import (
	"slices"
	"strings"
	"testing"
)

// local are the functions of 2.40 and 3.0 that have no message: they are answered where they are called.
var local = strings.Fields("C_GetFunctionList C_GetFunctionStatus C_CancelFunction C_GetInterfaceList C_GetInterface")

// Every function of 2.40 and 3.0 has a message, and none of 3.2 has.
func TestWireFunctions(t *testing.T) {
	s := load(t)
	for _, f := range s.Functions {
		has := slices.ContainsFunc(s.Wire, func(c *WireCall) bool { return c.Function == f })
		if want := f.Since != "3.2" && !slices.Contains(local, f.Name); has != want {
			t.Errorf("%s has a message: %v", f.Name, has)
		}
	}
	if len(s.Wire) != 89 {
		t.Errorf("there are %d messages, want 89", len(s.Wire))
	}
}

// Every argument that goes in is in the request, and every result in the reply.
func TestWireFields(t *testing.T) {
	for _, c := range load(t).Wire {
		for _, a := range c.Function.Args {
			in, out := false, false
			switch a.Role {
			case "value", "bool", "bytes", "pin", "template", "label", "mechanism", "rawmechanism", "param":
				in = true
			case "out", "outstruct":
				out = true
			case "fillbytes", "outbytes", "outbytesopt", "outlist", "outlistmax", "outtemplate":
				in, out = true, true
			case "len", "outlen", "outcount", "pointer", "initargs": // carried by others, or not at all
			default:
				t.Errorf("%s: what becomes of role %s?", c.Name, a.Role)
			}
			of := func(f WireField) bool { return f.Arg != nil && f.Arg.Name == a.Name }
			if in != slices.ContainsFunc(c.Request, of) {
				t.Errorf("%s: %s in the request: %v", c.Name, a.Name, !in)
			}
			if got := slices.ContainsFunc(c.Reply, of); out != got && !(got && a.Role == "mechanism") {
				t.Errorf("%s: %s in the reply: %v", c.Name, a.Name, got)
			}
		}
	}
}

// The signatures of a few messages as they are on the wire.
func TestWireSignatures(t *testing.T) {
	s := load(t)
	for id, want := range map[int][2]string{
		1: {"ayyay", ""}, 6: {"u", "ssssuuuuuuuuuuuvvs"}, 24: {"uufA", "aAu"}, 43: {"uayfy", "ay"}, 59: {"uMaAaA", "uu"},
		69: {"uayayayfy", "ay"}, 71: {"uayayfyu", "ay"}, 81: {"uayayyfy", "ay"}, 88: {"uays", ""}, 89: {"uMuaA", "uPu"},
	} {
		c := s.Wire[id-1]
		if got := [2]string{Signature(c.Request), Signature(c.Reply)}; got != want {
			t.Errorf("%s has the signatures %q, want %q", c.Name, got, want)
		}
	}
}

// Mechanisms and attributes are in the tables once, with a layout or class that there is.
func TestWireTables(t *testing.T) {
	s := load(t)
	seen := map[uint64]bool{}
	for _, m := range s.WireMechanisms {
		if seen[m.Value] || m.Value >= 0xffffffff {
			t.Errorf("%s is there twice, or has the value %#x", m.Name, m.Value)
		}
		seen[m.Value] = true
		if !strings.HasPrefix(m.Layout, "CK_") && !slices.Contains([]string{"none", "iv8", "iv16", "value", "ulong"}, m.Layout) {
			t.Errorf("%s has the layout %s", m.Name, m.Layout)
		}
		// The parameter of a mechanism is the structure that it is to C callers, where the protocol has one at all.
		if m.Layout == "none" {
			continue
		}
		if i := slices.IndexFunc(s.Mechanisms, func(p MechanismParam) bool { return p.Mechanism == m.Name }); i >= 0 && s.Mechanisms[i].Struct != m.Layout {
			t.Errorf("%s has the layout %s, and is %s in C", m.Name, m.Layout, s.Mechanisms[i].Struct)
		}
	}
	clear(seen)
	for _, a := range s.WireAttributes {
		if seen[a.Value] || !slices.Contains([]string{"byte", "ulong", "template", "mechanisms", "date"}, a.Class) {
			t.Errorf("%s is there twice, or has the class %s", a.Name, a.Class)
		}
		seen[a.Value] = true
	}
}
