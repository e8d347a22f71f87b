/* The story of two libraries with one token; see together.h. */
#include "together.h"

#include "common.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct party *parties[2]; /* GnuTLS and the other */
static void (*shake_hands)(void);

static void counts(long initialize, long finalize)
{
	void *card = dlopen(module_path("card"), RTLD_NOW | RTLD_NOLOAD);
	long (*count)(const char *) = NULL;
	long i, f;

	if (card == NULL)
		die("the card is not loaded: %s", dlerror());
	*(void **)&count = dlsym(card, "card_count");
	must(count != NULL);
	i = count("initialize");
	f = count("finalize");
	/* The handle is kept: the counters must still be there when everybody has gone. */
	if (i != initialize || f != finalize)
		die("C_Initialize %ld times, C_Finalize %ld times; want %ld and %ld", i, f, initialize, finalize);
}

static void use(const struct party *p)
{
	p->sign();
	p->generate();
	p->sign();
}

static void child(void *unused)
{
	(void)unused;
	gnutls_party.sign();
	gnutls_party.generate();
	gnutls_party.stop();
}

static void fork_one(void)
{
	int rc;

#ifdef __SANITIZE_ADDRESS__
	return; /* its allocator may be locked in the child */
#endif
	rc = run_child(child, NULL, 120);
	if (rc != 0)
		die("the child ends with %d", rc);
}

static void story(int starts, int ends)
{
	const struct party *leaves = parties[ends], *stays = parties[!ends];

	parties[starts]->start();
	counts(1, 0);
	parties[!starts]->start();
	use(leaves);
	use(stays);
	shake_hands();
	fork_one();
	leaves->sign();
	stays->sign();
	counts(1, 0);

	leaves->stop();
	use(stays);
	counts(1, 0);

	/* It comes back, and then it is the other that goes. */
	leaves->start();
	use(leaves);
	stays->sign();
	shake_hands();
	stays->stop();
	use(leaves);
	counts(1, 0);

	leaves->stop();
	counts(1, 1);
}

static void gnutls_and_gnutls(void) { story(0, 0); }
static void gnutls_and_other(void) { story(0, 1); }
static void other_and_gnutls(void) { story(1, 0); }
static void other_and_other(void) { story(1, 1); }

int together(const struct party *other, void (*handshake)(void), int argc, char **argv)
{
	static const struct host_case cases[] = {
		{ "gnutls_starts_gnutls_ends", gnutls_and_gnutls, false },
		{ "gnutls_starts_other_ends", gnutls_and_other, false },
		{ "other_starts_gnutls_ends", other_and_gnutls, false },
		{ "other_starts_other_ends", other_and_other, false },
	};

	parties[0] = &gnutls_party;
	parties[1] = other;
	shake_hands = handshake;
	return run_cases(cases, sizeof cases / sizeof *cases, argc, argv, use_conf);
}

void tcp_pair(int fds[2])
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof address;
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	fds[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0 || fds[1] < 0 || bind(listener, (struct sockaddr *)&address, n) < 0 || listen(listener, 1) < 0 ||
	    getsockname(listener, (struct sockaddr *)&address, &n) < 0 ||
	    connect(fds[1], (struct sockaddr *)&address, n) < 0 || (fds[0] = accept(listener, NULL, NULL)) < 0)
		die("a connection on the loopback interface: %s", strerror(errno));
	close(listener);
}
