package main

import "strconv"

// turns are how long the program "calls" runs.
type turns struct {
	rounds  int
	samples int
	calls   int // per sample, all threads together
}

func (b *bench) turns(rounds, samples, calls int) turns {
	if b.options.quick {
		return turns{2, 2, max(1, calls/20)}
	}
	return turns{rounds, samples, calls}
}

// callTurns runs the program "calls" for each way. In what it gives, "net" is ns per turn without the loop, and "rate" is
// turns per second. more are further arguments.
func (b *bench) callTurns(module, what string, t turns, threads int, more ...string) (results, error) {
	return b.callTurnsBy(func(way) string { return module }, what, t, threads, more...)
}

// callTurnsBy is callTurns where each way has a module of its own.
func (b *bench) callTurnsBy(module func(way) string, what string, t turns, threads int, more ...string) (results, error) {
	all, err := b.rounds(t.rounds, b.installed(true), "calls", func(w way) []string {
		return append([]string{b.libraries[w], module(w), what, strconv.Itoa(t.samples),
			strconv.Itoa(max(1, t.calls/threads)), strconv.Itoa(threads)}, more...)
	})
	for _, s := range all {
		if s == nil {
			continue
		}
		loop := median(s["loop"])
		for _, ns := range s["ns"] {
			s["net"] = append(s["net"], ns-loop)
		}
	}
	return all, err
}

// calls measures one call on one thread.
func (b *bench) calls() ([]table, error) {
	t := table{
		title: "Calls",
		note:  "One call by one thread on an initialized list with a session; the loop around it is subtracted.",
		first: "call", unit: "ns",
	}
	slow := table{
		title: "Calls of a real module",
		note:  "SoftHSM, one thread; a signature is C_SignInit and C_Sign, CKM_SHA256_RSA_PKCS with 2048 bits.",
		first: "call", unit: "µs",
	}
	for _, c := range []struct{ title, what string }{
		{"C_GetSessionInfo, null module", "info"},
		{"C_Sign, null module", "sign"},
	} {
		r, err := b.callTurns(b.path("null.so"), c.what, b.turns(25, 8, 1_000_000), 1)
		if err != nil {
			return nil, err
		}
		made := r.row(b, c.title, "net", 1)
		made.target("at most raw + 2 ns", made.median(ours), made.median(raw)+2)
		t.rows = append(t.rows, made)
	}
	for _, c := range []struct {
		title, what string
		turns       turns
	}{
		{"C_GetSessionInfo, SoftHSM", "info", b.turns(15, 8, 50_000)},
		{"RSA-2048 signature, SoftHSM", "init-sign", b.turns(15, 5, 20)},
	} {
		if b.softhsm == "" {
			slow.rows = append(slow.rows, absent(c.title, cWays[:]))
			continue
		}
		r, err := b.callTurns(b.softhsm, c.what, c.turns, 1, "login")
		if err != nil {
			return nil, err
		}
		slow.rows = append(slow.rows, r.row(b, c.title, "net", 1e3))
	}
	return []table{t, slow}, nil
}

// threadCounts are how many threads call at once.
var threadCounts = [...]int{1, 2, 4, 8}

// threads measures how calls grow with the threads that make them.
func (b *bench) threads() ([]table, error) {
	rate := table{
		title: "Threads",
		note: "Calls of all threads together on one list of the null module, each thread with a session of its own; " +
			"with the loop around them. More is better.",
		first: "call", unit: "million calls/s",
	}
	growth := table{
		title: "Growth with threads",
		note: "The same figures, as multiples of what one thread reaches. Within a tenth of raw counts as growing with it; " +
			"only what the CPUs had room for can grow.",
		first: "call", unit: "one thread's calls/s",
	}
	for _, c := range []struct{ title, what string }{{"C_GetSessionInfo", "info"}, {"C_Sign", "sign"}} {
		var one [numWays]float64
		for _, n := range threadCounts {
			r, err := b.callTurns(b.path("null.so"), c.what, b.turns(15, 5, 8_000_000), n)
			if err != nil {
				return nil, err
			}
			title := c.title + ", " + plural(n, "thread")
			made := r.row(b, title, "rate", 1e6)
			rate.rows = append(rate.rows, made)
			if n == 1 {
				for w := range one {
					one[w] = made.median(way(w))
				}
				continue
			}
			grown := row{title: title}
			for w := range grown.cells {
				grown.cells[w].missing = made.cells[w].missing
				for _, v := range made.cells[w].values {
					grown.cells[w].values = append(grown.cells[w].values, v/one[w])
				}
			}
			grown.target("at least 0.9 of raw's", -grown.median(ours), -0.9*grown.median(raw))
			growth.rows = append(growth.rows, grown)
		}
	}
	return []table{rate, growth}, nil
}

// plural counts things.
func plural(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return strconv.Itoa(n) + " " + thing
}
