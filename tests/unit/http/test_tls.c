/* SPDX-License-Identifier: Apache-2.0 */
/* Certificate and key files that change after the start: they never block the loop, and changes
 * are noticed. */
#include "prefect-podman/http/http.h"

#include "tests/unit/server.h"
#include "tests/unit/tap.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Ends the test if the loop is blocked for so long. */
#define WATCHDOG_SECONDS 30

typedef struct
{
  char *folder;
  char *certificate; /* self-signed, for "localhost" */
  char *key;
  char *other; /* a second certificate of this kind */
} Files;

static void
files_clear (Files *files)
{
  const char *argv[] = { "rm", "-r", files->folder, NULL };

  g_spawn_sync (NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL, NULL);
  g_free (files->folder);
  g_free (files->certificate);
  g_free (files->key);
  g_free (files->other);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Files, files_clear)

static void
make_certificate (const char *certificate, const char *key)
{
  const char *argv[] = {
    "openssl", "req",   "-x509", "-newkey",   "ec",     "-pkeyopt", "ec_paramgen_curve:prime256v1",
    "-nodes",  "-days", "2",     "-subj",     "/CN=CA", "-addext",  "subjectAltName=IP:127.0.0.1",
    "-keyout", key,     "-out",  certificate, NULL
  };
  int status;

  g_spawn_sync (NULL, (char **)argv, NULL,
                G_SPAWN_SEARCH_PATH | G_SPAWN_STDOUT_TO_DEV_NULL | G_SPAWN_STDERR_TO_DEV_NULL, NULL,
                NULL, NULL, NULL, &status, NULL);
  g_assert_cmpint (status, ==, 0);
}

/* Returns FALSE if the test is skipped. */
static gboolean
make_files (Files *files)
{
  g_autofree char *program = g_find_program_in_path ("openssl");

  if (program == NULL)
    {
      g_test_skip ("there is no openssl program");
      return FALSE;
    }
  files->folder = g_dir_make_tmp ("pp-tls-XXXXXX", NULL);
  files->certificate = g_build_filename (files->folder, "cert.pem", NULL);
  files->key = g_build_filename (files->folder, "key.pem", NULL);
  files->other = g_build_filename (files->folder, "other.pem", NULL);
  g_autofree char *other_key = g_build_filename (files->folder, "other-key.pem", NULL);
  make_certificate (files->certificate, files->key);
  make_certificate (files->other, other_key);
  return TRUE;
}

/* ---- calls ---- */

typedef struct
{
  GMainLoop *loop;
  long status;
  GError *error;
} Result;

static void
on_done (const PpHttpResponse *response, const GError *error, gpointer user_data)
{
  Result *result = user_data;

  result->status = response != NULL ? response->status : 0;
  result->error = error != NULL ? g_error_copy (error) : NULL;
  g_main_loop_quit (result->loop);
}

/* Makes one call on a connection of its own. Returns the answer's status, or 0 for an error. */
static long
call (PpHttp *http, PpHttpRequest *request)
{
  Result result = { .loop = g_main_loop_new (NULL, FALSE) };

  request->method = "GET";
  request->own_connection = TRUE;
  request->timeout_ms = 3000;
  alarm (WATCHDOG_SECONDS);
  pp_http_send (http, request, on_done, &result);
  g_main_loop_run (result.loop);
  alarm (0);
  if (result.error != NULL)
    g_test_message ("%s", result.error->message);
  g_clear_error (&result.error);
  g_main_loop_unref (result.loop);
  return result.status;
}

/* Repeats the call until the answer has STATUS, while a thread reads the files. */
static gboolean
call_until (PpHttp *http, PpHttpRequest *request, long status)
{
  for (guint i = 0; i < 50; i++)
    {
      if (call (http, request) == status)
        return TRUE;
      g_usleep (20000);
    }
  return FALSE;
}

/* ---- the server ---- */

typedef struct
{
  GPid pid;
  int port;
} TlsServer;

