package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/uri"
)

func listMechanismsVerb() *verb {
	return &verb{
		name: "list-mechanisms", group: groupSee, operand: "TOKEN-URI", uri: uri.ForToken, some: true,
		short: "List what a token can do",
		long: `List the mechanisms of the token that a PKCS#11 URI names, with what they are for
and the sizes of keys that they take, in bits or octets as the mechanism has it.`,
		example: `  p11mux list-mechanisms pkcs11:token=work
  p11mux list-mechanisms --json pkcs11:token=work`,
		kit:     kitUsage{short: "List supported mechanisms of a token", usage: "list-mechanisms [--provider=<...>] pkcs11:token=<...>"},
		options: withProvider | withJSON,
		run: func(j *job) error {
			return j.with(func(ctx context.Context, s *set) error { return listMechanisms(ctx, j, s) })
		},
	}
}

// A mechanismInfo is what a token says of one of its mechanisms.
type mechanismInfo struct {
	Name       string   `json:"name"` // the standard's, or CKM_0x and the number
	Number     uint64   `json:"number"`
	MinKeySize uint64   `json:"min_key_size"`
	MaxKeySize uint64   `json:"max_key_size"` // 0 if the mechanism has no keys, or does not tell
	Flags      []string `json:"flags"`
}

// kit is the mechanism as p11-kit writes it.
func (m mechanismInfo) kit() string {
	words := append([]string{nick(m.Name, m.Number) + ":"}, m.Flags...)
	if m.MaxKeySize != 0 {
		words = append(words, fmt.Sprintf("key-size=%d-%d", m.MinKeySize, m.MaxKeySize))
	}
	return strings.Join(words, " ")
}

func listMechanisms(ctx context.Context, j *job, s *set) error {
	token, err := j.token(ctx, s)
	if err != nil {
		return err
	}
	types, err := token.Mechanisms(ctx)
	if err != nil {
		return j.fail("failed to get mechanism list", err)
	}
	all := []mechanismInfo{}
	for _, typ := range types {
		info, err := token.MechanismInfo(ctx, typ)
		if err != nil {
			j.tell("%v", err)
			continue
		}
		all = append(all, mechanismInfo{typ.String(), uint64(typ), info.MinKeySize, info.MaxKeySize, pick(mechanismWords, info.Flags)})
	}
	if !j.isKit {
		slices.SortStableFunc(all, func(a, b mechanismInfo) int { return cmp.Compare(a.Name, b.Name) })
	}
	if len(types) == 0 {
		j.tell("the token has no mechanisms")
	}
	switch {
	case j.json:
		return writeJSON(j.out, all)
	case j.isKit:
		return printLines(j.out, all, mechanismInfo.kit)
	}
	t := table{head: []string{"MECHANISM", "KEY SIZE", "USES"}}
	for _, m := range all {
		size := ""
		if m.MaxKeySize != 0 {
			size = fmt.Sprintf("%d-%d", m.MinKeySize, m.MaxKeySize)
		}
		t.row(m.Name, size, strings.Join(m.Flags, " "))
	}
	return t.write(j.out)
}

// nickOfClass is p11-kit's word for a class of objects.
func nickOfClass(c ck.ObjectClass) string { return nick(c.String(), uint64(c)) }
