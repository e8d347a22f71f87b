package main

import (
	"slices"
	"strings"

	"github.com/p11mux/p11mux/spec"
)

// inner gives the structure that a member contains or points to.
func inner(s *spec.Spec, f spec.Field) *spec.Struct { return s.Struct(elem(f.CType)) }

// writesBack tells whether modules may write into what a structure points to; stores, whether results must be put into C
// memory that the Go structure does not share.
func writesBack(s *spec.Spec, t *spec.Struct) bool {
	return slices.ContainsFunc(t.Fields, func(f spec.Field) bool {
		switch f.Role {
		case "inout", "inoutbits", "inoutfixed", "inoutversion", "outhandle", "mechanism":
			return true
		case "struct", "ptr", "list":
			return writesBack(s, inner(s, f))
		}
		return false
	})
}

func stores(s *spec.Spec, t *spec.Struct) bool {
	return slices.ContainsFunc(t.Fields, func(f spec.Field) bool {
		switch f.Role {
		case "outhandle":
			return true
		case "struct", "ptr", "list":
			return stores(s, inner(s, f))
		}
		return false
	})
}

func cabiParams(w *writer, s *spec.Spec) {
	w.p("package cabi\n\nimport (\n\"unsafe\"\n\n\"github.com/p11mux/p11mux/ck\"\n)")
	var all []*spec.Struct
	for _, t := range s.Structs {
		if t.GoName == "" || isCore(t) {
			continue
		}
		fillParam(w, s, t)
		takeParam(w, s, t)
		if writesBack(s, t) {
			backParam(w, s, t)
		}
		if stores(s, t) {
			storeParam(w, s, t)
		}
		if isParam(t) {
			all = append(all, t)
		}
	}
	w.p("\n// param puts a parameter into C memory and gives its address and size.")
	w.p("func (a *Arena) param(p ck.MechanismParam) (addr, size uintptr) {\nswitch p := p.(type) {")
	w.p("case ck.RawParam:\nreturn a.bytes(p), uintptr(len(p))")
	for _, t := range all {
		w.p("case *ck.%s:\nif p != nil {\nc := push[%s](a)\na.fill%s(c, p)\nreturn addrOf(c), unsafe.Sizeof(*c)\n}", t.GoName, mirror(t), t.GoName)
	}
	w.p("}\nreturn 0, 0\n}")
	w.p("\n// back reads what a module wrote into the buffers of a parameter.\nfunc back(p ck.MechanismParam, addr uintptr) {\nif addr == 0 {\nreturn\n}\nswitch p := p.(type) {")
	w.p("case ck.RawParam:\ncopyBack(p, addr)")
	for _, t := range all {
		if writesBack(s, t) {
			w.p("case *ck.%s:\nback%s(p, at[%s](addr))", t.GoName, t.GoName, mirror(t))
		}
	}
	w.p("}\n}")
	w.p("\n// layout reads a C caller's parameter as the structure that the mechanism takes. It gives nil where the mechanism takes none\n// of that size.")
	w.p("func (d *decoder) layout(t ck.MechanismType, addr, size uintptr) ck.MechanismParam {\nswitch t {")
	layoutCases(w, s)
	w.p("}\nreturn nil\n}")
	flatCases(w, s)
	w.p("\n// storeParam puts results into a C caller's parameter.\nfunc storeParam(p ck.MechanismParam, addr uintptr) {\nswitch p := p.(type) {")
	for _, t := range all {
		if stores(s, t) {
			w.p("case *ck.%s:\nstore%s(p, at[%s](addr))", t.GoName, t.GoName, mirror(t))
		}
	}
	w.p("}\n}")
}

// isFlat tells whether a structure has no addresses in it, also none in what it contains.
func isFlat(s *spec.Spec, t *spec.Struct) bool {
	return !slices.ContainsFunc(t.Fields, func(f spec.Field) bool {
		if in := s.Struct(f.CType); in != nil {
			return !isFlat(s, in)
		}
		return isPointer(f.CType)
	})
}

