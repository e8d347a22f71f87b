package engine

import (
	"context"
	"unsafe"

	"github.com/p11mux/p11mux/ck"
	"github.com/p11mux/p11mux/registry"
)

// The registered modules of p11-kit before 0.19 (abi.md 1.4.2).

// InitializeRegistered is p11_kit_initialize_registered.
func (e *Engine) InitializeRegistered() ck.RV {
	return ck.RVOf(e.registry.RegisterConfigured(context.Background(), e.query(0)))
}

// FinalizeRegistered is p11_kit_finalize_registered.
func (e *Engine) FinalizeRegistered() ck.RV {
	if !e.registry.UnregisterConfigured(context.Background()) {
		return ck.CKR_CRYPTOKI_NOT_INITIALIZED
	}
	return ck.CKR_OK
}

// RegisteredModules is p11_kit_registered_modules; ok is false if nothing is loaded.
func (e *Engine) RegisteredModules() (lists []unsafe.Pointer, ok bool) {
	modules, ok := e.registry.Registered(e.query(0))
	for _, m := range modules {
		lists = append(lists, m.List())
	}
	return lists, ok
}

// RegisteredName is p11_kit_registered_name_to_module.
func (e *Engine) RegisteredName(name string) unsafe.Pointer {
	if m := e.registry.RegisteredName(name); m != nil {
		return m.List()
	}
	return nil
}

// InitializeModule is p11_kit_initialize_module.
func (e *Engine) InitializeModule(list unsafe.Pointer) ck.RV {
	m, err := e.registry.ByList(list)
	if err == nil {
		err = e.register(m)
	}
	return ck.RVOf(err)
}

// LoadInitializeModule is p11_kit_load_initialize_module.
func (e *Engine) LoadInitializeModule(path string) (unsafe.Pointer, ck.RV) {
	m, err := e.registry.ByPath(path)
	if err == nil {
		err = e.register(m)
	}
	if err != nil {
		e.registry.Sweep()
		return nil, ck.RVOf(err)
	}
	return m.List(), ck.CKR_OK
}

func (e *Engine) register(m *registry.Module) error {
	err := e.registry.Register(context.Background(), m)
	if err != nil {
		e.host.Message("module initialization failed: " + e.host.Describe(ck.RVOf(err)))
	}
	return err
}

// FinalizeModule is p11_kit_finalize_module.
func (e *Engine) FinalizeModule(list unsafe.Pointer) ck.RV {
	m := e.registry.Find(list)
	if m == nil || !e.registry.Unregister(context.Background(), m) {
		return ck.CKR_ARGUMENTS_BAD
	}
	e.registry.Sweep()
	return ck.CKR_OK
}
