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

// Commands is the tree of all commands of p11mux. name is what the program is called by.
func Commands(name string) *cobra.Command {
	root := &cobra.Command{
		Use:   name + " COMMAND",
		Short: "Share PKCS#11 modules, and see what is done with them",
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
