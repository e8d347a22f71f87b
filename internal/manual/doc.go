// Package manual writes what belongs to a command line besides the program: pages for man, and completions for shells. All of it is
// made from the commands themselves, so it says what the program does.
package manual
