package trace

import (
	"strconv"
	"strings"
	"time"
	"unicode"
)

// maxQuoted is how much of a log's text an error shows, in octets.
const maxQuoted = 60

// quote shows a text from a log in an error.
func quote(s string) string {
	if len(s) > maxQuoted {
		return strconv.Quote(s[:maxQuoted]) + "..."
	}
	return strconv.Quote(s)
}

// plain is a text from a log for a table: what a terminal would obey, or what would look like the end of a cell, is escaped.
func plain(s string) string {
	if s == "" {
		return "-"
	}
	if !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return s
	}
	quoted := strconv.Quote(s)
	return quoted[1 : len(quoted)-1]
}

// span shows a duration with three or four digits, in the unit that suits it.
func span(d time.Duration) string {
	switch {
	case d < time.Microsecond:
		return strconv.FormatInt(int64(d), 10) + " ns"
	case d < time.Millisecond:
		return scaled(d, time.Microsecond) + " µs"
	case d < time.Second:
		return scaled(d, time.Millisecond) + " ms"
	}
	return scaled(d, time.Second) + " s"
}

// scaled is d in a unit, with as many digits behind the point as matter.
func scaled(d, unit time.Duration) string {
	v := float64(d) / float64(unit)
	digits := 0
	switch {
	case v < 9.995:
		digits = 2
	case v < 99.95:
		digits = 1
	}
	return strconv.FormatFloat(v, 'f', digits, 64)
}

// micros is a duration in µs, the unit of logs and of their reports in JSON.
func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
