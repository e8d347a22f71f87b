package cli

import "github.com/spf13/cobra"

// verbs are the commands about modules and tokens, in the order of p11-kit's help.
func verbs() []*verb {
	return []*verb{
		listModulesVerb(),
		listTokensVerb(),
		listMechanismsVerb(),
		listObjectsVerb(),
		importObjectVerb(),
		exportObjectVerb(),
		deleteObjectVerb(),
		generateKeypairVerb(),
		listProfilesVerb(),
		addProfileVerb(),
		deleteProfileVerb(),
		printConfigVerb(),
		doctorVerb(),
		demoVerb(),
	}
}

// version is that of the last entry of debian/changelog: the Makefile sets it.
var version = "(not built by make)"

// Commands is the tree of all commands of p11mux. name is what the program is called by.
func Commands(name string) *cobra.Command {
	root := &cobra.Command{
		Use:     name + " COMMAND [OPTION...] [ARGUMENT...]",
		Short:   "Share PKCS#11 modules, and see what is done with them",
		Version: version,
		// How many letters may be wrong in what is taken for a command's name.
		SuggestionsMinimumDistance: 2,
		// What goes wrong is told by Main.
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return noCommand(cmd, args[0])
			}
			return usage("no command is given")
		},
		Args: cobra.ArbitraryArgs,
	}
	// Commands have them too, and take what stands before their names as their own.
	root.Flags().BoolP("verbose", "v", false, ownVerbose)
	root.Flags().BoolP("quiet", "q", false, ownQuiet)
	root.SetVersionTemplate("{{.Name}} {{.Version}}\n")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	root.Flags().Bool("version", false, "print the version")
	root.SetHelpFunc(showHelp)
	root.CompletionOptions.HiddenDefaultCmd = true // what it writes is installed
	root.AddGroup(groups...)
	root.SetHelpCommandGroupID(groupMore)
	add := func(group string, c *cobra.Command) {
		c.GroupID = group
		root.AddCommand(c)
	}
	for _, v := range verbs() {
		add(v.group, v.command())
	}
	trace, report := traceCommand(), reportCommand()
	trace.AddCommand(report)
	add(groupWhy, trace)
	add(groupShare, serverCommand())
	add(groupShare, remoteCommand())
	root.AddCommand(manualCommand())
	for _, c := range append(root.Commands(), root, report) {
		c.Flags().BoolP("help", "h", false, "print this help")
	}
	return root
}

// What the options do that all commands have.
const (
	ownVerbose = "tell each call that is made of a module"
	ownQuiet   = "print results and errors only"
)

// noCommand says that a command is not there, and which one may be meant.
func noCommand(root *cobra.Command, name string) error {
	err := usage("there is no command %q", name)
	if similar := root.SuggestionsFor(name); len(similar) > 0 {
		return hinted(err, "did you mean '%s %s'? '%[1]s --help' has all commands", root.Name(), similar[0])
	}
	return err
}
