// Package conf reads p11-kit's configuration: the global files (pkcs11.conf)
// and the directories of module files (NAME.module).
//
// The behaviour is that of p11-kit (abi.md 3, see CONTRIBUTING.md) with one change of principle:
// nothing that stands in a configuration file makes the whole load fail. Load
// always returns what could be understood and a list of [Problem] values,
// each of which names its file and line. The rules are:
//
//   - A bad line in a global file is skipped, the other lines are used.
//   - A module whose file, in any of the directories, has a bad line or cannot
//     be read is left out: half of a security module's configuration is not a
//     safe configuration, because what is missing may be its disable-in or
//     its trust-policy. The other modules are not affected.
//   - A bad value is replaced by the option's default. A bad user-config in
//     the system's file counts as none, the strictest; in the user's own file
//     it is ignored, so that the system's mode stands.
//   - A global file or a directory that cannot be read counts as missing.
//   - Only regular files are read (and /dev/null, which is an empty one), and
//     none longer than 1 MiB. Pipes, sockets and devices are never opened.
//   - A file in a module directory that is not called NAME.module is ignored
//     (p11-kit uses it, backups included).
//
// A UTF-8 byte order mark at the start of a file is ignored; a NUL byte makes
// its line a bad one.
//
// The package runs in other people's processes while they start. It does
// nothing at initialization, keeps no state, starts no goroutine, and imports
// neither fmt nor os. All its functions may be called from any goroutine;
// what Load returns is not changed afterwards and may be shared for reading.
package conf
