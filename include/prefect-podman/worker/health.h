/* GET /health (the peer: prefect/workers/server.py), on the main loop through libmicrohttpd's epoll
 * descriptor. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct PpHealth PpHealth;

/* Asked at each request: TRUE for 200. */
typedef gboolean (*PpHealthFunc) (gpointer user_data);

/* Listens on HOST:PORT. Returns NULL with ERROR naming host, port and the system's words (a port in
 * use ...). */
PpHealth *pp_health_new (const char *host, int port, PpHealthFunc is_healthy, gpointer user_data,
                         GError **error);
void pp_health_free (PpHealth *health);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpHealth, pp_health_free)

G_END_DECLS
