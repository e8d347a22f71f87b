package conf

import "runtime"

// The directories the package is built for, to be set with the linker's -X
// flag. The defaults are Debian's; an empty libDir is the multiarch directory
// of the machine the package is compiled for.
var (
	sysconfDir = "/etc"
	dataDir    = "/usr/share"
	libDir     = ""
)

// Paths says where the configuration is. An empty field means the default.
// The two user paths may begin with "~", the home directory, or "~/.config",
// which XDG_CONFIG_HOME replaces; all other paths are taken literally.
type Paths struct {
	SystemConfig   string // the system's global file
	UserConfig     string // the user's global file
	PackageModules string // directory of module files that packages install
	SystemModules  string // directory of module files by the administrator
	UserModules    string // directory of module files by the user
	ModuleDir      string // where a relative "module:" path is looked up
}

// DefaultPaths returns the paths compiled in (abi.md 1.1).
func DefaultPaths() Paths {
	return Paths{
		SystemConfig:   sysconfDir + "/pkcs11/pkcs11.conf",
		UserConfig:     "~/.config/pkcs11/pkcs11.conf",
		PackageModules: dataDir + "/p11-kit/modules",
		SystemModules:  sysconfDir + "/pkcs11/modules",
		UserModules:    "~/.config/pkcs11/modules",
		ModuleDir:      moduleDir(),
	}
}

// moduleDir returns libdir/pkcs11.
func moduleDir() string {
	if libDir != "" {
		return libDir + "/pkcs11"
	}
	switch runtime.GOARCH {
	case "amd64":
		return "/usr/lib/x86_64-linux-gnu/pkcs11"
	case "386":
		return "/usr/lib/i386-linux-gnu/pkcs11"
	case "arm64":
		return "/usr/lib/aarch64-linux-gnu/pkcs11"
	case "arm":
		return "/usr/lib/arm-linux-gnueabihf/pkcs11"
	case "ppc64le":
		return "/usr/lib/powerpc64le-linux-gnu/pkcs11"
	case "riscv64", "s390x":
		return "/usr/lib/" + runtime.GOARCH + "-linux-gnu/pkcs11"
	case "loong64":
		return "/usr/lib/loongarch64-linux-gnu/pkcs11"
	}
	return "/usr/lib/pkcs11"
}

// WithDefaults returns p with the default in place of each empty field.
func (p Paths) WithDefaults() Paths {
	d := DefaultPaths()
	fields, defaults := p.fields(), d.fields()
	for i, f := range fields {
		if *f == "" {
			*f = *defaults[i]
		}
	}
	return p
}

// WithEnviron returns p changed by the environment variables that name the
// paths (abi.md 3.10): P11_SYSTEM_CONFIG_FILE, P11_USER_CONFIG_FILE,
// P11_PACKAGE_CONFIG_MODULES, P11_SYSTEM_CONFIG_MODULES,
// P11_USER_CONFIG_MODULES and P11_MODULE_PATH. An empty variable counts as
// unset, and all of them do when env is secure.
func (p Paths) WithEnviron(env Env) Paths {
	names := [...]string{
		"P11_SYSTEM_CONFIG_FILE", "P11_USER_CONFIG_FILE", "P11_PACKAGE_CONFIG_MODULES",
		"P11_SYSTEM_CONFIG_MODULES", "P11_USER_CONFIG_MODULES", "P11_MODULE_PATH",
	}
	for i, f := range p.fields() {
		if v, _ := env.getenv(names[i]); v != "" {
			*f = v
		}
	}
	return p
}

// fields returns the fields in the order of their declaration.
func (p *Paths) fields() [6]*string {
	return [...]*string{&p.SystemConfig, &p.UserConfig, &p.PackageModules, &p.SystemModules, &p.UserModules, &p.ModuleDir}
}
