package main

import (
	"strconv"
	"strings"

	"github.com/p11mux/p11mux/spec"
)

// wireCalls writes the messages of the remote protocol: which there are, and their fields in both directions at once.
func wireCalls(w *writer, s *spec.Spec) {
	w.p("package rpc\n\nimport \"github.com/p11mux/p11mux/ck\"")
	w.p("\n// messages are the messages by their id.\nvar messages = [...]message{")
	for _, c := range s.Wire {
		w.p("%d: {ck.Func%s, %d, %q, %q}, // %s", c.ID, c.Function.GoName(), c.Version, spec.Signature(c.Request), spec.Signature(c.Reply), c.Name)
	}
	w.p("}")
	w.p("\n// messageFor gives the id of the message for a function at a version of the protocol, 0 where there is none.")
	w.p("func messageFor(f ck.Func, v Version) uint32 {\nswitch f {")
	for _, f := range s.Functions {
		var ids []*spec.WireCall
		for _, c := range s.Wire {
			if c.Function == f {
				ids = append([]*spec.WireCall{c}, ids...)
			}
		}
		if len(ids) == 0 {
			continue
		}
		w.p("case ck.Func%s:", f.GoName())
		for _, c := range ids {
			if c.Version > 0 {
				w.p("if v >= %d {\nreturn %d\n}", c.Version, c.ID)
			} else {
				w.p("return %d", c.ID)
			}
		}
	}
	w.p("}\nreturn 0\n}")
	wireFields(w, s, "request", "reads or writes the arguments of a call", func(c *spec.WireCall) []spec.WireField { return c.Request })
	wireFields(w, s, "reply", "reads or writes the results of a call", func(c *spec.WireCall) []spec.WireField { return c.Reply })
	wireResults(w, s)
}

// wireResults writes where a call has its two-call buffer of octets.
func wireResults(w *writer, s *spec.Spec) {
	w.p("\n// resultOf gives where a call has a result of octets, nil where it has none or none is wanted.")
	w.p("func resultOf(call ck.Call) *ck.Out[byte] {\nswitch c := call.(type) {")
	for _, c := range s.Wire {
		for _, f := range c.Request {
			switch {
			case f.Letters != "fy":
			case f.Arg.Role == "outbytes":
				w.p("case *ck.%sCall:\nreturn &c.%s", c.Function.GoName(), f.Field)
			case f.Arg.Role == "outbytesopt":
				w.p("case *ck.%sCall:\nreturn c.%s", c.Function.GoName(), f.Field)
			}
		}
	}
	w.p("}\nreturn nil\n}")
}

func wireFields(w *writer, s *spec.Spec, name, doc string, fields func(*spec.WireCall) []spec.WireField) {
	w.p("\n// %s %s, which must be of the message's function.\nfunc (x *coder) %s(call ck.Call) {\nswitch x.id {", name, doc, name)
	for _, c := range s.Wire {
		if len(fields(c)) == 0 || c.Function.Name == "C_Initialize" {
			continue
		}
		w.p("case %d:\nc := call.(*ck.%sCall)", c.ID, c.Function.GoName())
		coded := false
		for _, f := range fields(c) {
			line := wireField(f, name == "reply")
			if coded && f.Letters == "u" { // results are there only with CKR_OK
				line = "if x.rv == ck.CKR_OK {\n" + line + "\n}"
			}
			w.p("%s", line)
			coded = coded || f.Arg == nil
		}
	}
	w.p("}\n}")
}

// wireField gives the statement for one value.
func wireField(f spec.WireField, reply bool) string {
	g := "&c." + f.Field
	if f.Arg == nil {
		return "x.code()" // the return value that is sent as data
	}
	switch f.Letters {
	case "y":
		if f.Arg.Role == "outbytesopt" {
			return "x.wanted(" + g + ")"
		}
		return "x.flag(" + g + ")"
	case "u":
		return "ulong(x, " + g + ")"
	case "v":
		return "x.versionField(" + g + ")"
	case "s", "z":
		if f.Arg.Role == "label" {
			return "x.label(" + g + ")"
		}
		return "x.text(c." + f.Field + "[:])"
	case "aA":
		if reply {
			return "x.values(c." + f.Field + ")"
		}
		return "x.template(" + g + ")"
	case "fA":
		return "x.attributeRooms(" + g + ")"
	case "M":
		return "x.mechanism(" + g + ")"
	case "P":
		return "x.update(c." + f.Field + ")"
	case "fu":
		if f.Arg.Role == "outlistmax" {
			return "listRoom(x, " + g + ", true)"
		}
		return "listRoom(x, " + g + ", false)"
	case "au":
		return "list(x, " + g + ")"
	case "fy", "ay":
		return wireOctets(f, g)
	}
	panic("letters " + f.Letters)
}

