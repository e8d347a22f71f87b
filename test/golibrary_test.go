package test

import (
	"encoding/json"
	"maps"
	"path/filepath"
	"testing"
)

// cHost builds the program in C that has libraries in Go.
func cHost(t testing.TB) string {
	t.Helper()
	return once(t, "golibrary host", func() string {
		return cc(t, "bin/golibrary-host", "c/golibrary.c", "gojoin/library.c", "-lpthread", "-ldl")
	})
}

// goLibraries builds two libraries in Go, which are one under two names. flags are for go build.
func goLibraries(t testing.TB, flags ...string) map[string]string {
	t.Helper()
	a := goProgram(t, "golibrary", append([]string{"-buildmode=c-shared"}, flags...)...)
	b := once(t, a+" again", func() string {
		if err := copyFile(a, a+".b"); err != nil {
			t.Fatal(err)
		}
		return a + ".b"
	})
	return map[string]string{"GOLIBRARY_a": a, "GOLIBRARY_b": b, "MODULE": filepath.Join(modules(t), "a.so")}
}

// TestGoLibrary runs a program in C that uses a module through libp11-kit.so.0 while libraries in Go use it by the Go API.
func TestGoLibrary(t *testing.T) {
	for _, tc := range []struct{ name, steps string }{
		{"C first, Go goes", "c+ a+ a c counts=1/0 a- c counts=1/0 c- counts=1/1 engine=1"},
		{"C first, C goes", "c+ a+ a c counts=1/0 c- a counts=1/0 a- counts=1/1 engine=1"},
		{"Go first, Go goes", "a+ a c+ a c counts=1/0 a- c counts=1/0 c- counts=1/1 engine=0"},
		{"Go first, C goes", "a+ a c+ a c counts=1/0 c- a counts=1/0 a- counts=1/1 engine=0"},
		{"Go is there first, C comes first", "a= c+ c a+ a c counts=1/0 c- a counts=1/0 a- counts=1/1"},
		{"C is there first, Go comes first", "c= a+ a c+ c a counts=1/0 a- c counts=1/0 c- counts=1/1 engine=0"},
		{"both in Go, C first", "c+ a+ b+ a b c counts=1/0 c- a b a- b counts=1/0 b- counts=1/1"},
		{"both in Go, C is there first", "c= a+ b+ a b counts=1/0 c+ c b- a c counts=1/0 c- a a- counts=1/1"},
		{"again", "c+ a+ counts=1/0 c- a- counts=1/1 a+ c+ a c counts=2/1 c- a a- counts=2/2 c+ c a+ a c- a- counts=3/3"},
		{"a child", "c+ a+ fork a c counts=1/0 c- a a- counts=1/1"},
		{"a child of C first", "c+ fork a+ a fork a- c c- counts=1/1"},
		{"a child of Go first", "a+ c+ fork a c a- fork c- counts=1/1"},
		{"refused", "c+ a! a+ a! a c counts=1/0 c- a! a a- a! counts=1/1"},
		{"many", "c+ a= b= many counts=1/0 c- counts=1/1"},
		{"many, Go first", "a= c+ many counts=1/0 c- counts=1/1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			runSteps(t, command{path: cHost(t), lib: ours, env: goLibraries(t)}, tc.steps)
		})
	}
}

// TestGoLibraryBesideReference has p11-kit's library in the process instead of ours. Nothing is shared with it, so who
// initialized the module has to go last; but both can use it.
func TestGoLibraryBesideReference(t *testing.T) {
	for _, steps := range []string{
		"c= a+ a c+ c a c- a a-",
		"c+ c a+ a c a! a- c a+ a a- c c-",
	} {
		runSteps(t, command{path: cHost(t), lib: reference, env: goLibraries(t)}, steps)
	}
}

// otherBuild are flags for go build that make a program with an engine which our library takes for one of another build.
func otherBuild(t testing.TB) string {
	t.Helper()
	return "-overlay=" + once(t, "other build", func() string {
		header := filepath.Join(workDir, "other", "zengine_abi.h")
		writeFile(t, header, "#define P11_ENGINE_ABI 0x12345678u\n")
		original, err := filepath.Abs("../internal/capi/zengine_abi.h")
		if err != nil {
			t.Fatal(err)
		}
		overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{original: header}})
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(workDir, "other", "overlay.json")
		writeFile(t, path, string(overlay))
		return path
	})
}

// TestGoLibraryOfOtherBuild does the same with libraries that are not of the same build as libp11-kit.so.0. It cannot use
// their engine, but they can use it, as long as they have no module loaded when it comes.
func TestGoLibraryOfOtherBuild(t *testing.T) {
	for _, tc := range []struct{ name, steps string }{
		{"C first", "c+ a+ b+ a b c counts=1/0 c- a b a- b b- counts=1/1 engine=1"},
		{"C is there first", "c= a+ b+ a b engine=1 c+ c b- a c counts=1/0 c- a a- counts=1/1"},
		{"a reserved string", "c= a* a reserved=sesame c+ c counts=1/0 a- c c- counts=1/1 engine=1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newConsumer(t)
			env := goLibraries(t, otherBuild(t))
			writeFile(t, filepath.Join(c.conf, "modules", "softhsm.module"), "module: "+env["MODULE"]+"\nx-init-reserved: sesame\n")
			writeFile(t, filepath.Join(c.conf, "modules", "bundled.module"), "module:\n")
			maps.Copy(c.env, env)
			run := c.command(cHost(t))
			run.lib = ours
			runSteps(t, run, tc.steps)
		})
	}
}
