package conf

import (
	"cmp"
	"slices"
	"strings"
	"syscall"
)

// The user-config modes (abi.md 3.2). "override" is another word for "only".
const (
	modeNone  = "none"
	modeMerge = "merge"
	modeOnly  = "only"
)

// Load reads the configuration. It cannot fail: what cannot be used is left
// out and reported in Config.Problems, by the rules in the package's comment.
//
// It reads the system's global file, from it learns whether the user's
// configuration counts, reads the user's global file, and then all module
// files. It does not look at the environment variables that name paths; see
// [Paths.WithEnviron].
func Load(paths Paths, env Env) *Config {
	c := &Config{Paths: paths.WithDefaults()}
	c.loadGlobal(env)
	c.loadModules()
	c.check(c.Global, "managed", true)
	c.checkLogging(c.Global)
	return c
}

// loadGlobal reads the global files. It sets Global and Mode, and empties the
// paths that do not count.
func (c *Config) loadGlobal(env Env) {
	system := c.readGlobal(c.Paths.SystemConfig, false)
	mode := c.mode(system, modeMerge, modeNone)
	if mode != modeNone {
		_, off := env.getenv("P11_KIT_NO_USER_CONFIG")
		if off || env.Secure || env.UID == 0 {
			mode = modeNone
		}
	}

	var user Options
	if mode == modeNone {
		c.Paths.UserConfig, c.Paths.UserModules = "", ""
	} else {
		// Without a home directory there is no user's configuration.
		c.Paths.UserConfig, _ = env.expand(c.Paths.UserConfig)
		c.Paths.UserModules, _ = env.expand(c.Paths.UserModules)
		user = c.readGlobal(c.Paths.UserConfig, true)
		mode = c.mode(user, mode, mode)
	}

	c.Mode = mode
	switch mode {
	case modeNone:
		c.Global = system
		c.Paths.UserModules = ""
	case modeMerge:
		c.Global = append(system, user...)
	case modeOnly:
		c.Global = user
		c.Paths.SystemModules, c.Paths.PackageModules = "", ""
	}
}

// mode returns the user-config mode that a global file sets, absent if it sets
// none, and invalid, with a problem, if its value is none of the known ones.
func (c *Config) mode(o Options, absent, invalid string) string {
	opt, ok := o.Lookup("user-config")
	if !ok {
		return absent
	}
	switch opt.Value {
	case modeNone, modeMerge, modeOnly:
		return opt.Value
	case "override":
		return modeOnly
	}
	c.Problems = append(c.Problems, Problem{
		File:     opt.File,
		Line:     opt.Line,
		Msg:      "invalid mode for 'user-config': " + quoted(opt.Value) + " taken as '" + invalid + "': use 'none', 'merge', 'only' or 'override'",
		Severity: Warning,
	})
	return invalid
}

// readGlobal returns the options of a global file, none if path is empty or
// the file is missing. For a file of the user's, one that may not be read
// counts as missing as well.
func (c *Config) readGlobal(path string, user bool) Options {
	if path == "" {
		return nil
	}
	text, err := readFile(path, maxFileSize)
	if err != nil {
		if !isMissing(err) {
			c.problem(path, "couldn't read config file: "+err.Error()+": it counts as missing", severity(user, err))
		}
		return nil
	}
	options, problems := parse(path, text)
	for _, p := range problems {
		p.Msg += ": skipped"
		c.Problems = append(c.Problems, p)
	}
	return options
}

// A moduleFile is an entry of a module directory.
type moduleFile struct {
	name string // the module's
	path string
	rank int // of its directory; the greater one takes precedence
}

// The ranks of the module directories.
const (
	rankPackage = iota
	rankSystem
	rankUser
)

// loadModules reads the module directories. It sets Modules.
func (c *Config) loadModules() {
	dirs := [...]string{
		rankPackage: c.Paths.PackageModules,
		rankSystem:  c.Paths.SystemModules,
		rankUser:    c.Paths.UserModules,
	}
	var files []moduleFile
	for rank, dir := range dirs {
		// A directory that is given twice counts once, with the higher rank.
		if dir != "" && !slices.Contains(dirs[rank+1:], dir) {
			files = c.listModules(files, dir, rank)
		}
	}
	slices.SortFunc(files, func(a, b moduleFile) int {
		if n := strings.Compare(a.name, b.name); n != 0 {
			return n
		}
		return a.rank - b.rank
	})
	for len(files) > 0 {
		n := 1
		for n < len(files) && files[n].name == files[0].name {
			n++
		}
		c.loadModule(files[:n])
		files = files[n:]
	}
	slices.SortStableFunc(c.Modules, func(a, b Module) int { return cmp.Compare(b.Priority, a.Priority) })
}