func wireOctets(f spec.WireField, g string) string {
	room := f.Letters == "fy"
	switch f.Arg.Role {
	case "fillbytes":
		if room {
			return "x.fillRoom(" + g + ")"
		}
		return "x.filled(" + g + ")"
	case "outbytesopt":
		g = strings.TrimPrefix(g, "&")
		fallthrough
	case "outbytes":
		if room {
			return "x.room(" + g + ")"
		}
		return "x.result(" + g + ")"
	case "param":
		return "x.messageParam(" + g + ")"
	}
	return "x.octets(" + g + ")"
}

// wireParams writes how the parameters of mechanisms are encoded.
func wireParams(w *writer, s *spec.Spec) {
	w.p("package rpc\n\nimport \"github.com/p11mux/p11mux/ck\"")
	w.p("\n// layoutFor tells how the parameter of a mechanism is encoded at a version of the protocol.")
	w.p("func layoutFor(t ck.MechanismType, v Version) layout {\nvar l layout\nvar since Version\nswitch t {")
	var structs []string
	var order []string
	groups := map[string][]string{}
	for _, m := range s.WireMechanisms {
		key := m.Layout + " " + itoa(m.Version)
		if groups[key] == nil {
			order = append(order, key)
		}
		groups[key] = append(groups[key], w.named(s, m.Name, m.Value))
	}
	for _, key := range order {
		layout, since, _ := strings.Cut(key, " ")
		w.p("case %s", lastCase(groups[key]))
		w.p("l, since = %s, %s", layoutName(s, layout), since)
	}
	w.p("}\nif v < since {\nreturn layoutMemory\n}\nreturn l\n}")
	seen := map[string]bool{}
	for _, m := range s.WireMechanisms {
		if strings.HasPrefix(m.Layout, "CK_") && !seen[m.Layout] {
			seen[m.Layout] = true
			structs = append(structs, m.Layout)
		}
	}
	w.p("\n// The layouts that are structures.\nconst (")
	for i, name := range structs {
		if i == 0 {
			w.p("%s = layoutStructures + iota", layoutName(s, name))
		} else {
			w.p("%s", layoutName(s, name))
		}
	}
	w.p(")")
	w.p("\n// structure reads or writes a parameter that is a structure. It is false for one of another type.")
	w.p("func (x *coder) structure(l layout, p *ck.MechanismParam) bool {\nswitch l {")
	for _, name := range structs {
		t := s.Struct(name)
		w.p("case %s:\nv := typed[ck.%s](x, p)\nif v == nil {\nreturn false\n}", layoutName(s, name), t.GoName)
		for _, f := range t.Fields {
			g := "&v." + f.Field
			switch {
			case f.Role == "len":
			case f.Role == "bool":
				w.p("x.flag(%s)", g)
			case f.Role == "value":
				w.p("ulong(x, %s)", g)
			case f.Role == "array":
				w.p("x.array(v.%s[:])", f.Field)
			case f.Role == "bytes" || f.Role == "inout":
				w.p("x.blob(%s)", g)
			default:
				panic("member " + f.Name + " has role " + f.Role)
			}
		}
	}
	w.p("default:\nreturn false\n}\nreturn true\n}")
}

// named gives a case of a switch: the constant of package ck, or the value of one that it has not.
func (w *writer) named(s *spec.Spec, name string, value uint64) string {
	for _, c := range s.Constants {
		if c.Name == name {
			return "ck." + name + ","
		}
	}
	return "0x" + strconv.FormatUint(value, 16) + ", // " + name
}

func layoutName(s *spec.Spec, layout string) string {
	if t := s.Struct(layout); t != nil {
		return "layout" + t.GoName
	}
	return "layout" + strings.ToUpper(layout[:1]) + layout[1:]
}

// wireClasses writes how the values of attributes are encoded.
func wireClasses(w *writer, s *spec.Spec) {
	w.p("package rpc\n\nimport \"github.com/p11mux/p11mux/ck\"")
	w.p("\n// classOf tells how the value of an attribute is encoded.\nfunc classOf(t ck.AttributeType) class {\nswitch t {")
	for _, class := range []string{"byte", "ulong", "template", "mechanisms", "date"} {
		var cases []string
		for _, a := range s.WireAttributes {
			if a.Class == class {
				cases = append(cases, w.named(s, a.Name, a.Value))
			}
		}
		w.p("case %s\nreturn class%s", lastCase(cases), strings.ToUpper(class[:1])+class[1:])
	}
	w.p("}\nreturn classOctets\n}")
}

// lastCase joins the cases of a switch and puts the colon behind the last.
func lastCase(cases []string) string {
	last := len(cases) - 1
	value, comment, _ := strings.Cut(cases[last], ",")
	cases[last] = value + ":" + comment
	return strings.Join(cases, "\n")
}
