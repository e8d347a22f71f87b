package main

import (
	"slices"
	"strings"

	"github.com/p11mux/p11mux/spec"
)

// groups are the prefixes of the constants in the order of the table, with what they are.
var groups = map[string]string{
	"CKR": "Return values.", "CKM": "Mechanisms.", "CKA": "Attributes.", "CKO": "Object classes.", "CKK": "Key types.",
	"CKC": "Certificate types.", "CKU": "Users.", "CKS": "States of a session, and validation flags.",
	"CKF": "Flags. The same bit has several names, one for each structure or function that carries flags.",
	"CKD": "Key derivation functions.", "CKG": "Mask generation functions and generators of IVs.",
	"CKH": "Hardware features and hedge types.", "CKN": "Notifications.",
	"CKP": "Profiles, pseudo-random functions and parameter sets.", "CKT": "Trust.", "CKV": "Validation.",
	"CKZ": "Sources of salts and encoding parameters.", "CK": "Other values.",
}

func constants(w *writer, s *spec.Spec) {
	w.p("package ck")
	last := ""
	for _, c := range s.Constants {
		if p, _, _ := strings.Cut(c.Name, "_"); p != last {
			if last != "" {
				w.p(")")
			}
			last = p
			w.p("\n// %s\nconst (", groups[p])
		}
		typ := c.Type
		if typ == "untyped" {
			typ = ""
		}
		w.p("%s %s = %#x", c.Name, typ, c.Value)
	}
	w.p(")")
}

// named are the types whose values have names, with their prefixes.
var named = []struct{ typ, prefix string }{
	{"RV", "CKR_"}, {"MechanismType", "CKM_"}, {"AttributeType", "CKA_"}, {"ObjectClass", "CKO_"}, {"KeyType", "CKK_"},
	{"CertificateType", "CKC_"}, {"UserType", "CKU_"}, {"State", "CKS_"},
}

func names(w *writer, s *spec.Spec) {
	w.p("package ck")
	for _, n := range named {
		var list []spec.Constant
		for _, c := range s.Constants {
			if c.Type == n.typ && !c.Alias && strings.HasPrefix(c.Name, n.prefix) {
				list = append(list, c)
			}
		}
		slices.SortFunc(list, func(a, b spec.Constant) int {
			if a.Value == b.Value {
				panic(a.Name + " and " + b.Name + " have the same value, one must be an alias")
			}
			if a.Value < b.Value {
				return -1
			}
			return 1
		})
		v := strings.ToLower(n.typ[:1]) + n.typ[1:] + "Names"
		if n.typ == "RV" {
			v = "rvNames"
		}
		var ns []string
		for _, c := range list {
			ns = append(ns, strings.TrimPrefix(c.Name, n.prefix))
		}
		w.p("\nvar %s = nameTable{\nprefix: %q,", v, n.prefix)
		text(w, "text: ", ns)
		w.p("off: []uint16{")
		offsets(w, ns)
		w.p("},\nvalue: []uint32{")
		for _, c := range list {
			w.p("%#x, // %s", c.Value, c.Name)
		}
		w.p("},\n}")
	}
}

// text writes one string constant of all names, a few to a line.
func text(w *writer, lead string, names []string) {
	line := ""
	for i, n := range names {
		line += n
		if len(line) > 90 && i < len(names)-1 {
			w.p("%s%q +", lead, line)
			lead, line = "", ""
		}
	}
	w.p("%s%q,", lead, line)
}

// offsets writes where each name begins, and where the last one ends.
func offsets(w *writer, names []string) {
	off := 0
	for _, n := range names {
		w.p("%d,", off)
		off += len(n)
	}
	w.p("%d,", off)
}
