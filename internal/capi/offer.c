/* What the shim of this process finds us by; see struct p11_offer. */
#include <unistd.h>

#include "host.h"
#include "_cgo_export.h"

/* In an engine of its own (engine.so) nobody calls p11_offer_make, and it is not to be joined. */
__attribute__((visibility("hidden"), used)) struct p11_offer p11_offer = {
	.abi = P11_ENGINE_ABI,
	.start = (p11_engine_start)p11mux_engine_start,
#define P11_ENGINE_FUNCTION(result, name, parameters) .engine.name = (void *)p11mux_engine_##name,
	P11_ENGINE_FUNCTIONS
#undef P11_ENGINE_FUNCTION
};

_Static_assert(sizeof P11_OFFER_NAME == 7 && P11_OFFER_TYPE == 1, "the note below says so");

__asm__(".pushsection .note.p11mux, \"a\", @note\n"
        ".balign 4\n"
        ".long 7, 8, 1\n" /* sizes of name and descriptor, type */
        ".asciz \"p11mux\"\n"
        ".balign 4\n"
        ".quad p11_offer - .\n"
        ".popsection\n");

void p11_offer_make(void)
{
	__atomic_store_n(&p11_offer.pid, (int32_t)getpid(), __ATOMIC_RELEASE);
}
