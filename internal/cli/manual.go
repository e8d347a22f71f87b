package cli

import (
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/p11mux/p11mux/conf"
	"github.com/p11mux/p11mux/internal/manual"
)

// manualCommand is for the makefile: it is no command for users, who have what it writes.
func manualCommand() *cobra.Command {
	return &cobra.Command{
		Use: "manual DIRECTORY", Short: "Write man pages and completions", Hidden: true, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			root.InitDefaultCompletionCmd()
			for name, text := range manual.Pages(root, about()) {
				if err := write(filepath.Join(args[0], "man/man1", name), text); err != nil {
					return err
				}
			}
			for _, shell := range manual.Shells {
				if err := complete(root, shell, filepath.Join(args[0], shell.Path(root.Name()))); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// write writes a file that is not there yet, and makes its directory.
func write(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o644)
}

// complete writes the completions for a shell.
func complete(root *cobra.Command, shell manual.Shell, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := shell.Write(root, f); err != nil {
		return err
	}
	return f.Close()
}

// about is what man pages say that no command knows.
func about() manual.About {
	paths := conf.DefaultPaths()
	return manual.About{
		Description: `p11mux shares PKCS#11 modules between all their users in a process, and this program is for what people do with the modules and
their tokens. Tokens and objects are named by PKCS#11 URIs (RFC 7512), as pkcs11:token=work;object=server. Put them in quotes, for
semicolons mean something to shells. The modules are those that are configured, or the one that --provider names.

Lists are tables, or JSON with --json. An error is two lines, what failed and what to do.`,
		More: []manual.Note{
			{Name: "PINS", Text: `A PIN is taken from the URI (pin-source=file:/path, or pin-value, which other users of the machine can see), from the file that
--pin-file names, from P11MUX_PIN, from the token's own keypad, or from the terminal, which does not show it. It is for one token: if
several want one, none is tried. Nor is one that is not typed where one more wrong PIN would lock the token.`},
			{Name: "CALLED AS P11-KIT", Text: `Under the name p11-kit the program takes the command lines of p11-kit and prints what scripts expect of that.`},
		},
		Status: []manual.Note{
			{Name: "0", Text: "All went well."},
			{Name: "1", Text: "Something failed, or p11mux doctor has found something. Traced programs have their own."},
			{Name: "2", Text: "The command line is wrong."},
		},
		Environment: []manual.Note{
			{Name: pinVariable, Text: "The PIN, for commands that log in."},
			{Name: "NO_COLOR", Text: "If it is not empty, nothing is printed in colour on a terminal."},
			{Name: "P11_KIT_NO_USER_CONFIG", Text: "If it is set, the configuration of the user does not count."},
			{Name: "P11_SYSTEM_CONFIG_FILE, P11_SYSTEM_CONFIG_MODULES, P11_PACKAGE_CONFIG_MODULES, P11_USER_CONFIG_FILE, P11_USER_CONFIG_MODULES",
				Text: "Other places of the files below, for trying something out."},
			{Name: "P11_MODULE_PATH", Text: "The directory of modules that are configured by a name only."},
		},
		Files: []manual.Note{
			{Name: paths.SystemConfig, Text: "Options for all modules."},
			{Name: paths.SystemModules + "/*.module", Text: "A file for each module, by the administrator."},
			{Name: paths.PackageModules + "/*.module", Text: "The same, by packages."},
			{Name: "~/.config/pkcs11/pkcs11.conf, ~/.config/pkcs11/modules/*.module", Text: "The same, of a user. They do not count for root."},
		},
	}
}
