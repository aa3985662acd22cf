/* SPDX-License-Identifier: Apache-2.0 */
/* A server for tests, in a thread. */
#include "tests/unit/server.h"

#include "prefect-podman/json.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct Server
{
  int fd;
  int port;
  Handler handler;
  gpointer data;
  GThread *thread;
  GMutex lock; /* protects the fields below */
  GPtrArray *requests;
  GArray *fds;        /* open connections */
  GPtrArray *threads; /* one for each connection */
  guint connections;
  guint at_once;
  guint most_at_once;
};

typedef struct
{
  Server *server;
  int fd;
  guint number;
} Connection;

static void
request_free (gpointer data)
{
  Request *request = data;
  g_free (request->method);
  g_free (request->target);
  g_hash_table_unref (request->headers);
  g_string_free (request->body, TRUE);
  g_free (request);
}

static gboolean
read_more (int fd, GString *buffer)
{
  char bytes[16384];
  ssize_t n;

  do
    n = read (fd, bytes, sizeof bytes);
  while (n < 0 && errno == EINTR);
  if (n <= 0)
    return FALSE;
  g_string_append_len (buffer, bytes, n);
  return TRUE;
}

static Request *
parse_head (char *head)
{
  g_auto (GStrv) lines = g_strsplit (head, "\r\n", -1);
  g_auto (GStrv) words = g_strsplit (lines[0], " ", 3);
  Request *request = g_new0 (Request, 1);

  request->method = g_strdup (words[0]);
  request->target = g_strdup (words[1]);
  request->headers = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  request->body = g_string_new (NULL);
  for (char **line = lines + 1; *line != NULL; line++)
    {
      char *colon = strchr (*line, ':');
      if (colon != NULL)
        g_hash_table_insert (request->headers, g_ascii_strdown (*line, colon - *line),
                             g_strdup (g_strstrip (colon + 1)));
    }
  return request;
}

/* Returns the next request on FD, or NULL at its end. BUFFER keeps data that was read beyond the
 * request. */
static Request *
read_request (int fd, GString *buffer)
{
  char *end;

  while ((end = strstr (buffer->str, "\r\n\r\n")) == NULL)
    if (!read_more (fd, buffer))
      return NULL;
  *end = '\0';
  Request *request = parse_head (buffer->str);
  g_string_erase (buffer, 0, end + 4 - buffer->str);

  const char *length_text = g_hash_table_lookup (request->headers, "content-length");
  gsize length = length_text != NULL ? strtoul (length_text, NULL, 10) : 0;
  while (buffer->len < length)
    if (!read_more (fd, buffer))
      {
        request_free (request);
        return NULL;
      }
  g_string_append_len (request->body, buffer->str, (gssize)length);
  g_string_erase (buffer, 0, (gssize)length);
  return request;
}

static gpointer
serve_connection (gpointer data)
{
  g_autofree Connection *connection = data;
  Server *server = connection->server;
  GString *buffer = g_string_new (NULL);
  gboolean open = TRUE;
  Request *request;

  while (open && (request = read_request (connection->fd, buffer)) != NULL)
    {
      g_mutex_lock (&server->lock);
      request->number = server->requests->len;
      request->connection = connection->number;
      g_ptr_array_add (server->requests, request);
      server->at_once++;
      server->most_at_once = MAX (server->most_at_once, server->at_once);
      g_mutex_unlock (&server->lock);

      open = server->handler (server, request, connection->fd, server->data);

      g_mutex_lock (&server->lock);
      server->at_once--;
      g_mutex_unlock (&server->lock);
    }
  g_string_free (buffer, TRUE);

  g_mutex_lock (&server->lock);
  for (guint i = 0; i < server->fds->len; i++)
    if (g_array_index (server->fds, int, i) == connection->fd)
      g_array_index (server->fds, int, i) = -1;
  close (connection->fd);
  g_mutex_unlock (&server->lock);
  return NULL;
}

/* Waits for a connection before calling accept(). While accept() waits it holds a descriptor, and
 * it fails if there is none. That would disturb tests of missing descriptors. */
static int
next_connection (const Server *server)
{
  struct pollfd listening = { .fd = server->fd, .events = POLLIN };

  while (poll (&listening, 1, -1) < 0 && errno == EINTR)
    ;
  return accept (server->fd, NULL, NULL);
}

static gpointer
serve (gpointer data)
{
  Server *server = data;
  int fd;

  while ((fd = next_connection (server)) >= 0)
    {
      Connection *connection = g_new0 (Connection, 1);
      connection->server = server;
      connection->fd = fd;
      /* Like Prefect's server: an answer in two writes does not wait for an acknowledgement. */
      setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof (int));
      g_mutex_lock (&server->lock);
      connection->number = server->connections++;
      g_array_append_val (server->fds, fd);
      g_ptr_array_add (server->threads, g_thread_new ("connection", serve_connection, connection));
      g_mutex_unlock (&server->lock);
    }
  return NULL;
}

