package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/pflag"
)

// kitName is the name under which the program takes p11-kit's command lines.
const kitName = "p11-kit"

// kitUsage is what p11-kit's help says of a command.
type kitUsage struct {
	short string
	usage string // what stands behind the program's name
}

// A kit is one run of the program as p11-kit.
type kit struct {
	Stdio
	verbs          []*verb
	verbose, quiet bool
}

// kitMain runs a command line of p11-kit, without the program's name, and gives the exit status.
func kitMain(args []string, stdio Stdio) int {
	k := &kit{Stdio: stdio, verbs: verbs()}
	name, args, help, err := k.frame(args)
	switch {
	case err != nil:
		return k.failed(err)
	case name == "" && help:
		k.overview()
		return 0
	case name == "":
		k.overview()
		return statusUsage
	}
	for _, v := range k.verbs {
		if v.name == name && v.options&withoutKit == 0 {
			return k.run(v, args, help)
		}
	}
	if name == "remote" && os.Getenv("P11_KIT_PRIVATEDIR") == "" {
		return k.remote(args, help)
	}
	if name == "server" && os.Getenv("P11_KIT_PRIVATEDIR") == "" {
		if help {
			args = append(args, "--help")
		}
		return Main(append([]string{"p11mux", name}, args...), stdio)
	}
	return k.failed(external(name, args))
}

// remote serves a module or tokens (abi.md 10).
func (k *kit) remote(args []string, help bool) int {
	var provider string
	fs := pflag.NewFlagSet("remote", pflag.ContinueOnError)
	fs.StringVarP(&provider, "provider", "p", "", "the module that has the tokens")
	fs.BoolVarP(&help, "help", "h", help, "")
	fs.BoolVarP(&k.verbose, "verbose", "v", k.verbose, "")
	fs.BoolVarP(&k.quiet, "quiet", "q", k.quiet, "")
	operands, err := getopt(fs, args)
	if help || err != nil {
		fmt.Fprintf(k.Err, "usage: %s remote <module>\n       %[1]s remote [-p <module>] <token-uri> ...\n", kitName)
		if err != nil {
			return statusUsage
		}
		return 0
	}
	err = remote(kitName, provider, operands, k.Stdio)
	if status, ok := errors.AsType[exit](err); ok {
		return int(status)
	}
	return k.failed(err)
}

// frame takes the options that stand before the command, or have no command. The first word is the command.
func (k *kit) frame(args []string) (name string, rest []string, help bool, err error) {
	if len(args) == 0 {
		return "", nil, false, nil
	}
	list := false
	for i, arg := range args {
		switch {
		case arg == "":
			return "", nil, false, notACommand(arg)
		case arg[0] != '-':
			return arg, args[i+1:], help, nil
		case arg == "--":
			return "", nil, false, usage("no command specified")
		case arg == "--verbose":
			k.verbose = true
		case arg == "--quiet":
			k.quiet = true
		case arg == "--help":
			help = true
		case strings.HasPrefix(arg, "--"), arg == "-":
			return "", nil, false, usage("unknown global option: %s", arg)
		default:
			for _, c := range arg[1:] {
				switch c {
				case 'v':
					k.verbose = true
				case 'q':
					k.quiet = true
				case 'h':
					help = true
				case 'l':
					list = true
				default:
					return "", nil, false, usage("unknown global option: -%c", c)
				}
			}
		}
	}
	switch {
	case list:
		return "list-modules", nil, help, nil
	case help:
		return "", nil, true, nil
	}
	return "", nil, false, usage("no command specified")
}

// overview prints which commands there are.
func (k *kit) overview() {
	fmt.Fprintf(k.Out, "usage: %s command <args>...\n\nCommon %[1]s commands are:\n", kitName)
	for _, v := range k.verbs {
		if v.options&withoutKit == 0 {
			fmt.Fprintf(k.Out, "  %-15s  %s\n", v.name, v.kit.short)
		}
	}
	fmt.Fprintf(k.Out, "  %-15s  %s\n", "remote", "Run a specific PKCS#11 module remotely")
	fmt.Fprintf(k.Out, "  %-15s  %s\n", "server", "Run a server process that exposes PKCS#11 module remotely")
	fmt.Fprintf(k.Out, "\nSee '%s <command> --help' for more information\n", kitName)
}

