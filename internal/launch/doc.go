// Package launch runs a program with log-calls on for every module, without changing what is configured: the program gets a
// configuration of its own, by the environment variables that name the places of p11-kit's.
package launch
