// Package doctor finds out why modules are not used as they should be: it reads the configuration as a program that uses the library
// does, tries each module in a process of its own, and looks at the library, the proxy module, NSS and OpenSSL. It changes nothing.
package doctor
