/* libp11-kit.so.0 and its engine, introduced to each other. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "internal.h"
#include "note.h"
#include "p11-kit/p11-kit.h"

static struct p11_engine engine;
static struct p11_host host;

static const char *get_environment(const char *name)
{
	return host.secure ? secure_getenv(name) : getenv(name);
}

static void fill_host(void)
{
	host.abi = P11_ENGINE_ABI;
	host.secure = getauxval(AT_SECURE) != 0;
	host.uid = getuid();
	host.argv0 = program_invocation_name;
	host.settings = &p11_settings;
	host.get_environment = get_environment;
	host.message = p11_message_text;
	host.describe = p11_kit_strerror;
	host.load_lock = p11_load_lock;
	host.load_unlock = p11_load_unlock;
	host.handle_new = p11_handle_new;
	host.handle_retire = p11_handle_retire;
	host.handle_state = p11_handle_set_state;
	host.handle_each = p11_handle_each;
	p11_records_api(&host);
	p11_proxy_api(&host);
	p11_log_api(&host);
}

const char *p11_engine_bind(void *dl)
{
	fill_host();
#define P11_ENGINE_FUNCTION(result, name, parameters) \
	if (!(engine.name = dlsym(dl, "p11mux_engine_" #name))) \
		return P11_OTHER_BUILD;
	P11_ENGINE_FUNCTIONS
#undef P11_ENGINE_FUNCTION
	p11_engine_start start = (p11_engine_start)dlsym(dl, "p11mux_engine_start");
	switch (start ? start(&host) : P11_START_OTHER_BUILD) {
	case 0:
		return NULL;
	case P11_START_TAKEN:
		return "is used by another copy of this library in this process: let both be one file";
	default:
		return P11_OTHER_BUILD;
	}
}

/* Set under the load lock, before the engine counts as running; as the engine itself, it is of this process. */
static const struct p11_offer *offer;

/* The offer of an object that has been loaded into this process and not into one that it was forked from. */
static int take_offer(void *structure, void *data)
{
	struct p11_offer *found = structure, **taken = data;
	if (__atomic_load_n(&found->pid, __ATOMIC_ACQUIRE) != getpid())
		return 0;
	*taken = found;
	return 1;
}

bool p11_engine_join(void)
{
#ifdef P11_CLIENT
	return false; /* the client module's engine is its own, as that of any other module would be */
#endif
	struct p11_offer *found = NULL;
	offer = NULL;
	p11_visit_notes(P11_NOTE_OFFER, take_offer, &found);
	if (!found)
		return false;
	if (found->abi != P11_ENGINE_ABI) {
		p11_message("the program has an engine of another build than this library, which loads its own");
		return false;
	}
	fill_host();
	if (found->start(&host) != 0)
		return false;
	engine = found->engine;
	offer = found;
	return true;
}

const void *p11_engine_joined(void)
{
	return offer;
}

void p11_engine_warm(void)
{
	engine.warm();
}

const struct p11_engine *p11_engine_get(void)
{
	return p11_engine_enter() ? &engine : NULL;
}

const struct p11_engine *p11_engine_if_running(void)
{
	return p11_engine_enter_if_running() ? &engine : NULL;
}
