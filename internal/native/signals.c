/*
 * How a process ends that a module brings down. The Go runtime of a program
 * handles the signals of crashes and ends with status 2, which does not say what
 * has happened to who waits for the program.
 */
#include "signals.h"

#include <signal.h>

void p11_native_usual_crashes(void)
{
	static const int crashes[] = { SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGTRAP, SIGSYS };
	for (unsigned i = 0; i < sizeof crashes / sizeof *crashes; i++)
		signal(crashes[i], SIG_DFL);
}
