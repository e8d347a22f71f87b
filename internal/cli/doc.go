// Package cli is the command line of p11mux.
//
// The commands are a tree of [cobra.Command], a file for each, built by [Commands]. They hold what there is to say of a command: its
// names, arguments, flags, and help. Results go to standard output and talk to standard error. An error is two lines, what failed and
// what to do. The exit status is 0 if all went well, 1 if something failed and 2 if the command line was wrong.
//
// The commands about modules and tokens are verbs, which know nothing of cobra. Called as p11-kit the program runs the same verbs with
// p11-kit's command lines, in p11-kit's words. docs/command.md is the manual.
package cli
