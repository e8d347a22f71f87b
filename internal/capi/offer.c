/* What the shim of this process finds us by; see struct p11_offer. */
#define _GNU_SOURCE
#include <unistd.h>

#include "host.h"
#include "note.h"
#include "_cgo_export.h"

/* In an engine of its own (engine.so) nobody calls p11_offer_make, and it is not to be joined. */
__attribute__((visibility("hidden"), used)) struct p11_offer p11_offer = {
	.abi = P11_ENGINE_ABI,
	.start = (p11_engine_start)p11mux_engine_start,
#define P11_ENGINE_FUNCTION(result, name, parameters) .engine.name = (void *)p11mux_engine_##name,
	P11_ENGINE_FUNCTIONS
#undef P11_ENGINE_FUNCTION
};

P11_NOTE(P11_NOTE_OFFER, p11_offer);

void p11_offer_make(void)
{
	__atomic_store_n(&p11_offer.pid, (int32_t)getpid(), __ATOMIC_RELEASE);
}

const struct p11_offer *p11_offer_made(void)
{
	return &p11_offer;
}
