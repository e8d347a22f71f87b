package main

import (
	"fmt"
	"strings"

	"github.com/p11mux/p11mux/spec"
)

// logKinds are what package calllog makes of an argument, by its role, where the role alone says it.
var logKinds = map[string]string{
	"bool": "kindBool", "bytes": "kindBytes", "pin": "kindBytes", "label": "kindLabel", "string": "kindText", "cstring": "kindText",
	"version": "kindVersion", "template": "kindTemplate", "mechanism": "kindMechanism", "rawmechanism": "kindMechanism",
	"param": "kindPointer", "initargs": "kindInitArgs", "pointer": "kindPointer", "len": "kindNumber", "outlen": "kindCount", "outcount": "kindCount",
	"outpointer": "kindOutPointer", "inoutstruct": "kindAsyncData", "fillbytes": "kindFill", "outbytes": "kindOutBytes", "outbytesopt": "kindOutBytes",
	"outtemplate": "kindOutTemplate", "outlistmax": "kindOutMax",
}

// logWords are the kinds of single words, by C type.
var logWords = map[string]string{
	"CK_SLOT_ID": "kindSlot", "CK_SESSION_HANDLE": "kindSession", "CK_OBJECT_HANDLE": "kindObject", "CK_MECHANISM_TYPE": "kindMechanismType",
	"CK_USER_TYPE": "kindUser", "CK_FLAGS": "kindFlags",
}

// logFlags are the sets of flags that functions take.
var logFlags = map[string]string{
	"C_OpenSession": "sessionFlags", "C_WaitForSlotEvent": "waitFlags", "C_SessionCancel": "cancelFlags", "C_GetInterface": "interfaceFlags",
	"C_EncryptMessageNext": "messageFlags", "C_DecryptMessageNext": "messageFlags",
}

// logKind gives the kind of an argument, and of its elements where it is an array or an address of something.
func logKind(a spec.Arg) (kind, of string) {
	word := func(ctype string) string {
		if k, ok := logWords[ctype]; ok {
			return k
		}
		return "kindNumber"
	}
	switch a.Role {
	case "value":
		return word(a.CType), ""
	case "pointer":
		if !isPointer(a.CType) {
			return "kindNumber", ""
		}
	case "out":
		return "kindOut", word(elem(a.CType))
	case "outstruct":
		return "kind" + goType(elem(a.CType)), ""
	case "outlist":
		if a.CType == "CK_INTERFACE_PTR" {
			return "kindOutInterfaces", ""
		}
		return "kindOutList", word(elem(a.CType))
	case "outlistmax":
		return logKinds[a.Role], word(elem(a.CType))
	}
	if k, ok := logKinds[a.Role]; ok {
		return k, ""
	}
	panic("argument " + a.Name + " has role " + a.Role)
}

func logTable(w *writer, s *spec.Spec) {
	w.p("package calllog\n")
	w.p("// arguments are those of all functions, one function after the other.\nvar arguments = [...]argument{")
	var starts []int
	n := 0
	for _, f := range s.Functions {
		starts = append(starts, n)
		w.p("// %s", f.Name)
		for i, a := range f.Args {
			kind, of := logKind(a)
			fields := []string{fmt.Sprintf("name: %q", a.Name)}
			add := func(set bool, format string, args ...any) {
				if set {
					fields = append(fields, fmt.Sprintf(format, args...))
				}
			}
			add(a.LogName != "", "text: %q", a.LogName)
			fields = append(fields, "kind: "+kind)
			add(of != "", "of: %s", of)
			add(i > 0, "at: %d", i)
			add(a.LogIn, "in: true")
			add(a.LogOut, "out: true")
			add(a.Secret, "secret: true")
			add(kind == "kindFlags" && logFlags[f.Name] != "", "flags: &%s", logFlags[f.Name])
			w.p("{%s},", strings.Join(fields, ", "))
			n++
		}
	}
	w.p("}\n\n// starts tells where the arguments of a function begin, and after the last function where all end.\nvar starts = [...]uint16{")
	for _, at := range append(starts, n) {
		w.p("%d,", at)
	}
	w.p("}")
}

