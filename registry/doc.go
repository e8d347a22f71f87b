// Package registry turns the configuration into loaded modules, each of which is loaded once whatever ways lead to it.
//
// A [Registry] is the one place in a process that knows all modules. It reads the configuration when it is first needed
// and keeps it until nothing is in use any more and [Registry.Sweep] is called; it gives out modules in the configured
// order, and counts who uses them. It calls no code of a module while it holds its lock, so that a module may come back
// to it while it is being loaded.
package registry
