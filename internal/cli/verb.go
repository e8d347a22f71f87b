package cli

import (
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/p11mux/p11mux/uri"
)

// A verb is a command about modules and tokens. It is one command for both names of the program: as p11mux its options are those of
// [cobra], its output is for people and errors come with a hint; as p11-kit all of it is as scripts know it.
type verb struct {
	name    string
	group   string   // of the help
	operand string   // what a usage line has behind the options; empty if there is nothing
	uri     uri.Type // what the operand, a PKCS#11 URI, is for; zero if there is none
	some    bool     // as p11mux, the URI may be left out if the job is about all tokens there are, or about the only one
	short   string
	long    string
	example string
	kit     kitUsage
	options options
	flags   func(*pflag.FlagSet) // what is the command's own; may be nil
	values  map[string][]string  // of flags that have one of a few; shells offer them
	run     func(*job) error
}

// options are those that several commands have.
type options uint8

const (
	withProvider options = 1 << iota
	withLogin
	withJSON
	withoutKit // no command of p11-kit
)

// A job is one run of a verb.
type job struct {
	*verb
	isKit    bool // called as p11-kit
	in       io.Reader
	out, err io.Writer
	uri      *uri.URI // of the operand, or one that matches everything
	named    bool     // there is an operand

	working        *progress // what is shown on the terminal; nil for nothing
	verbose, quiet bool
	provider       string
	login          bool
	loggedIn       bool // it was asked for, and done where it is needed
	pinFile        string
	json           bool
}

// newJob is a job whose options are not known yet, but where they are to be written.
func newJob(v *verb, isKit bool, fs *pflag.FlagSet) *job {
	j := &job{verb: v, isKit: isKit}
	if v.flags != nil {
		v.flags(fs)
	}
	if v.options&withLogin != 0 {
		fs.BoolVarP(&j.login, "login", "l", false, "login to the token")
		fs.StringVar(&j.pinFile, "pin-file", "", "read the PIN from `FILE`, and log in with it")
		own(fs, "pin-file")
	}
	if v.options&withProvider != 0 {
		fs.StringVar(&j.provider, "provider", "", "use the module at `PATH`, and no configured ones")
	}
	if v.options&withJSON != 0 {
		fs.BoolVar(&j.json, "json", false, "print JSON")
		own(fs, "json")
	}
	verbose, quiet := ownVerbose, ownQuiet
	if isKit {
		verbose, quiet = "show verbose debug output", "suppress command output"
	}
	fs.BoolVarP(&j.verbose, "verbose", "v", false, verbose)
	fs.BoolVarP(&j.quiet, "quiet", "q", false, quiet)
	return j
}

// ownMark is on options that p11-kit does not have.
const ownMark = "p11mux"

// own marks options as ones that p11-kit does not have.
func own(fs *pflag.FlagSet, names ...string) {
	for _, name := range names {
		if err := fs.SetAnnotation(name, ownMark, []string{""}); err != nil {
			panic(err) // the option is not there: it is us who are wrong
		}
	}
}

// command is the verb as a command of p11mux.
func (v *verb) command() *cobra.Command {
	use := v.name
	if v.operand != "" && v.some {
		use += " [" + v.operand + "]"
	} else if v.operand != "" {
		use += " " + v.operand
	}
	cmd := &cobra.Command{Use: use, Short: v.short, Long: v.long, Example: v.example}
	j := newJob(v, false, cmd.Flags())
	cmd.ValidArgsFunction = j.completeURI
	for flag, values := range v.values {
		if err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)); err != nil {
			panic(err) // the option is not there: it is us who are wrong
		}
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		j.in, j.out, j.err = cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr()
		if err := j.operands(args); err != nil {
			return err
		}
		return j.do()
	}
	return cmd
}

// do runs the verb, and forgets the PIN.
func (j *job) do() error {
	if j.uri != nil {
		defer j.uri.ClearPIN()
	}
	return j.verb.run(j)
}

// An operandsError says that the arguments are not as many as they should be.
type operandsError string

// Error says what is wrong with them.
func (e operandsError) Error() string { return string(e) }

// operands takes what stands behind the options.
func (j *job) operands(args []string) error {
	if j.verb.uri == 0 {
		if len(args) > 0 {
			return usage("extra arguments specified")
		}
		return nil
	}
	j.uri = new(uri.URI)
	switch {
	case len(args) == 1:
	case len(args) == 0 && j.some && !j.isKit:
		return nil
	case len(args) == 0:
		return &usageError{operandsError("no URI is given")}
	default:
		return &usageError{operandsError("more than one URI is given")}
	}
	// p11-kit takes a URI with attributes that are none of what it is for as one that matches nothing. The token of an object's URI is
	// what somebody means who names that, so p11mux takes it.
	typ := j.verb.uri
	if !j.isKit {
		typ = uri.ForAny
	}
	u, err := uri.Parse(args[0], typ)
	if err != nil {
		if j.isKit {
			return usage("failed to parse URI")
		}
		return &usageError{err}
	}
	if u.Unrecognized() && !j.isKit {
		return strange(args[0], u.UnrecognizedAttribute())
	}
	j.uri, j.named = u, true
	return nil
}

// objectTypes are the types of objects that a URI can have.
var objectTypes = []string{"cert", "public", "private", "secret-key", "data"}

// strange says which attribute of a URI nothing can have. The value of one that is not known may be a PIN, and is not told.
func strange(text, name string) error {
	path, _, _ := strings.Cut(text, "?")
	for attribute := range strings.SplitSeq(strings.TrimPrefix(path, "pkcs11:"), ";") {
		n, value, _ := strings.Cut(attribute, "=")
		if n == name && (n == "type" || n == "object-type" || n == "objecttype") && !slices.Contains(objectTypes, value) {
			return usage("the URI has %s=%s: the type is one of %s", n, value, strings.Join(objectTypes, ", "))
		}
	}
	return usage("the URI has the attribute %q, or a value of it, that nothing can have", name)
}

// fail is the failure that p11-kit has the words for, and that err is the cause of, which may be nil.
func (j *job) fail(words string, err error) error {
	switch {
	case err == nil:
		return errors.New(words)
	case j.isKit && !strings.HasPrefix(err.Error(), words+": "):
		return errors.New(words + ": " + err.Error())
	}
	return err
}
