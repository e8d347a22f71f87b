package cli

import (
	"fmt"
	"slices"

	"github.com/p11mux/p11mux/conf"
	"github.com/p11mux/p11mux/internal/doctor"
)

func printConfigVerb() *verb {
	return &verb{
		name: "print-config", group: groupWhy,
		short: "Print the configuration, and where it comes from",
		long: `Print the merged configuration of all files, that of modules which are disabled
too. Each line says which file and line it comes from. Values are printed as they
are: a module's x-init-reserved may hold a secret.`,
		example: `  p11mux print-config
  p11mux print-config --json`,
		kit:     kitUsage{short: "Print merged configuration", usage: "print-config"},
		options: withJSON,
		run:     printConfig,
	}
}

// An optionInfo is one option and its origin.
type optionInfo struct {
	Key   string `json:"key"`
	Value string `json:"value"`
	File  string `json:"file"`
	Line  int    `json:"line"`
}

// A sectionInfo is the configuration of one module.
type sectionInfo struct {
	Name    string       `json:"name"`
	Options []optionInfo `json:"options"`
}

// A configInfo is the whole configuration.
type configInfo struct {
	UserConfig string        `json:"user_config"` // the mode: none, merge or only
	Global     []optionInfo  `json:"global"`
	Modules    []sectionInfo `json:"modules"`
	Problems   []string      `json:"problems"`
}

func infoOfOptions(options conf.Options) []optionInfo {
	all := []optionInfo{}
	for _, o := range options.All() {
		all = append(all, optionInfo{o.Key, o.Value, o.File, o.Line})
	}
	return all
}

func infoOfConfig(c *conf.Config) *configInfo {
	info := &configInfo{UserConfig: c.Mode, Global: infoOfOptions(c.Global), Modules: []sectionInfo{}, Problems: []string{}}
	for i := range c.Modules {
		info.Modules = append(info.Modules, sectionInfo{c.Modules[i].Name, infoOfOptions(c.Modules[i].Options)})
	}
	for _, p := range c.Problems {
		info.Problems = append(info.Problems, p.Error())
	}
	return info
}

func printConfig(j *job) error {
	env := conf.ProcessEnv()
	c := conf.Load(conf.Paths{}.WithEnviron(env), env)
	info := infoOfConfig(c)
	var err error
	switch {
	case j.json:
		err = writeJSON(j.out, info)
	case j.isKit:
		clean := newKitText(j.out).clean
		err = printLines(j.out, info.lines(), func(l configLine) string { return clean(l.text) })
	default:
		colours := coloursFor(j.out)
		if o, ok := c.Global.Lookup("user-config"); ok {
			if why := doctor.WhyNoUser(c, env); why != "" {
				j.tell("user-config is %s, and not %s: %s", c.Mode, o.Value, why)
			}
		}
		err = printLines(j.out, info.lines(), func(l configLine) string {
			if l.origin == "" {
				return colours.in(colours.heading, plain(l.text))
			}
			return plain(l.text) + "  " + colours.in(colours.warn, "# "+plain(l.origin))
		})
	}
	if err != nil {
		return err
	}
	for _, p := range c.Problems {
		j.tell("%s", p.Error())
	}
	if slices.ContainsFunc(c.Problems, func(p conf.Problem) bool { return p.Severity == conf.Error }) {
		return hinted(j.fail("the configuration has errors", nil), "run 'p11mux doctor' for what to do about each")
	}
	return nil
}

type configLine struct{ text, origin string }

// lines is the configuration in p11-kit's form.
func (c *configInfo) lines() []configLine {
	var lines []configLine
	section := func(name string, options []optionInfo) {
		lines = append(lines, configLine{text: "[" + name + "]"})
		for _, o := range options {
			lines = append(lines, configLine{o.Key + " = " + o.Value, fmt.Sprintf("%s:%d", o.File, o.Line)})
		}
	}
	section("global", c.Global)
	for _, m := range c.Modules {
		section(m.Name, m.Options)
	}
	return lines
}
