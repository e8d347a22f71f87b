/* libp11-kit.so.0 and its engine, introduced to each other. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "internal.h"
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
}

bool p11_engine_bind(void *dl)
{
	fill_host();
#define P11_ENGINE_FUNCTION(result, name, parameters) \
	if (!(engine.name = dlsym(dl, "p11mux_engine_" #name))) \
		return false;
	P11_ENGINE_FUNCTIONS
#undef P11_ENGINE_FUNCTION
	p11_engine_start start = (p11_engine_start)dlsym(dl, "p11mux_engine_start");
	return start && start(&host) == 0;
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
