/*
 * Iterators: one way through all modules, slots, tokens and objects that match
 * a URI, filters and callbacks.
 *
 *     P11KitIter *iter = p11_kit_iter_new(uri, 0);
 *     p11_kit_iter_begin(iter, modules);
 *     while ((rv = p11_kit_iter_next(iter)) == CKR_OK)
 *             use(p11_kit_iter_get_object(iter), p11_kit_iter_get_session(iter));
 *     p11_kit_iter_free(iter);
 *
 * At the end rv is CKR_CANCEL, or an error. The modules must be initialized, and
 * stay so while they are iterated; an iterator does neither, nor does it release
 * them.
 *
 * An iterator belongs to whoever made it: two threads must not use one at the
 * same time. Callbacks, and the functions that destroy what belongs to them, are
 * called by the thread that calls, without any lock held: they may use this
 * library, other iterators, and of this one all that looks at the object. They
 * must not begin it, set it up or step it on; they may free it, which takes
 * effect when the iterator is done with them. Given NULL where that is not
 * allowed, or an iterator that is not begun, a function says so on stderr, and
 * fails.
 *
 * This interface is not stable: P11_KIT_FUTURE_UNSTABLE_API must be defined.
 */
#ifndef P11_KIT_ITER_H
#define P11_KIT_ITER_H 1

#include "p11-kit/p11-kit.h"
#include "p11-kit/uri.h"

#ifdef P11_KIT_FUTURE_UNSTABLE_API

