package conf

import (
	"fmt"
	"testing"
)

// BenchmarkLoad reads the configuration of an ordinary machine: no global
// files, a few modules by packages.
func BenchmarkLoad(b *testing.B) {
	for _, n := range []int{0, 3, 100} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			dir := b.TempDir()
			for i := range n {
				writeFile(b, fmt.Sprintf("%s/m%d.module", dir, i), "# a module\nmodule: m.so\npriority: 1\ntrust-policy: no\n")
			}
			missing := dir + "/missing"
			paths := Paths{SystemConfig: missing, UserConfig: missing, PackageModules: dir, SystemModules: missing, UserModules: missing}
			env := Env{UID: 1000}
			b.ReportAllocs()
			for b.Loop() {
				if c := Load(paths, env); len(c.Modules) != n {
					b.Fatalf("%d modules", len(c.Modules))
				}
			}
		})
	}
}
