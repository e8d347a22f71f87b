// Package proxy joins several modules behind one: all their slots in one list, under ids of the proxy's own, and sessions
// under handles of its own (abi.md 7).
//
// A [Proxy] is one instance, with its own sessions; [Slots] has the slot ids of all instances in a process. Calls that go
// to a slot or a session are passed on with the module's own numbers put in; the few that concern all modules are answered
// by the proxy. Behind p11-kit-proxy.so the translation is done in C, by a [Table] that the proxy fills.
package proxy
