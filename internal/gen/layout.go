package main

import (
	"strings"

	"github.com/p11mux/p11mux/spec"
)

// mirror gives the name of the Go mirror of a structure, empty for structures that are never taken apart.
func mirror(t *spec.Struct) string {
	switch {
	case t.Name == "CK_ATTRIBUTE":
		return "cAttribute"
	case t.Name == "CK_MECHANISM":
		return "cMechanism"
	case t.GoName == "":
		return ""
	}
	return "c" + t.GoName
}

// mirrorField gives the name of a member in the mirror.
func mirrorField(f spec.Field) string {
	if f.Name == "type" {
		return "typ"
	}
	return f.Name
}

// isPointer tells whether a C type is an address.
func isPointer(ctype string) bool {
	return strings.HasSuffix(ctype, "_PTR") || strings.HasSuffix(ctype, "MUTEX") || ctype == "CK_NOTIFY"
}

// measure gives the type of a member in the mirror, its size and its alignment on 64-bit Linux, in octets.
func measure(s *spec.Spec, f spec.Field) (typ string, size, align int) {
	switch {
	case isPointer(f.CType):
		return "uintptr", 8, 8
	case s.Struct(f.CType) != nil:
		inner := s.Struct(f.CType)
		size, align = layout(s, inner, nil)
		return mirror(inner), size, align
	}
	switch f.CType {
	case "CK_BYTE", "CK_CHAR", "CK_UTF8CHAR", "CK_BBOOL":
		if f.Array > 0 {
			return "[" + itoa(f.Array) + "]byte", f.Array, 1
		}
		return "byte", 1, 1
	}
	return "uint64", 8, 8
}

// layout gives the size and alignment of a structure, and each member with its offset to visit.
func layout(s *spec.Spec, t *spec.Struct, visit func(f spec.Field, typ string, offset int)) (size, align int) {
	align = 1
	for _, f := range t.Fields {
		typ, n, a := measure(s, f)
		size = (size + a - 1) / a * a
		align = max(align, a)
		if visit != nil {
			visit(f, typ, size)
		}
		size += n
	}
	return (size + align - 1) / align * align, align
}

func goLayout(w *writer, s *spec.Spec) {
	w.p("package cabi\n\nimport (\n\"structs\"\n\"unsafe\"\n)")
	for _, t := range s.Structs {
		m := mirror(t)
		if m == "" {
			continue
		}
		w.p("\n// %s mirrors %s.\ntype %s struct {\n_ structs.HostLayout", m, t.Name, m)
		layout(s, t, func(f spec.Field, typ string, _ int) { w.p("%s %s", mirrorField(f), typ) })
		w.p("}")
	}
	w.p("\n// The mirrors have the sizes and offsets that the C compiler gives the structures; package native asserts the same in C.")
	w.p("const (")
	for _, t := range s.Structs {
		m := mirror(t)
		if m == "" {
			continue
		}
		size, _ := layout(s, t, func(f spec.Field, _ string, offset int) {
			if offset == 0 {
				w.p("_ uintptr = -unsafe.Offsetof(%s{}.%s)", m, mirrorField(f))
				return
			}
			w.p("_ uintptr = -(unsafe.Offsetof(%s{}.%s) ^ %d)", m, mirrorField(f), offset)
		})
		w.p("_ uintptr = -(unsafe.Sizeof(%s{}) ^ %d)", m, size)
	}
	w.p(")")
}

func cLayout(w *writer, s *spec.Spec) {
	w.p("#include <p11-kit/pkcs11.h>\n#include <stddef.h>\n")
	for _, t := range s.Structs {
		if mirror(t) == "" {
			continue
		}
		size, _ := layout(s, t, func(f spec.Field, _ string, offset int) {
			w.p("_Static_assert(offsetof(%s, %s) == %d, \"%s.%s\");", t.Name, f.Name, offset, t.Name, f.Name)
		})
		w.p("_Static_assert(sizeof(%s) == %d, \"%s\");", t.Name, size, t.Name)
	}
}

// cabiInfo writes the conversions of the structures that package ck has by hand.
func cabiInfo(w *writer, s *spec.Spec) {
	w.p("package cabi\n\nimport \"github.com/p11mux/p11mux/ck\"")
	for _, t := range s.Structs {
		if !isCore(t) || t.GoName == "Version" || t.GoName == "Interface" {
			continue
		}
		w.p("\n// out%s reads a %s, in%s writes one.\nfunc out%s(p *ck.%s, c *%s) {", t.GoName, t.Name, t.GoName, t.GoName, t.GoName, mirror(t))
		for _, f := range t.Fields {
			m, g := "c."+mirrorField(f), "p."+f.Field
			switch {
			case f.Role == "struct":
				w.p("%s = ck.%s{Major: %s.major, Minor: %s.minor}", g, goType(f.CType), m, m)
			case f.Role == "value" && goType(f.CType) != "uint64":
				w.p("%s = ck.%s(%s)", g, goType(f.CType), m)
			default:
				w.p("%s = %s", g, m)
			}
		}
		w.p("}\n\nfunc in%s(c *%s, p *ck.%s) {", t.GoName, mirror(t), t.GoName)
		for _, f := range t.Fields {
			m, g := "c."+mirrorField(f), "p."+f.Field
			switch f.Role {
			case "struct":
				w.p("%s.major, %s.minor = %s.Major, %s.Minor", m, m, g, g)
			case "value":
				w.p("%s = uint64(%s)", m, g)
			default:
				w.p("%s = %s", m, g)
			}
		}
		w.p("}")
	}
}