// flatCases writes what tells of addresses in parameters.
func flatCases(w *writer, s *spec.Spec) {
	w.p("\n// isFlat tells whether a structure has no addresses in it.\nfunc isFlat(p ck.MechanismParam) bool {\nswitch p.(type) {")
	var types, addresses []string
	for _, t := range s.Structs {
		if t.GoName != "" && isParam(t) && isFlat(s, t) {
			types = append(types, "*ck."+t.GoName)
		}
	}
	w.p("case %s:\nreturn true\n}\nreturn false\n}", strings.Join(types, ",\n"))
	for _, m := range s.Mechanisms {
		if c := "ck." + m.Mechanism; !isFlat(s, s.Struct(m.Struct)) && !slices.Contains(addresses, c) {
			addresses = append(addresses, c)
		}
	}
	w.p("\n// hasAddresses tells whether the parameter of a mechanism is a structure with addresses in it.")
	w.p("func hasAddresses(t ck.MechanismType) bool {\nswitch t {\ncase %s:\nreturn true\n}\nreturn false\n}", strings.Join(addresses, ",\n"))
}

// layoutCases groups the mechanisms that take the same structures.
func layoutCases(w *writer, s *spec.Spec) {
	var order []string
	structs := map[string][]string{}
	for _, m := range s.Mechanisms {
		if m.Raw || s.Struct(m.Struct).GoName == "" {
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
			w.p("case unsafe.Sizeof(%s{}):\np := new(ck.%s)\nd.take%s(p, at[%s](addr))\nreturn p", mirror(t), t.GoName, t.GoName, mirror(t))
		}
		w.p("}")
	}
}

// fillParam writes the function that puts a Go structure into a C one.
func fillParam(w *writer, s *spec.Spec, t *spec.Struct) {
	w.p("\nfunc (a *Arena) fill%s(c *%s, p *ck.%s) {", t.GoName, mirror(t), t.GoName)
	for _, f := range t.Fields {
		m, g := "c."+mirrorField(f), "p."+f.Field
		switch f.Role {
		case "value":
			if f.CType == "CK_BYTE" {
				w.p("%s = %s", m, g)
			} else {
				w.p("%s = uint64(%s)", m, g)
			}
		case "bool":
			w.p("%s = flag(%s)", m, g)
		case "array", "opaque":
			w.p("%s = %s", m, g)
		case "struct":
			w.p("a.fill%s(&%s, &%s)", inner(s, f).GoName, m, g)
		case "bytes", "secret", "inout":
			w.p("%s, c.%s = a.bytes(%s), uint64(len(%s))", m, f.Of, g, g)
		case "bits", "inoutbits":
			w.p("%s, c.%s = a.bytes(%s), 8*uint64(len(%s))", m, f.Of, g, g)
		case "fixed", "inoutfixed":
			w.p("%s = a.fixed(%s, %s)", m, g, f.Of)
		case "cstring":
			w.p("%s = a.text(%s)", m, g)
		case "mechanism":
			w.p("%s = a.mechanism(%s)", m, g)
		case "ptr":
			w.p("if %s != nil {\nq := push[%s](a)\na.fill%s(q, %s)\n%s = addrOf(q)\n}", g, mirror(inner(s, f)), inner(s, f).GoName, g, m)
		case "inoutversion":
			w.p("%s = a.version(%s)", m, g)
		case "list":
			w.p("if l := pushN[%s](a, len(%s)); len(l) > 0 {\n%s, c.%s = addrOf(&l[0]), uint64(len(l))", mirror(inner(s, f)), g, m, f.Of)
			w.p("for i := range l {\na.fill%s(&l[i], &%s[i])\n}\n}", inner(s, f).GoName, g)
		case "template":
			w.p("%s, c.%s = a.template(%s, 0), uint64(len(%s))", m, f.Of, g, g)
		case "outhandle":
			w.p("%s = addrOf(push[uint64](a))", m)
		case "len":
		default:
			panic(t.Name + "." + f.Name + " has role " + f.Role)
		}
	}
	w.p("}")
}

