/* Calls of remote modules: the engine does them. (remote.c is the other direction.) */
#include "internal.h"

/* Called from words.S, with the table of a record. */
__attribute__((visibility("hidden"), used)) CK_RV p11_remote_call(struct p11_table *table, int function, uintptr_t words[10]);

CK_RV p11_remote_call(struct p11_table *table, int function, uintptr_t words[10])
{
	struct p11_record *record = (struct p11_record *)((char *)table - offsetof(struct p11_record, table));
	const struct p11_engine *engine = p11_engine_if_running();
	return engine ? engine->remote_call(record, function, words) : CKR_CRYPTOKI_NOT_INITIALIZED;
}
