package main

import "strconv"

// fork measures a child that goes on with a list of its parent's.
func (b *bench) fork() ([]table, error) {
	r, err := b.rounds(b.pick(15, 2), b.installed(true), "fork", func(w way) []string {
		return []string{b.libraries[w], b.path("null.so"), strconv.Itoa(b.pick(15, 2))}
	})
	if err != nil {
		return nil, err
	}
	return []table{{
		title: "After fork",
		note:  "A child initializes the list that its parent had initialized, lists the slots and ends; null module.",
		first: "figure", unit: "ms",
		rows: []row{
			r.row(b, "C_Initialize in the child", "init", 1e6),
			r.row(b, "from before fork to the child's end", "child", 1e6),
		},
	}}, nil
}
