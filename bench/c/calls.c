/*
 * calls LIBRARY MODULE WHAT SAMPLES CALLS THREADS [login]
 *
 * Does something CALLS times on each of THREADS threads at once, SAMPLES times
 * over, with a module or, where MODULE is proxy:ROOT, with the proxy module and
 * the configuration in ROOT, or logged:ROOT, the first module of that; each
 * thread has a session of its own, and with "login" a private key of the token. Prints for each sample
 *
 *	loop  ns that a turn of the loop takes when it does nothing
 *	ns    ns that a turn takes, the mean over the threads
 *	rate  turns per second of all threads together
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

struct worker {
	CK_FUNCTION_LIST *list;
	CK_SLOT_ID slot;
	CK_SESSION_HANDLE session;
	CK_OBJECT_HANDLE key;
	long calls;
	CK_RV (*work)(struct worker *worker);
	pthread_t thread;
	double start, end, loop; /* of the last sample; ns */
};

static pthread_barrier_t turnstile;
static long samples;

/* Keeps the compiler from knowing what a turn of the loop does. */
#define TURN() __asm__ volatile("" ::: "memory")

static CK_RV nothing(struct worker *worker)
{
	for (long i = worker->calls; i > 0; i--)
		TURN();
	return CKR_OK;
}

static CK_RV get_session_info(struct worker *worker)
{
	CK_FUNCTION_LIST *list = worker->list;
	CK_SESSION_INFO info;
	CK_RV rv = CKR_OK;
	for (long i = worker->calls; i > 0; i--) {
		rv |= list->C_GetSessionInfo(worker->session, &info);
		TURN();
	}
	return rv;
}

/* A module that does nothing keeps no state of a signature either: one C_SignInit is enough for all. */
static CK_RV sign(struct worker *worker)
{
	CK_FUNCTION_LIST *list = worker->list;
	CK_MECHANISM mechanism = { CKM_SHA256_RSA_PKCS, NULL, 0 };
	CK_BYTE data[32] = { 0 }, signature[256];
	CK_ULONG len = sizeof signature;
	CK_RV rv = list->C_SignInit(worker->session, &mechanism, worker->key);
	for (long i = worker->calls; i > 0; i--) {
		rv |= list->C_Sign(worker->session, data, sizeof data, signature, &len);
		TURN();
	}
	return rv;
}

static CK_RV init_and_sign(struct worker *worker)
{
	CK_FUNCTION_LIST *list = worker->list;
	CK_MECHANISM mechanism = { CKM_SHA256_RSA_PKCS, NULL, 0 };
	CK_BYTE data[32] = { 0 }, signature[256];
	CK_RV rv = CKR_OK;
	for (long i = worker->calls; i > 0; i--) {
		CK_ULONG len = sizeof signature;
		rv |= list->C_SignInit(worker->session, &mechanism, worker->key);
		rv |= list->C_Sign(worker->session, data, sizeof data, signature, &len);
	}
	return rv;
}

static CK_RV open_and_close(struct worker *worker)
{
	CK_FUNCTION_LIST *list = worker->list;
	CK_SESSION_HANDLE session;
	CK_RV rv = CKR_OK;
	for (long i = worker->calls; i > 0; i--) {
		rv |= list->C_OpenSession(worker->slot, CKF_SERIAL_SESSION, NULL, NULL, &session);
		rv |= list->C_CloseSession(session);
	}
	return rv;
}

static const struct {
	const char *name;
	CK_RV (*work)(struct worker *worker);
} works[] = {
	{ "info", get_session_info },
	{ "sign", sign },
	{ "init-sign", init_and_sign },
	{ "session", open_and_close },
};

static void *run(void *data)
{
	struct worker *worker = data;
	for (long i = -1; i < samples; i++) { /* the first one warms up and is not counted */
		pthread_barrier_wait(&turnstile);
		worker->start = bench_now();
		bench_check(worker->work(worker), "a call");
		worker->end = bench_now();
		nothing(worker);
		worker->loop = bench_now() - worker->end;
		pthread_barrier_wait(&turnstile);
	}
	return NULL;
}

