package doctor

import (
	"context"
	"os"
	"time"

	"github.com/p11mux/p11mux/conf"
)

// Options say for whom to look.
type Options struct {
	// Program is whose configuration counts: the name that enable-in and disable-in refer to.
	Program string
	// Probe gives the command that tries one module: a program that calls [Probe] with this name of a module, and writes what it gives
	// to descriptor 3.
	Probe func(module string) (name string, args []string)
	// Patience is how long a module may take to answer.
	Patience time.Duration
	// Executable is this program's file, beside which the library is.
	Executable string
	// Step is told what is looked at next; it may be nil.
	Step func(what string)
}

// A look is one run.
type look struct {
	Options
	Report
	env    conf.Env
	config *conf.Config
	home   string
	lib    string // directory of our library, empty if it is not there
}

// Run looks at everything. It takes as long as the modules do.
func Run(ctx context.Context, options Options) *Report {
	l := &look{Options: options, env: conf.ProcessEnv()}
	l.Report.Program, l.Healthy, l.Findings = options.Program, true, []Finding{}
	l.config = conf.Load(conf.Paths{}.WithEnviron(l.env), l.env)
	if home, err := os.UserHomeDir(); err == nil {
		l.home = home
	}
	l.configuration()
	l.modules(ctx)
	l.library(ctx)
	l.proxy()
	l.nss()
	l.openssl(ctx)
	return &l.Report
}

func (l *look) step(what string) {
	if l.Step != nil {
		l.Step(what)
	}
}
