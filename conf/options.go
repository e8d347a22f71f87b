package conf

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// An Option is one "KEY: VALUE" line of a configuration file.
type Option struct {
	Key   string // case-sensitive; may be empty
	Value string // without surrounding white space; may be empty
	File  string // the file it was read from
	Line  int    // its line there, counted from 1
}

// Options are the options of a module, or the global ones, in increasing
// order of precedence: of two options with the same key the later one counts.
// The zero value has no options.
type Options []Option

// Lookup returns the option that counts for key, with its origin, and whether
// there is one.
func (o Options) Lookup(key string) (Option, bool) {
	for i := len(o) - 1; i >= 0; i-- {
		if o[i].Key == key {
			return o[i], true
		}
	}
	return Option{}, false
}

// Get returns the value that counts for key and whether the key is present.
// A key that is present may have the empty value.
func (o Options) Get(key string) (value string, ok bool) {
	opt, ok := o.Lookup(key)
	return opt.Value, ok
}

// Bool returns the value of a yes-or-no option, def if it is absent. Any text
// but "yes" and "no", which are case-sensitive, gives def and a problem that
// names the file and line (abi.md 3.7). Load has already reported that
// problem for the options p11-kit defines.
func (o Options) Bool(key string, def bool) (bool, *Problem) {
	opt, ok := o.Lookup(key)
	switch {
	case !ok:
		return def, nil
	case opt.Value == "yes":
		return true, nil
	case opt.Value == "no":
		return false, nil
	}
	text := "no"
	if def {
		text = "yes"
	}
	return def, &Problem{
		File:     opt.File,
		Line:     opt.Line,
		Msg:      "invalid setting " + quoted(opt.Value) + " defaulting to '" + text + "': option '" + key + "' is either 'yes' or 'no'",
		Severity: Warning,
	}
}

// Priority returns the value of the option "priority", 0 if it is absent. Like
// C's atoi it takes the number at the start of the text, so "5x" is 5 and
// "abc" is 0, but such a text, and a number beyond 32 bits, which becomes the
// nearest that fits, is also a problem. Load has already reported it.
func (o Options) Priority() (int, *Problem) {
	opt, ok := o.Lookup("priority")
	if !ok {
		return 0, nil
	}
	n, exact := leadingInt(opt.Value)
	if exact {
		return n, nil
	}
	return n, &Problem{
		File:     opt.File,
		Line:     opt.Line,
		Msg:      "invalid priority " + quoted(opt.Value) + " taken as " + strconv.Itoa(n) + ": option 'priority' is a whole number",
		Severity: Warning,
	}
}

// leadingInt returns the decimal number at the start of s, cut to 32 bits, and
// whether s is that number and nothing else.
func leadingInt(s string) (n int, exact bool) {
	i, neg := 0, false
	if i < len(s) && (s[i] == '-' || s[i] == '+') {
		neg = s[i] == '-'
		i++
	}
	start, exact := i, true
	var v int64
	for ; i < len(s) && '0' <= s[i] && s[i] <= '9'; i++ {
		if v <= math.MaxInt32 {
			v = v*10 + int64(s[i]-'0')
		}
	}
	exact = i > start && i == len(s)
	if neg {
		v = -v
	}
	if c := min(max(v, math.MinInt32), math.MaxInt32); c != v {
		v, exact = c, false
	}
	return int(v), exact
}

// All returns the options that count, one for each key, sorted by key.
func (o Options) All() []Option {
	all := slices.Clone(o)
	slices.SortStableFunc(all, func(a, b Option) int { return strings.Compare(a.Key, b.Key) })
	n := 0
	for i := range all {
		if i+1 < len(all) && all[i+1].Key == all[i].Key {
			continue
		}
		all[n] = all[i]
		n++
	}
	return all[:n]
}
