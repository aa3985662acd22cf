/* SPDX-License-Identifier: Apache-2.0 */
/* The way to a server: proxies of the environment, and shortages of this process. */
#include "prefect-podman/http/http.h"
#include "prefect-podman/http/limits.h"
#include "prefect-podman/http/proxy.h"

#include "tests/unit/server.h"
#include "tests/unit/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct
{
  GMainLoop *loop;
  long status;
  GError *error;
  guint done;
  char *shortage;  /* the last shortage that was reported */
  guint shortages; /* how many shortages were reported */
  guint ends;      /* how many ends of a shortage were reported */
} Result;

static void
result_clear (Result *result)
{
  g_clear_error (&result->error);
  g_free (result->shortage);
  g_main_loop_unref (result->loop);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Result, result_clear)

static void
on_done (const PpHttpResponse *response, const GError *error, gpointer user_data)
{
  Result *result = user_data;

  result->done++;
  if (error != NULL)
    result->error = g_error_copy (error);
  else
    result->status = response->status;
  g_main_loop_quit (result->loop);
}

static void
get (PpHttp *http, const char *url, Result *result)
{
  PpHttpRequest request = { .method = "GET", .url = url, .timeout_ms = 1500 };

  result->loop = g_main_loop_new (NULL, FALSE);
  pp_http_send (http, &request, on_done, result);
  g_main_loop_run (result->loop);
  g_assert_cmpuint (result->done, ==, 1);
}

/* ---- names ---- */

static GMutex names_mutex;
static GCond names_cond;
static gboolean names_answer;

/* libcurl's thread calls this function. It simulates a name server that does not answer for
 * "silent.invalid". */
int
getaddrinfo (const char *node, const char *service, const struct addrinfo *hints,
             struct addrinfo **result)
{
  gint64 end = g_get_monotonic_time () + 20 * G_USEC_PER_SEC;

  (void)service;
  (void)hints;
  *result = NULL;
  g_mutex_lock (&names_mutex);
  while (g_strcmp0 (node, "silent.invalid") == 0 && !names_answer
         && g_cond_wait_until (&names_cond, &names_mutex, end))
    ;
  g_mutex_unlock (&names_mutex);
  return EAI_AGAIN;
}

static guint
count_descriptors (void)
{
  g_autoptr (GDir) dir = g_dir_open ("/proc/self/fd", 0, NULL);
  guint count = 0;

  while (g_dir_read_name (dir) != NULL)
    count++;
  return count;
}

/* A call times out although the name server does not answer, and does not block the loop. */
static void
test_silent_name_server (void)
{
  g_auto (Result) result = { 0 };
  guint descriptors = count_descriptors ();
  PpHttp *http = pp_http_new ();
  gint64 began = g_get_monotonic_time ();

  get (http, "http://silent.invalid/", &result);
  g_assert_nonnull (result.error);
  g_assert_cmpint (g_get_monotonic_time () - began, <, 10 * G_USEC_PER_SEC);
  pp_http_free (http);
  g_assert_cmpint (g_get_monotonic_time () - began, <, 10 * G_USEC_PER_SEC);
  g_mutex_lock (&names_mutex);
  names_answer = TRUE;
  g_cond_broadcast (&names_cond);
  g_mutex_unlock (&names_mutex);
  /* The look-up thread continues by itself and closes its descriptors at its end. */
  while (count_descriptors () > descriptors)
    g_usleep (1000);
}

/* ---- proxies ---- */

static const char *const proxy_variables[]
    = { "http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY",   "all_proxy",
        "ALL_PROXY",  "no_proxy",   "NO_PROXY",    "REQUEST_METHOD" };

static void
clear_proxies (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (proxy_variables); i++)
    g_unsetenv (proxy_variables[i]);
}