static void report(const struct worker *workers, long threads)
{
	double start = workers[0].start, end = workers[0].end, busy = 0, loop = 0;
	for (long i = 0; i < threads; i++) {
		if (workers[i].start < start)
			start = workers[i].start;
		if (workers[i].end > end)
			end = workers[i].end;
		busy += workers[i].end - workers[i].start;
		loop += workers[i].loop;
	}
	double turns = (double)threads * (double)workers[0].calls;
	printf("loop %.4f\nns %.4f\nrate %.1f\n", loop / turns, busy / turns, turns / (end - start) * 1e9);
}

static CK_OBJECT_HANDLE find_key(CK_FUNCTION_LIST *list, CK_SESSION_HANDLE session)
{
	CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
	CK_ATTRIBUTE template = { CKA_CLASS, &class, sizeof class };
	CK_OBJECT_HANDLE key = 0;
	CK_ULONG count = 0;
	bench_check(list->C_FindObjectsInit(session, &template, 1), "C_FindObjectsInit");
	bench_check(list->C_FindObjects(session, &key, 1, &count), "C_FindObjects");
	bench_check(list->C_FindObjectsFinal(session), "C_FindObjectsFinal");
	if (count == 0)
		bench_die("the token has no private key");
	return key;
}

int main(int argc, char **argv)
{
	if (argc < 7)
		bench_die("usage: calls LIBRARY MODULE WHAT SAMPLES CALLS THREADS [login]");
	CK_RV (*work)(struct worker *worker) = NULL;
	for (size_t i = 0; i < sizeof works / sizeof *works; i++)
		if (strcmp(argv[3], works[i].name) == 0)
			work = works[i].work;
	if (!work)
		bench_die("there is nothing called %s to do", argv[3]);
	samples = bench_number(argv[4], "SAMPLES");
	long calls = bench_number(argv[5], "CALLS"), threads = bench_number(argv[6], "THREADS");
	bool login = argc > 7 && strcmp(argv[7], "login") == 0;

	struct bench_way way;
	bench_way_open(&way, argv[1]);
	CK_FUNCTION_LIST *list = bench_load(&way, argv[2]);
	CK_SLOT_ID slot = bench_begin(list, argv[2]);

	struct worker *workers = calloc((size_t)threads, sizeof *workers);
	if (!workers || pthread_barrier_init(&turnstile, NULL, (unsigned)threads + 1) != 0)
		bench_die("out of memory");
	for (long i = 0; i < threads; i++) {
		struct worker *worker = &workers[i];
		*worker = (struct worker){ .list = list, .slot = slot, .calls = calls, .work = work };
		bench_check(list->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &worker->session), "C_OpenSession");
		if (login && i == 0)
			bench_check(list->C_Login(worker->session, CKU_USER, (CK_UTF8CHAR *)BENCH_PIN, strlen(BENCH_PIN)), "C_Login");
		if (login)
			worker->key = find_key(list, worker->session);
		if (pthread_create(&worker->thread, NULL, run, worker) != 0)
			bench_die("cannot start a thread");
	}
	for (long i = -1; i < samples; i++) {
		pthread_barrier_wait(&turnstile);
		pthread_barrier_wait(&turnstile);
		if (i >= 0)
			report(workers, threads);
	}
	for (long i = 0; i < threads; i++) {
		pthread_join(workers[i].thread, NULL);
		bench_check(list->C_CloseSession(workers[i].session), "C_CloseSession");
	}
	bench_check(list->C_Finalize(NULL), "C_Finalize");
	/* An instance of the proxy cannot be released, and what was loaded with others not alone. */
	if (strncmp(argv[2], BENCH_PROXY, strlen(BENCH_PROXY)) != 0 && strncmp(argv[2], BENCH_LOGGED, strlen(BENCH_LOGGED)) != 0)
		bench_release(&way, list);
	free(workers);
	return 0;
}
