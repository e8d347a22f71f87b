package main

import "strconv"

// proxy measures calls through the proxy module; raw is the null module by itself.
func (b *bench) proxy() ([]table, error) {
	t := table{
		title: "The proxy module",
		note:  "One thread; the null module behind the proxy, once and as ten copies. A pair is C_OpenSession and C_CloseSession.",
		first: "call", unit: "ns",
	}
	if err := b.copyModules(moduleCounts[len(moduleCounts)-1]); err != nil {
		return nil, err
	}
	for _, n := range []int{1, 10} {
		root := "proxy-" + strconv.Itoa(n)
		if err := b.configure(root, n); err != nil {
			return nil, err
		}
		module := func(w way) string {
			if w == raw {
				return b.path("null.so")
			}
			return "proxy:" + b.path("configured", root)
		}
		for _, c := range []struct {
			title, what string
			turns       turns
			target      string
			over        float64 // ns above raw
		}{
			{"C_GetSessionInfo", "info", b.turns(21, 8, 1_000_000), "at most raw + 8 ns", 8},
			{"C_Sign", "sign", b.turns(21, 8, 1_000_000), "at most raw + 8 ns", 8},
			{"pair", "session", b.turns(21, 8, 4000), "at most 1000 ns", 0},
		} {
			r, err := b.callTurnsBy(module, c.what, c.turns, 1)
			if err != nil {
				return nil, err
			}
			made := r.row(b, c.title+", "+plural(n, "module"), "net", 1)
			limit := made.median(raw) + c.over
			if c.over == 0 {
				limit = 1000
			}
			made.target(c.target, made.median(ours), limit)
			t.rows = append(t.rows, made)
		}
	}
	for _, n := range threadCounts[1:] {
		r, err := b.callTurnsBy(func(w way) string {
			if w == raw {
				return b.path("null.so")
			}
			return "proxy:" + b.path("configured", "proxy-10")
		}, "info", b.turns(15, 5, 8_000_000), n)
		if err != nil {
			return nil, err
		}
		t.rows = append(t.rows, r.row(b, "C_GetSessionInfo, 10 modules, "+plural(n, "thread")+", per call", "ns", 1))
	}
	return []table{t}, nil
}
