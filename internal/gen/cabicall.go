package main

import (
	"strings"

	"github.com/p11mux/p11mux/spec"
)

func cabiEncode(w *writer, s *spec.Spec) {
	w.p("package cabi\n\nimport \"github.com/p11mux/p11mux/ck\"")
	w.p("\n// encode puts the arguments of a call into words. It tells whether the call is one that it knows.")
	w.p("func (a *Arena) encode(call ck.Call, w *Words) bool {\nswitch c := call.(type) {")
	for _, f := range s.Functions {
		w.p("case *ck.%sCall:", f.GoName())
		for i, a := range f.Args {
			encodeArg(w, i, a)
		}
	}
	w.p("default:\nreturn false\n}\nreturn true\n}")
	w.p("\n// decode reads the results of a call that gave rv.")
	w.p("func (r *results) decode(call ck.Call, w *Words) {\nswitch c := call.(type) {")
	for _, f := range s.Functions {
		var lines []string
		for i, a := range f.Args {
			if l := decodeArg(i, a); l != "" {
				lines = append(lines, l)
			}
		}
		if len(lines) == 0 {
			continue
		}
		w.p("case *ck.%sCall:", f.GoName())
		for _, l := range lines {
			w.p("%s", l)
		}
	}
	w.p("}\n}")
}

func encodeArg(w *writer, i int, a spec.Arg) {
	g := "c." + a.Field
	switch a.Role {
	case "value":
		w.p("w[%d] = uintptr(%s)", i, g)
	case "bool":
		w.p("w[%d] = uintptr(flag(%s))", i, g)
	case "pointer":
		w.p("w[%d] = %s", i, g)
	case "bytes", "pin":
		w.p("w[%d], w[%d] = a.bytes(%s), uintptr(len(%s))", i, i+1, g, g)
	case "label":
		w.p("w[%d] = a.label(%s)", i, g)
	case "string":
		w.p("w[%d] = a.text([]byte(%s))", i, g)
	case "cstring":
		w.p("w[%d] = a.text(%s)", i, g)
	case "version":
		w.p("w[%d] = a.version(%s)", i, g)
	case "template":
		w.p("w[%d], w[%d] = a.template(%s, 0), uintptr(len(%s))", i, i+1, g, g)
	case "outtemplate":
		w.p("w[%d], w[%d] = a.outTemplate(%s, 0), uintptr(len(%s))", i, i+1, g, g)
	case "mechanism", "rawmechanism":
		w.p("w[%d] = a.mechanism(%s)", i, g)
	case "param":
		w.p("w[%d], w[%d] = a.param(%s)", i, i+1, g)
	case "initargs":
		w.p("w[%d] = a.initArgs(%s)", i, g)
	case "out", "outpointer":
		w.p("w[%d] = addrOf(push[uint64](a))", i)
	case "outstruct":
		w.p("w[%d] = addrOf(push[c%s](a))", i, goType(elem(a.CType)))
	case "inoutstruct":
		w.p("w[%d] = a.in%s(&%s)", i, goType(elem(a.CType)), g)
	case "fillbytes":
		w.p("w[%d], w[%d] = a.room(%s != nil, len(%s), 1), uintptr(len(%s))", i, i+1, g, g, g)
	case "outbytes", "outlist":
		w.p("w[%d], w[%d] = encodeOut(a, &%s)", i, i+1, g)
	case "outbytesopt":
		w.p("if %s != nil {\nw[%d], w[%d] = encodeOut(a, %s)\n}", g, i, i+1, g)
	case "outlistmax":
		w.p("w[%d], w[%d], w[%d] = encodeMax(a, &%s)", i, i+1, i+2, g)
	}
}