static void
test_no_proxy (void)
{
  static const struct
  {
    const char *list;
    const char *url;
    gboolean bypassed;
  } cases[] = {
    { "host", "http://host:4200/api", TRUE },
    { "host:4200", "http://host:4200/api", TRUE },
    { "host:4201", "http://host:4200/api", FALSE },
    { "host:443", "https://host/api", TRUE },
    { "host:80", "https://host/api", FALSE },
    { "127.0.0.1:4200", "http://127.0.0.1:4200/api", TRUE },
    { "127.0.0.1:4200", "http://127.0.0.1:4201/api", FALSE },
    { "example.com", "http://api.example.com/", TRUE },
    { "example.com", "http://wwwexample.com/", FALSE },
    { ".example.com", "http://api.example.com/", TRUE },
    { ".example.com", "http://example.com/", FALSE },
    { "*.example.com:8080", "http://api.example.com:8080/", TRUE },
    { "*example.com", "http://example.com/", TRUE },
    { "EXAMPLE.com", "http://Example.COM/", TRUE },
    { "example.com.", "http://example.com/", TRUE },
    { "example.com", "http://example.com./", TRUE },
    { "one, two", "http://two/", TRUE },
    { "one two", "http://two/", TRUE },
    { "one,,two", "http://three/", FALSE },
    { "*", "http://host/", TRUE },
    { "one,*", "http://host/", TRUE },
    { "*:4200", "http://host:4200/", FALSE },
    { "10.0.0.0/8", "http://10.1.2.3:4200/", TRUE },
    { "10.0.0.0/8", "http://11.1.2.3:4200/", FALSE },
    { "10.0.0.128/25", "http://10.0.0.127/", FALSE },
    { "10.0.0.128/25", "http://10.0.0.129/", TRUE },
    { "10.0.0.0/33", "http://10.0.0.0/", FALSE },
    { "0.0.0.0/0", "http://host/", FALSE },
    { "0.0.0.0/0", "http://9.9.9.9/", TRUE },
    { "::1", "http://[::1]:4200/", TRUE },
    { "[::1]", "http://[::1]:4200/", TRUE },
    { "[::1]:4200", "http://[::1]:4200/", TRUE },
    { "[::1]:4201", "http://[::1]:4200/", FALSE },
    { "fd00::/8", "http://[fd00::1]/", TRUE },
    { "0:0:0:0:0:0:0:1", "http://[::1]/", TRUE },
    { "https://host", "https://host/", TRUE },
    { "https://host", "http://host/", FALSE },
    { "host", "http://user:pass@host/", TRUE },
    { "user", "http://user:pass@host/", FALSE },
    { "", "http://host/", FALSE },
    { "[", "http://host/", FALSE },
    { ":", "http://host/", FALSE },
    { "host:", "http://host/", FALSE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_test_message ("%s of %s", cases[i].list, cases[i].url);
      g_assert_cmpint (pp_proxy_is_bypassed (cases[i].list, cases[i].url), ==, cases[i].bypassed);
    }
}

static void
test_find_proxy (void)
{
  static const struct
  {
    const char *settings[5];
    const char *url;
    const char *proxy; /* as shown in messages; NULL: no proxy */
    const char *variable;
  } cases[] = {
    { { NULL }, "http://a/", NULL, NULL },
    { { "http_proxy", "http://p:3128" }, "http://a/", "http://p:3128", "http_proxy" },
    { { "http_proxy", "http://p:3128" }, "https://a/", NULL, NULL },
    { { "HTTP_PROXY", "p:3128" }, "http://a/", "http://p:3128", "HTTP_PROXY" },
    { { "HTTPS_PROXY", "HTTPS://p" }, "https://a/", "https://p:443", "HTTPS_PROXY" },
    { { "http_proxy", "http://p/" }, "http://a/", "http://p:80", "http_proxy" },
    { { "http_proxy", "http://u:s%2Fecret@[::1]:3128" },
      "http://a/",
      "http://[::1]:3128",
      "http_proxy" },
    { { "http_proxy", "", "HTTP_PROXY", "http://p" }, "http://a/", NULL, NULL },
    { { "http_proxy", "", "ALL_PROXY", "socks5h://p" },
      "http://a/",
      "socks5h://p:1080",
      "ALL_PROXY" },
    { { "HTTP_PROXY", "http://p", "REQUEST_METHOD", "GET" }, "http://a/", NULL, NULL },
    { { "http_proxy", "http://p", "NO_PROXY", "a" }, "http://a/", NULL, NULL },
    { { "http_proxy", "http://p", "NO_PROXY", "b" }, "http://a/", "http://p:80", "http_proxy" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;

      clear_proxies ();
      for (guint j = 0; j < 4 && cases[i].settings[j] != NULL; j += 2)
        g_setenv (cases[i].settings[j], cases[i].settings[j + 1], TRUE);
      g_test_message ("case %u", i);
      g_autoptr (PpProxy) proxy = pp_proxy_find (cases[i].url, &error);
      g_assert_no_error (error);
      g_assert_cmpstr (proxy != NULL ? proxy->display : NULL, ==, cases[i].proxy);
      g_assert_cmpstr (proxy != NULL ? proxy->variable : NULL, ==, cases[i].variable);
    }
  clear_proxies ();
}

/* The error names the variable, but never the password. */
static void
test_broken_proxy (void)
{
  static const char *const broken[] = {
    "http://robot:hunter2@",        "robot:hunter2@proxy:port",    "http://robot:hunter2@p:99999",
    "ftp://robot:hunter2@proxy",    "http://robot:hunter2@pro xy", "http://robot:hun/hunter2@proxy",
    "http://robot:hunter2@:3128",   "http://robot:hunter2@p:1:2",  "http://robot:hunter2@[::1",
    "//robot:hunter2@proxy:port/x", "robot:hunter2@proxy:0",
  };

  for (guint i = 0; i < G_N_ELEMENTS (broken); i++)
    {
      g_autoptr (GError) error = NULL;

      clear_proxies ();
      g_setenv ("https_proxy", broken[i], TRUE);
      g_test_message ("%s", broken[i]);
      g_assert_null (pp_proxy_find ("https://api/", &error));
      g_assert_error (error, PP_PROXY_ERROR, 0);
      g_assert_nonnull (strstr (error->message, "https_proxy: "));
      g_assert_null (strstr (error->message, "hunter2"));
    }
  clear_proxies ();
}

static gboolean
refuse_connect (Server *server G_GNUC_UNUSED, const Request *request G_GNUC_UNUSED, int fd,
                gpointer data)
{
  if (data == NULL)
    g_usleep (3 * G_USEC_PER_SEC);
  else
    server_reply (fd, GPOINTER_TO_INT (data), "", "");
  return FALSE;
}

/* Returns the error message of a call of URL through the proxy at PROXY_URL. */
static char *
error_through (const char *variable, const char *proxy_url, const char *url)
{
  g_auto (Result) result = { NULL };
  g_autoptr (PpHttp) http = pp_http_new ();

  clear_proxies ();
  g_setenv (variable, proxy_url, TRUE);
  get (http, url, &result);
  clear_proxies ();
  g_assert_nonnull (result.error);
  g_assert_null (strstr (result.error->message, "hunter2"));
  g_assert_nonnull (strstr (result.error->message, variable));
  return g_strdup (result.error->message);
}

static void
check_words (char *message, ...)
{
  g_autofree char *owned = message;
  const char *word;
  va_list words;

  va_start (words, message);
  while ((word = va_arg (words, const char *)) != NULL)
    {
      g_test_message ("\"%s\" in: %s", word, owned);
      g_assert_nonnull (strstr (owned, word));
    }
  va_end (words);
}

static void
test_proxy_fails (void)
{
  static const int statuses[] = { 403, 407, 502 };
  const char *way = "gives no connection to the server";

  check_words (
      error_through ("http_proxy", "http://u:hunter2@127.0.0.1:1", "http://prefect.invalid/"),
      "proxy http://127.0.0.1:1,", way, "Connection refused", NULL);
  check_words (error_through ("https_proxy", "u:hunter2@127.0.0.1:1", "https://prefect.invalid/"),
               "proxy http://127.0.0.1:1,", way, "Connection refused", NULL);
  check_words (error_through ("ALL_PROXY", "socks5h://127.0.0.1:1", "https://prefect.invalid/"),
               "proxy socks5h://127.0.0.1:1,", way, NULL);
  check_words (error_through ("http_proxy", "http://u:hunter2@proxy.invalid", "http://127.0.0.1/"),
               "proxy http://proxy.invalid:80,", way, "resolve", NULL);
  /* libcurl refuses these characters in a password. Its own error would quote the password. */
  check_words (error_through ("http_proxy", "http://u:hunter2@hunter2@127.0.0.1:1",
                              "http://prefect.invalid/"),
               "proxy http://127.0.0.1:1,", way, "Connection refused", NULL);
  check_words (error_through ("HTTP_PROXY", "u:hunter2@x@127.0.0.1:1", "http://prefect.invalid/"),
               "proxy http://127.0.0.1:1,", way, "Connection refused", NULL);
  check_words (error_through ("all_proxy", "socks5h://u@hunter2:\"{|}\\^`<hunter2>@127.0.0.1:1",
                              "http://prefect.invalid/"),
               "proxy socks5h://127.0.0.1:1,", way, NULL);
  check_words (
      error_through ("https_proxy", "http://u:hunter2@hunter2@[::1]:1", "https://prefect.invalid/"),
      "proxy http://[::1]:1,", way, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (statuses); i++)
    {
      g_autoptr (Server) proxy = server_new (NULL, refuse_connect, GINT_TO_POINTER (statuses[i]));
      g_autofree char *url = server_url (proxy, "");
      g_autofree char *number = g_strdup_printf ("%d", statuses[i]);
      check_words (error_through ("https_proxy", url, "https://prefect.invalid/"), url, way, number,
                   NULL);
    }
}

static gboolean
note_login (Server *server G_GNUC_UNUSED, const Request *request, int fd, gpointer data)
{
  g_assert_cmpstr (g_hash_table_lookup (request->headers, "authorization"), ==, data);
  return server_reply (fd, 200, "", "");
}

/* As with Prefect's client (httpx), a password may have characters that libcurl refuses in a URL.
 */
static void
test_login_in_url (void)
{
  static const char *const logins[] = { "u:p@ss", "u:p%40ss", "u@home:p@ss@", "u:a\"b|c^d`e{f}" };
  static const char *const plain[] = { "u:p@ss", "u:p@ss", "u@home:p@ss@", "u:a\"b|c^d`e{f}" };

  for (guint i = 0; i < G_N_ELEMENTS (logins); i++)
    {
      g_autofree char *base64 = g_base64_encode ((const guchar *)plain[i], strlen (plain[i]));
      g_autofree char *header = g_strconcat ("Basic ", base64, NULL);
      g_auto (Result) result = { NULL };
      g_autoptr (PpHttp) http = pp_http_new ();
      g_autoptr (Server) server = server_new (NULL, note_login, header);
      g_autofree char *address = server_url (server, "/");
      g_autofree char *url
          = g_strdup_printf ("http://%s@%s", logins[i], address + strlen ("http://"));

      clear_proxies ();
      get (http, url, &result);
      g_assert_no_error (result.error);
      g_assert_cmpint (result.status, ==, 200);
    }
}

/* ---- a proxy that goes away ---- */

static gboolean
answer (Server *server G_GNUC_UNUSED, const Request *request G_GNUC_UNUSED, int fd,
        gpointer data G_GNUC_UNUSED)
{
  return server_reply (fd, 200, "", "ok");
}

/* A SOCKS 5 proxy (RFC 1928) for two connections. On the first, it passes the second request to the
 * server and then closes the connection. It refuses the second connection. */
typedef struct
{
  int listener;
  int server_port;
} SocksProxy;

static struct sockaddr_in
local_address (int port)
{
  return (struct sockaddr_in){ .sin_family = AF_INET,
                               .sin_port = htons ((guint16)port),
                               .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
}

static void
read_bytes (int fd, void *bytes, gsize size)
{
  g_assert_cmpint (recv (fd, bytes, size, MSG_WAITALL), ==, (gssize)size);
}

/* Accepts a connection and answers its CONNECT with CODE. */
static int
take_connection (const SocksProxy *proxy, char code)
{
  int fd = accept (proxy->listener, NULL, NULL);
  const char answer[] = { 5, code, 0, 1, 0, 0, 0, 0, 0, 0 };
  char bytes[256];

  g_assert_cmpint (fd, >=, 0);
  read_bytes (fd, bytes, 2);
  read_bytes (fd, bytes + 2, (gsize)bytes[1]); /* the authentication methods */
  g_assert_true (server_write (fd, "\5", 2));
  read_bytes (fd, bytes, 10); /* CONNECT to an IPv4 address */
  g_assert_true (server_write (fd, answer, sizeof answer));
  return fd;
}

/* Reads from FROM up to END, and writes it to TO, unless TO is -1. The server sends the head and
 * the body of an answer separately. */
static void
hand_on (int from, int to, const char *end)
{
  g_autoptr (GString) seen = g_string_new (NULL);
  char bytes[4096];

  while (!g_str_has_suffix (seen->str, end))
    {
      gssize size = read (from, bytes, sizeof bytes);

      g_assert_cmpint (size, >, 0);
      g_assert_true (to < 0 || server_write (to, bytes, (gsize)size));
      g_string_append_len (seen, bytes, size);
    }
}

static gpointer
serve_as_proxy (gpointer data)
{
  const SocksProxy *proxy = data;
  struct sockaddr_in address = local_address (proxy->server_port);
  int client = take_connection (proxy, 0);
  int server = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

  g_assert_cmpint (connect (server, (struct sockaddr *)&address, sizeof address), ==, 0);
  hand_on (client, server, "\r\n\r\n");
  hand_on (server, client, "ok");
  hand_on (client, server, "\r\n\r\n");
  hand_on (server, -1, "ok");
  close (client);
  close (server);
  close (take_connection (proxy, 1));
  return NULL;
}

/* The connection breaks after the server has carried out the request. libcurl sends it again on a
 * new connection, which the proxy refuses. The error must not say "gives no connection": that means
 * that the request was not sent. */
static void
test_proxy_goes_away (void)
{
  g_autoptr (Server) server = server_new (NULL, answer, NULL);
  g_autoptr (PpHttp) http = pp_http_new ();
  struct sockaddr_in address = local_address (0);
  socklen_t size = sizeof address;
  SocksProxy proxy = { socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), server_port (server) };
  g_auto (Result) first = { NULL };
  g_auto (Result) second = { NULL };
  g_autofree char *url = server_url (server, "/");

  g_assert_cmpint (bind (proxy.listener, (struct sockaddr *)&address, size), ==, 0);
  g_assert_cmpint (listen (proxy.listener, 2), ==, 0);
  g_assert_cmpint (getsockname (proxy.listener, (struct sockaddr *)&address, &size), ==, 0);
  g_autofree char *proxy_url = g_strdup_printf ("socks5://127.0.0.1:%u", ntohs (address.sin_port));
  clear_proxies ();
  g_setenv ("ALL_PROXY", proxy_url, TRUE);
  GThread *thread = g_thread_new ("proxy", serve_as_proxy, &proxy);
  get (http, url, &first);
  g_assert_no_error (first.error);
  get (http, url, &second);
  clear_proxies ();
  g_assert_error (second.error, PP_HTTP_ERROR, PP_HTTP_ERROR_RESET);
  g_assert_nonnull (
      strstr (second.error->message, "broke before an answer came, and the second attempt failed"));
  g_assert_nonnull (strstr (second.error->message, proxy_url));
  g_assert_cmpuint (server_requests (server), ==, 2);
  g_thread_join (thread);
  close (proxy.listener);
}

/* The proxy accepts the connection and says nothing. For a tunnel the proxy is to blame; otherwise
 * it may be the server. */
static void
test_proxy_is_silent (void)
{
  g_autoptr (Server) proxy = server_new (NULL, refuse_connect, NULL);
  g_autofree char *url = server_url (proxy, "");

  check_words (error_through ("https_proxy", url, "https://prefect.invalid/"), url,
               "gives no connection to the server", NULL);
  check_words (error_through ("http_proxy", url, "http://prefect.invalid/"), url,
               "through the proxy", NULL);
}

/* ---- shortages ---- */

static struct rlimit full_limit;

/* Opens descriptors until none is left. */
static void
take_all_descriptors (void)
{
  struct rlimit limit;
  int next = dup (0);

  g_assert_cmpint (next, >=, 0);
  close (next);
  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &full_limit), ==, 0);
  limit = full_limit;
  limit.rlim_cur = (rlim_t)next;
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &limit), ==, 0);
}

