package conf

import "strings"

// Logging is how the calls of a module are logged.
type Logging struct {
	JSON    bool   // log-format: json
	Secrets bool   // log-secrets: yes
	File    string // log-file, "" for standard error; with %p and %n in it
}

// The options about logs besides log-calls.
const (
	optionLogFormat  = "log-format"
	optionLogFile    = "log-file"
	optionLogSecrets = "log-secrets"
)

// Logging reports whether the calls of a module are logged, see [Config.LogCalls], and how: its options log-format, log-file and
// log-secrets where it has them, and the global ones elsewhere. A nil module is one that is not configured, and is also for what is
// logged of the proxy module.
func (c *Config) Logging(m *Module) (how Logging, yes bool) {
	if yes, _ = c.LogCalls(m); !yes {
		return Logging{}, false
	}
	lookup := func(key string) Options {
		if m != nil {
			if _, ok := m.Options.Lookup(key); ok {
				return m.Options
			}
		}
		return c.Global
	}
	how.JSON, _ = lookup(optionLogFormat).logJSON()
	how.Secrets, _ = lookup(optionLogSecrets).Bool(optionLogSecrets, false)
	how.File, _ = lookup(optionLogFile).logFile()
	return how, true
}

// logJSON returns whether the option log-format asks for JSON.
func (o Options) logJSON() (bool, *Problem) {
	opt, ok := o.Lookup(optionLogFormat)
	switch {
	case !ok, opt.Value == "text":
		return false, nil
	case opt.Value == "json":
		return true, nil
	}
	return false, &Problem{
		File: opt.File, Line: opt.Line, Severity: Warning,
		Msg: "invalid setting " + quoted(opt.Value) + " taken as 'text': option 'log-format' is either 'text' or 'json'",
	}
}

// logFile returns the path of the option log-file.
func (o Options) logFile() (string, *Problem) {
	opt, ok := o.Lookup(optionLogFile)
	if !ok {
		return "", nil
	}
	problem := func(what string) (string, *Problem) {
		return "", &Problem{
			File: opt.File, Line: opt.Line, Severity: Warning,
			Msg: "invalid setting " + quoted(opt.Value) + ": option 'log-file' " + what + ": calls are logged to standard error",
		}
	}
	if opt.Value == "" || opt.Value[0] != '/' {
		return problem("is an absolute path")
	}
	for i := 0; i < len(opt.Value); i++ {
		if opt.Value[i] == '%' {
			if i++; i == len(opt.Value) || !strings.Contains("pn%", opt.Value[i:i+1]) {
				return problem("may have %p, %n and %% in it, and no other %")
			}
		}
	}
	return opt.Value, nil
}

// checkLogging reports what is wrong with the options about logs.
func (c *Config) checkLogging(o Options) {
	c.check(o, "log-calls", false)
	c.check(o, optionLogSecrets, false)
	_, format := o.logJSON()
	_, file := o.logFile()
	for _, p := range []*Problem{format, file} {
		if p != nil {
			c.Problems = append(c.Problems, *p)
		}
	}
}
