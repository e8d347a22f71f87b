// Package sandbox confines programs that are about to begin, by Landlock (landlock(7)): which files they may use, whether they
// may use TCP, and that they cannot signal or trace processes of others. It needs no rights.
package sandbox