#ifdef __cplusplus
extern "C" {
#endif

/* An iterator. */
typedef struct p11_kit_iter P11KitIter;

/* What an iterator stops at. */
typedef enum {
	P11_KIT_ITER_KIND_MODULE,
	P11_KIT_ITER_KIND_SLOT,
	P11_KIT_ITER_KIND_TOKEN,
	P11_KIT_ITER_KIND_OBJECT,
	P11_KIT_ITER_KIND_SESSION,
	P11_KIT_ITER_KIND_UNKNOWN = -1 /* at nothing */
} P11KitIterKind;

/* What an iterator does and where it stops; bits. Without any it stops at objects. */
typedef enum {
	/* Objects are given before the search for them has ended: their session cannot search meanwhile. */
	P11_KIT_ITER_BUSY_SESSIONS = 1 << 1,
	/* Sessions are for reading and writing, on tokens that can be written. */
	P11_KIT_ITER_WANT_WRITABLE = 1 << 2,
	/* Stops at each module, */
	P11_KIT_ITER_WITH_MODULES = 1 << 3,
	/* each slot with a token in it, */
	P11_KIT_ITER_WITH_SLOTS = 1 << 4,
	/* each token, after its slot, */
	P11_KIT_ITER_WITH_TOKENS = 1 << 5,
	/* and not at objects. */
	P11_KIT_ITER_WITHOUT_OBJECTS = 1 << 6,
	/* Logs in as the user, if the URI has pin-value, or pin-source and somebody has the PIN for it (pin.h). */
	P11_KIT_ITER_WITH_LOGIN = 1 << 7,
	/* Stops at each session, when it is logged in. */
	P11_KIT_ITER_WITH_SESSIONS = 1 << 8
} P11KitIterBehavior;

/*
 * Decides about an object, which the functions below give. *matches is CK_TRUE,
 * and may be set to CK_FALSE: then the iterator goes on to the next object.
 * Anything but CKR_OK ends the iteration, which gives it to the caller.
 */
typedef CK_RV (*p11_kit_iter_callback)(P11KitIter *iter, CK_BBOOL *matches, void *data);

/*
 * A new iterator for what uri says, which is copied; NULL for everything. A URI
 * with something unrecognized matches nothing. module-name, module-path and
 * vendor queries do not count here. The result is for p11_kit_iter_free; NULL if
 * memory is short.
 */
P11KitIter *p11_kit_iter_new(P11KitUri *uri, P11KitIterBehavior behavior);

/* Frees an iterator, wipes its PIN, and closes its session unless that is kept. NULL is let pass. */
void p11_kit_iter_free(P11KitIter *iter);

/*
 * Adds a callback that decides about objects; the last added is asked first.
 * callback_destroy, unless NULL, is called with callback_data when the iterator
 * is freed, or at once if memory is short; then no iteration finds anything, but
 * gives CKR_HOST_MEMORY.
 */
void p11_kit_iter_add_callback(P11KitIter *iter, p11_kit_iter_callback callback, void *callback_data,
                               p11_kit_destroyer callback_destroy);

/*
 * Has the iterator find only objects with these attributes too, which are
 * copied. One of a type that the URI or a former filter has takes its place. Not
 * while the iterator is begun. A value that cannot be copied makes each iteration
 * fail: CKR_HOST_MEMORY; or CKR_ATTRIBUTE_VALUE_INVALID for a value without a
 * length, or a length without a value, also in an attribute of the URI.
 */
void p11_kit_iter_add_filter(P11KitIter *iter, CK_ATTRIBUTE *matching, CK_ULONG count);

/*
 * Replaces what the iterator has of a URI by what uri says; NULL for everything.
 * An attribute of the URI takes the place of a filter of its type, other filters
 * stay. If memory is short, iterations give CKR_HOST_MEMORY.
 */
void p11_kit_iter_set_uri(P11KitIter *iter, P11KitUri *uri);

/*
 * Begins an iteration of modules, a NULL-terminated array, of which the pointers
 * are copied. One that is under way ends, and its session is closed unless kept.
 */
void p11_kit_iter_begin(P11KitIter *iter, CK_FUNCTION_LIST_PTR *modules);

/*
 * Begins an iteration of one module; of one slot of it, unless slot is 0, without
 * asking whether the URI names the module; or of the objects in a session of the
 * caller's, unless that is 0. Then nothing is matched but objects, the iterator
 * stops at nothing else, and it does not log in or close the session.
 */
void p11_kit_iter_begin_with(P11KitIter *iter, CK_FUNCTION_LIST_PTR module, CK_SLOT_ID slot,
                             CK_SESSION_HANDLE session);

/*
 * Goes on to what the iterator stops at next. CKR_OK; CKR_CANCEL at the end; or
 * the error of a module or callback. After all but CKR_OK the iterator must be
 * begun again: CKR_OPERATION_NOT_INITIALIZED until then. CKR_OPERATION_ACTIVE in
 * a callback.
 *
 * Modules that do not tell about themselves are left out, as are slots and tokens
 * that do not. So are, where there are others, a module that does not list its
 * slots and a token on which no session can be opened as it has not been set up,
 * or has gone; and one that nobody has the PIN for.
 */
CK_RV p11_kit_iter_next(P11KitIter *iter);

/* What the iterator is at. */
P11KitIterKind p11_kit_iter_get_kind(P11KitIter *iter);

/* The module, borrowed; NULL if the iterator is not begun. */
CK_FUNCTION_LIST_PTR p11_kit_iter_get_module(P11KitIter *iter);

/* The slot, or 0 if the iterator is at none. */
CK_SLOT_ID p11_kit_iter_get_slot(P11KitIter *iter);

/* The slot; zeros if the iterator is at none. Valid until the iterator is freed, and written again as it goes on. */
CK_SLOT_INFO *p11_kit_iter_get_slot_info(P11KitIter *iter);

/* The token, as p11_kit_iter_get_slot_info. */
CK_TOKEN_INFO *p11_kit_iter_get_token(P11KitIter *iter);

/* The session, which the iterator closes when it goes on to the next token; 0 if there is none. */
CK_SESSION_HANDLE p11_kit_iter_get_session(P11KitIter *iter);

/* The object, or 0 if the iterator is at none. */
CK_OBJECT_HANDLE p11_kit_iter_get_object(P11KitIter *iter);

/* C_GetAttributeValue for the object; CKR_GENERAL_ERROR if the iterator is at none. */
CK_RV p11_kit_iter_get_attributes(P11KitIter *iter, CK_ATTRIBUTE *templ, CK_ULONG count);

/*
 * Fills in attributes of the object, in memory that it allocates: each pValue is
 * for the caller to free, and those inside of templates too. On entry pValue is
 * NULL, or from malloc with ulValueLen bytes in it (in CKA_WRAP_TEMPLATE and its
 * like: with such attributes); it is used again if the length is right, and else
 * freed. A value that is empty, absent or sensitive is NULL, and ulValueLen 0 or
 * CK_UNAVAILABLE_INFORMATION.
 *
 * CKR_OK, also if some are absent or sensitive; the module's error;
 * CKR_GENERAL_ERROR if the iterator is at no object, or if the module gives other
 * lengths than it said; CKR_HOST_MEMORY. After an error templ is as it was, and
 * the caller's own memory may have been written to.
 */
CK_RV p11_kit_iter_load_attributes(P11KitIter *iter, CK_ATTRIBUTE *templ, CK_ULONG count);

/* The session, which the caller closes from now on; 0 if there is none. The next one is the iterator's again. */
CK_SESSION_HANDLE p11_kit_iter_keep_session(P11KitIter *iter);

/* C_DestroyObject for the object; CKR_GENERAL_ERROR if the iterator is at none. The session must be writable. */
CK_RV p11_kit_iter_destroy_object(P11KitIter *iter);

#ifdef __cplusplus
}
#endif

#endif

#endif
