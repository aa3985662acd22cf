/* SPDX-License-Identifier: Apache-2.0 */
/* A server for tests, in a thread. It reads HTTP requests and lets a handler write any bytes. So it
 * can do what no real server does on demand: half an answer, a reset. */
#pragma once

#include <glib.h>

typedef struct Server Server;

typedef struct
{
  char *method;
  char *target;        /* path and query */
  GHashTable *headers; /* lower-case name -> value */
  GString *body;
  guint number;     /* of this request, counted from 0 */
  guint connection; /* number of the connection, from 0 */
} Request;

/* Answers REQUEST on FD, in the thread of its connection. Returns FALSE to close the connection. */
typedef gboolean (*Handler) (Server *server, const Request *request, int fd, gpointer data);

/* Listens on a free port of 127.0.0.1, or on UNIX_PATH if it is not NULL. */
Server *server_new (const char *unix_path, Handler handler, gpointer data);
/* Listens on PORT; for a server that is restarted. */
Server *server_new_on_port (int port, Handler handler, gpointer data);
/* Closes all connections and waits for the threads. */
void server_free (Server *server);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Server, server_free)

int server_port (Server *server);
/* Returns "http://127.0.0.1:PORT" and PATH; new string. */
char *server_url (Server *server, const char *path);
guint server_requests (Server *server);
guint server_connections (Server *server);
/* Returns the highest number of requests that were in progress at the same time. */
guint server_most_at_once (Server *server);
/* Returns request NUMBER; borrowed until server_free(). */
const Request *server_request (Server *server, guint number);

/* Writes a complete answer. Each line of HEADERS ends in CRLF; HEADERS may be "". */
gboolean server_reply (int fd, int status, const char *headers, const char *body);
gboolean server_reply_bytes (int fd, int status, const char *headers, const void *body,
                             gsize length);
/* Accepts the state that REQUEST, a set_state, proposes, as Prefect does. */
gboolean server_accept (int fd, const Request *request);
/* Writes TEXT unchanged. */
gboolean server_write (int fd, const void *text, gsize length);
/* Makes closing FD reset the connection. */
void server_reset (int fd);
