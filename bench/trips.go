package main

import "strconv"

// A trip is a figure of the program "trips".
type trip struct {
	title, name string
	unit        float64 // ns
	target      func(made *row)
}

var untargeted = func(*row) {}

// trips measures single calls by way of a server, and connections.
func (b *bench) trips() (table, error) {
	t := table{
		title: "Servers: one call after the other",
		note: "By one thread of one client: what half of the calls and what 99 of 100 take at most. Connecting is C_Initialize, disconnecting " +
			"C_Finalize. The module does nothing.",
		first: "figure", unit: "µs",
	}
	r, err := b.serverRounds(b.pick(11, 1), b.path("null.so"), "trips", func(module string) []string {
		return []string{"-", module, strconv.Itoa(b.pick(5000, 100))}
	})
	if err != nil {
		return t, err
	}
	round := func(made *row) {
		made.target("at most 1.3 of the reference's", made.median(ours), 1.3*made.median(reference))
	}
	return t.with(b, r, []trip{
		{"C_GetSessionInfo, half", "info.50", 1000, round},
		{"C_GetSessionInfo, 99 of 100", "info.99", 1000, untargeted},
		{"C_Sign of 32 octets, half", "sign.50", 1000, round},
		{"C_Sign of 32 octets, 99 of 100", "sign.99", 1000, untargeted},
		{"C_Sign of 64 KiB, half", "large.50", 1000, untargeted},
		{"C_Sign of 64 KiB, 99 of 100", "large.99", 1000, untargeted},
		{"connecting", "connect", 1000, untargeted},
		{"disconnecting", "disconnect", 1000, untargeted},
	}), nil
}

// with gives the table with rows for figures.
func (t table) with(b *bench, r results, trips []trip) table {
	for _, c := range trips {
		made := r.row(b, c.title, c.name, c.unit)
		c.target(&made)
		t.rows = append(t.rows, made)
	}
	return t
}

// pipes measures a module in a process of its own, which the library starts.
func (b *bench) pipes() (table, error) {
	t := table{
		title: "A module in a process of its own",
		note: "One call after the other, through the proxy module, to a module with remote: |program remote in its configuration; raw is the " +
			"module by itself. Initializing starts the program, and finalizing ends it.",
		first: "figure", unit: "µs",
	}
	modules := [numWays]string{raw: b.path("null.so")}
	for _, w := range []way{ours, reference} {
		root := "remote-" + w.String()
		if err := b.configureModules(root, []string{"remote: |" + b.program(w) + " remote " + b.path("null.so") + "\n"}); err != nil {
			return t, err
		}
		modules[w] = "proxy:" + b.path("configured", root)
	}
	r, err := b.rounds(b.pick(5, 1), b.installed(true), "trips", func(w way) []string {
		return []string{b.libraries[w], modules[w], strconv.Itoa(b.pick(5000, 100))}
	})
	if err != nil {
		return t, err
	}
	return t.with(b, r, []trip{
		{"C_GetSessionInfo, half", "info.50", 1000, untargeted},
		{"C_GetSessionInfo, 99 of 100", "info.99", 1000, untargeted},
		{"initializing", "connect", 1000, untargeted},
		{"finalizing", "disconnect", 1000, func(made *row) {
			made.target("at most 5 ms", made.median(ours), 5000)
		}},
	}), nil
}
