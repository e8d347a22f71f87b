/* Helpers of all C test programs; see base.h. */
#include "base.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <time.h>
#include <unistd.h>

#include "rvnames.h"

void die_at(const char *file, int line, const char *fmt, ...)
{
	va_list va;

	fflush(stdout);
	fprintf(stderr, "%s:%d: ", file, line);
	va_start(va, fmt);
	vfprintf(stderr, fmt, va);
	va_end(va);
	fputc('\n', stderr);
	_exit(3);
}

const char *rv_name(CK_RV rv)
{
	static __thread char bufs[4][32];
	static __thread unsigned turn;
	char *buf;

	switch (rv) {
#define RV(name, value) case value: return #name;
	RVNAMES(RV)
#undef RV
	}
	buf = bufs[turn++ % 4];
	snprintf(buf, sizeof bufs[0], "0x%lx", (unsigned long)rv);
	return buf;
}

const char *last_message(void)
{
	const char *(*message)(void), *text;

	*(void **)&message = dlsym(RTLD_DEFAULT, "p11_kit_message");
	text = message ? message() : NULL;
	return text ? text : "(none)";
}

void wait_asleep(int tid)
{
	char path[64], state;
	FILE *f;

	snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid);
	for (;;) {
		state = 0;
		f = fopen(path, "re");
		if (f == NULL)
			return;
		if (fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
			state = 0;
		fclose(f);
		if (state == 'S')
			return;
		sleep_ms(1);
	}
}

void sleep_ms(long ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
		;
}
