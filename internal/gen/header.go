package main

import (
	"fmt"
	"strings"

	"github.com/p11mux/p11mux/spec"
)

// ulongs are the types of C that are a CK_ULONG.
var ulongs = strings.Fields(`CK_ATTRIBUTE_TYPE CK_CERTIFICATE_CATEGORY CK_CERTIFICATE_TYPE CK_EC_KDF_TYPE CK_EXTRACT_PARAMS
CK_FLAGS CK_GENERATOR_FUNCTION CK_HEDGE_TYPE CK_HSS_LEVELS CK_HW_FEATURE_TYPE CK_JAVA_MIDP_SECURITY_DOMAIN CK_KEY_TYPE
CK_LMS_TYPE CK_LMOTS_TYPE CK_MAC_GENERAL_PARAMS CK_MECHANISM_TYPE CK_ML_DSA_PARAMETER_SET_TYPE
CK_ML_KEM_PARAMETER_SET_TYPE CK_NOTIFICATION CK_OBJECT_CLASS CK_OBJECT_HANDLE CK_OTP_PARAM_TYPE
CK_PKCS5_PBKD2_PSEUDO_RANDOM_FUNCTION_TYPE CK_PKCS5_PBKDF2_SALT_SOURCE_TYPE CK_PRF_DATA_TYPE CK_PROFILE_ID CK_RC2_PARAMS
CK_RSA_PKCS_MGF_TYPE CK_RSA_PKCS_OAEP_SOURCE_TYPE CK_RV CK_SESSION_HANDLE CK_SESSION_VALIDATION_FLAGS_TYPE
CK_SLH_DSA_PARAMETER_SET_TYPE CK_SLOT_ID CK_SP800_108_DKM_LENGTH_METHOD CK_STATE CK_TRUST CK_USER_TYPE
CK_VALIDATION_AUTHORITY_TYPE CK_VALIDATION_TYPE CK_X2RATCHET_KDF_TYPE CK_X3DH_KDF_TYPE CK_X9_42_DH_KDF_TYPE
CK_XEDDSA_HASH_TYPE CK_XMSSMT_PARAMETER_SET_TYPE CK_XMSS_PARAMETER_SET_TYPE`)

// lists are the function lists, each of which begins with the one before it.
var lists = []struct {
	name  string
	since []string
}{
	{"CK_FUNCTION_LIST", []string{"2.40"}},
	{"CK_FUNCTION_LIST_3_0", []string{"2.40", "3.0"}},
	{"CK_FUNCTION_LIST_3_2", []string{"2.40", "3.0", "3.2"}},
}

const headerTop = `/*
 * PKCS#11 3.2 in the spelling of the standard. The file needs no other header and may be used from C and C++.
 *
 * With CRYPTOKI_GNU defined before the first inclusion, structures, their members and the scalar types have lower-case
 * names instead (struct ck_attribute, value_len, ck_rv_t).
 */

#ifndef PKCS11_H
#define PKCS11_H 1

#ifdef __cplusplus
extern "C" {
#endif

#define CRYPTOKI_VERSION_MAJOR 3
#define CRYPTOKI_VERSION_MINOR 2
#define CRYPTOKI_VERSION_AMENDMENT 0

/* What programs written for other headers define before they include them. */
#ifndef CK_PTR
#define CK_PTR *
#endif
#ifndef CK_DEFINE_FUNCTION
#define CK_DEFINE_FUNCTION(type, name) type name
#endif
#ifndef CK_DECLARE_FUNCTION
#define CK_DECLARE_FUNCTION(type, name) type name
#endif
#ifndef CK_DECLARE_FUNCTION_POINTER
#define CK_DECLARE_FUNCTION_POINTER(type, name) type (*name)
#endif
#ifndef CK_CALLBACK_FUNCTION
#define CK_CALLBACK_FUNCTION(type, name) type (*name)
#endif
#ifndef NULL_PTR
#define NULL_PTR 0
#endif

typedef unsigned char CK_BYTE;
typedef CK_BYTE CK_CHAR;
typedef CK_BYTE CK_UTF8CHAR;
typedef CK_BYTE CK_BBOOL;
typedef unsigned long int CK_ULONG;
typedef long int CK_LONG;
typedef CK_BYTE *CK_BYTE_PTR;
typedef CK_CHAR *CK_CHAR_PTR;
typedef CK_UTF8CHAR *CK_UTF8CHAR_PTR;
typedef CK_BBOOL *CK_BBOOL_PTR;
typedef CK_ULONG *CK_ULONG_PTR;
typedef void *CK_VOID_PTR;
typedef CK_VOID_PTR *CK_VOID_PTR_PTR;
`