// takeParam writes the function that reads a C caller's structure into a Go one, whose buffers are the caller's.
func takeParam(w *writer, s *spec.Spec, t *spec.Struct) {
	w.p("\nfunc (d *decoder) take%s(p *ck.%s, c *%s) {", t.GoName, t.GoName, mirror(t))
	for _, f := range t.Fields {
		m, g := "c."+mirrorField(f), "p."+f.Field
		switch f.Role {
		case "value":
			if f.CType == "CK_BYTE" {
				w.p("%s = %s", g, m)
			} else if typ := goType(f.CType); typ == "uint64" {
				w.p("%s = %s", g, m)
			} else {
				w.p("%s = ck.%s(%s)", g, typ, m)
			}
		case "bool":
			w.p("%s = %s != 0", g, m)
		case "array", "opaque":
			w.p("%s = %s", g, m)
		case "struct":
			w.p("d.take%s(&%s, &%s)", inner(s, f).GoName, g, m)
		case "bytes", "secret", "inout":
			w.p("%s = d.bytes(%s, uintptr(c.%s))", g, m, f.Of)
		case "bits", "inoutbits":
			w.p("%s = d.bits(%s, c.%s)", g, m, f.Of)
		case "fixed", "inoutfixed":
			w.p("%s = d.fixed(%s, %s)", g, m, f.Of)
		case "cstring":
			w.p("%s = d.text(%s)", g, m)
		case "mechanism":
			w.p("%s = d.mechanism(%s)", g, m)
		case "ptr":
			w.p("if %s != 0 {\n%s = new(ck.%s)\nd.take%s(%s, at[%s](%s))\n}", m, g, inner(s, f).GoName, inner(s, f).GoName, g, mirror(inner(s, f)), m)
		case "inoutversion":
			w.p("%s = d.version(%s)", g, m)
		case "list":
			w.p("if l := list[%s](d, %s, c.%s); l != nil {\n%s = make([]ck.%s, len(l))", mirror(inner(s, f)), m, f.Of, g, inner(s, f).GoName)
			w.p("for i := range l {\nd.take%s(&%s[i], &l[i])\n}\n}", inner(s, f).GoName, g)
		case "template":
			w.p("%s = d.template(%s, uintptr(c.%s), 0)", g, m, f.Of)
		case "outhandle":
			w.p("d.need(%s)", m)
		}
	}
	w.p("}")
}

// backParam writes the function that reads what a module wrote.
func backParam(w *writer, s *spec.Spec, t *spec.Struct) {
	w.p("\nfunc back%s(p *ck.%s, c *%s) {", t.GoName, t.GoName, mirror(t))
	for _, f := range t.Fields {
		m, g := "c."+mirrorField(f), "p."+f.Field
		switch f.Role {
		case "inout", "inoutbits", "inoutfixed":
			w.p("copyBack(%s, %s)", g, m)
		case "inoutversion":
			w.p("if %s != nil && %s != 0 && *%s != *at[ck.Version](%s) {\n*%s = *at[ck.Version](%s)\n}", g, m, g, m, g, m)
		case "outhandle":
			w.p("%s = ck.ObjectHandle(*at[uint64](%s))", g, m)
		case "mechanism":
			w.p("backMechanism(%s, %s)", g, m)
		case "struct":
			if writesBack(s, inner(s, f)) {
				w.p("back%s(&%s, &%s)", inner(s, f).GoName, g, m)
			}
		case "ptr":
			if writesBack(s, inner(s, f)) {
				w.p("if %s != nil && %s != 0 {\nback%s(%s, at[%s](%s))\n}", g, m, inner(s, f).GoName, g, mirror(inner(s, f)), m)
			}
		case "list":
			if writesBack(s, inner(s, f)) {
				w.p("if len(%s) > 0 && %s != 0 {\nfor i, l := 0, unsafe.Slice(at[%s](%s), len(%s)); i < len(l); i++ {\nback%s(&%s[i], &l[i])\n}\n}",
					g, m, mirror(inner(s, f)), m, g, inner(s, f).GoName, g)
			}
		}
	}
	w.p("}")
}

// storeParam writes the function that puts results into a C caller's structure.
func storeParam(w *writer, s *spec.Spec, t *spec.Struct) {
	w.p("\nfunc store%s(p *ck.%s, c *%s) {", t.GoName, t.GoName, mirror(t))
	for _, f := range t.Fields {
		m, g := "c."+mirrorField(f), "p."+f.Field
		switch f.Role {
		case "outhandle":
			w.p("*at[uint64](%s) = uint64(%s)", m, g)
		case "list":
			if stores(s, inner(s, f)) {
				w.p("if len(%s) > 0 {\nfor i, l := 0, unsafe.Slice(at[%s](%s), len(%s)); i < len(l); i++ {\nstore%s(&%s[i], &l[i])\n}\n}",
					g, mirror(inner(s, f)), m, g, inner(s, f).GoName, g)
			}
		case "struct", "ptr":
			if stores(s, inner(s, f)) {
				panic(t.Name + "." + f.Name + ": results in a single structure are not provided for")
			}
		}
	}
	w.p("}")
}
