package main

import "strconv"

// handleCounts are how many lists of one module a process has.
var handleCounts = [...]int{1, 10, 100, 1000}

// handles measures many lists of one module.
func (b *bench) handles() ([]table, error) {
	load := table{
		title: "Lists of one module",
		note:  "p11_kit_module_load and p11_kit_module_release when the module is loaded already; time for each list.",
		first: "lists", unit: "µs",
	}
	memory := table{
		title: "Memory of a list",
		note: "Resident memory for each list, which comes in pages: when it is loaded, and when it has been initialized, " +
			"called and finalized.",
		first: "lists", unit: "kB",
	}
	first := row{title: "the first load in the process"}
	for _, n := range handleCounts {
		r, err := b.rounds(b.pick(25, 2), b.installed(false), "handles", func(w way) []string {
			return []string{b.libraries[w], b.path("null.so"), strconv.Itoa(n)}
		})
		if err != nil {
			return nil, err
		}
		title := strconv.Itoa(n)
		load.rows = append(load.rows, r.row(b, title+", load", "load", 1e3), r.row(b, title+", release", "release", 1e3))
		memory.rows = append(memory.rows, r.row(b, title+", loaded", "memory", kB), r.row(b, title+", used", "used", kB))
		once := r.row(b, "", "first", 1e3)
		for w := range first.cells {
			first.cells[w].missing = once.cells[w].missing
			first.cells[w].values = append(first.cells[w].values, once.cells[w].values...)
		}
	}
	load.rows = append([]row{first}, load.rows...)
	return []table{load, memory}, nil
}