const headerCallbacks = `
/* Callbacks (PKCS#11 3.2 §5.21 and §3.7). */
typedef CK_RV (*CK_NOTIFY)(CK_SESSION_HANDLE hSession, CK_NOTIFICATION event, CK_VOID_PTR pApplication);
typedef CK_RV (*CK_CREATEMUTEX)(CK_VOID_PTR_PTR ppMutex);
typedef CK_RV (*CK_DESTROYMUTEX)(CK_VOID_PTR pMutex);
typedef CK_RV (*CK_LOCKMUTEX)(CK_VOID_PTR pMutex);
typedef CK_RV (*CK_UNLOCKMUTEX)(CK_VOID_PTR pMutex);
`

func header(w *writer, s *spec.Spec) {
	w.buf.WriteString(headerTop)
	w.p("")
	for _, u := range ulongs {
		w.p("typedef CK_ULONG %s;\ntypedef %s *%s_PTR;", u, u, u)
	}
	w.p("typedef CK_MECHANISM_TYPE CK_SP800_108_PRF_TYPE;\ntypedef CK_SP800_108_PRF_TYPE *CK_SP800_108_PRF_TYPE_PTR;")
	w.p("")
	for _, t := range s.Structs {
		w.p("typedef struct %s %s;\ntypedef %s *%s_PTR;\ntypedef %s_PTR *%s_PTR_PTR;", t.Name, t.Name, t.Name, t.Name, t.Name, t.Name)
	}
	for _, l := range lists {
		w.p("typedef struct %s %s;\ntypedef %s *%s_PTR;\ntypedef %s_PTR *%s_PTR_PTR;", l.name, l.name, l.name, l.name, l.name, l.name)
	}
	w.buf.WriteString(headerCallbacks)
	defines(w, s)
	for _, t := range ordered(s) {
		members(w, t)
	}
	prototypes(w, s)
	gnuTypes(w, s)
	w.p("\n#ifdef __cplusplus\n}\n#endif\n\n#endif /* PKCS11_H */")
}

func defines(w *writer, s *spec.Spec) {
	last := ""
	for _, c := range s.Constants {
		if p, _, _ := strings.Cut(c.Name, "_"); p != last {
			last = p
			w.p("\n/* %s */", groups[p])
		}
		switch {
		case c.Type == "byte":
			w.p("#define %s %d", c.Name, c.Value)
		case c.Value == 1<<64-1:
			w.p("#define %s (~0UL)", c.Name)
		default:
			w.p("#define %s 0x%08xUL", c.Name, c.Value)
		}
	}
	w.p("\n#ifndef FALSE\n#define FALSE CK_FALSE\n#endif\n#ifndef TRUE\n#define TRUE CK_TRUE\n#endif")
}

// ordered gives the structures so that each comes after those it contains.
func ordered(s *spec.Spec) []*spec.Struct {
	var out []*spec.Struct
	done := map[string]bool{}
	var add func(t *spec.Struct)
	add = func(t *spec.Struct) {
		if done[t.Name] {
			return
		}
		done[t.Name] = true
		for _, f := range t.Fields {
			if inner := s.Struct(f.CType); inner != nil {
				add(inner)
			}
		}
		out = append(out, t)
	}
	for _, t := range s.Structs {
		add(t)
	}
	return out
}

// cArgs gives the C parameter list of a function.
func cArgs(f *spec.Function) string {
	var args []string
	for _, a := range f.Args {
		args = append(args, a.CType+" "+a.Name)
	}
	return strings.Join(args, ", ")
}

// argNames gives the names of the arguments of a function.
func argNames(f *spec.Function) string {
	var args []string
	for _, a := range f.Args {
		args = append(args, a.Name)
	}
	return strings.Join(args, ", ")
}

func prototypes(w *writer, s *spec.Spec) {
	for _, f := range s.Functions {
		w.p("\n/* %s %s (PKCS#11 3.2 §%s, since %s). */", f.Name, f.Summary, f.Section, f.Since)
		w.p("typedef CK_RV (*CK_%s)(%s);\nextern CK_RV %s(%s);", f.Name, cArgs(f), f.Name, cArgs(f))
	}
	for _, l := range lists {
		w.p("\nstruct %s {\n\tCK_VERSION version;", l.name)
		for _, f := range s.Functions {
			for _, v := range l.since {
				if f.Since == v {
					w.p("\tCK_%s %s;", f.Name, f.Name)
				}
			}
		}
		w.p("};")
	}
}

