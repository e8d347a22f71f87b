package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/p11mux/p11mux/internal/serve"
)

// remoteCommand serves a module on the standard input and output.
func remoteCommand() *cobra.Command {
	var provider string
	cmd := &cobra.Command{
		Use:   "remote [--provider MODULE] MODULE | TOKEN-URI...",
		Short: "Serve a module or tokens on the standard input and output",
		Long: `Serve a module, or the tokens that URIs name, to one client on the standard input and output, by the protocol of p11-kit's
remote modules. A client runs it by a line such as this one in a module's configuration:

    remote: |p11mux remote /usr/lib/softhsm/libsofthsm2.so

Tokens are those of the provider, or of all configured modules. With ?write-protected=yes in its URI a token cannot be written.`,
		Example: `  p11mux remote /usr/lib/softhsm/libsofthsm2.so
  p11mux remote 'pkcs11:token=signing?write-protected=yes'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				args[0] = fromHere(args[0])
			}
			return remote(cmd.CommandPath(), fromHere(provider), args, Stdio{cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr()})
		},
	}
	cmd.Flags().StringVarP(&provider, "provider", "p", "", "the `MODULE` that has the tokens")
	return cmd
}

// remote serves what args name.
func remote(name, provider string, args []string, stdio Stdio) error {
	if len(args) == 0 {
		return usage("specify a module or tokens to remote")
	}
	if isTyped(stdio.In) {
		return hinted(usage("the standard input is a terminal, and no client"),
			"put 'remote: |%s %s' into the configuration of a module", name, strings.Join(args, " "))
	}
	served, err := serve.Prepare(provider, args, serve.Options{Message: func(text string) { fmt.Fprintf(stdio.Err, "%s: %s\n", name, text) }})
	switch {
	case errors.Is(err, serve.ErrUsage):
		return usage("%v", err)
	case err != nil:
		return exit(statusFailure) // the message has been told
	}
	in, out, err := serve.TakeStdio()
	if err != nil {
		return err
	}
	go func() {
		serve.Gone(in)
		time.AfterFunc(serve.Farewell, func() {
			fmt.Fprintf(stdio.Err, "%s: a module is at work for a client that is gone, and is ended\n", name)
			os.Exit(statusFailure)
		})
	}()
	if err := served.Serve(context.Background(), in, out); err != nil {
		return fmt.Errorf("couldn't serve the client any more: %w", err)
	}
	return nil
}

// isTyped tells whether somebody types what is read from a file.
func isTyped(r any) bool {
	f, ok := r.(*os.File)
	if !ok {
		return false
	}
	to, _ := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", f.Fd()))
	return strings.HasPrefix(to, "/dev/pts/") || strings.HasPrefix(to, "/dev/tty") || to == "/dev/console"
}