static void
give_back_descriptors (void)
{
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &full_limit), ==, 0);
}

static gboolean
on_give_back (gpointer data G_GNUC_UNUSED)
{
  give_back_descriptors ();
  return G_SOURCE_REMOVE;
}

static void
on_shortage (const char *shortage, gpointer user_data)
{
  Result *result = user_data;

  if (shortage == NULL)
    {
      result->ends++;
      return;
    }
  result->shortages++;
  g_free (result->shortage);
  result->shortage = g_strdup (shortage);
  g_idle_add (on_give_back, NULL);
}

/* A call that finds no free descriptor waits for one. The report names the limit. */
static void
test_shortage_is_waited_out (void)
{
  g_autoptr (Server) server = server_new (NULL, answer, NULL);
  g_autofree char *by_address = server_url (server, "/");
  const char *const urls[] = { by_address, "http://prefect.invalid/" };

  for (guint i = 0; i < G_N_ELEMENTS (urls); i++)
    {
      g_auto (Result) result = { NULL };
      g_autoptr (PpHttp) http = pp_http_new ();
      pp_http_wait_out_shortages (http, on_shortage, &result);
      result.loop = NULL;
      /* First let the loop open its own descriptors. */
      g_main_context_iteration (NULL, FALSE);
      take_all_descriptors ();
      get (http, urls[i], &result);
      g_assert_cmpuint (result.shortages, ==, 1);
      g_assert_cmpuint (result.ends, ==, 1);
      g_assert_null (pp_http_shortage (http));
      for (const char *const *word = (const char *const[]){ "Too many open files", "RLIMIT_NOFILE",
                                                            "ulimit", "LimitNOFILE=", NULL };
           *word != NULL; word++)
        g_assert_nonnull (strstr (result.shortage, *word));
      if (i == 0)
        {
          g_assert_no_error (result.error);
          g_assert_cmpint (result.status, ==, 200);
        }
      else
        g_assert_error (result.error, PP_HTTP_ERROR, PP_HTTP_ERROR_RESOLVE);
    }
}

