package doctor

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
)

// nssDatabases are where NSS keeps which modules it uses: those of the user, of the system and of Mozilla's programs.
var nssDatabases = []string{"~/.pki/nssdb", "/etc/pki/nssdb", "~/.mozilla/firefox/*", "~/.thunderbird/*", "~/snap/firefox/common/.mozilla/firefox/*"}

// nss looks at the modules of NSS databases.
func (l *look) nss() {
	l.step("NSS")
	found := false
	for _, pattern := range nssDatabases {
		if rest, ok := strings.CutPrefix(pattern, "~/"); ok {
			if l.home == "" {
				continue
			}
			pattern = filepath.Join(l.home, rest)
		}
		files, _ := filepath.Glob(filepath.Join(pattern, "pkcs11.txt"))
		for _, file := range files {
			found = true
			l.nssDatabase(file)
		}
	}
	if !found {
		l.add(Finding{Area: NSS, Name: "databases", Status: OK, Text: "there is no NSS database here"})
	}
}

// An nssModule is a module in an NSS database.
type nssModule struct{ name, library string }

// nssModules reads pkcs11.txt: lines of NAME=VALUE, modules divided by empty lines. NSS's own module has no library.
func nssModules(file string) ([]nssModule, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var all []nssModule
	var m nssModule
	end := func() {
		if m.library != "" {
			all = append(all, m)
		}
		m = nssModule{}
	}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		key, value, _ := strings.Cut(strings.TrimSpace(lines.Text()), "=")
		value = strings.Trim(value, `"`)
		switch key {
		case "":
			end()
		case "library":
			if m.library != "" {
				end()
			}
			m.library = value
		case "name":
			m.name = value
		}
	}
	end()
	return all, lines.Err()
}

func (l *look) nssDatabase(file string) {
	modules, err := nssModules(file)
	if err != nil {
		l.add(Finding{Area: NSS, Name: file, Status: Warning, Text: err.Error(), Fix: "make it readable"})
		return
	}
	dir := filepath.Dir(file)
	proxy := false
	for _, m := range modules {
		name := dir + ": " + m.name
		proxy = proxy || strings.HasPrefix(filepath.Base(m.library), "p11-kit-proxy")
		l.consumer(NSS, name, m.library, "modutil -dbdir sql:"+dir+" -delete '"+m.name+"', and add "+l.ourProxy()+" if it is not there")
	}
	if !proxy {
		l.add(Finding{Area: NSS, Name: dir, Status: Note, Text: "does not use the proxy module",
			Fix: "modutil -dbdir sql:" + dir + " -add p11mux -libfile " + l.ourProxy()})
	}
}

// consumer looks at a module that a library uses by its own configuration. fix is how to take it out there.
func (l *look) consumer(area Area, name, path, fix string) {
	if !filepath.IsAbs(path) {
		l.add(Finding{Area: area, Name: name, Status: OK, Text: "uses " + path + " of its own directory"})
		return
	}
	if _, err := os.Stat(path); err != nil {
		l.add(Finding{Area: area, Name: name, Status: Error, Text: "uses " + path + ", which is not there", Fix: fix})
		return
	}
	if strings.HasPrefix(filepath.Base(path), "p11-kit-proxy") {
		l.proxyAt(area, name, path)
		return
	}
	for i := range l.config.Modules {
		m := &l.config.Modules[i]
		if configured, ok := m.Path(l.config.Paths.ModuleDir); ok && sameFile(configured, path) {
			l.add(Finding{Area: area, Name: name, Status: Warning, Fix: fix,
				Text: "uses " + path + " directly, which is the module " + m.Name + ": a process that also comes to it by p11-kit or p11mux has two users that do not know of each other"})
			return
		}
	}
	l.add(Finding{Area: area, Name: name, Status: Note, Text: "uses " + path + " directly", Fix: "configure it as a module, and use the proxy module instead"})
}
