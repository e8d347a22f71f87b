package main

import "strconv"

// module is one of the measured modules.
type module struct {
	title, path string // path is "" if it is not installed
}

func (b *bench) bothModules() []module {
	return []module{{"null module", b.path("null.so")}, {"SoftHSM", b.softhsm}}
}

// sessions measures opening and closing a session.
func (b *bench) sessions() ([]table, error) {
	t := table{
		title: "Sessions",
		note:  "C_OpenSession and C_CloseSession by one thread, together.",
		first: "module", unit: "ns",
	}
	for _, m := range b.bothModules() {
		if m.path == "" {
			t.rows = append(t.rows, absent(m.title, cWays[:]))
			continue
		}
		r, err := b.callTurns(m.path, "session", b.turns(21, 8, 4000), 1)
		if err != nil {
			return nil, err
		}
		t.rows = append(t.rows, r.row(b, m.title, "net", 1))
	}
	return []table{t}, nil
}

// second measures what a second caller pays to initialize and finalize.
func (b *bench) second() ([]table, error) {
	t := table{
		title: "A second caller",
		note:  "C_Initialize and C_Finalize of a caller, together, while another one stays initialized.",
		first: "module", unit: "ns",
	}
	for _, m := range b.bothModules() {
		if m.path == "" {
			t.rows = append(t.rows, absent(m.title, cWays[:]))
			continue
		}
		r, err := b.rounds(b.pick(21, 2), b.installed(false), "second", func(w way) []string {
			return []string{b.libraries[w], m.path, strconv.Itoa(b.pick(8, 2)), strconv.Itoa(b.pick(5000, 200))}
		})
		if err != nil {
			return nil, err
		}
		made := r.row(b, m.title, "pair", 1)
		made.target("at most 1000 ns", made.median(ours), 1000)
		t.rows = append(t.rows, made)
	}
	return []table{t}, nil
}
