package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

const kB = 1024.0

// spawned runs a program n times for each way, in turn, by the program "spawn"; "wall" and "cpu" are ns, "memory" is kB.
// program and arguments are for one way.
func (b *bench) spawned(n int, ways []way, program func(way) []string) (results, error) {
	arguments := []string{strconv.Itoa(n)}
	for _, w := range ways {
		arguments = append(arguments, "--", "LD_LIBRARY_PATH="+b.searchPath(w))
		arguments = append(arguments, program(w)...)
	}
	var all results
	got, err := b.run(nil, "spawn", arguments...)
	if err != nil {
		return all, err
	}
	for i, w := range ways {
		all[w] = samples{}
		for _, name := range []string{"wall", "cpu", "memory"} {
			all[w][name] = got[name+"."+strconv.Itoa(i)]
		}
	}
	return all, nil
}

// link measures a program that is linked with the library and does nothing.
func (b *bench) link() ([]table, error) {
	r, err := b.spawned(b.pick(600, 10), b.installed(true), func(w way) []string {
		if w == raw {
			return []string{b.path("link-raw")}
		}
		return []string{b.path("link")}
	})
	if err != nil {
		return nil, err
	}
	t := table{
		title: "A program that only links the library",
		note: "From before the start to the end of a program that does nothing; raw is the same program without a library. " +
			"Within a hundredth counts as the same.",
		first: "figure", unit: "µs, kB",
	}
	for _, f := range []struct {
		title, name string
		unit        float64
	}{{"wall time, µs", "wall", 1e3}, {"processor time, µs", "cpu", 1e3}, {"memory, kB", "memory", 1}} {
		made := r.row(b, f.title, f.name, f.unit)
		made.target("not above the reference", made.median(ours), 1.01*made.median(reference))
		t.rows = append(t.rows, made)
	}
	return []table{t}, nil
}

// moduleCounts are how many modules are configured.
var moduleCounts = [...]int{1, 10, 50}

// modules measures a program that loads what is configured, lists the slots, and ends.
func (b *bench) modules() ([]table, error) {
	t := table{
		title: "A program that lists the slots of the configured modules",
		note: "From before the start to the end: load, initialize, list the slots, finalize and release. Raw opens the same " +
			"files by itself. Memory is at its highest; own is what no other process shares.",
		first: "modules, figure", unit: "ms, MB",
	}
	if err := b.copyModules(moduleCounts[len(moduleCounts)-1]); err != nil {
		return nil, err
	}
	for _, n := range moduleCounts {
		if err := b.configure(strconv.Itoa(n), n); err != nil {
			return nil, err
		}
		program := func(w way) []string {
			if w == raw {
				return []string{b.path("list-raw"), b.path(), strconv.Itoa(n)}
			}
			return []string{b.path("list"), b.path("configured", strconv.Itoa(n)), strconv.Itoa(n)}
		}
		r, err := b.spawned(b.pick(150, 4), b.installed(true), program)
		if err != nil {
			return nil, err
		}
		for _, w := range b.installed(true) {
			for range b.pick(7, 1) {
				run := append(program(w), "memory")
				out, err := b.command([]string{"LD_LIBRARY_PATH=" + b.searchPath(w)}, run[0], run[1:]...)
				if err != nil {
					return nil, err
				}
				own, err := parseSamples(out)
				if err != nil {
					return nil, err
				}
				r[w] = r[w].add(own)
			}
		}
		t.rows = append(t.rows, b.moduleRows(r, plural(n, "module"))...)
	}
	return []table{t}, nil
}

func (b *bench) moduleRows(r results, title string) []row {
	wall := r.row(b, title+", wall time, ms", "wall", 1e6)
	wall.target("at most 1 ms over the reference", wall.median(ours), wall.median(reference)+1)
	memory := r.row(b, title+", memory, MB", "memory", kB)
	memory.target("at most 5 MB over the reference", memory.median(ours), memory.median(reference)+5)
	return []row{
		wall,
		r.row(b, title+", processor time, ms", "cpu", 1e6),
		memory,
		r.row(b, title+", own memory, MB", "own", kB),
	}
}

// manyObjects are on the token that p11tool lists.
const manyObjects = 1000

// p11tool measures a program that knows nothing of us, from its start to its end.
func (b *bench) p11tool() ([]table, error) {
	t := table{
		title: "p11tool --list-all",
		note:  "From before the start to the end, with a token of SoftHSM that has 1000 objects.",
		first: "figure", unit: "ms",
	}
	if b.softhsm == "" {
		t.rows = []row{absent("wall time, ms", cWays[:])}
		return []table{t}, nil
	}
	tool, err := exec.LookPath("p11tool")
	if err != nil {
		return nil, fmt.Errorf("install gnutls-bin: %w", err)
	}
	env, err := b.makeToken("many.conf", "many", strconv.Itoa(b.pick(manyObjects, 20)))
	if err != nil {
		return nil, err
	}
	r, err := b.spawned(b.pick(25, 2), b.installed(false), func(way) []string {
		return []string{env, tool, "--provider", b.softhsm, "--outfile", b.path("listed"), "--list-all", "pkcs11:token=bench"}
	})
	if err != nil {
		return nil, err
	}
	listed, err := os.ReadFile(b.path("listed"))
	if err != nil {
		return nil, err
	}
	if n, want := strings.Count(string(listed), "object="), b.pick(manyObjects, 20); n != want {
		return nil, fmt.Errorf("p11tool lists %d objects, not %d", n, want)
	}
	wall := r.row(b, "wall time, ms", "wall", 1e6)
	wall.target("at most 1.1 of the reference", wall.median(ours), 1.1*wall.median(reference))
	t.rows = []row{wall, r.row(b, "processor time, ms", "cpu", 1e6)}
	return []table{t}, nil
}

// copyModules makes n modules of the null module, each a file of its own.
func (b *bench) copyModules(n int) error {
	content, err := os.ReadFile(b.path("null.so"))
	if err != nil {
		return err
	}
	for i := range n {
		if err := b.write(string(content), "modules", fmt.Sprintf("%02d.so", i)); err != nil {
			return err
		}
	}
	return nil
}

// configure writes a configuration with n modules.
func (b *bench) configure(root string, n int) error {
	var modules []string
	for i := range n {
		modules = append(modules, "module: "+b.path("modules", fmt.Sprintf("%02d.so", i))+"\n")
	}
	return b.configureModules(root, modules)
}

// configureModules writes a configuration with modules that have these options.
func (b *bench) configureModules(root string, modules []string) error {
	if err := b.write("user-config: none\n", "configured", root, "system.conf"); err != nil {
		return err
	}
	for _, empty := range []string{"package", "user"} {
		if err := os.Mkdir(b.path("configured", root, empty), 0o755); err != nil {
			return err
		}
	}
	for i, text := range modules {
		if err := b.write(text, "configured", root, "system", fmt.Sprintf("m%02d.module", i)); err != nil {
			return err
		}
	}
	return nil
}