// run runs one command.
func (k *kit) run(v *verb, args []string, help bool) int {
	fs := pflag.NewFlagSet(v.name, pflag.ContinueOnError)
	fs.SortFlags = false
	j := newJob(v, true, fs)
	fs.BoolVarP(&help, "help", "h", help, "")
	j.verbose, j.quiet = k.verbose, k.quiet
	j.in, j.out, j.err = k.In, k.Out, k.Err
	operands, err := getopt(fs, args)
	k.verbose, k.quiet = j.verbose, j.quiet
	if e, ok := errors.AsType[*getoptError](err); ok {
		fmt.Fprintf(k.Err, "%s: %v\n", v.name, e)
		return statusUsage
	}
	if err == nil && help {
		usageOf(k.Out, v, fs)
		return 0
	}
	if err == nil {
		err = j.operands(operands)
		if _, ok := errors.AsType[operandsError](err); ok {
			usageOf(k.Out, v, fs)
			return statusUsage
		}
	}
	if err == nil {
		err = j.do()
	}
	return k.failed(err)
}

// failed tells an error, and gives the status.
func (k *kit) failed(err error) int {
	if err == nil {
		return 0
	}
	if !k.quiet {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			fmt.Fprintf(k.Err, "%s: %s\n", kitName, plain(line))
		}
	}
	if _, ok := errors.AsType[*usageError](err); ok {
		return statusUsage
	}
	return statusFailure
}

// usageColumn is where the descriptions of options begin.
const usageColumn = 22

// usageOf prints the help of a command.
func usageOf(w io.Writer, v *verb, fs *pflag.FlagSet) {
	fmt.Fprintf(w, "usage: %s %s\n\n", kitName, v.kit.usage)
	fs.VisitAll(func(f *pflag.Flag) {
		if f.Annotations[ownMark] != nil || f.Name == "help" {
			return
		}
		_, text := pflag.UnquoteUsage(f)
		names := "      --" + f.Name
		if f.Shorthand != "" {
			names = "  -" + f.Shorthand + ", --" + f.Name
		}
		if f.NoOptDefVal == "" {
			names += "=<...>"
		}
		if len(names) > usageColumn-2 {
			fmt.Fprintf(w, "%s\n%*s%s\n", names, usageColumn, "", text)
		} else {
			fmt.Fprintf(w, "%-*s%s\n", usageColumn, names, text)
		}
	})
}

func notACommand(name string) error {
	return usage("'%s' is not a valid command. See '%s --help'", plain(name), kitName)
}

// external runs a command that is a program of its own. It returns only if that fails.
func external(name string, args []string) error {
	path, argv, err := externalProgram(name, args)
	if err != nil {
		return notACommand(name)
	}
	if err := syscall.Exec(path, argv, os.Environ()); err != nil {
		return fmt.Errorf("couldn't execute command: %s: %w", path, err)
	}
	return nil
}

func externalProgram(name string, args []string) (path string, argv []string, err error) {
	switch name {
	case "extract":
		path, err = exec.LookPath("trust")
		return path, append([]string{"trust", "extract"}, args...), err
	case "extract-trust":
		path, err = exec.LookPath("trust")
		return path, append([]string{"trust", "extract-compat"}, args...), err
	}
	if name == "" || strings.Contains(name, "/") {
		return "", nil, os.ErrNotExist
	}
	for _, dir := range externalDirs() {
		path := filepath.Join(dir, kitName+"-"+name)
		if _, err := exec.LookPath(path); err == nil {
			return path, append([]string{name}, args...), nil
		}
	}
	return "", nil, os.ErrNotExist
}

// externalDirs are where p11-kit's programs are: where the environment says, or beside ours.
func externalDirs() []string {
	if dir := os.Getenv("P11_KIT_PRIVATEDIR"); dir != "" {
		return []string{dir}
	}
	exe, err := os.Executable()
	if err != nil {
		return nil
	}
	if exe, err = filepath.EvalSymlinks(exe); err != nil {
		return nil
	}
	return []string{filepath.Join(filepath.Dir(filepath.Dir(exe)), "libexec", kitName), "/usr/libexec/" + kitName}
}