func logNames(w *writer, s *spec.Spec) {
	w.p("package calllog\n")
	w.p("// attributes are those whose name a log knows, in ascending order.\nvar attributes = [...]attribute{")
	for _, a := range s.Attributes {
		w.p("{%#x, %q, value%s, %s},", a.Value, a.Name, strings.ToUpper(a.Kind[:1])+a.Kind[1:], "log"+strings.ToUpper(a.Log[:1])+a.Log[1:])
	}
	w.p("}")
	for i, c := range s.LogNames {
		if i == 0 || s.LogNames[i-1].Type != c.Type {
			w.p("\nvar log%sNames = [...]valueName{", c.Type)
		}
		w.p("{%#x, %q},", c.Value, c.Name)
		if i+1 == len(s.LogNames) || s.LogNames[i+1].Type != c.Type {
			w.p("}")
		}
	}
}

// paramKind gives the kind of a member of a parameter, and false for a length, which its pointer tells of.
func paramKind(f spec.Field) (string, bool) {
	switch f.Role {
	case "len":
		return "", false
	case "bytes", "secret", "inout":
		return "memberBytes", true
	case "bits", "inoutbits":
		return "memberBits", true
	case "fixed", "inoutfixed":
		return "memberFixed", true
	case "array":
		return "memberArray", true
	case "struct":
		return "memberStruct", true
	case "bool":
		return "memberBool", true
	case "value":
		switch f.CType {
		case "CK_MECHANISM_TYPE", "CK_SP800_108_PRF_TYPE":
			return "memberMechanism", true
		case "CK_OBJECT_HANDLE", "CK_SESSION_HANDLE":
			return "memberNumber", true
		case "CK_BYTE", "CK_BBOOL":
			return "memberByte", true
		}
		return "memberNumber", true
	case "role":
		return "memberBool", true
	}
	return "memberPointer", true
}

func logParams(w *writer, s *spec.Spec) {
	w.p("package calllog\n\nimport \"github.com/p11mux/p11mux/ck\"\n")
	var known []*spec.Struct
	for _, t := range s.Structs {
		if t.GoName != "" && !isCore(t) {
			known = append(known, t)
		}
	}
	for _, t := range known {
		offsets := map[string]int{}
		size, _ := layout(s, t, func(f spec.Field, _ string, offset int) { offsets[f.Name] = offset })
		w.p("var param%s = param{%q, %d, []member{", t.GoName, t.Name, size)
		for _, f := range t.Fields {
			kind, ok := paramKind(f)
			if !ok {
				continue
			}
			line := fmt.Sprintf("{name: %q, kind: %s, at: %d", f.Name, kind, offsets[f.Name])
			switch kind {
			case "memberBytes", "memberBits":
				line += fmt.Sprintf(", length: %d", offsets[f.Of])
			case "memberFixed":
				line += ", length: " + f.Of
			case "memberArray":
				line += fmt.Sprintf(", length: %d", f.Array)
			case "memberStruct":
				if inner(s, f).Name == "CK_VERSION" {
					line = fmt.Sprintf("{name: %q, kind: memberArray, at: %d, length: 2", f.Name, offsets[f.Name])
				} else {
					line += ", inner: &param" + inner(s, f).GoName
				}
			}
			if f.Role == "secret" {
				line += ", secret: true"
			}
			w.p("%s},", line)
		}
		w.p("}}\n")
	}
	w.p("// paramOf gives the structure that a parameter of so many octets is, nil where the mechanism takes none of that size.")
	w.p("func paramOf(t ck.MechanismType, size uint64) *param {\nswitch t {")
	var order []string
	structs := map[string][]string{}
	for _, m := range s.Mechanisms {
		if t := s.Struct(m.Struct); m.Raw || t.GoName == "" || isCore(t) {
			continue
		}
		if structs[m.Mechanism] == nil {
			order = append(order, m.Mechanism)
		}
		structs[m.Mechanism] = append(structs[m.Mechanism], m.Struct)
	}
	done := map[string]bool{}
	for _, m := range order {
		key := strings.Join(structs[m], " ")
		if done[key] {
			continue
		}
		done[key] = true
		var same []string
		for _, o := range order {
			if strings.Join(structs[o], " ") == key {
				same = append(same, "ck."+o)
			}
		}
		w.p("case %s:\nswitch size {", strings.Join(same, ",\n"))
		for _, name := range structs[m] {
			t := s.Struct(name)
			size, _ := layout(s, t, nil)
			w.p("case %d:\nreturn &param%s", size, t.GoName)
		}
		w.p("}")
	}
	w.p("}\nreturn nil\n}")
}
