// Command p11mux is the command line of the project; internal/cli has its commands.
package main

import (
	"os"

	"github.com/p11mux/p11mux/internal/cli"
)

func main() {
	os.Exit(cli.Main(os.Args, cli.Stdio{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
}
