// Package process holds what there is once in a process: the registry that has the modules of all its consumers.
package process

import (
	"sync"

	"github.com/p11mux/p11mux/registry"
)

// Registry gives the registry of this process. It may be called from any goroutine.
var Registry = sync.OnceValue(func() *registry.Registry { return registry.New(registry.Hooks{}) })
