/* What the files about URIs share; struct p11_kit_uri itself is in engine_abi.h. */
#ifndef P11_URI_H
#define P11_URI_H

#include "internal.h"
#include "p11-kit/uri.h"

/* Whether URIs have a name for an attribute of this type. */
bool p11_uri_names(CK_ATTRIBUTE_TYPE type);

/* Frees a text and leaves no copy of it in memory; NULL is let pass. */
void p11_uri_wipe_text(char *text);

/* Frees what the URI has of these. They are not unset. */
void p11_uri_free_attributes(P11KitUri *uri);
void p11_uri_free_queries(P11KitUri *uri);

#endif
