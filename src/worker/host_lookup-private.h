/* SPDX-License-Identifier: Apache-2.0 */
/* Looks up addresses to listen on. The lookup runs in a thread because a name server may take any
 * time. */
#pragma once

#include <glib.h>
#include <netdb.h>

G_BEGIN_DECLS

typedef struct PpHostLookup PpHostLookup;

/* Returns the addresses of HOST with PORT if HOST is a numeric address, or "" for any address of
 * this host. Asks no name server. Free with freeaddrinfo(). Returns NULL if HOST is a name. */
struct addrinfo *pp_host_addresses (const char *host, int port);

/* Called with the result of a lookup. The callee frees ADDRESSES with freeaddrinfo(). ADDRESSES is
 * NULL on failure: FAILURE is then the code of getaddrinfo() (EAI_AGAIN: temporary), and WHY is its
 * text (borrowed). */
typedef void (*PpHostLookupFunc) (struct addrinfo *addresses, int failure, const char *why,
                                  gpointer user_data);

/* Looks up HOST and calls DONE on the caller's thread-default main context. The lookup frees itself
 * after DONE. */
PpHostLookup *pp_host_lookup_new (const char *host, int port, PpHostLookupFunc done,
                                  gpointer user_data);

/* Cancels the lookup: DONE is not called. The thread ends when the name server answers. NULL is
 * ignored. */
void pp_host_lookup_cancel (PpHostLookup *lookup);

G_END_DECLS
