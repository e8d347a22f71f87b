package doctor

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/p11mux/p11mux/conf"
)

// logging says what is logged of all modules, and what is wrong with the logs of any.
func (l *look) logging() {
	seen := map[string]bool{} // files
	if how, yes := l.config.Logging(nil); yes {
		f := Finding{Area: Configuration, Name: "log-calls", Status: OK,
			Text: "the calls of all programs are logged" + l.origin(l.config.Global, "log-calls"), Settings: logSettings(l.config.Global)}
		if how.Secrets {
			f.Status, f.Text = Warning, "the calls of all programs are logged, with their PINs and keys"+l.origin(l.config.Global, "log-secrets")
			f.Fix = "remove 'log-secrets: yes' from the global options; write it for one module, for as long as it is needed"
		}
		l.add(f)
		l.logFile("log-file", how.File, seen)
	}
	for i := range l.config.Modules {
		m := &l.config.Modules[i]
		if how, yes := l.config.Logging(m); yes {
			l.logFile("log-file of "+m.Name, strings.ReplaceAll(how.File, "%n", m.Name), seen)
		}
	}
}

// logSettings are the options about logs.
func logSettings(options conf.Options) []Setting {
	var all []Setting
	for _, s := range settings(options) {
		if strings.HasPrefix(s.Key, "log-") {
			all = append(all, s)
		}
	}
	return all
}

// logFile warns of a log that cannot be written, as this user. Nothing is created.
func (l *look) logFile(name, path string, seen map[string]bool) {
	if path == "" || seen[path] {
		return
	}
	seen[path] = true
	warn := func(text string) {
		l.add(Finding{Area: Configuration, Name: name, Status: Warning, Text: text + ": calls are not logged",
			Fix: "name a file in a directory that every program's user may write to; %p in it is the process id"})
	}
	const write = 2 // W_OK
	dir := filepath.Dir(path)
	info, err := os.Stat(path)
	switch {
	case !strings.Contains(path, "%") && err == nil:
		st, ok := info.Sys().(*syscall.Stat_t)
		switch {
		case info.IsDir():
			warn(path + " is a directory")
		case ok && info.Mode().IsRegular() && st.Uid != 0 && int(st.Uid) != os.Geteuid():
			warn(path + " is another user's")
		case syscall.Access(path, write) != nil:
			warn(path + " cannot be written to")
		}
	case !strings.Contains(dir, "%"):
		if err := syscall.Access(dir, write); err != nil {
			warn(fmt.Sprintf("%s cannot be created: %v", path, err))
		}
	}
}

// knownOptions are those that mean something to us, to p11-kit, or to its trust module. Those that begin with x- are anybody's.
var knownOptions = []string{
	"critical", "disable-in", "enable-in", "isolate", "log-calls", "log-file", "log-format", "log-secrets", "managed", "module", "priority",
	"remote", "trust-policy", "user-config",
}

// unknownOptions notes options that nobody knows, which may be written wrongly.
func (l *look) unknownOptions(options conf.Options) {
	for _, o := range options.All() {
		if strings.HasPrefix(o.Key, "x-") {
			continue
		}
		nearest, least := "", 3
		for _, known := range knownOptions {
			if d := distance(o.Key, known); d < least {
				nearest, least = known, d
			}
		}
		switch {
		case least == 0:
		case nearest != "":
			l.add(Finding{Area: Configuration, Name: position(o.File, o.Line), Status: Note, Text: "unknown option '" + o.Key + "'",
				Fix: "did you mean '" + nearest + "'?"})
		default:
			l.add(Finding{Area: Configuration, Name: position(o.File, o.Line), Status: Note, Text: "unknown option '" + o.Key + "'",
				Fix: "remove the line if no program needs it"})
		}
	}
}

// distance is how many octets are to be inserted, removed or replaced to make one word of the other.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		left := row[0]
		row[0] = i + 1
		for j := range len(b) {
			above := left
			if a[i] != b[j] {
				above++
			}
			left = row[j+1]
			row[j+1] = min(above, left+1, row[j]+1)
		}
	}
	return row[len(b)]
}
