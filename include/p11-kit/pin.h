/*
 * PINs, and callbacks that get them. A program that knows how to get the PIN for
 * a pin-source (of a URI, see uri.h) registers a callback for it; a library that
 * needs the PIN requests it.
 *
 * Every function may be called from any thread. Callbacks, and the functions that
 * destroy what belongs to them, are called without any lock held: they may use
 * this library. Given NULL where that is not allowed, a function says so on
 * stderr, and fails.
 */
#ifndef P11_KIT_PIN_H
#define P11_KIT_PIN_H 1

#include "p11-kit/uri.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a PIN is wanted for, and how it went so far. */
typedef enum {
	P11_KIT_PIN_FLAGS_USER_LOGIN = 1 << 0,    /* CKU_USER */
	P11_KIT_PIN_FLAGS_SO_LOGIN = 1 << 1,      /* CKU_SO */
	P11_KIT_PIN_FLAGS_CONTEXT_LOGIN = 1 << 2, /* CKU_CONTEXT_SPECIFIC */
	P11_KIT_PIN_FLAGS_RETRY = 1 << 3,         /* the PIN given before was wrong */
	P11_KIT_PIN_FLAGS_MANY_TRIES = 1 << 4,    /* it was wrong several times */
	P11_KIT_PIN_FLAGS_FINAL_TRY = 1 << 5      /* the token locks if this one is wrong */
} P11KitPinFlags;

/* The pin-source of callbacks that serve where none is registered for the pin-source requested. */
#define P11_KIT_PIN_FALLBACK ""

/* A PIN in memory, counted. */
typedef struct p11_kit_pin P11KitPin;

/* Called with what is to be destroyed. */
typedef void (*p11_kit_pin_destroy_func)(void *data);

/*
 * Gets a PIN. pin_source, pin_uri and pin_description are those of the request;
 * the last two may be NULL. data is what was registered. The result is a
 * reference for the caller; NULL if this callback has no PIN.
 */
typedef P11KitPin *(*p11_kit_pin_callback)(const char *pin_source, P11KitUri *pin_uri, const char *pin_description,
                                           P11KitPinFlags pin_flags, void *callback_data);

/*
 * A PIN of length bytes, copied; value may be NULL if length is 0. The copy is
 * wiped when its last reference goes. NULL if memory is short.
 */
P11KitPin *p11_kit_pin_new(const unsigned char *value, size_t length);

/* The same for a string. */
P11KitPin *p11_kit_pin_new_for_string(const char *value);

/*
 * A PIN in a buffer that the caller gives away: when the last reference goes,
 * destroy is called with it, unless NULL, and is the one to wipe it. NULL if
 * memory is short; the buffer is the caller's then.
 */
P11KitPin *p11_kit_pin_new_for_buffer(unsigned char *buffer, size_t length, p11_kit_pin_destroy_func destroy);

/* One more reference; gives pin. */
P11KitPin *p11_kit_pin_ref(P11KitPin *pin);

/* Drops a reference; with the last one the PIN is destroyed. */
void p11_kit_pin_unref(P11KitPin *pin);

/* The PIN, valid as long as the reference; not terminated. *length, if length is not NULL, becomes its length in bytes. */
const unsigned char *p11_kit_pin_get_value(P11KitPin *pin, size_t *length);

/* The PIN's length in bytes. */
size_t p11_kit_pin_get_length(P11KitPin *pin);

/*
 * Registers a callback for a pin-source, compared byte by byte, or for
 * P11_KIT_PIN_FALLBACK. callback_destroy, unless NULL, is called once with
 * callback_data when the callback is unregistered and no more in use. 0, or -1 if
 * memory is short; then callback_destroy is not called.
 */
int p11_kit_pin_register_callback(const char *pin_source, p11_kit_pin_callback callback, void *callback_data,
                                  p11_kit_pin_destroy_func callback_destroy);

/* Undoes the earliest registration with these values; nothing happens if there is none. */
void p11_kit_pin_unregister_callback(const char *pin_source, p11_kit_pin_callback callback, void *callback_data);

/*
 * Asks the callbacks of a pin-source for a PIN, the last registered first, until
 * one has it; or those of P11_KIT_PIN_FALLBACK where there is none for this
 * pin-source. The arguments are passed on as they are; pin_uri and
 * pin_description may be NULL. The result is a reference for the caller; NULL if
 * there is no callback, or none has a PIN.
 */
P11KitPin *p11_kit_pin_request(const char *pin_source, P11KitUri *pin_uri, const char *pin_description,
                               P11KitPinFlags pin_flags);

/*
 * A callback to register, which nobody registers by itself: the PIN is the
 * content of the file that pin_source is the path of, as it is, with a newline at
 * its end if there is one. NULL if the file cannot be read or has more than 4096
 * bytes, and if pin_flags has P11_KIT_PIN_FLAGS_RETRY, as the PIN in it is known
 * to be wrong. The other arguments are ignored.
 */
P11KitPin *p11_kit_pin_file_callback(const char *pin_source, P11KitUri *pin_uri, const char *pin_description,
                                     P11KitPinFlags pin_flags, void *callback_data);

#ifdef __cplusplus
}
#endif

#endif
