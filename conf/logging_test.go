package conf

import (
	"strings"
	"testing"
)

func TestLogging(t *testing.T) {
	for _, c := range []struct {
		global, module string
		want           Logging
		yes            bool
		problem        string
	}{
		{"", "", Logging{}, false, ""},
		{"", "log-calls: yes", Logging{}, true, ""},
		{"log-calls: yes", "", Logging{}, true, ""},
		{"log-calls: no", "log-calls: yes", Logging{}, false, ""}, // as p11-kit has it: the global option wins
		{"log-calls: yes\nlog-format: json\nlog-file: /g/%p", "log-file: /m/%n", Logging{JSON: true, File: "/m/%n"}, true, ""},
		{"log-calls: yes\nlog-format: json", "log-format: text\nlog-secrets: yes", Logging{Secrets: true}, true, ""},
		{"log-secrets: yes", "log-calls: yes\nlog-secrets: no", Logging{}, true, ""},
		{"", "log-calls: yes\nlog-format: xml", Logging{}, true, "m.module:3: invalid setting 'xml' taken as 'text'"},
		{"", "log-calls: yes\nlog-file: rel", Logging{}, true, "m.module:3: invalid setting 'rel': option 'log-file' is an absolute path"},
		{"", "log-calls: yes\nlog-file: /a%d", Logging{}, true, "m.module:3: invalid setting '/a%d': option 'log-file' may have %p"},
		{"", "log-calls: yes\nlog-file: /a%", Logging{}, true, "may have %p"},
		{"", "log-calls: yes\nlog-file:", Logging{}, true, "is an absolute path"},
		{"log-secrets: perhaps", "log-calls: yes", Logging{}, true, "system.conf:1: invalid setting 'perhaps' defaulting to 'no'"},
	} {
		config := newTree(t, map[string]string{"system.conf": c.global + "\n", "system/m.module": "module: m.so\n" + c.module + "\n"}).load()
		how, yes := config.Logging(&config.Modules[0])
		if how != c.want || yes != c.yes {
			t.Errorf("%q, %q: %+v, %v", c.global, c.module, how, yes)
		}
		var problems []string
		for _, p := range config.Problems {
			problems = append(problems, p.Error())
		}
		if got := strings.Join(problems, "\n"); c.problem == "" && got != "" || !strings.Contains(got, c.problem) {
			t.Errorf("%q, %q: problems %q, want %q", c.global, c.module, got, c.problem)
		}
	}
}
