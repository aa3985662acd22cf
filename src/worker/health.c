/* SPDX-License-Identifier: Apache-2.0 */
/* The health endpoint: libmicrohttpd without threads, with its epoll descriptor on the main
 * loop. */
#include "config.h"

#include "health-private.h"

#include "prefect-podman/http/limits.h"

#include "prefect-podman/json.h"

#include <errno.h>
#include <glib-unix.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Limits on clients: memory for a request with its headers, connections in total, connections from
 * one address, and time from connecting to the last byte of the answer. A new connection above a
 * limit closes an older one: the oldest from its own address, or the oldest from the address with
 * the most connections. */
#define REQUEST_BYTES ((size_t)4096)
#define MAX_CONNECTIONS 16u
#define MAX_FROM_ADDRESS 8u
#define REQUEST_US (5 * G_USEC_PER_SEC)
/* libmicrohttpd's own limit also counts connections that are shut down but not closed yet. */
#define MHD_CONNECTIONS 64u
#define BACKLOG 64

#if MHD_VERSION >= 0x00097002
typedef enum MHD_Result MhdResult;
#else
typedef int MhdResult;
#endif

struct PpHealth
{
  GSource *source;
  struct MHD_Daemon *daemon;
  PpHealthFunc find_illness;
  gpointer user_data;
  int port;
  GQueue connections; /* of Connection, oldest first, without those that were shut down */
};

typedef struct
{
  int fd;          /* owned by libmicrohttpd */
  guint64 address; /* the client's, from client_address() */
  gint64 deadline; /* monotonic microseconds */
  GList link;      /* in connections; its data is NULL when removed */
} Connection;

typedef struct
{
  GSource base;
  PpHealth *health;
} PpHealthSource;

G_DEFINE_QUARK (pp - health - error - quark, pp_health_error)

