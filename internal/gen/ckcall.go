package main

import (
	"strconv"
	"strings"

	"github.com/p11mux/p11mux/spec"
)

func functions(w *writer, s *spec.Spec) {
	w.p("package ck\n")
	w.p("// The functions in the order of the function list.\nconst (")
	counts := map[string]int{}
	var ns []string
	for i, f := range s.Functions {
		if i == 0 {
			w.p("Func%s Func = iota // %s", f.GoName(), f.Name)
		} else {
			w.p("Func%s // %s", f.GoName(), f.Name)
		}
		counts[f.Since]++
		ns = append(ns, f.GoName())
	}
	w.p("\n// NumFuncs is how many functions there are.\nNumFuncs Func = %d\n)", len(s.Functions))
	w.p("\n// How many functions the function lists of 2.40 and of 3.0 have.\nconst (")
	w.p("numFuncs240 Func = %d\nnumFuncs30 Func = %d\n)", counts["2.40"], counts["2.40"]+counts["3.0"])
	w.p("\n// The names of the functions without C_, one after the other.\nconst funcText = \"\" +")
	for i := 0; i < len(ns); i += 6 {
		end, plus := min(i+6, len(ns)), " +"
		if end == len(ns) {
			plus = ""
		}
		w.p("%q%s", strings.Join(ns[i:end], ""), plus)
	}
	w.p("\nvar funcOff = [...]uint16{")
	offsets(w, ns)
	w.p("}")
	w.p("\n// NewCall gives an empty call of f, nil for what is no function.\nfunc NewCall(f Func) Call {\nswitch f {")
	for _, f := range s.Functions {
		w.p("case Func%s:\nreturn new(%sCall)", f.GoName(), f.GoName())
	}
	w.p("}\nreturn nil\n}")
}

func calls(w *writer, s *spec.Spec) {
	w.p("package ck")
	for _, f := range s.Functions {
		w.p("\n// %sCall is %s: it %s (PKCS#11 3.2 §%s).", f.GoName(), f.Name, f.Summary, f.Section)
		if len(f.Args) == 0 {
			w.p("type %sCall struct{}", f.GoName())
		} else {
			w.p("type %sCall struct {", f.GoName())
			for _, a := range f.Args {
				if a.Field == "" {
					continue
				}
				typ, note := callField(a)
				w.p("%s %s // %s", a.Field, typ, note)
			}
			w.p("}")
		}
		w.p("\n// Func implements [Call].\nfunc (*%sCall) Func() Func { return Func%s }", f.GoName(), f.GoName())
	}
	firstHandle(w, s, "session", "SessionOf", "SessionHandle", "the session that a call is made in; nil for a call that is made in none")
	firstHandle(w, s, "slot", "SlotOf", "SlotID", "the slot that a call is about; nil for a call that is about none")
}

// firstHandle writes a function that gives the first argument of the calls where it is of a kind.
func firstHandle(w *writer, s *spec.Spec, kind, name, typ, doc string) {
	w.p("\n// %s gives where a call has %s.\nfunc %s(call Call) *%s {\nswitch c := call.(type) {", name, doc, name, typ)
	for _, f := range s.Functions {
		if firstKind(f) == kind {
			w.p("case *%sCall:\nreturn &c.%s", f.GoName(), f.Args[0].Field)
		}
	}
	w.p("}\nreturn nil\n}")
}

// callField gives the Go type of an argument and what its comment says.
func callField(a spec.Arg) (typ, note string) {
	switch a.Role {
	case "value":
		return goType(a.CType), a.Name
	case "bool":
		return "bool", a.Name
	case "bytes":
		return "[]byte", a.Name + "; nil is NULL"
	case "pin":
		return "[]byte", a.Name + "; nil is NULL, which asks for the protected path; secret"
	case "label":
		return "[]byte", a.Name + "; 32 octets, padded with blanks; nil is NULL"
	case "string":
		return "string", a.Name + "; NUL-terminated in C"
	case "cstring":
		return "[]byte", a.Name + "; without its NUL; nil is NULL"
	case "version":
		return "*Version", a.Name + "; nil is NULL"
	case "template":
		return "[]Attribute", a.Name
	case "outtemplate":
		return "[]AttributeOut", a.Name + "; room in, values out"
	case "mechanism":
		return "*Mechanism", a.Name + "; nil is NULL, which ends the operation from 3.0 on"
	case "rawmechanism":
		return "*Mechanism", a.Name + "; nil is NULL, which ends the operation"
	case "param":
		return "MechanismParam", a.Name + "; modules may write into its buffers"
	case "initargs":
		return "*InitializeArgs", a.Name + "; nil is NULL"
	case "pointer":
		if a.CType == "CK_ULONG" {
			return "uint64", a.Name
		}
		return "uintptr", a.Name + ", a C address"
	case "out":
		return goType(elem(a.CType)), a.Name + ", a result"
	case "outstruct":
		return goType(elem(a.CType)), a.Name + ", a result"
	case "inoutstruct":
		return goType(elem(a.CType)), a.Name + ", room in, result out"
	case "outpointer":
		return "uintptr", a.Name + ", a result: a C address that the module owns"
	case "fillbytes":
		return "[]byte", a.Name + ", filled by the call"
	case "outbytes":
		return "Out[byte]", a.Name
	case "outbytesopt":
		return "*Out[byte]", a.Name + "; nil where more parts follow: both C pointers NULL"
	case "outlist":
		return "Out[" + goType(elem(a.CType)) + "]", a.Name
	case "outlistmax":
		return "Out[" + goType(elem(a.CType)) + "]", a.Name + "; Buf is never nil, N is how many were found"
	}
	panic("argument " + a.Name + " has role " + a.Role)
}

