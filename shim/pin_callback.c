/*
 * The callbacks that get PINs (abi.md 5). They are a list, the last registered
 * first. A request collects those that it is to ask while it has the lock, and
 * then asks them without: they may be slow, register, unregister, and request.
 */
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "p11-kit/pin.h"

struct registration {
	struct registration *next; /* registered before this one */
	p11_kit_pin_callback callback;
	p11_kit_pin_destroy_func destroy;
	void *data;
	_Atomic size_t references; /* of the list, and of each request that is to ask it */
	char source[];
};

/* Guarded by the lock of the records. Each change is one store, so a child that was forked away meanwhile has a list. */
static struct registration *newest;

static void drop(struct registration *r)
{
	if (atomic_fetch_sub_explicit(&r->references, 1, memory_order_acq_rel) != 1)
		return;
	if (r->destroy)
		r->destroy(r->data);
	free(r);
}

P11_EXPORT int p11_kit_pin_register_callback(const char *pin_source, p11_kit_pin_callback callback, void *callback_data,
                                             p11_kit_pin_destroy_func callback_destroy)
{
	p11_return_val_if_fail(pin_source != NULL, -1);
	p11_return_val_if_fail(callback != NULL, -1);
	size_t size = strlen(pin_source) + 1;
	struct registration *r = malloc(sizeof *r + size);
	if (!r)
		return -1;
	r->callback = callback;
	r->destroy = callback_destroy;
	r->data = callback_data;
	atomic_init(&r->references, 1);
	memcpy(r->source, pin_source, size);
	p11_lock_records();
	r->next = newest;
	newest = r;
	p11_unlock_records();
	return 0;
}

P11_EXPORT void p11_kit_pin_unregister_callback(const char *pin_source, p11_kit_pin_callback callback,
                                                void *callback_data)
{
	p11_return_if_fail(pin_source != NULL);
	p11_return_if_fail(callback != NULL);
	struct registration **found = NULL, *r = NULL;
	p11_lock_records();
	for (struct registration **at = &newest; *at; at = &(*at)->next)
		if ((*at)->callback == callback && (*at)->data == callback_data && strcmp((*at)->source, pin_source) == 0)
			found = at;
	if (found) {
		r = *found;
		*found = r->next;
	}
	p11_unlock_records();
	if (r)
		drop(r);
}

/* Collects the registrations of a source, with a reference each, if there is room. Their number; the lock is held. */
static size_t collect(const char *source, struct registration **into, size_t room)
{
	size_t n = 0;
	for (struct registration *r = newest; r; r = r->next)
		if (strcmp(r->source, source) == 0)
			n++;
	if (n > room)
		return n;
	n = 0;
	for (struct registration *r = newest; r; r = r->next) {
		if (strcmp(r->source, source) != 0)
			continue;
		atomic_fetch_add_explicit(&r->references, 1, memory_order_relaxed);
		into[n++] = r;
	}
	return n;
}

/* Those that a request asks, malloc'd: NULL and no number if there are none, or memory is short. */
static struct registration **to_ask(const char *source, size_t *len)
{
	struct registration **all = NULL;
	size_t room = 0;
	for (;;) {
		p11_lock_records();
		size_t n = collect(source, all, room);
		if (n == 0)
			n = collect(P11_KIT_PIN_FALLBACK, all, room);
		p11_unlock_records();
		if (n <= room) {
			*len = n;
			return all;
		}
		/* Nothing is allocated under the lock; there may be more of them when it is held again. */
		free(all);
		all = calloc(n, sizeof *all);
		room = all ? n : 0;
		if (!all) {
			*len = 0;
			return NULL;
		}
	}
}

P11_EXPORT P11KitPin *p11_kit_pin_request(const char *pin_source, P11KitUri *pin_uri, const char *pin_description,
                                          P11KitPinFlags pin_flags)
{
	p11_return_val_if_fail(pin_source != NULL, NULL);
	size_t len;
	struct registration **all = to_ask(pin_source, &len);
	P11KitPin *pin = NULL;
	for (size_t i = 0; i < len; i++) {
		if (!pin)
			pin = all[i]->callback(pin_source, pin_uri, pin_description, pin_flags, all[i]->data);
		drop(all[i]);
	}
	free(all);
	return pin;
}