// members writes a structure. In the lower-case spelling its members are renamed while it is declared.
func members(w *writer, t *spec.Struct) {
	var renamed []spec.Field
	for _, f := range t.Fields {
		if f.Name != f.Lower {
			renamed = append(renamed, f)
		}
	}
	w.p("")
	if len(renamed) > 0 {
		w.p("#ifdef CRYPTOKI_GNU")
		for _, f := range renamed {
			w.p("#define %s %s", f.Name, f.Lower)
		}
		w.p("#endif")
	}
	w.p("struct %s {", t.Name)
	for _, f := range t.Fields {
		bound := ""
		if f.Array > 0 {
			bound = fmt.Sprintf("[%d]", f.Array)
		}
		w.p("\t%s %s%s;", f.CType, f.Name, bound)
	}
	w.p("};")
	if len(renamed) > 0 {
		w.p("#ifdef CRYPTOKI_GNU")
		for _, f := range renamed {
			w.p("#undef %s", f.Name)
		}
		w.p("#endif")
	}
}

// gnuTypes writes the lower-case names of types.
func gnuTypes(w *writer, s *spec.Spec) {
	w.p("\n#ifdef CRYPTOKI_GNU")
	for _, u := range ulongs {
		w.p("typedef %s %s_t;", u, strings.ToLower(u))
	}
	for _, c := range []string{"NOTIFY", "CREATEMUTEX", "DESTROYMUTEX", "LOCKMUTEX", "UNLOCKMUTEX"} {
		w.p("typedef CK_%s ck_%s_t;", c, strings.ToLower(c))
	}
	for _, t := range s.Structs {
		w.p("#define %s %s", strings.ToLower(t.Name), t.Name)
	}
	for _, l := range lists {
		w.p("#define %s %s", strings.ToLower(l.name), l.name)
	}
	w.p("#endif")
}

func functionList(w *writer, s *spec.Spec) {
	w.p(`/*
 * Every function of PKCS#11 3.2, once. Define
 *
 *	P11_FUNCTION(index, name, major, minor, (declared arguments), (argument names))
 *
 * for what is to be made of each, use P11_FUNCTIONS, and undefine it. index is the place in the function list, counted
 * from 0; the version is that of the list that first had the function. P11_FUNCTIONS_2_40, _3_0 and _3_2 are the
 * functions that each version added.
 */

#ifndef P11_ZFUNCTIONS_H
#define P11_ZFUNCTIONS_H

#define P11_FUNCTION_COUNT %d`, len(s.Functions))
	for _, v := range []string{"2.40", "3.0", "3.2"} {
		under := strings.ReplaceAll(v, ".", "_")
		n := 0
		for _, f := range s.Functions {
			if f.Since == v {
				n = f.Order + 1
			}
		}
		w.p("#define P11_FUNCTION_COUNT_%s %d", under, n)
	}
	for _, v := range []string{"2.40", "3.0", "3.2"} {
		w.p("\n#define P11_FUNCTIONS_%s \\", strings.ReplaceAll(v, ".", "_"))
		var lines []string
		for _, f := range s.Functions {
			if f.Since == v {
				lines = append(lines, fmt.Sprintf("\tP11_FUNCTION(%d, %s, %s, (%s), (%s))", f.Order, f.Name, strings.ReplaceAll(v, ".", ", "), cArgs(f), argNames(f)))
			}
		}
		w.p("%s", strings.Join(lines, " \\\n"))
	}
	w.p("\n#define P11_FUNCTIONS \\\n\tP11_FUNCTIONS_2_40 \\\n\tP11_FUNCTIONS_3_0 \\\n\tP11_FUNCTIONS_3_2")
	w.p(`
/*
 * What each function's first argument names, for who has handles of his own. Define
 *
 *	P11_FIRST(index, name, kind)
 *
 * where kind is session, slot or neither, and use P11_FIRSTS.
 */
#define P11_FIRSTS \`)
	var lines []string
	for _, f := range s.Functions {
		lines = append(lines, fmt.Sprintf("\tP11_FIRST(%d, %s, %s)", f.Order, f.Name, firstKind(f)))
	}
	w.p("%s", strings.Join(lines, " \\\n"))
	w.p("\n#endif /* P11_ZFUNCTIONS_H */")
}

// firstKind tells what the first argument of a function names.
func firstKind(f *spec.Function) string {
	if len(f.Args) > 0 {
		switch f.Args[0].CType {
		case "CK_SESSION_HANDLE":
			return "session"
		case "CK_SLOT_ID":
			return "slot"
		}
	}
	return "neither"
}
