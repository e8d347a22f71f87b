package cli

import "github.com/spf13/cobra"

// Commands is the tree of all commands. name is what the program is called by: p11mux, or p11-kit.
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
	root.AddCommand(trace)
	return root
}
