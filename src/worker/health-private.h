/* SPDX-License-Identifier: Apache-2.0 */
/* GET /health (the peer: prefect/workers/server.py), on the main loop through libmicrohttpd's epoll
 * descriptor. */
#pragma once

#include <glib.h>
#include <netdb.h>

G_BEGIN_DECLS

typedef struct PpHealth PpHealth;

/* Asked at each request: NULL for 200, or what is wrong (borrowed) for 503. */
typedef const char *(*PpHealthFunc) (gpointer user_data);

/* The code is an errno value. */
#define PP_HEALTH_ERROR (pp_health_error_quark ())
GQuark pp_health_error_quark (void);

/* The words for WHY there is no health check on HOST:PORT; new string. */
char *pp_health_problem (const char *host, int port, const char *why);

/* Listens on the first of ADDRESSES, HOST's with PORT (0: any free one), that can be had. Answers
 * from the thread-default main context of the caller. Returns NULL with ERROR naming host, port and
 * the system's words (a port in use ...). */
PpHealth *pp_health_new (const char *host, int port, const struct addrinfo *addresses,
                         PpHealthFunc find_illness, gpointer user_data, GError **error);

/* The port it listens on. */
int pp_health_port (const PpHealth *health);

/* Closes it; NULL is ignored. Not from inside FIND_ILLNESS. */
void pp_health_free (PpHealth *health);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpHealth, pp_health_free)

G_END_DECLS