static MhdResult
answer (struct MHD_Connection *connection, unsigned int status, const char *body)
{
  struct MHD_Response *response
      = MHD_create_response_from_buffer (strlen (body), (void *)body, MHD_RESPMEM_MUST_COPY);
  MHD_add_response_header (response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
  /* Close after one request, so that the connection's deadline is the request's. */
  MHD_add_response_header (response, MHD_HTTP_HEADER_CONNECTION, "close");
  if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
    MHD_add_response_header (response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
  MhdResult result = MHD_queue_response (connection, status, response);
  MHD_destroy_response (response);
  return result;
}

/* The paths and answers are those of Prefect's build_healthcheck_server(). */
static MhdResult
on_request (void *user_data, struct MHD_Connection *connection, const char *path,
            const char *method, const char *version G_GNUC_UNUSED, const char *upload G_GNUC_UNUSED,
            size_t *upload_size G_GNUC_UNUSED, void **request_data G_GNUC_UNUSED)
{
  PpHealth *health = user_data;
  const char *illness;

  if (strcmp (path, "/health") != 0)
    return answer (connection, MHD_HTTP_NOT_FOUND, "{\"detail\":\"Not Found\"}");
  if (strcmp (method, MHD_HTTP_METHOD_GET) != 0 && strcmp (method, MHD_HTTP_METHOD_HEAD) != 0)
    return answer (connection, MHD_HTTP_METHOD_NOT_ALLOWED, "{\"detail\":\"Method Not Allowed\"}");
  illness = health->find_illness (health->user_data);
  if (illness == NULL)
    return answer (connection, MHD_HTTP_OK, "{\"message\":\"OK\"}");
  json_auto_t *body = json_pack ("{s:s}", "message", illness);
  char *text = json_dumps (body, JSON_COMPACT | JSON_ENSURE_ASCII);
  MhdResult result
      = answer (connection, MHD_HTTP_SERVICE_UNAVAILABLE,
                text != NULL ? text : "{\"message\":\"Worker may be unresponsive at this time\"}");
  free (text);
  return result;
}

/* Returns the key for counting a client's connections: the IPv4 address (also if it is mapped to
 * IPv6), or the /64 network of an IPv6 address. */
static guint64
client_address (const struct sockaddr *address)
{
  const guint64 ipv4 = (guint64)0xffff << 32;
  guint64 network = 0;
  guint32 host = 0;

  if (address == NULL)
    return 0;
  if (address->sa_family == AF_INET)
    return ipv4 | ((const struct sockaddr_in *)address)->sin_addr.s_addr;
  if (address->sa_family != AF_INET6)
    return 0;
  const struct in6_addr *ipv6 = &((const struct sockaddr_in6 *)address)->sin6_addr;
  memcpy (&host, ipv6->s6_addr + 12, sizeof host);
  memcpy (&network, ipv6->s6_addr, sizeof network);
  return IN6_IS_ADDR_V4MAPPED (ipv6) ? ipv4 | host : network;
}

/* Shuts the connection down. libmicrohttpd then closes it. */
static void
cut_off (PpHealth *health, Connection *connection)
{
  g_queue_unlink (&health->connections, &connection->link);
  connection->link.data = NULL;
  shutdown (connection->fd, SHUT_RDWR);
}

static guint
count_from (const PpHealth *health, guint64 address)
{
  guint count = 0;

  for (const GList *link = health->connections.head; link != NULL; link = link->next)
    count += ((const Connection *)link->data)->address == address;
  return count;
}

/* Returns the oldest connection of ADDRESS, or NULL. */
static Connection *
oldest_from (const PpHealth *health, guint64 address)
{
  for (const GList *link = health->connections.head; link != NULL; link = link->next)
    if (((const Connection *)link->data)->address == address)
      return link->data;
  return NULL;
}

/* Returns the address with the most connections. If several have the same number, returns the one
 * with the oldest connection. */
static guint64
busiest_address (const PpHealth *health)
{
  guint64 busiest = 0;
  guint most = 0;

  for (const GList *link = health->connections.head; link != NULL; link = link->next)
    {
      const Connection *connection = link->data;
      guint count = count_from (health, connection->address);

      if (count > most)
        busiest = connection->address;
      most = MAX (most, count);
    }
  return busiest;
}

static void
add_connection (PpHealth *health, struct MHD_Connection *mhd, void **context)
{
  const union MHD_ConnectionInfo *fd
      = MHD_get_connection_info (mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
  const union MHD_ConnectionInfo *client
      = MHD_get_connection_info (mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
  Connection *connection = g_new0 (Connection, 1);

  connection->fd = fd->connect_fd;
  connection->address = client_address (client->client_addr);
  connection->deadline = g_get_monotonic_time () + REQUEST_US;
  if (count_from (health, connection->address) >= MAX_FROM_ADDRESS)
    cut_off (health, oldest_from (health, connection->address));
  else if (health->connections.length >= MAX_CONNECTIONS)
    cut_off (health, oldest_from (health, busiest_address (health)));
  connection->link.data = connection;
  g_queue_push_tail_link (&health->connections, &connection->link);
  *context = connection;
}

static void
on_connection (void *user_data, struct MHD_Connection *mhd, void **context,
               enum MHD_ConnectionNotificationCode code)
{
  PpHealth *health = user_data;

  if (code == MHD_CONNECTION_NOTIFY_STARTED)
    {
      add_connection (health, mhd, context);
      return;
    }
  Connection *connection = *context;
  if (connection->link.data != NULL)
    g_queue_unlink (&health->connections, &connection->link);
  g_free (connection);
}

/* Shuts down connections past their deadline. Returns the next deadline, or -1 if there is none. */
static gint64
keep_deadlines (PpHealth *health)
{
  gint64 now = g_get_monotonic_time ();
  Connection *oldest;

  while ((oldest = g_queue_peek_head (&health->connections)) != NULL && oldest->deadline <= now)
    cut_off (health, oldest);
  return oldest != NULL ? oldest->deadline : -1;
}

static gboolean
is_full (const PpHealth *health)
{
  return MHD_get_daemon_info (health->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS)->num_connections
         >= MHD_CONNECTIONS;
}

static gboolean
dispatch (GSource *source, GSourceFunc callback G_GNUC_UNUSED, gpointer user_data G_GNUC_UNUSED)
{
  PpHealth *health = ((PpHealthSource *)source)->health;
  MHD_UNSIGNED_LONG_LONG timeout_ms;
  gboolean was_full = is_full (health);

  keep_deadlines (health);
  /* Answer health checks even if this process has no free descriptors. */
  pp_limits_use_reserve (TRUE);
  MHD_run (health->daemon);
  /* After a connection limit was reached, libmicrohttpd (0.9.75) listens again only in its next
   * MHD_run(). Waiting clients do not wake it, so run it again. */
  if (was_full && !is_full (health))
    MHD_run (health->daemon);
  pp_limits_use_reserve (FALSE);
  /* Wake up at the next deadline, or at once if libmicrohttpd has more to do. */
  gint64 next = keep_deadlines (health);
  if (MHD_get_timeout (health->daemon, &timeout_ms) == MHD_YES)
    {
      gint64 at = timeout_ms == 0 ? 0 : g_get_monotonic_time () + (gint64)timeout_ms * 1000;
      next = next < 0 ? at : MIN (next, at);
    }
  g_source_set_ready_time (source, next);
  return G_SOURCE_CONTINUE;
}

/* Returns a listening socket on ADDRESS, or -1 with errno. */
static int
listen_on (const struct addrinfo *address)
{
  const int on = 1;
  int fd = socket (address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

  if (fd < 0)
    return -1;
  setsockopt (fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind (fd, address->ai_addr, address->ai_addrlen) == 0 && listen (fd, BACKLOG) == 0)
    return fd;
  int saved = errno;
  close (fd);
  errno = saved;
  return -1;
}

static int
bound_port (int fd)
{
  struct sockaddr_storage address;
  socklen_t length = sizeof address;
  char port[8];

  if (getsockname (fd, (struct sockaddr *)&address, &length) != 0
      || getnameinfo ((struct sockaddr *)&address, length, NULL, 0, port, sizeof port,
                      NI_NUMERICSERV)
             != 0)
    return 0;
  return atoi (port);
}

char *
pp_health_problem (const char *host, int port, const char *why)
{
  const gboolean is_ipv6 = strchr (host, ':') != NULL;

  return g_strdup_printf ("cannot listen on %s%s%s:%d for health checks: %s (see "
                          "PREFECT_WORKER_WEBSERVER_HOST and PREFECT_WORKER_WEBSERVER_PORT)",
                          is_ipv6 ? "[" : "", host, is_ipv6 ? "]" : "", port, why);
}

/* Returns a listening socket on the first of ADDRESSES that can be bound, or -1 with errno. */
static int
listen_on_any (const struct addrinfo *addresses)
{
  int fd = -1;

  for (const struct addrinfo *address = addresses; address != NULL && fd < 0;
       address = address->ai_next)
    fd = listen_on (address);
  return fd;
}

PpHealth *
pp_health_new (const char *host, int port, const struct addrinfo *addresses,
               PpHealthFunc find_illness, gpointer user_data, GError **error)
{
  static GSourceFuncs funcs = { .dispatch = dispatch };
  int fd = listen_on_any (addresses);

  if (fd < 0)
    {
      int saved = errno;
      g_autofree char *problem = pp_health_problem (host, port, g_strerror (saved));
      g_set_error_literal (error, PP_HEALTH_ERROR, saved, problem);
      return NULL;
    }
  PpHealth *health = g_new0 (PpHealth, 1);
  health->find_illness = find_illness;
  health->user_data = user_data;
  health->port = bound_port (fd);
  health->daemon = MHD_start_daemon (
      MHD_USE_EPOLL, 0, NULL, NULL, on_request, health, MHD_OPTION_LISTEN_SOCKET, fd,
      MHD_OPTION_CONNECTION_LIMIT, MHD_CONNECTIONS, MHD_OPTION_NOTIFY_CONNECTION, on_connection,
      health, MHD_OPTION_CONNECTION_MEMORY_LIMIT, REQUEST_BYTES, MHD_OPTION_END);
  if (health->daemon == NULL)
    {
      int saved = errno;
      g_set_error (error, PP_HEALTH_ERROR, saved,
                   "cannot start the health check on %s, port %d: libmicrohttpd: %s", host, port,
                   g_strerror (saved));
      close (fd);
      g_free (health);
      return NULL;
    }

  int epoll_fd = MHD_get_daemon_info (health->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
  health->source = g_source_new (&funcs, sizeof (PpHealthSource));
  ((PpHealthSource *)health->source)->health = health;
  g_source_set_name (health->source, "prefect-podman health");
  g_source_add_unix_fd (health->source, epoll_fd, G_IO_IN);
  g_source_attach (health->source, g_main_context_get_thread_default ());
  return health;
}

int
pp_health_port (const PpHealth *health)
{
  return health->port;
}

void
pp_health_free (PpHealth *health)
{
  if (health == NULL)
    return;
  g_source_destroy (health->source);
  g_source_unref (health->source);
  MHD_stop_daemon (health->daemon);
  g_free (health);
}
