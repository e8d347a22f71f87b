package testkit

import (
	"fmt"
	"regexp"
	"strings"
)

// A Step is a command that a document shows, with what it prints.
type Step struct {
	Line    int    // in the document, from 1
	Root    bool   // shown with the prompt of root
	Command string // lines of sh
	Output  string // with "..." where it is not the same each time
}

// Console finds the commands in a Markdown text. They stand in indented or fenced blocks, each behind the prompt "$ ", or "# " of root, and
// its output below it; a line that ends in a backslash goes on. Blocks that begin with anything else are none of commands. Those of root
// that begin with "# " must be fenced, as ```console, for in an indented block that is a comment of a file.
func Console(text string) []Step {
	var steps []Step
	block := false // inside a block of commands
	more := false  // the command goes on
	fenced := false
	for i, line := range strings.Split(text, "\n") {
		if strings.HasPrefix(line, "```") {
			fenced, block = !fenced, false
			if line == "```console" {
				block = true
			}
			continue
		}
		code, indented := strings.CutPrefix(line, "    ")
		if fenced {
			code = line
		} else if !indented {
			if line != "" || !block {
				block = false
				continue
			}
			code = ""
		}
		command, user := strings.CutPrefix(code, "$ ")
		rooted, root := strings.CutPrefix(code, "# ")
		if root {
			command = rooted
		}
		switch last := len(steps) - 1; {
		case more:
			steps[last].Command += "\n" + strings.TrimPrefix(code, "> ")
			more = strings.HasSuffix(code, `\`)
		case user && (block || !fenced), root && block:
			block = true
			steps = append(steps, Step{Line: i + 1, Root: root, Command: command})
			more = strings.HasSuffix(command, `\`)
		case block && last >= 0:
			steps[last].Output += code + "\n"
		}
	}
	for i := range steps {
		steps[i].Output = strings.TrimRight(steps[i].Output, "\n")
	}
	return steps
}

// fence is a fenced block behind a line that ends in a name in backquotes and a colon.
var fence = regexp.MustCompile("(?m)`([^`\n]+)`:\n\n```[a-z]*\n((?:[^`\n].*\n|\n)*)```$")

// Files finds the files in a Markdown text, by their names: fenced blocks behind lines that end as in "put this into `main.c`:".
func Files(text string) map[string]string {
	files := map[string]string{}
	for _, m := range fence.FindAllStringSubmatch(text, -1) {
		files[m[1]] = m[2]
	}
	return files
}

// Printed tells whether output is what a document says: "..." in a line stands for anything in it, and a line of nothing else for any lines.
func Printed(want, got string) bool {
	var pattern strings.Builder
	pattern.WriteString(`\A`)
	for _, line := range strings.Split(strings.TrimRight(want, "\n"), "\n") {
		if line == "..." {
			pattern.WriteString(`(?:[^\n]*\n)*?`)
			continue
		}
		parts := strings.Split(line, "...")
		for i := range parts {
			parts[i] = regexp.QuoteMeta(parts[i])
		}
		pattern.WriteString(strings.Join(parts, `[^\n]*`) + `\n`)
	}
	pattern.WriteString(`\z`)
	return regexp.MustCompile(pattern.String()).MatchString(strings.TrimRight(got, "\n") + "\n")
}

// Script is a program for sh that runs the steps one after the other, so that variables and directories are kept, and marks where the
// output of each ends. Results takes that apart.
func Script(steps []Step) string {
	var b strings.Builder
	b.WriteString("exec 2>&1\n")
	for i, s := range steps {
		fmt.Fprintf(&b, "%s\nprintf '\\n%s%d status %%d\\n' $?\n", s.Command, mark, i)
	}
	return b.String()
}

const mark = "=-= end of step "

// A Result is what came of a step.
type Result struct {
	Output string
	Status int
}

// Results are those of a script of n steps, from what it has printed. There are fewer of them if the script ended early; what it printed
// last is then in the last one, whose status is -1.
func Results(printed string, n int) []Result {
	var all []Result
	for i := range n {
		before, after, found := strings.Cut(printed, fmt.Sprintf("\n%s%d status ", mark, i))
		if !found {
			return append(all, Result{Output: printed, Status: -1})
		}
		r := Result{Output: before}
		number, rest, _ := strings.Cut(after, "\n")
		if _, err := fmt.Sscan(number, &r.Status); err != nil {
			r.Status = -1
		}
		all = append(all, r)
		printed = rest
	}
	return all
}
