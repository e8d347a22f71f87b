package spec

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A WireCall is a message of the remote protocol and what it carries of a C_ function. One function can have several, for
// different versions of the protocol.
type WireCall struct {
	ID       uint32
	Name     string // the function's name, with a 2 behind it for a second message of the function
	Function *Function
	Version  int // the lowest version of the protocol whose peers know it
	Request  []WireField
	Reply    []WireField
}

// A WireField is one value in a message.
type WireField struct {
	Letters string // how the value is encoded: README.md lists the letters
	Field   string // the field of the Go call, with a dot where it is a member of a structure; or a word of lower case
	Arg     *Arg   // the argument, nil for a word of lower case
}

// A WireMechanism says how the parameter of a mechanism is encoded.
type WireMechanism struct {
	Name    string
	Value   uint64
	Layout  string // "none", a structure of C, or one of the words in README.md
	Version int    // the lowest version of the protocol that encodes it so
}

// A WireAttribute is an attribute whose value is encoded in another way than as octets.
type WireAttribute struct {
	Name  string
	Value uint64
	Class string // one of the words in README.md
}

// Signature joins the letters of fields.
func Signature(fields []WireField) string {
	var b strings.Builder
	for _, f := range fields {
		b.WriteString(f.Letters)
	}
	return b.String()
}

func loadWire(s *Spec) error {
	rs, err := rows("wire.tsv", 6)
	if err != nil {
		return err
	}
	for i, r := range rs {
		if n, err := strconv.Atoi(r[0]); err != nil || n != i+1 {
			return fmt.Errorf("wire.tsv: %s has id %q, want %d", r[1], r[0], i+1)
		}
		f := slices.IndexFunc(s.Functions, func(f *Function) bool { return f.Name == r[2] })
		if f < 0 {
			return fmt.Errorf("wire.tsv: no function %s", r[2])
		}
		c := &WireCall{ID: uint32(i + 1), Name: r[1], Function: s.Functions[f]}
		if c.Version, err = strconv.Atoi(r[3]); err != nil {
			return fmt.Errorf("wire.tsv: %s: %w", r[1], err)
		}
		if c.Request, err = wireFields(c.Function, r[4]); err != nil {
			return fmt.Errorf("wire.tsv: %s: %w", r[1], err)
		}
		if c.Reply, err = wireFields(c.Function, r[5]); err != nil {
			return fmt.Errorf("wire.tsv: %s: %w", r[1], err)
		}
		s.Wire = append(s.Wire, c)
	}
	return nil
}

func wireFields(f *Function, text string) ([]WireField, error) {
	var out []WireField
	for word := range strings.FieldsSeq(text) {
		letters, field, found := strings.Cut(word, ":")
		if !found {
			return nil, fmt.Errorf("%q is no field", word)
		}
		w := WireField{Letters: letters, Field: field}
		if strings.ToLower(field) != field {
			name, _, _ := strings.Cut(field, ".")
			i := slices.IndexFunc(f.Args, func(a Arg) bool { return a.Field == name })
			if i < 0 {
				return nil, fmt.Errorf("%s has no argument %s", f.Name, name)
			}
			w.Arg = &f.Args[i]
		}
		out = append(out, w)
	}
	return out, nil
}

func loadWireMechanisms(s *Spec) error {
	rs, err := rows("wiremechanisms.tsv", 4)
	if err != nil {
		return err
	}
	for _, r := range rs {
		m := WireMechanism{Name: r[0], Layout: r[2]}
		if m.Value, err = s.wireValue(r[0], r[1]); err != nil {
			return fmt.Errorf("wiremechanisms.tsv: %w", err)
		}
		if m.Version, err = strconv.Atoi(r[3]); err != nil {
			return fmt.Errorf("wiremechanisms.tsv: %s: %w", r[0], err)
		}
		if strings.HasPrefix(m.Layout, "CK_") && s.Struct(m.Layout) == nil {
			return fmt.Errorf("wiremechanisms.tsv: %s: no structure %s", r[0], m.Layout)
		}
		s.WireMechanisms = append(s.WireMechanisms, m)
	}
	return nil
}

func loadWireAttributes(s *Spec) error {
	rs, err := rows("wireattributes.tsv", 3)
	if err != nil {
		return err
	}
	for _, r := range rs {
		a := WireAttribute{Name: r[0], Class: r[2]}
		if a.Value, err = s.wireValue(r[0], r[1]); err != nil {
			return fmt.Errorf("wireattributes.tsv: %w", err)
		}
		s.WireAttributes = append(s.WireAttributes, a)
	}
	return nil
}

// wireValue gives the value of a constant, which must be that of the standard where the standard has the constant. Vendors'
// constants are in the tables of the protocol only.
func (s *Spec) wireValue(name, text string) (uint64, error) {
	v, err := strconv.ParseUint(text, 0, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	i := slices.IndexFunc(s.Constants, func(c Constant) bool { return c.Name == name })
	if i >= 0 && s.Constants[i].Value != v {
		return 0, fmt.Errorf("%s is %#x in constants.tsv, not %#x", name, s.Constants[i].Value, v)
	}
	return v, nil
}