func decodeArg(i int, a spec.Arg) string {
	g, n, m := "c."+a.Field, itoa(i), itoa(i+1)
	switch a.Role {
	case "mechanism", "rawmechanism":
		return "r.mechanism(" + g + ", w[" + n + "])"
	case "param":
		return "r.param(" + g + ", w[" + n + "])"
	case "outtemplate":
		return "r.outTemplate(" + g + ", w[" + n + "], 0)"
	case "out":
		return "result(r, &" + g + ", w[" + n + "])"
	case "outpointer":
		return "result(r, &" + g + ", w[" + n + "])"
	case "outstruct", "inoutstruct":
		t := goType(elem(a.CType))
		return "if r.ok() {\nout" + t + "(&" + g + ", at[c" + t + "](w[" + n + "]))\n}"
	case "fillbytes":
		return "if r.ok() {\ncopyBack(" + g + ", w[" + n + "])\n}"
	case "outbytes", "outlist":
		return "decodeOut(r, &" + g + ", w[" + n + "], w[" + m + "])"
	case "outbytesopt":
		return "if " + g + " != nil {\ndecodeOut(r, " + g + ", w[" + n + "], w[" + m + "])\n}"
	case "outlistmax":
		return "decodeMax(r, &" + g + ", w[" + n + "], w[" + itoa(i+2) + "])"
	}
	return ""
}

func cabiServe(w *writer, s *spec.Spec) {
	w.p("package cabi\n\nimport (\n\"context\"\n\n\"github.com/p11mux/p11mux/ck\"\n\"github.com/p11mux/p11mux/module\"\n)")
	w.p("\n// serve does one call of a C caller.\nfunc serve(ctx context.Context, m module.Module, f ck.Func, w *Words) ck.RV {\nswitch f {")
	for _, f := range s.Functions {
		w.p("case ck.Func%s:\nreturn serve%s(ctx, m, w)", f.GoName(), f.GoName())
	}
	w.p("}\nreturn ck.CKR_FUNCTION_NOT_SUPPORTED\n}")
	for _, f := range s.Functions {
		w.p("\nfunc serve%s(ctx context.Context, m module.Module, w *Words) ck.RV {", f.GoName())
		w.p("d := decoder{w: w}\nvar c ck.%sCall", f.GoName())
		for i, a := range f.Args {
			serveArg(w, i, a)
		}
		w.p("rv := d.do(ctx, m, &c)")
		for i, a := range f.Args {
			storeArg(w, i, a)
		}
		w.p("return rv\n}")
	}
}

func serveArg(w *writer, i int, a spec.Arg) {
	g := "c." + a.Field
	switch a.Role {
	case "value":
		if t := goType(a.CType); t == "uint64" {
			w.p("%s = uint64(w[%d])", g, i)
		} else {
			w.p("%s = ck.%s(w[%d])", g, t, i)
		}
	case "bool":
		w.p("%s = byte(w[%d]) != 0", g, i)
	case "pointer":
		w.p("%s = w[%d]", g, i)
	case "bytes", "pin":
		w.p("%s = d.bytes(w[%d], w[%d])", g, i, i+1)
	case "label":
		w.p("%s = d.fixed(w[%d], 32)", g, i)
	case "string":
		w.p("%s = string(d.text(d.need(w[%d])))", g, i)
	case "cstring":
		w.p("%s = d.text(w[%d])", g, i)
	case "version":
		w.p("%s = d.version(w[%d])", g, i)
	case "template":
		w.p("%s = d.template(w[%d], w[%d], 0)", g, i, i+1)
	case "outtemplate":
		w.p("%s = d.outTemplate(w[%d], w[%d], 0)", g, i, i+1)
	case "mechanism":
		w.p("%s = d.mechanism(w[%d])", g, i)
	case "rawmechanism":
		w.p("%s = d.rawMechanism(w[%d])", g, i)
	case "param":
		w.p("%s = d.raw(w[%d], w[%d])", g, i, i+1)
	case "initargs":
		w.p("%s = d.initArgs(w[%d])", g, i)
	case "out", "outpointer", "outstruct":
		w.p("d.need(w[%d])", i)
	case "inoutstruct":
		w.p("if d.need(w[%d]) != 0 {\nout%s(&%s, at[c%s](w[%d]))\n}", i, goType(elem(a.CType)), g, goType(elem(a.CType)), i)
	case "fillbytes":
		w.p("%s = d.bytes(w[%d], w[%d])", g, i, i+1)
	case "outbytes", "outlist":
		w.p("serveOut(&d, &%s, w[%d], w[%d])", g, i, i+1)
	case "outbytesopt":
		w.p("if w[%d] != 0 || w[%d] != 0 {\n%s = new(ck.Out[byte])\nserveOut(&d, %s, w[%d], w[%d])\n}", i, i+1, g, g, i, i+1)
	case "outlistmax":
		w.p("serveMax(&d, &%s, w[%d], w[%d], w[%d])", g, i, i+1, i+2)
	}
}

