// Package spec is PKCS#11 3.2 as tables: functions, their arguments, constants, structures, and which structure is the
// parameter of which mechanism; and beside it what the remote protocol carries of that. Everything that repeats the standard (package ck, the C header, the codecs) is generated
// from these tables by internal/gen; see README.md in this folder for the columns.
//
// The package is for generators and tests only. It parses text and is not linked into what runs in other processes.
package spec

//go:generate go run ../internal/gen

import (
	"embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

//go:embed *.tsv
var tables embed.FS

// Spec is the whole of the tables, in the order of the files.
type Spec struct {
	Functions  []*Function // in the order of the function list, which is ABI
	Constants  []Constant
	Structs    []*Struct
	Mechanisms []MechanismParam

	Wire           []*WireCall // by id, 1 first
	WireMechanisms []WireMechanism
	WireAttributes []WireAttribute

	Attributes []Attribute // in ascending order of their values
	LogNames   []Constant  // what a log calls values that have no name in Constants, or another one there
}

// A Function is one C_ function.
type Function struct {
	Order   int    // index in the function list
	Name    string // "C_Sign"
	Since   string // "2.40", "3.0" or "3.2"
	Section string // of PKCS#11 3.2
	Summary string // what it does, a predicate
	Args    []Arg
}

// GoName is the name without the C_ prefix.
func (f *Function) GoName() string { return strings.TrimPrefix(f.Name, "C_") }

// An Arg is one C argument of a function.
type Arg struct {
	CType string // the OASIS name of the type
	Name  string // the OASIS name of the argument
	Lower string // the same in lower case, as the wire protocol and the logs spell it
	Field string // the field of the Go call that holds it, empty for lengths
	Role  string // what it is for; README.md lists the roles

	// How the text log shows it: as an argument, as a result, by which name; not at all where there is no name.
	LogIn, LogOut bool
	LogName       string
	Secret        bool // a log shows no more of it than its length
}

// A Constant is a named value.
type Constant struct {
	Name  string
	Value uint64
	Type  string // the Go type in package ck
	Alias bool   // another name is the usual one for the value
}

// An Attribute says how a log shows the value of an attribute.
type Attribute struct {
	Name  string // "CKA_LABEL", as logs have it
	Value uint64
	Kind  string // what the value is; README.md lists the kinds
	Log   string // "printed" in text, "public" in other formats only, or "secret"
}

// A Struct is a C structure.
type Struct struct {
	Name   string // "CK_GCM_PARAMS"
	GoName string // the Go type in package ck, empty where the structure has none
	Fields []Field
}

// A Field is a member of a C structure.
type Field struct {
	CType string
	Name  string // the OASIS name, without array bounds
	Array int    // the array bound, 0 for none
	Lower string // the name in lower case
	Field string // the Go field, empty for lengths and in structures without a Go type
	Role  string // README.md lists the roles
	Of    string // what follows the colon of a role: the field with the length, or a size
}

// A MechanismParam says that the parameter of a mechanism is a structure. A mechanism may have several, told apart by size.
type MechanismParam struct {
	Mechanism string
	Struct    string
	Raw       bool // C callers disagree about the structure, so theirs is never taken apart
}

// Load reads the tables and checks that they refer to each other correctly.
func Load() (*Spec, error) {
	s := new(Spec)
	for _, load := range []func(*Spec) error{loadFunctions, loadArguments, loadConstants, loadStructs, loadMechanisms,
		loadAttributes, loadLogNames,
		loadWire, loadWireMechanisms, loadWireAttributes} {
		if err := load(s); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Struct finds a structure by its C name.
func (s *Spec) Struct(name string) *Struct {
	i := slices.IndexFunc(s.Structs, func(t *Struct) bool { return t.Name == name })
	if i < 0 {
		return nil
	}
	return s.Structs[i]
}

// rows reads a table and gives its rows without the heading.
func rows(file string, columns int) ([][]string, error) {
	data, err := tables.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var out [][]string
	for i, line := range strings.Split(strings.TrimSuffix(string(data), "\n"), "\n") {
		r := strings.Split(line, "\t")
		if len(r) != columns {
			return nil, fmt.Errorf("%s:%d: %d columns, want %d", file, i+1, len(r), columns)
		}
		if i > 0 {
			out = append(out, r)
		}
	}
	return out, nil
}

func loadFunctions(s *Spec) error {
	rs, err := rows("functions.tsv", 5)
	if err != nil {
		return err
	}
	for i, r := range rs {
		if n, err := strconv.Atoi(r[0]); err != nil || n != i {
			return fmt.Errorf("functions.tsv: %s has order %q, want %d", r[1], r[0], i)
		}
		s.Functions = append(s.Functions, &Function{Order: i, Name: r[1], Since: r[2], Section: r[3], Summary: r[4]})
	}
	return nil
}

func loadArguments(s *Spec) error {
	rs, err := rows("arguments.tsv", 9)
	if err != nil {
		return err
	}
	for _, r := range rs {
		i := slices.IndexFunc(s.Functions, func(f *Function) bool { return f.Name == r[0] })
		if i < 0 {
			return fmt.Errorf("arguments.tsv: no function %s", r[0])
		}
		f := s.Functions[i]
		if n, err := strconv.Atoi(r[1]); err != nil || n != len(f.Args) {
			return fmt.Errorf("arguments.tsv: %s %s has index %q, want %d", r[0], r[3], r[1], len(f.Args))
		}
		a := Arg{CType: r[2], Name: r[3], Lower: r[4], Field: r[5], Role: r[6], Secret: r[8] == "secret"}
		how, name, _ := strings.Cut(r[7], ":")
		a.LogIn, a.LogOut, a.LogName = how == "in" || how == "both", how == "out" || how == "both", name
		if (a.LogIn || a.LogOut) != (name != "") {
			return fmt.Errorf("arguments.tsv: %s %s is logged as %q", r[0], r[3], r[7])
		}
		f.Args = append(f.Args, a)
	}
	return nil
}

func loadConstants(s *Spec) error {
	rs, err := rows("constants.tsv", 4)
	if err != nil {
		return err
	}
	for _, r := range rs {
		v, err := strconv.ParseUint(r[1], 0, 64)
		if err != nil {
			return fmt.Errorf("constants.tsv: %s: %w", r[0], err)
		}
		s.Constants = append(s.Constants, Constant{Name: r[0], Value: v, Type: r[2], Alias: r[3] == "alias"})
	}
	return nil
}

func loadAttributes(s *Spec) error {
	rs, err := rows("attributes.tsv", 4)
	if err != nil {
		return err
	}
	for i, r := range rs {
		v, err := strconv.ParseUint(r[1], 0, 64)
		if err != nil {
			return fmt.Errorf("attributes.tsv: %s: %w", r[0], err)
		}
		if i > 0 && s.Attributes[i-1].Value >= v {
			return fmt.Errorf("attributes.tsv: %s is not in its place", r[0])
		}
		s.Attributes = append(s.Attributes, Attribute{Name: r[0], Value: v, Kind: r[2], Log: r[3]})
	}
	return nil
}

func loadLogNames(s *Spec) error {
	rs, err := rows("lognames.tsv", 3)
	if err != nil {
		return err
	}
	for _, r := range rs {
		v, err := strconv.ParseUint(r[1], 0, 64)
		if err != nil {
			return fmt.Errorf("lognames.tsv: %s: %w", r[0], err)
		}
		s.LogNames = append(s.LogNames, Constant{Name: r[0], Value: v, Type: r[2]})
	}
	return nil
}

func loadStructs(s *Spec) error {
	rs, err := rows("structs.tsv", 8)
	if err != nil {
		return err
	}
	for _, r := range rs {
		t := s.Struct(r[0])
		if t == nil {
			t = &Struct{Name: r[0], GoName: r[1]}
			s.Structs = append(s.Structs, t)
		}
		if n, err := strconv.Atoi(r[2]); err != nil || n != len(t.Fields) {
			return fmt.Errorf("structs.tsv: %s %s has index %q, want %d", r[0], r[4], r[2], len(t.Fields))
		}
		f := Field{CType: r[3], Lower: r[5], Field: r[6]}
		f.Role, f.Of, _ = strings.Cut(r[7], ":")
		name, bound, isArray := strings.Cut(r[4], "[")
		f.Name = name
		if isArray {
			if f.Array, err = strconv.Atoi(strings.TrimSuffix(bound, "]")); err != nil {
				return fmt.Errorf("structs.tsv: %s %s: %w", r[0], r[4], err)
			}
		}
		t.Fields = append(t.Fields, f)
	}
	return nil
}

func loadMechanisms(s *Spec) error {
	rs, err := rows("mechanisms.tsv", 3)
	if err != nil {
		return err
	}
	for _, r := range rs {
		if s.Struct(r[1]) == nil {
			return fmt.Errorf("mechanisms.tsv: %s: no structure %s", r[0], r[1])
		}
		if !slices.ContainsFunc(s.Constants, func(c Constant) bool { return c.Name == r[0] }) {
			return fmt.Errorf("mechanisms.tsv: no constant %s", r[0])
		}
		s.Mechanisms = append(s.Mechanisms, MechanismParam{Mechanism: r[0], Struct: r[1], Raw: r[2] == "raw"})
	}
	return nil
}
