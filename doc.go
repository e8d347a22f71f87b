// Package p11mux uses PKCS#11 modules, shared with everybody else in the process.
package p11mux
