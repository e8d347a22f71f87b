/*
 * Handles, and the arenas they live in.
 *
 * An arena is a block of code and the data it works on (stubs.S). The first is
 * part of the library; further ones are mapped as they are needed and never
 * unmapped. A handle is given out once: a function pointer that a program kept
 * from a released list finds its own, shut handle, not another caller's. Only
 * when ARENAS_MAX blocks have been used up (a million handles) does the one
 * that has been out of use longest serve again.
 */
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>

#include "arena.h"

#define ARENAS_MAX 4096

static struct p11_arena first = {
	.code = p11_arena_code,
	.states = &p11_arena_state,
	.entries = p11_arena_entries,
	.handles = p11_arena_handles,
};

/* Everything below is guarded by p11_lock_records. */
static struct p11_arena others[ARENAS_MAX - 1];
static uint32_t arenas; /* in use or retired; 0 until the first handle */
static struct p11_arena *current;
static struct p11_arena *retired_first, *retired_last;

static struct p11_arena *arena_at(uint32_t i)
{
	return i == 0 ? &first : &others[i - 1];
}

static struct p11_handle *handle_at(const struct p11_arena *arena, uint32_t index)
{
	return (struct p11_handle *)(arena->handles + (size_t)index * P11_HANDLE_STRIDE);
}

static void open_arena(struct p11_arena *arena)
{
	memcpy(arena->entries, p11_managed_entries, sizeof p11_managed_entries);
	madvise(arena->states, P11_STATE_SIZE, MADV_WIPEONFORK);
	arena->used = 0;
	arena->live = 0;
	arena->next = NULL;
	current = arena;
}

/*
 * Takes an arena whose handles are all released out of use. Its lists stay
 * readable until the next one follows, for the sake of programs that use a list
 * just after its release; then its memory goes back to the system.
 */
static void retire(struct p11_arena *arena)
{
	if (retired_last) {
		struct p11_arena *old = retired_last;
		madvise((void *)old->code, P11_CODE_SIZE, MADV_DONTNEED);
		/* The states are zero already, but those of the first arena bear the mark. */
		if (old != &first)
			madvise(old->states, P11_STATE_SIZE, MADV_DONTNEED);
		madvise(old->entries, P11_DATA_SIZE - P11_STATE_SIZE, MADV_DONTNEED);
		old->next = arena;
	} else {
		retired_first = arena;
	}
	arena->next = NULL;
	retired_last = arena;
}

static bool next_arena(void)
{
	if (arenas == 0) {
		arenas = 1;
		open_arena(&first);
		return true;
	}
	if (arenas < ARENAS_MAX && p11_arena_map(arena_at(arenas))) {
		open_arena(arena_at(arenas++));
		return true;
	}
	struct p11_arena *oldest = retired_first;
	if (!oldest)
		return false;
	retired_first = oldest->next;
	if (!retired_first)
		retired_last = NULL;
	open_arena(oldest);
	return true;
}

/* A new handle, its stubs shut; NULL with a message when there is no room. */
static struct p11_handle *new_handle(struct p11_record *record, struct p11_proxy *proxy)
{
	struct p11_handle *handle = NULL;
	p11_lock_records();
	if ((current && current->used < P11_ARENA_HANDLES) || next_arena()) {
		uint32_t index = current->used++;
		current->live++;
		handle = handle_at(current, index);
		handle->arena = current;
		handle->index = index;
		handle->record = record;
		handle->proxy = proxy;
		handle->log = NULL;
		atomic_store(&handle->initialized_in, 0);
		p11_list_init(handle, current->code + (size_t)index * P11_CODE_STRIDE);
		atomic_store(&handle->life, P11_LIVE);
	}
	p11_unlock_records();
	if (!handle)
		p11_message("no room for another managed module: release some that are no longer used");
	return handle;
}

/* A new handle for a module. */
struct p11_handle *p11_handle_new(struct p11_record *record)
{
	return new_handle(record, NULL);
}

/* A new handle for an instance of the proxy. */
struct p11_handle *p11_handle_for_proxy(struct p11_proxy *proxy)
{
	return new_handle(NULL, proxy);
}

void p11_handle_retire(struct p11_handle *handle)
{
	p11_lock_records();
	struct p11_arena *arena = handle->arena;
	atomic_store(&arena->states->of[handle->index], NULL);
	atomic_store(&handle->life, P11_RELEASED);
	handle->record = NULL;
	if (--arena->live == 0 && arena->used == P11_ARENA_HANDLES) {
		if (arena == current)
			current = NULL;
		retire(arena);
	}
	p11_unlock_records();
}

