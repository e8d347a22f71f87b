package doctor

import "github.com/p11mux/p11mux/conf"

// A Status says what a finding means.
type Status string

const (
	// OK is as it should be.
	OK Status = "ok"
	// Note is worth knowing, and may well be meant.
	Note Status = "note"
	// Warning works, but not as it should, or not safely.
	Warning Status = "warning"
	// Error does not work.
	Error Status = "error"
)

// An Area is what a finding is about.
type Area string

// The areas, in the order in which they are looked at.
const (
	Configuration Area = "configuration"
	Modules       Area = "modules"
	Library       Area = "library"
	Proxy         Area = "proxy"
	NSS           Area = "nss"
	OpenSSL       Area = "openssl"
)

// A Finding is one thing that was looked at. Its JSON is documented in docs/command.md.
type Finding struct {
	Area   Area   `json:"area"`
	Name   string `json:"name"` // what it is about: a file, a module
	Status Status `json:"status"`
	Text   string `json:"text"`          // what was found
	Fix    string `json:"fix,omitempty"` // what to do about it; always there for warnings and errors

	Settings []Setting `json:"settings,omitempty"` // of a module, or of all: what the configuration says
}

// A Setting is an option and where it comes from. Values that may be secret are not there.
type Setting struct {
	Key   string `json:"key"`
	Value string `json:"value"`
	File  string `json:"file"`
	Line  int    `json:"line"`
}

// secretOption may hold a password.
const secretOption = "x-init-reserved"

func settings(options conf.Options) []Setting {
	var all []Setting
	for _, o := range options.All() {
		value := o.Value
		if o.Key == secretOption && value != "" {
			value = "(not shown)"
		}
		all = append(all, Setting{o.Key, value, o.File, o.Line})
	}
	return all
}

// A Report is all that was found.
type Report struct {
	Program  string    `json:"program"` // whose enable-in and disable-in count
	Healthy  bool      `json:"healthy"` // no warnings and no errors
	Findings []Finding `json:"findings"`
}

func (r *Report) add(f Finding) {
	r.Findings = append(r.Findings, f)
	if f.Status == Warning || f.Status == Error {
		r.Healthy = false
	}
}
