package conf

// Config is the configuration of p11-kit as a whole. It is not changed after
// Load and may be read from several goroutines.
type Config struct {
	// Global holds the global options: those of the system's file, of the
	// user's file, or of both, the user's taking precedence.
	Global Options

	// Modules holds the modules in the order in which callers see them: by
	// descending priority, equal ones by name, compared octet by octet
	// (abi.md 3.9). Modules that are disabled are among them.
	Modules []Module

	// Problems holds everything that could not be used as it stands, in the
	// order in which it was met, which is the same for each load.
	Problems []Problem

	// Mode is the user-config mode that was used: "none", "merge" or "only".
	Mode string

	// Paths says which places the configuration comes from. The user paths are
	// expanded; a path that was not used, for example the user's ones in mode
	// "none", is empty. ModuleDir is for [Module.Path].
	Paths Paths
}

// A Module is the configuration of one module: its module file, or up to three
// of the same name merged key by key.
type Module struct {
	Name     string  // the name of the module file, without ".module"
	File     string  // the module file that takes precedence over the others
	Options  Options // the options of all the files
	Priority int     // the option "priority"
}

// Path returns the path of the shared object, where a relative one is taken
// as relative to dir. It returns false if the module has none, because the
// option "module" is absent, or empty, which disables the module.
func (m *Module) Path(dir string) (path string, ok bool) {
	path, _ = m.Options.Get("module")
	switch {
	case path == "":
		return "", false
	case path[0] == '/':
		return path, true
	}
	return join(dir, path), true
}

// Remote returns the address of a module that runs elsewhere, and whether the
// option "remote" is present. A module with this option is remote, whatever
// its option "module" says. The address is not checked and may be empty.
func (m *Module) Remote() (address string, ok bool) { return m.Options.Get("remote") }

// Managed reports whether callers get managed lists for a module: the global
// option "managed" if present, else the module's, else yes (abi.md 2.2). The
// problem, if not nil, is the one about the value that Load has reported. A nil
// module is one that is not configured.
func (c *Config) Managed(m *Module) (bool, *Problem) { return c.globalFirst(m, "managed", true) }

// LogCalls reports whether a module's calls are logged: the global option
// "log-calls" if present, else the module's, else no. Otherwise it is like
// Managed.
func (c *Config) LogCalls(m *Module) (bool, *Problem) { return c.globalFirst(m, "log-calls", false) }

func (c *Config) globalFirst(m *Module, key string, def bool) (bool, *Problem) {
	if _, ok := c.Global.Lookup(key); ok || m == nil {
		return c.Global.Bool(key, def)
	}
	return m.Options.Bool(key, def)
}

// Critical reports whether a failure of the module is to be one of the whole
// load: the option "critical", else no.
func (m *Module) Critical() bool {
	yes, _ := m.Options.Bool("critical", false)
	return yes
}

// Trusted reports whether the module is a source of trust policy: the option
// "trust-policy", else no.
func (m *Module) Trusted() bool {
	yes, _ := m.Options.Bool("trust-policy", false)
	return yes
}