/* Without pp_http_wait_out_shortages(), the call fails, and its error names the shortage. */
static void
test_shortage_is_an_error (void)
{
  g_autofree char *socket_path
      = g_strdup_printf ("%s/pp-no-socket.%d", g_get_tmp_dir (), (int)getpid ());
  PpHttpRequest requests[] = {
    { .method = "GET", .url = "http://127.0.0.1:1/" },
    { .method = "GET", .url = "http://localhost/", .unix_socket_path = socket_path },
    { .method = "GET", .url = "http://prefect.invalid/" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (requests); i++)
    {
      g_auto (Result) result = { NULL };
      g_autoptr (PpHttp) http = pp_http_new ();
      result.loop = g_main_loop_new (NULL, FALSE);
      pp_http_send (http, &requests[i], on_done, &result);
      take_all_descriptors ();
      g_main_loop_run (result.loop);
      give_back_descriptors ();
      g_assert_error (result.error, PP_HTTP_ERROR, PP_HTTP_ERROR_SHORTAGE);
      g_assert_nonnull (strstr (result.error->message, "RLIMIT_NOFILE"));
    }
}

static void
on_shortage_cancel (const char *shortage, gpointer user_data)
{
  if (shortage != NULL)
    g_main_loop_quit (user_data);
}

/* Waiting calls can be cancelled one by one, and are freed with the PpHttp. */
static void
test_shortage_cancel (void)
{
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  g_auto (Result) result = { .loop = g_main_loop_new (NULL, FALSE) };
  PpHttp *http = pp_http_new ();
  PpHttpRequest request = { .method = "GET", .url = "http://127.0.0.1:1/" };

  pp_http_wait_out_shortages (http, on_shortage_cancel, loop);
  PpHttpCall *first = pp_http_send (http, &request, on_done, &result);
  pp_http_send (http, &request, on_done, &result);
  take_all_descriptors ();
  g_main_loop_run (loop);
  g_assert_nonnull (pp_http_shortage (http));
  pp_http_call_cancel (first);
  give_back_descriptors ();
  pp_http_free (http);
  g_assert_cmpuint (result.done, ==, 0);
}

static void
on_shortage_quit (const char *shortage, gpointer user_data)
{
  Result *result = user_data;

  on_shortage (shortage, user_data);
  g_main_loop_quit (result->loop);
}

/* The shortage is over when no call waits any more, whether the calls were sent or cancelled. */
static void
test_shortage_cancel_all (void)
{
  g_auto (Result) result = { .loop = g_main_loop_new (NULL, FALSE) };
  g_autoptr (PpHttp) http = pp_http_new ();
  PpHttpRequest request = { .method = "GET", .url = "http://127.0.0.1:1/" };
  PpHttpCall *calls[2];

  pp_http_wait_out_shortages (http, on_shortage_quit, &result);
  for (guint i = 0; i < G_N_ELEMENTS (calls); i++)
    calls[i] = pp_http_send (http, &request, on_done, &result);
  take_all_descriptors ();
  g_main_loop_run (result.loop);
  for (guint i = 0; i < G_N_ELEMENTS (calls); i++)
    pp_http_call_cancel (calls[i]);
  g_main_loop_run (result.loop);
  give_back_descriptors ();
  g_assert_null (pp_http_shortage (http));
  g_assert_cmpuint (result.ends, ==, 1);
  g_assert_cmpuint (result.done, ==, 0);
}

static void
test_limits (void)
{
  static const struct
  {
    int error;
    const char *words;
  } cases[] = {
    { EMFILE, "RLIMIT_NOFILE" },     { ENFILE, "fs.file-max" },
    { ENOMEM, "MemoryMax=" },        { EAGAIN, "RLIMIT_NPROC" },
    { ENOBUFS, "net.ipv4.tcp_mem" }, { EADDRNOTAVAIL, "ip_local_port_range" },
    { ECONNREFUSED, "refused" },
  };
  struct rlimit limit;

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *text = pp_limits_describe (cases[i].error);
      g_assert_nonnull (strstr (text, cases[i].words));
    }
  g_assert_false (pp_limits_is_shortage (ECONNREFUSED));
  g_assert_cmpint (pp_limits_probe (4), ==, 0);

  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &limit), ==, 0);
  limit.rlim_cur = 64;
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &limit), ==, 0);
  pp_limits_raise ();
  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &limit), ==, 0);
  g_assert_cmpuint (limit.rlim_cur, ==, limit.rlim_max);
}

