package registry

import (
	"cmp"
	"slices"

	"github.com/p11mux/p11mux/conf"
)

// inOrder gives the modules that the configuration names, by descending priority and then by name.
func inOrder(modules []*Module) []*Module {
	var named []*Module
	for _, m := range modules {
		if m.Config() != nil {
			named = append(named, m)
		}
	}
	slices.SortFunc(named, func(a, b *Module) int {
		x, y := a.Config(), b.Config()
		return cmp.Or(cmp.Compare(y.Priority, x.Priority), cmp.Compare(x.Name, y.Name))
	})
	return named
}

func enabled(m *Module, q Query) bool {
	enabled, _ := conf.EnabledFor(m.Config(), q.Progname, false)
	return enabled
}
