/* What the files about URIs share; struct p11_kit_uri itself is in engine_abi.h. */
#ifndef P11_URI_H
#define P11_URI_H

#include "internal.h"
#include "p11-kit/uri.h"

/* Whether URIs have a name for an attribute of this type. */
bool p11_uri_names(CK_ATTRIBUTE_TYPE type);

/* Whether the value of an attribute is an array of attributes, by its type and length. */
bool p11_is_template(const CK_ATTRIBUTE *attr);

/* Frees a text and leaves no copy of it in memory; NULL is let pass. */
void p11_uri_wipe_text(char *text);

/* Makes a URI that says nothing of memory. */
void p11_uri_init(P11KitUri *uri);

/* Frees what the URI points to, and wipes it. Nothing is unset. */
void p11_uri_clear(P11KitUri *uri);

/* The place of the attribute of a type, or NULL. */
CK_ATTRIBUTE *p11_uri_find_attribute(const P11KitUri *uri, CK_ATTRIBUTE_TYPE type);

/* Wipes and removes the attribute of a type, if there is one. */
void p11_uri_drop_attribute(P11KitUri *uri, CK_ATTRIBUTE_TYPE type);

/* Frees what the URI has of these. They are not unset. */
void p11_uri_free_attributes(P11KitUri *uri);
void p11_uri_free_queries(P11KitUri *uri);

#endif