func storeArg(w *writer, i int, a spec.Arg) {
	g := "c." + a.Field
	switch a.Role {
	case "mechanism":
		w.p("if rv == ck.CKR_OK {\nstoreMechanism(%s, w[%d])\n}", g, i)
	case "outtemplate":
		w.p("rv = storeTemplate(rv, %s, w[%d])", g, i)
	case "out", "outpointer":
		w.p("if rv == ck.CKR_OK {\n*at[uint64](w[%d]) = uint64(%s)\n}", i, g)
	case "outstruct", "inoutstruct":
		t := goType(elem(a.CType))
		w.p("if rv == ck.CKR_OK {\nin%s(at[c%s](w[%d]), &%s)\n}", t, t, i, g)
	case "outbytes", "outlist":
		w.p("rv = storeOut(rv, &%s, w[%d])", g, i+1)
	case "outbytesopt":
		w.p("if %s != nil {\nrv = storeOut(rv, %s, w[%d])\n}", g, g, i+1)
	case "outlistmax":
		w.p("rv = storeMax(rv, &%s, w[%d])", g, i+2)
	}
}

// cabiResults writes what is the opposite of decode: it puts results into the memory of words that encode has made.
func cabiResults(w *writer, s *spec.Spec) {
	w.p("package cabi\n\nimport \"github.com/p11mux/p11mux/ck\"")
	w.p("\n// results puts the results of a call that gave rv into memory.\nfunc (a *Arena) results(call ck.Call, w *Words, rv ck.RV) {\nswitch c := call.(type) {")
	for _, f := range s.Functions {
		var lines []string
		for i, a := range f.Args {
			if l := resultArg(i, a); l != "" {
				lines = append(lines, l)
			}
		}
		if len(lines) > 0 {
			w.p("case *ck.%sCall:\n%s", f.GoName(), strings.Join(lines, "\n"))
		}
	}
	w.p("}\n}")
}

func resultArg(i int, a spec.Arg) string {
	g, n, m := "c."+a.Field, itoa(i), itoa(i+1)
	switch a.Role {
	case "outtemplate":
		return "resultTemplate(rv, " + g + ", w[" + n + "])"
	case "out", "outpointer":
		return "if rv == ck.CKR_OK {\n*at[uint64](w[" + n + "]) = uint64(" + g + ")\n}"
	case "outstruct", "inoutstruct":
		t := goType(elem(a.CType))
		return "if rv == ck.CKR_OK {\nin" + t + "(at[c" + t + "](w[" + n + "]), &" + g + ")\n}"
	case "fillbytes":
		return "if rv == ck.CKR_OK && w[" + n + "] != 0 {\ncopy(octets(w[" + n + "], len(" + g + ")), " + g + ")\n}"
	case "outbytes", "outlist":
		return "resultOut(rv, &" + g + ", w[" + n + "], w[" + m + "])"
	case "outbytesopt":
		return "if " + g + " != nil {\nresultOut(rv, " + g + ", w[" + n + "], w[" + m + "])\n}"
	case "outlistmax":
		return "resultOut(rv, &" + g + ", w[" + n + "], w[" + itoa(i+2) + "])"
	}
	return ""
}