func params(w *writer, s *spec.Spec) {
	w.p("package ck")
	for _, t := range s.Structs {
		if t.GoName == "" || isCore(t) {
			continue
		}
		w.p("\n// %s is %s.", t.GoName, t.Name)
		w.p("type %s struct {", t.GoName)
		for _, f := range t.Fields {
			if f.Field == "" {
				continue
			}
			typ, note := paramField(s, f)
			w.p("%s %s // %s", f.Field, typ, note)
		}
		w.p("}")
		if isParam(t) {
			w.p("\nfunc (*%s) mechanismParam() {}", t.GoName)
		}
	}
	w.p("\n// NewParam gives an empty structure for the parameter of a mechanism, nil for a mechanism that takes plain memory or none,")
	w.p("// and for one that this package does not know. Of several structures it gives the one for plain encryption.")
	w.p("func NewParam(t MechanismType) MechanismParam {\nswitch t {")
	done := map[string]bool{}
	for _, t := range s.Structs {
		if t.GoName == "" {
			continue
		}
		var ms []string
		for _, m := range s.Mechanisms {
			if m.Struct == t.Name && !done[m.Mechanism] {
				ms = append(ms, m.Mechanism)
				done[m.Mechanism] = true
			}
		}
		if len(ms) > 0 {
			w.p("case %s:\nreturn new(%s)", strings.Join(ms, ",\n"), t.GoName)
		}
	}
	w.p("}\nreturn nil\n}")
}

// isCore tells whether a structure belongs to the interface itself; those are written by hand in package ck.
func isCore(t *spec.Struct) bool {
	switch t.GoName {
	case "Version", "Info", "Interface", "SlotInfo", "TokenInfo", "SessionInfo", "MechanismInfo", "AsyncData", "InitializeArgs":
		return true
	}
	return false
}

// isParam tells whether a structure is the parameter of a mechanism and not only a part of one.
func isParam(t *spec.Struct) bool {
	switch t.GoName {
	case "", "SSL3RandomData", "PRFDataParam", "DerivedKey", "OTPParam":
		return false
	}
	return !isCore(t)
}

// paramField gives the Go type of a field and what its comment says.
func paramField(s *spec.Spec, f spec.Field) (typ, note string) {
	switch f.Role {
	case "value":
		return goType(f.CType), f.Name
	case "bool":
		return "bool", f.Name
	case "array":
		return "[" + itoa(f.Array) + "]byte", f.Name
	case "struct":
		return goTypeOf(s, f.CType), f.Name
	case "bytes":
		return "[]byte", f.Name + ", " + f.Of
	case "secret":
		return "[]byte", f.Name + ", " + f.Of + "; secret"
	case "bits":
		return "[]byte", f.Name + ", " + f.Of + " counts its bits"
	case "inout":
		return "[]byte", f.Name + ", " + f.Of + "; the module may write into it"
	case "inoutbits":
		return "[]byte", f.Name + ", " + f.Of + " counts its bits; the module may write into it"
	case "fixed":
		return "[]byte", f.Name + ", " + f.Of + " octets; nil is NULL"
	case "inoutfixed":
		return "[]byte", f.Name + ", " + f.Of + " octets; the module may write into it; nil is NULL"
	case "cstring":
		return "[]byte", f.Name + ", without its NUL; nil is NULL"
	case "mechanism":
		return "*Mechanism", f.Name + "; nil is NULL"
	case "ptr":
		return "*" + goTypeOf(s, elem(f.CType)), f.Name + "; nil is NULL"
	case "inoutversion":
		return "*Version", f.Name + "; the module may write into it; nil is NULL"
	case "list":
		return "[]" + goTypeOf(s, elem(f.CType)), f.Name + ", " + f.Of
	case "template":
		return "[]Attribute", f.Name + ", " + f.Of
	case "outhandle":
		return "ObjectHandle", f.Name + ", a result"
	case "opaque":
		return "uintptr", f.Name + ", a C address, passed on as it is"
	}
	panic("field " + f.Name + " has role " + f.Role)
}

func itoa(n int) string { return strconv.Itoa(n) }
