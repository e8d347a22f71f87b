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
		Use:     name + " COMMAND",
		Short:   "Share PKCS#11 modules, and see what is done with them",
		Version: version,
		// What goes wrong is told by Main.
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("there is no command %q", args[0])
			}
			return usage("no command is given")
		},
		Args: cobra.ArbitraryArgs,
	}
	// Commands have them too, and take what stands before their names as their own.
	root.Flags().BoolP("verbose", "v", false, "show verbose debug output")
	root.Flags().BoolP("quiet", "q", false, "suppress command output")
	root.SetVersionTemplate("{{.Name}} {{.Version}}\n")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	trace := traceCommand()
	trace.AddCommand(reportCommand())
	root.AddCommand(trace, serverCommand())
	for _, v := range verbs() {
		root.AddCommand(v.command())
	}
	root.AddCommand(remoteCommand())
	root.AddCommand(manualCommand())
	return root
}
