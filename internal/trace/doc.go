// Package trace reads the logs of PKCS#11 calls that log-calls writes with log-format: json, and makes reports of them: tables, a
// page for a browser, and the trace-event format of Chrome and Perfetto.
//
// A log may be damaged: a process was killed while it wrote, a disk was full, two files were joined. [Read] says of each line what
// is wrong with it and goes on with the next, and uses what is whole within it. Logs are untrusted: whatever is in them ends up as
// text, never as an instruction to a terminal or a browser.
package trace
