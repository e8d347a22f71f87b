package install

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestReproducible builds the same sources in another directory, from nothing, as another user would: every file that is for installation,
// and the package, is the same to the last octet.
func TestReproducible(t *testing.T) {
	from, to := root(t), filepath.Join(t.TempDir(), "elsewhere")
	copyTree(t, from, to)
	env := []string{"GOCACHE=" + filepath.Join(t.TempDir(), "cache"), "TMPDIR=" + t.TempDir(), "LC_ALL=C", "TZ=Asia/Tokyo"}
	run(t, to, env, "make", "deb")

	first, second := products(t, buildDir(t)), products(t, filepath.Join(to, "build"))
	if a, b := slices.Sorted(maps.Keys(first)), slices.Sorted(maps.Keys(second)); !slices.Equal(a, b) {
		t.Errorf("built are\n%v\nand\n%v", a, b)
	}
	for name, data := range second {
		if first[name] != data {
			t.Errorf("%s is not the same; if the first is old, or was made with variables of your own, run make clean all deb", name)
		}
		for _, dir := range []string{from, to} {
			if strings.Contains(data, dir) {
				t.Errorf("%s names %s", name, dir)
			}
		}
	}
}

// copyTree copies the sources.
func copyTree(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if name == "build" || name == ".git" {
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, name), 0o755)
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, name), data, info.Mode().Perm())
	})
	if err != nil {
		t.Fatal(err)
	}
}

// products are the files of a build that are for users.
func products(t *testing.T, build string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, dir := range []string{"lib", "libexec", "bin", "share"} {
		for name, data := range files(t, filepath.Join(build, dir)) {
			all[dir+"/"+name] = data
		}
	}
	packages, err := filepath.Glob(filepath.Join(build, "*.deb"))
	if err != nil || len(packages) == 0 {
		t.Fatalf("%s has no package (%v): run make deb", build, err)
	}
	for _, path := range packages {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(path)] = string(data)
	}
	return all
}
