package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/p11mux/p11mux/conf"
)

// pathVariables are the environment variables that lead to other places than the usual ones.
var pathVariables = []string{
	"P11_SYSTEM_CONFIG_FILE", "P11_USER_CONFIG_FILE", "P11_PACKAGE_CONFIG_MODULES", "P11_SYSTEM_CONFIG_MODULES", "P11_USER_CONFIG_MODULES",
	"P11_MODULE_PATH",
}

// configuration says which files count, and what is wrong with them.
func (l *look) configuration() {
	for _, name := range pathVariables {
		if value := os.Getenv(name); value != "" {
			l.add(Finding{Area: Configuration, Name: name, Status: Note, Text: "the environment has it point to " + value,
				Fix: "unset it to use the usual place"})
		}
	}
	if _, set := os.LookupEnv("P11_KIT_NO_USER_CONFIG"); set {
		l.add(Finding{Area: Configuration, Name: "P11_KIT_NO_USER_CONFIG", Status: Note, Text: "the environment has the user's configuration left out",
			Fix: "unset it to use the user's configuration"})
	}
	p := l.config.Paths
	l.place("system configuration", p.SystemConfig)
	l.place("user configuration", p.UserConfig)
	l.place("modules of packages", p.PackageModules)
	l.place("modules of the system", p.SystemModules)
	l.place("modules of the user", p.UserModules)
	l.add(Finding{Area: Configuration, Name: "user-config", Status: OK, Text: "the mode is " + l.config.Mode + l.modeOrigin()})
	for _, problem := range l.config.Problems {
		status := Error
		switch problem.Severity {
		case conf.Note:
			status = Note
		case conf.Warning:
			status = Warning
		}
		l.add(Finding{Area: Configuration, Name: position(problem.File, problem.Line), Status: status, Text: problem.Msg, Fix: fixOf(problem)})
	}
	l.unknownOptions(l.config.Global)
	for i := range l.config.Modules {
		l.unknownOptions(l.config.Modules[i].Options)
	}
	l.logging()
}

// modeOrigin says what the mode comes from.
func (l *look) modeOrigin() string {
	if why := WhyNoUser(l.config, l.env); why != "" {
		return ": " + why
	}
	return l.origin(l.config.Global, "user-config")
}

// WhyNoUser says why the configuration of the user does not count, whatever the files say: of root it never does, nor of who wants none.
// It is empty if the files have it so, or if it does count.
func WhyNoUser(c *conf.Config, env conf.Env) string {
	o, ok := c.Global.Lookup("user-config")
	_, off := os.LookupEnv("P11_KIT_NO_USER_CONFIG")
	switch {
	case c.Mode != "none" || ok && o.Value == "none":
	case off:
		return "the environment says so"
	case env.UID == 0:
		return "this is root"
	}
	return ""
}

func fixOf(p conf.Problem) string {
	switch {
	case p.Severity == conf.Note:
		return "remove the file if nobody needs it"
	case strings.Contains(p.Msg, "option 'log-format'"):
		return "write 'log-format: text' or 'log-format: json'"
	case strings.HasPrefix(p.Msg, "invalid setting"), strings.HasPrefix(p.Msg, "invalid mode"):
		return "give the option one of the values that it may have"
	case p.Line == 0:
		return "make the file readable and regular, or remove it"
	}
	return "correct the line, which is to read 'KEY: VALUE'"
}

// origin says where an option comes from.
func (l *look) origin(options conf.Options, key string) string {
	o, ok := options.Lookup(key)
	if !ok {
		return ", which is the default"
	}
	return " (" + position(o.File, o.Line) + ")"
}

func position(file string, line int) string {
	if line == 0 {
		return file
	}
	return fmt.Sprintf("%s:%d", file, line)
}

// place says whether a file or a directory of the configuration is there. That it cannot be read is among the problems.
func (l *look) place(what, path string) {
	switch info, err := os.Stat(path); {
	case path == "":
		l.add(Finding{Area: Configuration, Name: what, Status: OK, Text: "not used"})
	case errors.Is(err, fs.ErrNotExist):
		l.add(Finding{Area: Configuration, Name: what, Status: OK, Text: path + " is not there, and need not be"})
	case err != nil:
		l.add(Finding{Area: Configuration, Name: what, Status: Warning, Text: err.Error(), Fix: "make it readable"})
	case info.IsDir():
		files, _ := filepath.Glob(filepath.Join(path, "*.module"))
		l.add(Finding{Area: Configuration, Name: what, Status: OK, Text: fmt.Sprintf("%s, with %s", path, some(len(files), "module file"))})
		l.writable(Configuration, what, path)
		for _, file := range files {
			l.writable(Configuration, filepath.Base(file), file)
		}
	default:
		l.add(Finding{Area: Configuration, Name: what, Status: OK, Text: path})
		l.writable(Configuration, what, path)
	}
}

// writable warns of what everybody can change: who can change a module, or say which one is loaded, runs code as everybody else.
func (l *look) writable(area Area, name, path string) {
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&0o002 == 0 || info.Mode()&fs.ModeSticky != 0 || info.Mode()&fs.ModeCharDevice != 0 {
		return
	}
	l.add(Finding{Area: area, Name: name, Status: Warning, Text: path + " can be changed by everybody", Fix: "chmod o-w " + path})
}

// some is a number of things.
func some(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
