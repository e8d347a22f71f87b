package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/p11mux/p11mux/spec"
)

var ourInclude = filepath.Join("..", "..", "include")

// compile builds a program from source and gives its path.
func compile(t *testing.T, compiler, source string, flags ...string) string {
	t.Helper()
	dir := t.TempDir()
	ext := ".c"
	if compiler == "g++" {
		ext = ".cc"
	}
	in, out := filepath.Join(dir, "prog"+ext), filepath.Join(dir, "prog")
	if err := os.WriteFile(in, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	args := append([]string{"-Wall", "-Wextra", "-Werror", "-o", out, in}, flags...)
	if msg, err := exec.Command(compiler, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", compiler, err, msg)
	}
	return out
}

// The sizes are those of the C ABI on 64-bit Linux (abi.md, appendix A).
const sizes = `
#include <p11-kit/pkcs11.h>
#include <stddef.h>
#ifdef __cplusplus
#define CHECK(x) static_assert(x, #x)
#else
#define CHECK(x) _Static_assert(x, #x)
#endif
CHECK(sizeof(CK_FUNCTION_LIST) == 552);
CHECK(sizeof(CK_FUNCTION_LIST_3_0) == 744);
CHECK(sizeof(CK_FUNCTION_LIST_3_2) == 840);
CHECK(sizeof(CK_INTERFACE) == 24);
CHECK(sizeof(CK_INFO) == 88);
CHECK(sizeof(CK_SLOT_INFO) == 112);
CHECK(sizeof(CK_TOKEN_INFO) == 208);
CHECK(sizeof(CK_SESSION_INFO) == 32);
CHECK(sizeof(CK_MECHANISM) == 24);
CHECK(sizeof(CK_MECHANISM_INFO) == 24);
CHECK(sizeof(CK_ATTRIBUTE) == 24);
CHECK(sizeof(CK_C_INITIALIZE_ARGS) == 48);
CHECK(sizeof(CK_VERSION) == 2);
CHECK(sizeof(CK_ASYNC_DATA) == 40);
CHECK(offsetof(CK_FUNCTION_LIST, C_WaitForSlotEvent) == 544);
CHECK(offsetof(CK_FUNCTION_LIST_3_2, C_GetInterfaceList) == 552);
CHECK(offsetof(CK_FUNCTION_LIST_3_2, C_MessageVerifyFinal) == 736);
CHECK(offsetof(CK_FUNCTION_LIST_3_2, C_UnwrapKeyAuthenticated) == 832);
`

const oasisProgram = `
CHECK(offsetof(CK_INFO, cryptokiVersion) == 0);
CHECK(offsetof(CK_INFO, manufacturerID) == 2);
CHECK(offsetof(CK_INFO, flags) == 40);
CHECK(offsetof(CK_INFO, libraryDescription) == 48);
CHECK(offsetof(CK_INFO, libraryVersion) == 80);
CHECK(offsetof(CK_TOKEN_INFO, ulMaxSessionCount) == 104);
static CK_RV note(CK_SESSION_HANDLE h, CK_NOTIFICATION n, CK_VOID_PTR p)
{
	(void)h; (void)n; (void)p;
	return CKR_OK;
}
int main(void)
{
	CK_BBOOL yes = CK_TRUE;
	CK_ATTRIBUTE a = { CKA_TOKEN, &yes, sizeof(yes) };
	CK_ATTRIBUTE_PTR p = &a;
	CK_FUNCTION_LIST_PTR_PTR lists = NULL_PTR;
	CK_C_GetFunctionList get = NULL_PTR;
	CK_NOTIFY callback = note;
	return p->ulValueLen != 1 || lists || get || callback(0, CKN_SURRENDER, NULL_PTR) != CKR_OK;
}
`

const gnuProgram = `
int main(void)
{
	unsigned char yes = CK_TRUE;
	struct ck_attribute a = { CKA_TOKEN, &yes, sizeof(yes) };
	struct ck_token_info info;
	struct ck_function_list *list = NULL;
	ck_rv_t rv = CKR_OK;
	ck_object_handle_t h = CK_INVALID_HANDLE;
	return a.value_len != 1 || sizeof(info.serial_number) != 16 || list || rv || h;
}
`

func TestHeader(t *testing.T) {
	for _, c := range []struct{ name, compiler, source, std string }{
		{"c99", "gcc", sizes + oasisProgram, "-std=gnu99"},
		{"c11", "gcc", sizes + oasisProgram, "-std=c11"},
		{"c++", "g++", sizes + oasisProgram, "-std=c++11"},
		{"gnu spelling", "gcc", "#define CRYPTOKI_GNU 1\n" + sizes + gnuProgram, "-std=gnu11"},
		{"user macros", "gcc", "#define CK_PTR *\n#define CK_DEFINE_FUNCTION(r, n) r n\n#define CK_DECLARE_FUNCTION(r, n) r n\n" +
			"#define CK_DECLARE_FUNCTION_POINTER(r, n) r (*n)\n#define CK_CALLBACK_FUNCTION(r, n) r (*n)\n#define NULL_PTR 0\n" +
			sizes + oasisProgram, "-std=gnu11"},
	} {
		t.Run(c.name, func(t *testing.T) {
			prog := compile(t, c.compiler, c.source, c.std, "-I", ourInclude)
			if err := exec.Command(prog).Run(); err != nil {
				t.Error(err)
			}
		})
	}
}

// The list for the shim names every function with its arguments as the header declares them.
func TestFunctionMacro(t *testing.T) {
	prog := compile(t, "gcc", `
#include <p11-kit/pkcs11.h>
#include <stddef.h>
#include <stdio.h>
#include "zfunctions.h"
#define P11_FUNCTION(index, name, major, minor, args, names) \
	static CK_RV my_##name args { CK_##name f = NULL; return f names; }
P11_FUNCTIONS
#undef P11_FUNCTION
#define P11_FUNCTION(index, name, major, minor, args, names) \
	_Static_assert(offsetof(CK_FUNCTION_LIST_3_2, name) == 8 * (index + 1), #name);
P11_FUNCTIONS
#undef P11_FUNCTION
int main(void)
{
	CK_FUNCTION_LIST_3_2 list = {
		{ 3, 2 },
#define P11_FUNCTION(index, name, major, minor, args, names) my_##name,
		P11_FUNCTIONS
#undef P11_FUNCTION
	};
	printf("%zu %d %d %d %d\n", sizeof(list) / 8 - 1, P11_FUNCTION_COUNT, P11_FUNCTION_COUNT_2_40, P11_FUNCTION_COUNT_3_0, P11_FUNCTION_COUNT_3_2);
	return list.C_UnwrapKeyAuthenticated != my_C_UnwrapKeyAuthenticated;
}
`, "-std=gnu11", "-I", ourInclude, "-I", filepath.Join("..", "..", "shim"))
	out, err := exec.Command(prog).Output()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(out), "104 104 68 92 104\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// layoutProgram prints sizes, offsets and the values of all constants that the included header has.
func layoutProgram(s *spec.Spec, structs []string) string {
	var b strings.Builder
	b.WriteString("#include <p11-kit/pkcs11.h>\n#include <stddef.h>\n#include <stdio.h>\nint main(void)\n{\n")
	for _, name := range structs {
		fmt.Fprintf(&b, "printf(\"%s %%zu\\n\", sizeof(%s));\n", name, name)
		var members []string
		if t := s.Struct(name); t != nil {
			for _, f := range t.Fields {
				members = append(members, f.Name)
			}
		} else {
			for _, f := range s.Functions {
				if f.Since == "2.40" {
					members = append(members, f.Name)
				}
			}
		}
		for _, m := range members {
			fmt.Fprintf(&b, "printf(\"%s.%s %%zu %%zu\\n\", offsetof(%s, %s), sizeof(((%s *)0)->%s));\n", name, m, name, m, name, m)
		}
	}
	for _, c := range s.Constants {
		fmt.Fprintf(&b, "#ifdef %s\nprintf(\"%s %%#lx\\n\", (unsigned long)%s);\n#endif\n", c.Name, c.Name, c.Name)
	}
	b.WriteString("return 0;\n}\n")
	return b.String()
}

// debianDiffers are the values that Debian's header has otherwise than the standard, whose modules return the standard's.
var debianDiffers = map[string]string{
	"CKR_EXCEEDED_MAX_ITERATIONS": "0x1c0", "CKR_FIPS_SELF_TEST_FAILED": "0x1c1", "CKR_LIBRARY_LOAD_FAILED": "0x1c2",
	"CKR_PIN_TOO_WEAK": "0x1c3", "CKR_PUBLIC_KEY_INVALID": "0x1c4",
}

// Programs that were compiled with Debian's header must agree with ours on every layout and value.
func TestAgainstDebian(t *testing.T) {
	const debian = "/usr/include/p11-kit-1"
	if _, err := os.Stat(filepath.Join(debian, "p11-kit", "pkcs11.h")); err != nil {
		t.Log("libp11-kit-dev is not installed: nothing to compare with")
		return
	}
	s, err := spec.Load()
	if err != nil {
		t.Fatal(err)
	}
	structs := strings.Fields(`CK_FUNCTION_LIST CK_VERSION CK_INFO CK_SLOT_INFO CK_TOKEN_INFO CK_SESSION_INFO CK_ATTRIBUTE CK_DATE
		CK_MECHANISM CK_MECHANISM_INFO CK_C_INITIALIZE_ARGS CK_RSA_PKCS_OAEP_PARAMS CK_RSA_PKCS_PSS_PARAMS CK_GCM_PARAMS CK_AES_CTR_PARAMS
		CK_ECDH1_DERIVE_PARAMS`)
	source := layoutProgram(s, structs)
	run := func(include string) map[string]string {
		out, err := exec.Command(compile(t, "gcc", source, "-I", include)).Output()
		if err != nil {
			t.Fatal(err)
		}
		m := map[string]string{}
		for _, line := range bytes.Split(bytes.TrimSpace(out), []byte("\n")) {
			name, value, _ := strings.Cut(string(line), " ")
			m[name] = value
		}
		return m
	}
	ours, theirs := run(ourInclude), run(debian)
	for name, value := range theirs {
		if ours[name] != value && debianDiffers[name] != value {
			t.Errorf("%s is %q, Debian has %q", name, ours[name], value)
		}
	}
	if len(theirs) < 500 {
		t.Errorf("compared only %d sizes, offsets and values", len(theirs))
	}
}
