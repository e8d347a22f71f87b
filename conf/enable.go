package conf

import "strings"

// ProxyName is what stands for the proxy module in enable-in and disable-in.
const ProxyName = "p11-kit-proxy"

// EnabledFor reports whether a module is enabled for the program of the given
// name (abi.md 3.8), and for that program's use of the proxy module if
// forProxy is set. If the module has the option "enable-in", it is enabled for
// the programs listed there only; otherwise it is enabled but for those listed
// in "disable-in". Having both is a problem, which names the line that is not
// used.
//
// "enable-in: p11-kit-proxy" enables a module for the proxy in all programs.
// Of two questions, one with and one without forProxy, either may be answered
// yes when the other is not, so a caller that serves both asks both.
func EnabledFor(m *Module, progname string, forProxy bool) (bool, *Problem) {
	enable, hasEnable := m.Options.Lookup("enable-in")
	disable, hasDisable := m.Options.Lookup("disable-in")
	list := enable.Value
	if !hasEnable {
		list = disable.Value
	}
	listed := ListContains(list, progname) || forProxy && ListContains(list, ProxyName)
	if !hasEnable {
		return !listed, nil
	}
	if !hasDisable {
		return listed, nil
	}
	return listed, &Problem{
		File:     disable.File,
		Line:     disable.Line,
		Msg:      "module '" + m.Name + "' has both enable-in and disable-in options: disable-in is ignored",
		Severity: Warning,
	}
}

// ListContains reports whether an item stands in a list whose items are
// separated by commas and white space. Upper and lower case differ. An item
// may itself contain separators, for a program may have a space in its name;
// the empty item is in no list.
func ListContains(list, item string) bool {
	if item == "" {
		return false
	}
	for from := 0; ; from++ {
		i := strings.Index(list[from:], item)
		if i < 0 {
			return false
		}
		from += i
		end := from + len(item)
		if (from == 0 || isSeparator(list[from-1])) && (end == len(list) || isSeparator(list[end])) {
			return true
		}
	}
}

func isSeparator(c byte) bool { return c == ',' || strings.IndexByte(space, c) >= 0 }

// maxProgname is how many octets of a program's name count.
const maxProgname = 255

// Progname returns the name of a program that enable-in and disable-in refer
// to, from its argv[0] and the canonical path of its executable, empty if that
// is not known (abi.md 3.8). It is what follows the last slash of argv[0],
// or of the executable's path if argv[0] begins with that: some programs write
// their arguments, slashes included, into argv[0].
func Progname(argv0, exe string) string {
	if exe != "" && argv0 != "" && argv0[0] == '/' && strings.HasPrefix(argv0, exe) {
		argv0 = exe
	}
	argv0 = argv0[strings.LastIndexByte(argv0, '/')+1:]
	return CutProgname(argv0)
}

// CutProgname returns a program's name cut to the 255 octets that count, for
// names that a program gives itself.
func CutProgname(name string) string { return name[:min(len(name), maxProgname)] }
