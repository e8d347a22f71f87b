/*
 * Calls that are logged (abi.md 8).
 *
 * A handle whose calls are logged has a struct p11_log, whose table takes the
 * place of the module's: each function in it (words.S) tells the engine of the
 * call, makes it, and tells the engine what came of it. The engine is not on the
 * stack meanwhile, so a call may take as long as it likes, call back, or fork.
 * The managed functions do the same by themselves (managed.c).
 *
 * In a forked child nothing is logged until there is an engine, which the next
 * C_Initialize brings.
 */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

/* The engine, if the log's id is one that this process gave. */
static const struct p11_engine *engine_of(struct p11_logged *call, int function)
{
	const struct p11_engine *engine = function == FUNCTION_C_Initialize ? p11_engine_get() : p11_engine_if_running();
	uint64_t owner = __atomic_load_n(&call->log->owner, __ATOMIC_ACQUIRE);
	call->id = (uint32_t)owner;
	call->generation = p11_generation();
	return call->id && owner >> 32 == call->generation ? engine : NULL;
}

/* Comes before a call; p11_log_end must follow, on the same thread. */
void p11_log_begin(struct p11_logged *call, struct p11_log *log, int function, const uintptr_t words[10])
{
	memcpy(call->words, words, sizeof call->words);
	call->log = log;
	call->engine = engine_of(call, function);
	call->number = call->engine ? call->engine->log_begin(call->id, function, call->words) : 0;
}

/* Comes after a call that gave rv, and gives rv. */
CK_RV p11_log_end(struct p11_logged *call, CK_RV rv)
{
	/* What returns in a child of the process that it was made in is not the child's to log. */
	if (call->number && call->generation == p11_generation())
		call->engine->log_end(call->id, call->number, call->words, rv);
	return rv;
}

/* Called from words.S. */
__attribute__((visibility("hidden"), used)) CK_RV p11_log_call(struct p11_log *log, int function, const uintptr_t words[10]);

CK_RV p11_log_call(struct p11_log *log, int function, const uintptr_t words[10])
{
	struct p11_logged call;
	p11_log_begin(&call, log, function, words);
	struct p11_table *target = __atomic_load_n(&log->target, __ATOMIC_ACQUIRE);
	CK_RV rv;
	if ((function == FUNCTION_C_GetFunctionStatus || function == FUNCTION_C_CancelFunction) && !log->parallel)
		rv = CKR_FUNCTION_NOT_PARALLEL;
	else
		rv = target ? p11_table_call(target, function, words) : CKR_CRYPTOKI_NOT_INITIALIZED;
	return p11_log_end(&call, rv);
}

static void log_renew(struct p11_log *log, uint32_t id)
{
	__atomic_store_n(&log->owner, (uint64_t)p11_generation() << 32 | id, __ATOMIC_RELEASE);
}

static struct p11_log *log_new(uint32_t id, const char *settings, size_t len)
{
	struct p11_log *log = calloc(1, sizeof *log + len + 1);
	if (!log)
		return NULL;
	memcpy(log->table.functions, p11_log_functions, sizeof log->table.functions);
	log->settings = (char *)(log + 1);
	memcpy(log->settings, settings, len);
	log->settings_len = len;
	log_renew(log, id);
	return log;
}

void p11_log_api(struct p11_host *host)
{
	host->log_new = log_new;
	host->log_renew = log_renew;
	host->handle_log = p11_handle_log;
}
