package main

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	notInstalled = "not installed"
	noFigure     = "–"
)

// A cell is one figure: its samples, or why there are none.
type cell struct {
	values  []float64
	missing string
}

func (c cell) String() string {
	if len(c.values) == 0 {
		if c.missing != "" {
			return c.missing
		}
		return noFigure
	}
	text := figure(median(c.values))
	if len(c.values) > 1 {
		text += " (" + figure(percentile(c.values, 10)) + ".." + figure(percentile(c.values, 90)) + ")"
	}
	return text
}

// A row compares the ways at one thing.
type row struct {
	title   string
	cells   [numWays]cell
	targets []string // with the verdict
	// paired figures were measured together, the first of each way, the second and so on: their ratios are compared, for
	// what else the machine did then hit them all.
	paired bool
}

// median is the way's figure; NaN if there is none.
func (r *row) median(w way) float64 { return median(r.cells[w].values) }

// ratio is a's figure in proportion to b's; NaN if there is none.
func (r *row) ratio(a, b way) float64 {
	if !r.paired {
		return r.median(a) / r.median(b)
	}
	var ratios []float64
	for i, v := range r.cells[a].values[:min(len(r.cells[a].values), len(r.cells[b].values))] {
		ratios = append(ratios, v/r.cells[b].values[i])
	}
	return median(ratios)
}

// target notes a target and whether it was reached; nothing if what it depends on was not measured.
func (r *row) target(text string, value, limit float64) {
	if math.IsNaN(value) || math.IsNaN(limit) {
		return
	}
	verdict := "reached"
	if value > limit {
		verdict = "not reached"
	}
	r.targets = append(r.targets, text+": "+verdict)
}

// A table is what is printed under one heading.
type table struct {
	title string
	note  string // a sentence or two on what the figures are
	first string // heading of the first column
	unit  string // of the figures
	rows  []row
}

// comparison is a column that is calculated from two others.
type comparison struct {
	title string
	a, b  way
	ratio bool
}

var comparisons = [...]comparison{
	{"ours − raw", ours, raw, false},
	{"ours − reference", ours, reference, false},
	{"ours ÷ raw", ours, raw, true},
	{"reference ÷ raw", reference, raw, true},
	{"ours ÷ reference", ours, reference, true},
	{"ours ÷ miekg", ours, miekg, true},
	{"ours ÷ crypto11", ours, crypto11, true},
}

func (c comparison) of(r *row) string {
	a, b := r.median(c.a), r.median(c.b)
	switch {
	case math.IsNaN(a) || math.IsNaN(b), c.ratio && b == 0:
		return noFigure
	case c.ratio:
		return figure(r.ratio(c.a, c.b))
	}
	text := figure(a - b)
	if a > b {
		text = "+" + text
	}
	return text
}

// figure writes a number with about three digits.
func figure(v float64) string {
	digits := 0
	switch abs := math.Abs(v); {
	case abs < 0.0995:
		digits = 4
	case abs < 9.995:
		digits = 2
	case abs < 99.95:
		digits = 1
	}
	text := strconv.FormatFloat(v, 'f', digits, 64)
	if strings.Trim(text, "-0.") == "" {
		return "0"
	}
	return strings.Replace(text, "-", "−", 1)
}

// String is the table in Markdown, with its heading. Columns that have nothing to say are left out.
func (t *table) String() string {
	columns := [][]string{{t.first}}
	for w := raw; w < numWays; w++ {
		columns = append(columns, []string{w.String()})
	}
	for _, c := range comparisons {
		columns = append(columns, []string{c.title})
	}
	columns = append(columns, []string{"target"})
	for i := range t.rows {
		r := &t.rows[i]
		fields := []string{r.title}
		for _, c := range r.cells {
			fields = append(fields, c.String())
		}
		for _, c := range comparisons {
			fields = append(fields, c.of(r))
		}
		target := strings.Join(r.targets, "; ")
		if target == "" {
			target = noFigure
		}
		for j, f := range append(fields, target) {
			columns[j] = append(columns[j], f)
		}
	}
	var kept [][]string
	for _, c := range columns {
		if says(c[1:]) {
			kept = append(kept, c)
		}
	}
	return "\n## " + t.title + "\n\n" + t.note + " Unit: " + t.unit + ".\n\n" + align(kept)
}

func says(fields []string) bool {
	for _, f := range fields {
		if f != noFigure {
			return true
		}
	}
	return false
}

// align writes columns as the lines of a Markdown table; all columns but the first are aligned on the right.
func align(columns [][]string) string {
	var head, rule strings.Builder
	body := make([]strings.Builder, len(columns[0])-1)
	for i, c := range columns {
		width := 3
		for _, f := range c {
			width = max(width, utf8.RuneCountInString(f))
		}
		head.WriteString("| " + pad(c[0], width, i > 0) + " ")
		if i == 0 {
			rule.WriteString("|" + strings.Repeat("-", width+2))
		} else {
			rule.WriteString("|" + strings.Repeat("-", width+1) + ":")
		}
		for j, f := range c[1:] {
			body[j].WriteString("| " + pad(f, width, i > 0) + " ")
		}
	}
	text := head.String() + "|\n" + rule.String() + "|\n"
	for i := range body {
		text += body[i].String() + "|\n"
	}
	return text
}

func pad(text string, width int, right bool) string {
	fill := strings.Repeat(" ", width-utf8.RuneCountInString(text))
	if right {
		return fill + text
	}
	return text + fill
}
