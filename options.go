package p11mux

import (
	"log/slog"
	"os"

	"github.com/p11mux/p11mux/conf"
)

// An Option changes how modules are loaded and used.
type Option func(*options)

type options struct {
	paths             *conf.Paths // nil for the process's
	progname          string
	trusted, critical bool
	logger            *slog.Logger // nil for none
	callLog           *slog.Logger // nil for none
	pin               PIN
	maxSessions       int
}

// defaultMaxSessions is enough to keep a device across a network busy, and few enough for one that has little memory.
const defaultMaxSessions = 64

func newOptions(opts []Option) *options {
	o := &options{maxSessions: defaultMaxSessions}
	if len(os.Args) > 0 {
		exe, _ := os.Executable() // only sharpens the name
		o.progname = conf.Progname(os.Args[0], exe)
	}
	for _, opt := range opts {
		opt(o)
	}
	return o
}

// tell passes a message of the loader on to the logger.
func (o *options) tell(text string) {
	if o.logger != nil {
		o.logger.Warn(text)
	}
}

// WithConfig reads the configuration from these places, in place of those that are compiled in and those that the
// environment names. Empty paths stand for the ones compiled in.
func WithConfig(paths conf.Paths) Option { return func(o *options) { o.paths = &paths } }

// WithProgname sets the name of the program that the configuration's enable-in and disable-in refer to, in place of the
// name that it was started by.
func WithProgname(name string) Option {
	return func(o *options) { o.progname = conf.CutProgname(name) }
}

// WithTrustedOnly loads only modules that are configured with trust-policy.
func WithTrustedOnly() Option { return func(o *options) { o.trusted = true } }

// WithCritical makes a module that cannot be loaded or initialized an error of the whole load.
func WithCritical() Option { return func(o *options) { o.critical = true } }

// WithLogger has a logger told, at level Warn, what is wrong with the configuration, and which modules were left out and
// why. [Modules.Problems] tells the same. No PIN and no key is ever logged.
func WithLogger(logger *slog.Logger) Option { return func(o *options) { o.logger = logger } }

// WithCallLog has each call that is made of a module written to a logger, at level Debug: a record with the function's name, and caller,
// module, session, arguments, output, result and duration. Data, PINs and keys are not in it: their lengths are. Modules whose
// configuration says log-calls are logged as it says besides.
func WithCallLog(logger *slog.Logger) Option { return func(o *options) { o.callLog = logger } }

// WithPIN has a token that needs it logged in to when something is looked for by a URI that brings no PIN of its own, and
// keys that want the PIN before each use given it. Where the URI may mean several tokens that need a login, none is tried,
// for each wrong PIN counts: name one in the URI. A PIN that the token has refused is not tried again, see [Token.Login].
func WithPIN(pin PIN) Option { return func(o *options) { o.pin = pin } }

// WithMaxSessions limits the sessions that the pool of each token opens; 64 without it, and never more than the token
// allows. Numbers below 1 count as 1.
func WithMaxSessions(n int) Option { return func(o *options) { o.maxSessions = max(n, 1) } }
