/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses to listen on. A name server may take as long as it likes: it is asked on a thread. */
#pragma once

#include <glib.h>
#include <netdb.h>

G_BEGIN_DECLS

typedef struct PpHostLookup PpHostLookup;

/* Where HOST is an address, or "" for any of this host: its addresses with PORT, without asking
 * anybody; for freeaddrinfo(). NULL: it is a name. */
struct addrinfo *pp_host_addresses (const char *host, int port);

/* ADDRESSES are for the function to free, with freeaddrinfo(); NULL: there are none, FAILURE
 * (getaddrinfo()'s, EAI_AGAIN: it may pass) says why, WHY in words (borrowed). */
typedef void (*PpHostLookupFunc) (struct addrinfo *addresses, int failure, const char *why,
                                  gpointer user_data);

/* Looks HOST up, and calls DONE on the caller's thread-default main context. The lookup is gone
 * then. */
PpHostLookup *pp_host_lookup_new (const char *host, int port, PpHostLookupFunc done,
                                  gpointer user_data);

/* DONE will not be called; the thread ends when the name server answers. NULL is ignored. */
void pp_host_lookup_cancel (PpHostLookup *lookup);

G_END_DECLS
