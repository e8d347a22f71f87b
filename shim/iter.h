/* What the files about iterators share. */
#ifndef P11_ITER_H
#define P11_ITER_H

#include "internal.h"
#include "uri.h"

#define P11_KIT_FUTURE_UNSTABLE_API
#include "p11-kit/iter.h"

/* What comes next in an iteration, from the outside in. */
enum p11_iter_step {
	P11_ITER_MODULE,
	P11_ITER_SLOTS,  /* of the module: to be listed */
	P11_ITER_SLOT,
	P11_ITER_TOKEN,  /* of the slot */
	P11_ITER_SESSION,
	P11_ITER_SEARCH, /* to be begun */
	P11_ITER_OBJECT,
};

/* Somebody who decides about objects. */
struct p11_iter_callback {
	struct p11_iter_callback *next; /* added before this one */
	p11_kit_iter_callback callback;
	void *data;
	p11_kit_destroyer destroy; /* or NULL */
};

struct p11_kit_iter {
	P11KitUri uri;     /* what a URI said */
	P11KitUri filters; /* of this, the attributes only: those that were added */
	P11KitIterBehavior behavior;
	struct p11_iter_callback *callbacks; /* the last added first */

	bool iterating; /* between a begin and the end */
	bool running;   /* it is stepping on, or being freed: those that it calls must leave it where it is */
	bool abandoned; /* freed meanwhile, by one of them */
	CK_RV failed;   /* why no iteration can be right, for a function that could not say it; CKR_OK: nothing */

	P11KitIterKind kind; /* what the caller looks at */
	enum p11_iter_step step;

	CK_FUNCTION_LIST **modules;
	size_t modules_len, modules_next;
	CK_FUNCTION_LIST *module;
	bool slot_given; /* the caller has named the slot */

	CK_SLOT_ID *slots;
	size_t slots_room, slots_len, slots_next;
	CK_SLOT_ID slot;
	CK_SLOT_INFO slot_info;
	CK_TOKEN_INFO token_info;

	CK_SESSION_HANDLE session;
	bool kept;      /* the session is the caller's to close */
	bool searching; /* there is a search on it */
	CK_ATTRIBUTE *template;
	size_t template_room;

	CK_OBJECT_HANDLE *objects;
	size_t objects_room, objects_len, objects_next;
	CK_OBJECT_HANDLE object;
};

/* A function of a module; modules that are not managed may lack some. */
#define P11_CALL(module, function, ...) \
	((module)->function ? (module)->function(__VA_ARGS__) : CKR_FUNCTION_NOT_SUPPORTED)

/* iter_session.c */
void p11_iter_leave_session(P11KitIter *iter);
CK_RV p11_iter_enter_session(P11KitIter *iter);
CK_RV p11_iter_begin_search(P11KitIter *iter);
CK_RV p11_iter_find(P11KitIter *iter);

/* iter_next.c: ends the iteration, if there is one. */
void p11_iter_end(P11KitIter *iter);

/* iter_get.c: whether there is an object to look at. */
bool p11_iter_at_object(const P11KitIter *iter);

#endif
