// Package house keeps the rules of the house as tests: how files look, which package may import which, what the engine is
// made of, what the shared libraries show to the world, and what "make install" leaves behind. It has no other code.
//
// The tests read the tree they are in and the products of make, which are in $P11MUX_BUILD or else in build.
package house
