/* Hosts that end in unusual ways. */
#include "quiet.h"

#include <pthread.h>
#include <unistd.h>

/* Exits with everything open. */
void quiet_no_finalize(void)
{
	list_t m = quiet_load("a"), *all;
	CK_SESSION_HANDLE s;

	quiet_configure();
	must_ok(m->C_Initialize(NULL));
	must_ok(m->C_OpenSession(1, CKF_SERIAL_SESSION, NULL, NULL, &s));
	all = p11_kit_modules_load_and_initialize(0);
	must(all);
	exit(0);
}

static void *work(void *arg)
{
	list_t m = arg;
	CK_SESSION_HANDLE s;

	for (;;) {
		list_t own = quiet_load("b");

		must_ok(m->C_OpenSession(1, CKF_SERIAL_SESSION, NULL, NULL, &s));
		must_ok(m->C_CloseSession(s));
		must_ok(own->C_Initialize(NULL));
		must_ok(own->C_Finalize(NULL));
		p11_kit_module_release(own);
	}
	return NULL;
}

static void (*leave)(int);

static void *leaver(void *arg)
{
	(void)arg;
	sleep_ms(200);
	leave(0);
	return NULL;
}

static void busy_host(void (*how)(int))
{
	list_t m = quiet_load("a");
	pthread_t t;
	int i;

	leave = how;
	must_ok(m->C_Initialize(NULL));
	for (i = 0; i < 4; i++)
		must(pthread_create(&t, NULL, work, m) == 0);
	must(pthread_create(&t, NULL, leaver, NULL) == 0);
	for (;;)
		pause();
}

/* A second thread leaves while others are inside calls. */
void quiet_quick_exit(void)
{
	busy_host(quick_exit);
}

void quiet_underscore_exit(void)
{
	busy_host(_exit);
}

static void *finishes(void *arg)
{
	sleep_ms(100);
	quiet_use(quiet_load("b"));
	quiet_use(arg);
	exit(0);
}

/* The main thread ends before the others. */
void quiet_main_ends(void)
{
	list_t m = quiet_load("a");
	pthread_t t;

	must(pthread_create(&t, NULL, finishes, m) == 0);
	pthread_exit(NULL);
}

/* exit() on a second thread while the main thread waits; exit handlers run
 * while nobody else is inside. */
static void *exits(void *arg)
{
	quiet_use(arg);
	exit(0);
}

void quiet_exit_thread(void)
{
	list_t m = quiet_load("a");
	pthread_t t;

	must_ok(m->C_Initialize(NULL));
	must_ok(m->C_Finalize(NULL));
	must(pthread_create(&t, NULL, exits, m) == 0);
	for (;;)
		pause();
}

void quiet_exit_busy(void)
{
	busy_host(exit);
}