static int
listen_at (const char *unix_path, int *port)
{
  struct sockaddr_un un = { .sun_family = AF_UNIX };
  struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons ((uint16_t)*port) };
  socklen_t length = sizeof in;
  const int on = 1;

  int fd = socket (unix_path != NULL ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  g_assert_cmpint (fd, >=, 0);
  if (unix_path != NULL)
    {
      g_strlcpy (un.sun_path, unix_path, sizeof un.sun_path);
      g_assert_cmpint (bind (fd, (struct sockaddr *)&un, sizeof un), ==, 0);
    }
  else
    {
      in.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
      setsockopt (fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
      g_assert_cmpint (bind (fd, (struct sockaddr *)&in, sizeof in), ==, 0);
      g_assert_cmpint (getsockname (fd, (struct sockaddr *)&in, &length), ==, 0);
      *port = ntohs (in.sin_port);
    }
  g_assert_cmpint (listen (fd, 64), ==, 0);
  return fd;
}

static Server *
start (const char *unix_path, int port, Handler handler, gpointer data)
{
  Server *server = g_new0 (Server, 1);

  server->port = port;
  server->fd = listen_at (unix_path, &server->port);
  server->handler = handler;
  server->data = data;
  g_mutex_init (&server->lock);
  server->requests = g_ptr_array_new_with_free_func (request_free);
  server->fds = g_array_new (FALSE, FALSE, sizeof (int));
  server->threads = g_ptr_array_new ();
  server->thread = g_thread_new ("server", serve, server);
  return server;
}

Server *
server_new (const char *unix_path, Handler handler, gpointer data)
{
  return start (unix_path, 0, handler, data);
}

Server *
server_new_on_port (int port, Handler handler, gpointer data)
{
  return start (NULL, port, handler, data);
}

void
server_free (Server *server)
{
  shutdown (server->fd, SHUT_RDWR);
  g_thread_join (server->thread);
  close (server->fd);
  g_mutex_lock (&server->lock);
  for (guint i = 0; i < server->fds->len; i++)
    if (g_array_index (server->fds, int, i) >= 0)
      shutdown (g_array_index (server->fds, int, i), SHUT_RDWR);
  g_mutex_unlock (&server->lock);
  for (guint i = 0; i < server->threads->len; i++)
    g_thread_join (g_ptr_array_index (server->threads, i));
  g_ptr_array_unref (server->threads);
  g_ptr_array_unref (server->requests);
  g_array_unref (server->fds);
  g_mutex_clear (&server->lock);
  g_free (server);
}

int
server_port (Server *server)
{
  return server->port;
}

char *
server_url (Server *server, const char *path)
{
  return g_strdup_printf ("http://127.0.0.1:%d%s", server->port, path);
}

static guint
read_locked (Server *server, const guint *field)
{
  g_mutex_lock (&server->lock);
  guint value = *field;
  g_mutex_unlock (&server->lock);
  return value;
}

guint
server_requests (Server *server)
{
  return read_locked (server, &server->requests->len);
}

guint
server_connections (Server *server)
{
  return read_locked (server, &server->connections);
}

guint
server_most_at_once (Server *server)
{
  return read_locked (server, &server->most_at_once);
}

const Request *
server_request (Server *server, guint number)
{
  g_mutex_lock (&server->lock);
  g_assert_cmpuint (number, <, server->requests->len);
  const Request *request = g_ptr_array_index (server->requests, number);
  g_mutex_unlock (&server->lock);
  return request;
}

gboolean
server_write (int fd, const void *text, gsize length)
{
  const char *bytes = text;

  while (length > 0)
    {
      ssize_t n = send (fd, bytes, length, MSG_NOSIGNAL);
      if (n < 0 && errno == EINTR)
        continue;
      if (n <= 0)
        return FALSE;
      bytes += n;
      length -= (gsize)n;
    }
  return TRUE;
}

gboolean
server_reply_bytes (int fd, int status, const char *headers, const void *body, gsize length)
{
  g_autofree char *head
      = g_strdup_printf ("HTTP/1.1 %d Whatever\r\nContent-Length: %" G_GSIZE_FORMAT "\r\n%s\r\n",
                         status, length, headers);
  return server_write (fd, head, strlen (head)) && server_write (fd, body, length);
}

gboolean
server_reply (int fd, int status, const char *headers, const char *body)
{
  return server_reply_bytes (fd, status, headers, body, strlen (body));
}

gboolean
server_accept (int fd, const Request *request)
{
  json_auto_t *proposal = json_loads (request->body->str, 0, NULL);
  json_auto_t *answer
      = json_pack ("{s:s, s:O, s:{s:s}}", "status", "ACCEPT", "state",
                   json_object_get (proposal, "state"), "details", "type", "accept_details");
  char *text = json_dumps (answer, 0);
  gboolean open = server_reply (fd, 201, "", text);

  free (text);
  return open;
}

void
server_reset (int fd)
{
  const struct linger now = { .l_onoff = 1, .l_linger = 0 };
  setsockopt (fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}
