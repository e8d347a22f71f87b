package spec

import (
	"slices"
	"strings"
	"testing"
)

func load(t *testing.T) *Spec {
	t.Helper()
	s, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The function list is ABI: its order and what each version added may never change.
func TestFunctionOrder(t *testing.T) {
	s := load(t)
	if len(s.Functions) != 104 {
		t.Fatalf("%d functions, want 104", len(s.Functions))
	}
	for i, want := range map[int]string{0: "C_Initialize", 3: "C_GetFunctionList", 67: "C_WaitForSlotEvent", 68: "C_GetInterfaceList",
		91: "C_MessageVerifyFinal", 92: "C_EncapsulateKey", 103: "C_UnwrapKeyAuthenticated"} {
		if s.Functions[i].Name != want {
			t.Errorf("function %d is %s, want %s", i, s.Functions[i].Name, want)
		}
	}
	for i, f := range s.Functions {
		want := "3.2"
		if i < 68 {
			want = "2.40"
		} else if i < 92 {
			want = "3.0"
		}
		if f.Since != want {
			t.Errorf("%s is since %s, want %s", f.Name, f.Since, want)
		}
		if len(f.Args) > 10 {
			t.Errorf("%s has %d arguments, more than any caller passes", f.Name, len(f.Args))
		}
	}
}

// Every pointer with a length has the length where its role says, and nothing else has one.
func TestLengthsFollowPointers(t *testing.T) {
	after := map[string][]string{
		"bytes": {"len"}, "pin": {"len"}, "template": {"len"}, "outtemplate": {"len"}, "fillbytes": {"len"}, "param": {"len"},
		"outbytes": {"outlen"}, "outbytesopt": {"outlen"}, "outlist": {"outlen"}, "outlistmax": {"len", "outcount"},
	}
	for _, f := range load(t).Functions {
		for i := 0; i < len(f.Args); i++ {
			a := f.Args[i]
			if a.Field == "" {
				t.Errorf("%s: %s (%s) belongs to no pointer", f.Name, a.Name, a.Role)
			}
			for _, role := range after[a.Role] {
				if i++; i == len(f.Args) || f.Args[i].Role != role || f.Args[i].Field != "" {
					t.Errorf("%s: %s is not followed by its %s", f.Name, a.Name, role)
				}
			}
		}
	}
}

// Members name the lengths that they say they have, and each length belongs to a pointer.
func TestStructLengths(t *testing.T) {
	for _, s := range load(t).Structs {
		var used []string
		for _, f := range s.Fields {
			if f.Of == "" || f.Role == "fixed" || f.Role == "inoutfixed" {
				continue
			}
			if !slices.ContainsFunc(s.Fields, func(g Field) bool { return g.Name == f.Of && g.Role == "len" }) {
				t.Errorf("%s: %s has no length %s", s.Name, f.Name, f.Of)
			}
			used = append(used, f.Of)
		}
		for _, f := range s.Fields {
			if f.Role == "len" && !slices.Contains(used, f.Name) {
				t.Errorf("%s: %s is the length of nothing", s.Name, f.Name)
			}
		}
	}
}

// Names of constants are unique and of a type that their prefix allows.
func TestConstants(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range load(t).Constants {
		if seen[c.Name] {
			t.Errorf("%s is there twice", c.Name)
		}
		seen[c.Name] = true
		if strings.HasPrefix(c.Name, "CKM_") != (c.Type == "MechanismType") || strings.HasPrefix(c.Name, "CKR_") != (c.Type == "RV") {
			t.Errorf("%s has type %s", c.Name, c.Type)
		}
	}
	for _, name := range []string{"CKR_OK", "CKM_AES_GCM", "CKA_SEED", "CK_UNAVAILABLE_INFORMATION"} {
		if !seen[name] {
			t.Errorf("%s is missing", name)
		}
	}
}
