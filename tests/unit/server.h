/* SPDX-License-Identifier: Apache-2.0 */
/* A server for tests, on a thread: it reads requests as HTTP has them and lets a handler write any
 * bytes it likes, so that it can do what no real server does on demand (half an answer, a reset).
 */
#pragma once

#include <glib.h>

typedef struct Server Server;

typedef struct
{
  char *method;
  char *target;        /* path and query */
  GHashTable *headers; /* lower-case name -> value */
  GString *body;
  guint number;     /* of this request at this server, from 0 */
  guint connection; /* on which connection, from 0 */
} Request;

/* Answers REQUEST on FD, on the server's thread of that connection. Returns FALSE to close it. */
typedef gboolean (*Handler) (Server *server, const Request *request, int fd, gpointer data);

/* Listens on a free port of 127.0.0.1, or on UNIX_PATH when that is not NULL. */
Server *server_new (const char *unix_path, Handler handler, gpointer data);
/* The same on PORT; for a server that comes back. */
Server *server_new_on_port (int port, Handler handler, gpointer data);
/* Closes every connection and waits for the threads. */
void server_free (Server *server);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Server, server_free)

int server_port (Server *server);
/* "http://127.0.0.1:PORT" + PATH; new string. */
char *server_url (Server *server, const char *path);
guint server_requests (Server *server);
guint server_connections (Server *server);
/* The most requests that were being handled at once. */
guint server_most_at_once (Server *server);
/* Request NUMBER; borrowed until server_free(). */
const Request *server_request (Server *server, guint number);

/* A whole answer. HEADERS: lines that each end in CRLF, or "". */
gboolean server_reply (int fd, int status, const char *headers, const char *body);
gboolean server_reply_bytes (int fd, int status, const char *headers, const void *body,
                             gsize length);
/* TEXT as it is. */
gboolean server_write (int fd, const void *text, gsize length);
/* Has the close of FD reset the connection. */
void server_reset (int fd);
