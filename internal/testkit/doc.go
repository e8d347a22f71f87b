// Package testkit has what the tests of several packages need. Only tests and benchmarks import it.
package testkit
