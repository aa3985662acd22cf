/* SPDX-License-Identifier: Apache-2.0 */
/* Serves GET /health from the main loop, through libmicrohttpd's epoll descriptor. Prefect's own
 * endpoint is in prefect/workers/server.py. */
#pragma once

#include <glib.h>
#include <netdb.h>

G_BEGIN_DECLS

typedef struct PpHealth PpHealth;

/* Called for each request. Returns NULL for status 200, or the reason for status 503 (borrowed). */
typedef const char *(*PpHealthFunc) (gpointer user_data);

/* The error code is an errno value. */
#define PP_HEALTH_ERROR (pp_health_error_quark ())
GQuark pp_health_error_quark (void);

/* Returns the message for a failure to listen on HOST:PORT; WHY is the reason. New string. */
char *pp_health_problem (const char *host, int port, const char *why);

/* Listens on the first of ADDRESSES that can be bound. ADDRESSES are those of HOST with PORT (0:
 * any free port). Runs on the caller's thread-default main context. Returns NULL with ERROR, which
 * has the host, the port and the system's error text. */
PpHealth *pp_health_new (const char *host, int port, const struct addrinfo *addresses,
                         PpHealthFunc find_illness, gpointer user_data, GError **error);

/* Returns the port that HEALTH listens on. */
int pp_health_port (const PpHealth *health);

/* Closes the endpoint. Must not be called from FIND_ILLNESS. NULL is ignored. */
void pp_health_free (PpHealth *health);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpHealth, pp_health_free)

G_END_DECLS
