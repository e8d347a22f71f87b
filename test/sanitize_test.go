package test

import (
	"maps"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// sanitizerEnv keeps the sanitizers from taking the signals that Go's run-time
// uses, and from calling what lives until exit a leak.
var sanitizerEnv = map[string]string{
	"ASAN_OPTIONS":  "detect_leaks=0:handle_segv=0:handle_sigbus=0:handle_sigfpe=0:abort_on_error=0:exitcode=99",
	"UBSAN_OPTIONS": "print_stacktrace=1:exitcode=99",
}

func checkSanitized(t *testing.T, r result) {
	t.Helper()
	if r.code != 0 || strings.Contains(r.stderr, "AddressSanitizer") || strings.Contains(r.stderr, "runtime error") {
		t.Errorf("exit %d\nstdout: %s\nstderr: %s", r.code, r.stdout, r.stderr)
	}
}

// Programs are built with both sanitizers, or with only the second where they
// fork: the address sanitizer's allocator does not survive a fork while another
// thread is in it, and children hang in its lock.
const (
	memory = "address,undefined"
	forks  = "undefined"
)

// TestConformanceSanitized runs every section with a program and a library whose
// every access to memory is watched.
func TestConformanceSanitized(t *testing.T) {
	sources := conformanceSources(t)
	for _, s := range sections(t, program(t, "conformance", sources...), reference) {
		kind, lib := memory, oursWatched
		switch s.name {
		case "init-forked", "session-forked", "list-refuses", "uri-forked", "pin-forked":
			kind, lib = forks, oursForking
		}
		path := sanitized(t, kind, "conformance", sources...)
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			checkSanitized(t, command{path: path, args: []string{s.name}, lib: lib, env: sanitizerEnv}.run(t))
		})
	}
}

// TestSanitized runs the hosts that free and fork most.
func TestSanitized(t *testing.T) {
	for _, tc := range []struct {
		path  string
		lib   library
		cases []string
		token bool
	}{
		{sanitized(t, memory, "threads"), oursWatched, []string{"cycle", "once", "configured", "release-twice", "close-all", "finalize-opens"}, false},
		{sanitized(t, memory, "limits"), oursWatched, []string{"many", "remembered"}, false},
		{sanitized(t, memory, "proxy"), oursWatched, []string{"library_around", "proxy_around", "two_proxies", "again", "notifications", "threads"}, false},
		{sanitized(t, memory, "sign", "token.c"), oursWatched, []string{""}, true},
		{sanitized(t, memory, "proxy_events", "proxylib.c", ownHeaders), oursWatched, []string{"block", "waiters", "finalize", "ids", "list-fails", "none"}, false},
		{sanitized(t, memory, "proxy_threads", "proxylib.c", "token.c", ownHeaders), oursWatched, []string{"lives", "shared", "races", "close-all"}, false},
		{sanitized(t, memory, "proxy_versions", "proxylib.c", ownHeaders), oursWatched, []string{"interface-list", "instances", "functions", "library"}, true},
		{sanitized(t, forks, "proxy_children", "proxylib.c", "token.c", ownHeaders), oursForking, []string{"shut", "many", "busy"}, true},
		{sanitized(t, memory, "iter", "token.c"), oursWatched, []string{"objects", "destroy", "login", "threads"}, true},
		{sanitized(t, forks, "iter", "token.c"), oursForking, []string{"forked"}, true},
		{sanitized(t, forks, "proxy_fork", "token.c", "-I../include"), oursForking, []string{"inherited", "interfaces", "handles"}, true},
		{sanitized(t, forks, "fork", "fork_busy.c", "token.c"), oursForking, []string{"sign", "release", "grandchild"}, true},
	} {
		for _, name := range tc.cases {
			t.Run(filepath.Base(tc.path)+"/"+name, func(t *testing.T) {
				c := command{path: tc.path, args: []string{name}, lib: tc.lib, env: map[string]string{}}
				if tc.token {
					withToken(t, &c)
				}
				maps.Copy(c.env, sanitizerEnv)
				checkSanitized(t, c.run(t))
			})
		}
	}
}

// TestOwnHeaders compiles all programs with the headers that are installed with
// our library instead of the reference's.
func TestOwnHeaders(t *testing.T) {
	sources, err := filepath.Glob("c/*.c")
	if err != nil || len(sources) == 0 {
		t.Fatalf("no sources: %v", err)
	}
	for _, source := range sources {
		for _, define := range []string{"-DVERSION_240", "-DVERSION_300"} {
			if define != "-DVERSION_240" && filepath.Base(source) != "counting.c" {
				continue
			}
			cmd := exec.Command("gcc", "-std=gnu11", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-Ic", "-I../include", define, source)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", source, err, out)
			}
		}
	}
}

// TestHeadersAlone compiles each of our headers by itself, as C and as C++.
func TestHeadersAlone(t *testing.T) {
	headers, err := filepath.Glob("../include/p11-kit/*.h")
	if err != nil || len(headers) == 0 {
		t.Fatalf("no headers: %v", err)
	}
	for _, header := range headers {
		for _, define := range []string{"-DPLAIN", "-DP11_KIT_FUTURE_UNSTABLE_API", "-DP11_KIT_DISABLE_DEPRECATED"} {
			for _, compiler := range [][]string{{"gcc", "-std=c99", "-xc"}, {"g++", "-std=c++11", "-xc++"}} {
				args := append(compiler[1:], "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-I../include", define, "-")
				cmd := exec.Command(compiler[0], args...)
				cmd.Stdin = strings.NewReader("#include <p11-kit/" + filepath.Base(header) + ">\n")
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("%s %s %s: %v\n%s", compiler[0], define, header, err, out)
				}
			}
		}
	}
}
