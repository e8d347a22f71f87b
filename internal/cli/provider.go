package cli

import (
	"debug/elf"
	"path/filepath"
	"slices"
	"strings"

	"github.com/p11mux/p11mux/conf"
)

// fromHere makes a path that begins with ./ or ../ one from the root: who types it means the working directory. Any other relative path is
// left to be looked up in the module directory.
func fromHere(path string) string {
	if strings.HasPrefix(path, "./") || strings.HasPrefix(path, "../") {
		if abs, err := filepath.Abs(path); err == nil {
			return abs
		}
	}
	return path
}

// providerHint is what to do about a module that --provider names and that cannot be used. Where the path is right, the path is no advice.
func providerHint(path string) string {
	if !filepath.IsAbs(path) {
		paths := conf.Paths{}.WithEnviron(conf.ProcessEnv())
		path = filepath.Join(paths.WithDefaults().ModuleDir, path)
	}
	if isModule(path) {
		return "the path is that of a module, which fails by itself: see whether it finds its configuration, its devices and the libraries that it needs"
	}
	return "give --provider the path of a PKCS#11 module's shared object"
}

// isModule tells whether a file is a shared object with an entry point of PKCS#11.
func isModule(path string) bool {
	f, err := elf.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	symbols, err := f.DynamicSymbols()
	return err == nil && slices.ContainsFunc(symbols, func(s elf.Symbol) bool {
		return s.Section != elf.SHN_UNDEF && (s.Name == "C_GetFunctionList" || s.Name == "C_GetInterface")
	})
}