// severity is how bad it is that something cannot be read. What a user must not read of his own fails no load in p11-kit, which says
// nothing of it; but what he has written there, to have a module disabled perhaps, does not count.
func severity(user bool, err error) Severity {
	if user && isDenied(err) {
		return Warning
	}
	return Error
}

// listModules appends the module files in a directory to files.
func (c *Config) listModules(files []moduleFile, dir string, rank int) []moduleFile {
	names, err := listDir(dir)
	if err != nil {
		if !isMissing(err) {
			c.problem(dir, "couldn't list directory: "+err.Error()+": it counts as missing", severity(rank == rankUser, err))
		}
		return files
	}
	slices.Sort(names)
	for _, base := range names {
		path := join(dir, base)
		if name, ok := moduleName(base); ok {
			files = append(files, moduleFile{name, path, rank})
		} else if !isDir(path) {
			c.problem(path, "invalid config filename, ignored: a module file is called NAME.module, where NAME is of letters, digits, '_', '.' and '-' and begins with a letter or digit", Note)
		}
	}
	return files
}

// loadModule reads the files of one module, in increasing order of precedence,
// and adds the module to Modules unless one of them is unusable.
func (c *Config) loadModule(files []moduleFile) {
	m := Module{Name: files[0].name}
	usable := true
	leftOut := ": module '" + m.Name + "' is not used"
	for _, f := range files {
		text, err := readFile(f.path, maxFileSize)
		switch {
		case err == nil:
		case f.rank == rankUser && isDenied(err):
			c.problem(f.path, "couldn't read config file: "+err.Error()+": it counts as empty", Warning)
		case isMissing(err):
			continue // removed since the directory was listed
		case err == syscall.EISDIR:
			continue
		default:
			c.problem(f.path, "couldn't read config file: "+err.Error()+leftOut, Error)
			usable = false
			continue
		}
		m.File = f.path
		options, problems := parse(f.path, text)
		for _, p := range problems {
			p.Msg += leftOut
			p.Severity = Error
			c.Problems = append(c.Problems, p)
			usable = false
		}
		m.Options = append(m.Options, options...)
	}
	if !usable || m.File == "" {
		return
	}
	var p *Problem
	if m.Priority, p = m.Options.Priority(); p != nil {
		c.Problems = append(c.Problems, *p)
	}
	c.check(m.Options, "critical", false)
	c.check(m.Options, "trust-policy", false)
	c.check(m.Options, "managed", true)
	c.checkLogging(m.Options)
	_, local := m.Options.Get("module")
	if _, remote := m.Options.Get("remote"); !local && !remote && len(m.Options) > 0 {
		c.problem(m.File, "module '"+m.Name+"' has no 'module' option: it is not used", Note)
	}
	c.Modules = append(c.Modules, m)
}

// check reports a yes-or-no option with another value.
func (c *Config) check(o Options, key string, def bool) {
	if _, p := o.Bool(key, def); p != nil {
		c.Problems = append(c.Problems, *p)
	}
}

func (c *Config) problem(path, msg string, s Severity) {
	c.Problems = append(c.Problems, Problem{File: path, Msg: msg, Severity: s})
}

// moduleName returns the module's name for the name of a module file, and
// whether it is one: [A-Za-z0-9][A-Za-z0-9_.-]*\.module (abi.md 3.4).
func moduleName(base string) (string, bool) {
	name, ok := strings.CutSuffix(base, ".module")
	if !ok || name == "" {
		return "", false
	}
	for i := 0; i < len(name); i++ {
		switch c := name[i]; {
		case 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		case i > 0 && (c == '_' || c == '.' || c == '-'):
		default:
			return "", false
		}
	}
	return name, true
}

// join returns the path of a name in a directory.
func join(dir, name string) string {
	if strings.HasSuffix(dir, "/") {
		return dir + name
	}
	return dir + "/" + name
}