/* Opens or shuts the plain stubs of a handle. */
void p11_handle_set_state(struct p11_handle *handle, int on)
{
	struct p11_record *record = handle->record;
	struct p11_table *table = handle->proxy ? &handle->proxy->table : record ? &record->table : NULL;
	atomic_store_explicit(&handle->initialized_in, on ? p11_generation() : 0, memory_order_release);
	if (handle->log) {
		__atomic_store_n(&handle->log->target, on ? table : NULL, __ATOMIC_RELEASE);
		return;
	}
	atomic_store_explicit(&handle->arena->states->of[handle->index], on ? table : NULL, memory_order_release);
}

/*
 * Has all calls of a handle logged, those too that come while it is not
 * initialized. Also for a handle of the parent, in a forked child, whose states
 * are wiped.
 */
void p11_handle_log(struct p11_handle *handle, struct p11_log *log)
{
	CK_FUNCTION_LIST_3_2 *list = &handle->list;
	const unsigned char *code = handle->arena->code + (size_t)handle->index * P11_CODE_STRIDE;
	const unsigned char *status = code + FUNCTION_C_GetFunctionStatus * P11_STUB_SIZE;
	const unsigned char *cancel = code + FUNCTION_C_CancelFunction * P11_STUB_SIZE;
	__atomic_store_n(&log->target, NULL, __ATOMIC_RELEASE);
	log->parallel = handle->proxy != NULL;
	handle->log = log;
	memcpy(&list->C_GetFunctionStatus, &status, sizeof status);
	memcpy(&list->C_CancelFunction, &cancel, sizeof cancel);
	atomic_store_explicit(&handle->arena->states->of[handle->index], &log->table, memory_order_release);
}

/* The live handle whose list this is, or NULL. The pointer may be anything. The lock must be held. */
static struct p11_handle *handle_of(const void *list)
{
	for (uint32_t i = 0; i < arenas; i++) {
		const struct p11_arena *arena = arena_at(i);
		uintptr_t offset = (uintptr_t)list - (uintptr_t)arena->handles;
		if (offset >= (uintptr_t)arena->used * P11_HANDLE_STRIDE)
			continue;
		if (offset % P11_HANDLE_STRIDE)
			return NULL;
		struct p11_handle *handle = (struct p11_handle *)(arena->handles + offset);
		return atomic_load(&handle->life) == P11_LIVE ? handle : NULL;
	}
	return NULL;
}

/* The live handle of a module that has this list, or NULL; an instance of the proxy is none. The lock must be held. */
struct p11_handle *p11_handle_find(const void *list)
{
	struct p11_handle *handle = handle_of(list);
	return handle && !handle->proxy ? handle : NULL;
}

/* Whether this is a list that we made, for a module or as the proxy. The lock must be held. */
bool p11_handle_is_ours(const void *list)
{
	return handle_of(list) != NULL;
}

/* Visits every live handle. The lock must not be held; handles made meanwhile may be missed. */
void p11_handle_each(void (*visit)(struct p11_handle *, struct p11_record *, struct p11_proxy *, struct p11_log *, void *), void *data)
{
	p11_lock_records();
	uint32_t count = arenas;
	p11_unlock_records();
	for (uint32_t i = 0; i < count; i++) {
		struct p11_arena *arena = arena_at(i);
		for (uint32_t j = 0; arena->live > 0 && j < arena->used; j++) {
			struct p11_handle *handle = handle_at(arena, j);
			struct p11_record *record = handle->record;
			if (atomic_load(&handle->life) == P11_LIVE && (record || handle->proxy))
				visit(handle, record, handle->proxy, handle->log, data);
		}
	}
}

/* In a forked child: what the parent initialized is not initialized here. */
void p11_process_forget(void)
{
	for (uint32_t i = 0; i < arenas; i++)
		if (arena_at(i)->live > 0) /* else they are zero, and the page need not be there */
			memset(arena_at(i)->states->of, 0, sizeof arena_at(i)->states->of);
}

void p11_process_forked(void)
{
	p11_records_disconnect();
}

bool p11_process_marked(void)
{
	return atomic_load_explicit(&p11_arena_state.mark, memory_order_acquire) != 0;
}

void p11_process_mark(void)
{
	madvise(&p11_arena_state, P11_STATE_SIZE, MADV_WIPEONFORK);
	atomic_store_explicit(&p11_arena_state.mark, 1, memory_order_release);
}
