// Package sandbox confines processes from their beginning on, by Landlock (landlock(7)): which files they may use, whether they
// may use TCP, and that they cannot signal or trace processes of others. It needs no rights.
package sandbox