static void
tls_server_clear (TlsServer *server)
{
  kill (server->pid, SIGKILL);
  waitpid (server->pid, NULL, 0);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (TlsServer, tls_server_clear)

/* Never called: this server only finds a free port. */
static gboolean
handle (Server *server G_GNUC_UNUSED, const Request *request G_GNUC_UNUSED, int fd G_GNUC_UNUSED,
        gpointer data G_GNUC_UNUSED)
{
  return FALSE;
}

/* Kills the server if the test fails. */
static void
end_with_parent (gpointer data G_GNUC_UNUSED)
{
  prctl (PR_SET_PDEATHSIG, SIGKILL);
}

/* Starts a server that answers 200 to every client that trusts the certificate of FILES. */
static void
start_tls_server (TlsServer *tls, const Files *files)
{
  Server *port = server_new (NULL, handle, NULL);
  g_autofree char *address = g_strdup_printf ("127.0.0.1:%d", server_port (port));
  const char *argv[] = { "openssl", "s_server",         "-quiet", "-www",     "-accept", address,
                         "-cert",   files->certificate, "-key",   files->key, NULL };

  tls->port = server_port (port);
  server_free (port);
  g_spawn_async (NULL, (char **)argv, NULL,
                 G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDOUT_TO_DEV_NULL
                     | G_SPAWN_STDERR_TO_DEV_NULL,
                 end_with_parent, NULL, &tls->pid, NULL);
}

static void
copy (const char *from, const char *to)
{
  g_autofree char *text = NULL;
  gsize length;

  g_assert_true (g_file_get_contents (from, &text, &length, NULL));
  g_assert_true (g_file_set_contents (to, text, (gssize)length, NULL));
}

/* ---- a file that becomes a FIFO ---- */

/* Replaces the file NAME by a FIFO. */
static void
test_fifo (gconstpointer data)
{
  const char *name = data;
  g_autoptr (PpHttp) http = pp_http_new ();
  g_auto (Files) files = { NULL };

  if (!make_files (&files))
    return;
  g_auto (TlsServer) tls = { 0 };
  start_tls_server (&tls, &files);
  g_autofree char *url = g_strdup_printf ("https://127.0.0.1:%d/", tls.port);
  g_autofree char *path = g_build_filename (files.folder, name, NULL);
  g_autofree char *fifo = g_strconcat (path, ".new", NULL);
  PpHttpRequest trusting = { .url = url, .tls_skip_verify = TRUE };
  PpHttpRequest request = { .url = url,
                            .tls_ca_file = files.other,
                            .tls_cert_file = files.certificate,
                            .tls_key_file = files.key };

  g_assert_true (call_until (http, &trusting, 200)); /* the server is up */
  g_test_expect_message ("prefect.http", G_LOG_LEVEL_WARNING,
                         "*is not a regular file; the content that was read before stays in use*");
  g_assert_cmpint (call (http, &request), ==, 0);
  /* The call works at once, because a thread reads the files. */
  g_assert_cmpint (mkfifo (fifo, 0600), ==, 0);
  g_assert_cmpint (rename (fifo, path), ==, 0);
  for (guint i = 0; i < 5; i++)
    {
      g_assert_cmpint (call (http, &request), ==, 0);
      g_usleep (20000);
    }
  g_test_assert_expected_messages ();
}

/* ---- a certificate that is renewed ---- */

static void
test_renewed (void)
{
  g_autoptr (PpHttp) http = pp_http_new ();
  g_auto (Files) files = { NULL };

  if (!make_files (&files))
    return;
  g_auto (TlsServer) tls = { 0 };
  start_tls_server (&tls, &files);
  g_autofree char *url = g_strdup_printf ("https://127.0.0.1:%d/", tls.port);
  g_autofree char *path = g_build_filename (files.folder, "ca.pem", NULL);
  PpHttpRequest request = { .url = url, .tls_ca_file = files.certificate };

  g_assert_true (call_until (http, &request, 200)); /* the server is up */
  copy (files.other, path);
  request.tls_ca_file = path;
  g_assert_cmpint (call (http, &request), ==, 0);
  copy (files.certificate, path);
  g_assert_true (call_until (http, &request, 200));
}

/* The file is read while somebody writes it. */
static void
test_cut_off (void)
{
  g_autoptr (PpHttp) http = pp_http_new ();
  g_auto (Files) files = { NULL };

  if (!make_files (&files))
    return;
  g_auto (TlsServer) tls = { 0 };
  start_tls_server (&tls, &files);
  g_autofree char *url = g_strdup_printf ("https://127.0.0.1:%d/", tls.port);
  g_autofree char *path = g_build_filename (files.folder, "ca.pem", NULL);
  PpHttpRequest request = { .url = url, .tls_ca_file = path };
  PpHttpRequest refused = { .url = url, .tls_ca_file = files.other };

  copy (files.certificate, path);
  g_assert_true (call_until (http, &request, 200));
  g_test_expect_message (
      "prefect.http", G_LOG_LEVEL_WARNING,
      "*ca.pem: the file is empty; the content that was read before stays in use*");
  g_assert_true (g_file_set_contents (path, "", 0, NULL));
  for (guint i = 0; i < 5; i++)
    {
      g_assert_cmpint (call (http, &refused), ==, 0); /* makes threads read the files again */
      g_assert_cmpint (call (http, &request), ==, 200);
    }
  g_test_assert_expected_messages ();
}

static void
add_tests (void)
{
  g_test_add_data_func ("/http/tls/fifo/ca", "other.pem", test_fifo);
  g_test_add_data_func ("/http/tls/fifo/certificate", "cert.pem", test_fifo);
  g_test_add_data_func ("/http/tls/fifo/key", "key.pem", test_fifo);
  g_test_add_func ("/http/tls/renewed", test_renewed);
  g_test_add_func ("/http/tls/cut-off", test_cut_off);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add_tests);
}