/* The reserve can be used when no other descriptor is left, and again the next time. */
static void
test_reserve (void)
{
  pp_limits_use_reserve (FALSE);
  take_all_descriptors ();
  for (int i = 0; i < 2; i++)
    {
      g_assert_cmpint (pp_limits_probe (1), ==, EMFILE);
      pp_limits_use_reserve (TRUE);
      g_assert_cmpint (pp_limits_probe (3), ==, 0);
      pp_limits_use_reserve (FALSE);
    }
  give_back_descriptors ();
  pp_limits_use_reserve (TRUE);
}

static void
add (void)
{
  g_test_add_func ("/http/no-proxy", test_no_proxy);
  g_test_add_func ("/http/find-proxy", test_find_proxy);
  g_test_add_func ("/http/broken-proxy", test_broken_proxy);
  g_test_add_func ("/http/proxy-fails", test_proxy_fails);
  g_test_add_func ("/http/login-in-url", test_login_in_url);
  g_test_add_func ("/http/proxy-goes-away", test_proxy_goes_away);
  g_test_add_func ("/http/proxy-is-silent", test_proxy_is_silent);
  g_test_add_func ("/http/shortage/is-waited-out", test_shortage_is_waited_out);
  g_test_add_func ("/http/shortage/is-an-error", test_shortage_is_an_error);
  g_test_add_func ("/http/shortage/cancel", test_shortage_cancel);
  g_test_add_func ("/http/shortage/cancel-all", test_shortage_cancel_all);
  g_test_add_func ("/http/silent-name-server", test_silent_name_server);
  g_test_add_func ("/http/limits", test_limits);
  g_test_add_func ("/http/reserve", test_reserve);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add);
}
