package doctor

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// opensslKeys are what OpenSSL's providers and engines for PKCS#11 call the path of a module.
var opensslKeys = []string{"pkcs11-module-path", "module_path", "MODULE_PATH"}

// opensslVariables are the environment variables that they take it from.
var opensslVariables = []string{"PKCS11_PROVIDER_MODULE", "PKCS11_MODULE_PATH"}

// openssl looks at the modules that OpenSSL's configuration names.
func (l *look) openssl(ctx context.Context) {
	l.step("OpenSSL")
	before := len(l.Findings)
	for _, name := range opensslVariables {
		if path := os.Getenv(name); path != "" {
			l.consumer(OpenSSL, name, path, "unset "+name+", or set it to "+l.ourProxy())
		}
	}
	file := opensslFile(ctx)
	if file != "" {
		if _, err := os.Stat(file); err != nil {
			// Programs on OpenSSL put up with it, and have no providers and engines but the built-in ones.
			l.add(Finding{Area: OpenSSL, Name: "configuration", Status: Note, Text: "the file is not there: " + err.Error(),
				Fix: "create it, or have OPENSSL_CONF name another one, if programs are to use PKCS#11 through OpenSSL"})
		}
		for _, path := range opensslModules(file) {
			l.consumer(OpenSSL, file, path, "name "+l.ourProxy()+" in "+file+" instead")
		}
	}
	if len(l.Findings) > before {
		return
	}
	text := "OpenSSL's command is not here, and nothing names a module for it"
	if file != "" {
		text = file + " names no PKCS#11 module: a provider or engine that looks for one takes " + proxyFile
	}
	l.add(Finding{Area: OpenSSL, Name: "configuration", Status: OK, Text: text})
}

// opensslFile is OpenSSL's configuration file.
func opensslFile(ctx context.Context) string {
	if file := os.Getenv("OPENSSL_CONF"); file != "" {
		return file
	}
	out, err := exec.CommandContext(ctx, "openssl", "version", "-d").Output()
	if err != nil {
		return ""
	}
	_, rest, ok := strings.Cut(string(out), `"`)
	dir, _, closed := strings.Cut(rest, `"`)
	if !ok || !closed {
		return ""
	}
	return filepath.Join(dir, "openssl.cnf")
}

// opensslModules gives the modules that a configuration file names.
func opensslModules(file string) []string {
	f, err := os.Open(file)
	if err != nil {
		return nil // that it is not there is no matter of ours
	}
	defer f.Close()
	var all []string
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line, _, _ := strings.Cut(lines.Text(), "#")
		key, value, ok := strings.Cut(line, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		for _, k := range opensslKeys {
			if ok && key == k && value != "" {
				all = append(all, value)
			}
		}
	}
	return all
}
