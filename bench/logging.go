package main

import "fmt"

// logged configures the null module, with a log in a format, and gives what the program "calls" is told of it.
func (b *bench) logged(format string) (func(way) string, error) {
	root := b.path("configured", "logged-"+format)
	if err := b.write("user-config: none\nlog-calls: yes\nlog-format: "+format+"\n", "configured", "logged-"+format, "system.conf"); err != nil {
		return nil, err
	}
	text := "module: " + b.path("null.so") + "\n"
	if err := b.write(text, "configured", "logged-"+format, "system", "null.module"); err != nil {
		return nil, err
	}
	return func(w way) string {
		if w == raw {
			return b.path("null.so")
		}
		return "logged:" + root
	}, nil
}

// logging measures calls that are logged, to /dev/null.
func (b *bench) logging() ([]table, error) {
	one := table{
		title: "Calls that are logged",
		note: "One thread, the null module, a log on standard error, which is /dev/null. Raw is not logged. The reference writes text, " +
			"and ignores that JSON is asked for. C_Sign has 32 octets of data, and a signature of 256.",
		first: "call", unit: "ns",
	}
	many := table{
		title: "Threads whose calls are logged",
		note:  "The same, calls of all threads together. More is better.",
		first: "call", unit: "million calls/s",
	}
	for _, format := range []string{"text", "json"} {
		module, err := b.logged(format)
		if err != nil {
			return nil, err
		}
		for _, c := range []struct {
			title, what string
			limit       float64
		}{{"C_GetSessionInfo", "info", 600}, {"C_Sign", "sign", 950}} {
			for _, n := range []int{1, 2, 8} {
				r, err := b.callTurnsBy(module, c.what, b.turns(11, 5, 40_000), n)
				if err != nil {
					return nil, err
				}
				title := c.title + ", " + format
				if n == 1 {
					made := r.row(b, title, "net", 1)
					if format == "text" {
						made.target(fmt.Sprintf("at most the reference's, or %.0f ns", c.limit), made.median(ours), max(made.median(reference), c.limit))
					}
					one.rows = append(one.rows, made)
				}
				made := r.row(b, title+", "+plural(n, "thread"), "rate", 1e6)
				if format == "text" {
					made.target("at least the reference's", -made.median(ours), -made.median(reference))
				}
				many.rows = append(many.rows, made)
			}
		}
	}
	return []table{one, many}, nil
}
