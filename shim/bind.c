/* libp11-kit.so.0 and its engine, introduced to each other. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
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
	p11_proxy_api(&host);
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

/* The offer of an object that has been loaded into this process and not into one that it was forked from. */
static int find_offer(struct dl_phdr_info *info, size_t size, void *data)
{
	(void)size;
	struct p11_offer **offer = data;
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		if (segment->p_type != PT_NOTE)
			continue;
		size_t n;
		const unsigned char *desc = p11_find_note((const unsigned char *)(info->dlpi_addr + segment->p_vaddr),
		                                          segment->p_memsz, P11_OFFER_NAME, sizeof P11_OFFER_NAME,
		                                          P11_OFFER_TYPE, &n);
		int64_t distance;
		if (!desc || n != sizeof distance)
			continue;
		memcpy(&distance, desc, sizeof distance);
		struct p11_offer *found = (struct p11_offer *)(desc + distance);
		if (__atomic_load_n(&found->pid, __ATOMIC_ACQUIRE) == getpid()) {
			*offer = found;
			return 1;
		}
	}
	return 0;
}

bool p11_engine_join(void)
{
	struct p11_offer *offer = NULL;
	if (!dl_iterate_phdr(find_offer, &offer))
		return false;
	if (offer->abi != P11_ENGINE_ABI) {
		p11_message("the program has an engine of another build than this library: they do not share modules");
		return false;
	}
	fill_host();
	if (offer->start(&host) != 0)
		return false;
	engine = offer->engine;
	return true;
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
