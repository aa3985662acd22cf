/* SPDX-License-Identifier: Apache-2.0 */
/* Tests detecting the end of a container that the engine does not report. A server answers like
 * Podman; conmon and the container's program are real processes. */
#include "prefect-podman/infrastructure/infrastructure.h"

#include "tests/unit/server.h"
#include "tests/unit/tap.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ID "7b6726c788a364d4381f22961d16bdd8391c53b05009d381c25c904408dbcf12"

/* The engine's answers; the server's threads read them. */
typedef struct
{
  int pid;
  int conmon_pid;
  gint ended;               /* atomic: the engine knows that the container has ended */
  gint waits;               /* atomic: number of wait requests so far */
  const char *version;      /* of GET /version */
  const char *status;       /* State.Status before ended */
  const char *wait_answers; /* the answer to a wait, or NULL: the wait lasts until ended */
  int wait_status;
  gint log_open;  /* atomic: the log stream stays open */
  gint log_reads; /* atomic */
} Engine;

typedef struct
{
  PpHttp *http;
  Server *server;
  char *folder;
  PpInfrastructure *infrastructure;
  PpInfrastructureCall *call;
  Engine engine;
  int conmon; /* our child; 0 if none */
  gboolean ended;
  gboolean status_lost;
  GString *news;
  GString *output;
} Fixture;

static gboolean
answer_inspect (const Engine *engine, int fd)
{
  gboolean ended = g_atomic_int_get (&engine->ended);
  const char *status = ended ? "exited" : engine->status;
  g_autofree char *body = g_strdup_printf (
      "{\"Id\": \"" ID "\", \"State\": {\"Status\": \"%s\", \"Running\": %s, \"Pid\": %d, "
      "\"ConmonPid\": %d, \"ExitCode\": 0}}",
      status, g_str_equal (status, "running") ? "true" : "false", engine->pid, engine->conmon_pid);

  return server_reply (fd, 200, "", body);
}

static gboolean
answer_wait (Engine *engine, int fd)
{
  g_atomic_int_inc (&engine->waits);
  if (engine->wait_answers != NULL)
    return server_reply (fd, engine->wait_status, "", engine->wait_answers);
  while (!g_atomic_int_get (&engine->ended))
    g_usleep (10000);
  return server_reply (fd, 200, "", "{\"StatusCode\": 0}");
}

/* Sends "tick", and keeps the stream open while log_open is set. Without follow, sends
 * everything. */
static gboolean
answer_logs (Engine *engine, const Request *request, int fd)
{
  static const char followed[] = "HTTP/1.1 200 OK\r\n\r\n\1\0\0\0\0\0\0\5tick\n";
  static const char all[] = "\1\0\0\0\0\0\0\5tick\n\1\0\0\0\0\0\0\5last\n";

  g_atomic_int_inc (&engine->log_reads);
  if (strstr (request->target, "follow=1") == NULL)
    return server_reply_bytes (fd, 200, "", all, sizeof all - 1);
  server_write (fd, followed, sizeof followed - 1);
  while (g_atomic_int_get (&engine->log_open))
    g_usleep (10000);
  return FALSE;
}

static gboolean
answer (Server *server G_GNUC_UNUSED, const Request *request, int fd, gpointer data)
{
  Engine *engine = data;

  if (strstr (request->target, "/version") != NULL)
    return server_reply (fd, 200, "", engine->version);
  if (strstr (request->target, "/wait") != NULL)
    return answer_wait (engine, fd);
  if (strstr (request->target, "/logs") != NULL)
    return answer_logs (engine, request, fd);
  if (strstr (request->target, "/containers/" ID "/json") != NULL)
    return answer_inspect (engine, fd);
  return server_reply (fd, 200, "", "{}");
}

static void
on_connected (const GError *error, gpointer user_data)
{
  g_assert_no_error (error);
  *(gboolean *)user_data = TRUE;
}

#define PODMAN                                                                                     \
  "{\"Version\": \"4.3.1\", \"ApiVersion\": \"1.41\", \"Components\": [{\"Name\": \"Podman "       \
  "Engine\", \"Version\": \"4.3.1\"}]}"
#define DOCKER "{\"Version\": \"27.0\", \"ApiVersion\": \"1.45\"}"

static void
set_up (Fixture *fixture, gconstpointer data)
{
  gboolean local = data != NULL;

  fixture->http = pp_http_new ();
  fixture->news = g_string_new (NULL);
  fixture->output = g_string_new (NULL);
  fixture->folder = g_dir_make_tmp ("watch-XXXXXX", NULL);
  fixture->engine.version = PODMAN;
  fixture->engine.status = "running";
  g_autofree char *path = g_build_filename (fixture->folder, "socket", NULL);
  fixture->server = server_new (local ? path : NULL, answer, &fixture->engine);
  g_autofree char *url
      = local ? g_strconcat ("unix://", path, NULL)
              : g_strdup_printf ("tcp://127.0.0.1:%d", server_port (fixture->server));
  fixture->infrastructure = pp_infrastructure_new (fixture->http, url, NULL);
}

static void
connect_engine (Fixture *fixture)
{
  gboolean connected = FALSE;

  pp_infrastructure_connect (fixture->infrastructure, on_connected, &connected);
  while (!connected)
    g_main_context_iteration (NULL, TRUE);
}

static void
tear_down (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  g_autofree char *path = g_build_filename (fixture->folder, "socket", NULL);

  pp_infrastructure_free (fixture->infrastructure);
  pp_http_free (fixture->http);
  g_atomic_int_set (&fixture->engine.ended, TRUE);
  g_atomic_int_set (&fixture->engine.log_open, FALSE);
  server_free (fixture->server);
  g_remove (path);
  g_assert_cmpint (g_rmdir (fixture->folder), ==, 0);
  g_free (fixture->folder);
  if (fixture->conmon != 0)
    {
      kill (fixture->engine.pid, SIGKILL);
      kill (fixture->conmon, SIGKILL);
      waitpid (fixture->conmon, NULL, 0);
    }
  g_string_free (fixture->news, TRUE);
  g_string_free (fixture->output, TRUE);
}

/* Starts a shell as conmon, with the container's id in its command line, and a child of it as the
 * program. */
static void
start_processes (Fixture *fixture)
{
  char *argv[] = {
    (char *)"sh",
    (char *)"-c",
    (char
         *)"exec 2>/dev/null; sleep 600 >&2 & echo $!; exec >&2; wait; while :; do sleep 0.2; done",
    (char *)"conmon",
    (char *)"-c",
    (char *)ID,
    NULL
  };
  char text[32] = "";
  int out;

  g_assert_true (g_spawn_async_with_pipes (NULL, argv, NULL,
                                           G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD, NULL,
                                           NULL, &fixture->conmon, NULL, &out, NULL, NULL));
  g_assert_cmpint (read (out, text, sizeof text - 1), >, 0);
  close (out);
  fixture->engine.pid = atoi (text);
  fixture->engine.conmon_pid = fixture->conmon;
}

static void
on_news (PpWatchNews news, gpointer user_data)
{
  Fixture *fixture = user_data;

  g_string_append (fixture->news, news == PP_WATCH_CONMON_GONE ? "conmon;" : "program;");
}

static void
on_watched (gboolean status_lost, const GError *error, gpointer user_data)
{
  Fixture *fixture = user_data;

  g_assert_no_error (error);
  fixture->call = NULL;
  fixture->ended = TRUE;
  fixture->status_lost = status_lost;
}

static void
on_followed (const PpFollowEnd *end, const GError *error, gpointer user_data)
{
  Fixture *fixture = user_data;

  g_assert_no_error (error);
  g_assert_nonnull (end);
  fixture->call = NULL;
}

static void
watch (Fixture *fixture)
{
  connect_engine (fixture);
  fixture->call
      = pp_infrastructure_watch (fixture->infrastructure, ID, on_news, on_watched, fixture);
}

static gboolean
on_timer (gpointer user_data)
{
  *(gboolean *)user_data = TRUE;
  return G_SOURCE_REMOVE;
}

/* Runs the loop for a while. */
static void
run_for (guint milliseconds)
{
  gboolean over = FALSE;

  g_timeout_add (milliseconds, on_timer, &over);
  while (!over)
    g_main_context_iteration (NULL, TRUE);
}

/* Waits for the end of the watch, which must report LOST. Returns the seconds it took. */
static double
check_end (Fixture *fixture, gboolean lost)
{
  gint64 begun = g_get_monotonic_time ();

  while (!fixture->ended)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpint (fixture->status_lost, ==, lost);
  return (double)(g_get_monotonic_time () - begun) / G_USEC_PER_SEC;
}

static void
test_both_killed (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  start_processes (fixture);
  watch (fixture);
  run_for (600);
  g_assert_false (fixture->ended);
  kill (fixture->conmon, SIGKILL);
  kill (fixture->engine.pid, SIGKILL);
  check_end (fixture, TRUE);
  g_assert_nonnull (strstr (fixture->news->str, "program;"));
  g_assert_cmpint (g_atomic_int_get (&fixture->engine.waits), ==, 0);
}

static void
test_conmon_killed_alone (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  start_processes (fixture);
  watch (fixture);
  run_for (600);
  kill (fixture->conmon, SIGKILL);
  while (fixture->news->len == 0)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpstr (fixture->news->str, ==, "conmon;");
  /* The engine cannot know the exit status any more and is not asked. */
  kill (fixture->engine.pid, SIGKILL);
  g_assert_cmpfloat (check_end (fixture, TRUE), <, 1.5);
  g_assert_cmpstr (fixture->news->str, ==, "conmon;program;");
}

/* The engine knows the end a while after the kernel, and reports it only when asked. */
static void
test_program_ends (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  start_processes (fixture);
  watch (fixture);
  run_for (600);
  kill (fixture->engine.pid, SIGKILL);
  run_for (1500);
  g_assert_false (fixture->ended); /* conmon is alive: it will record the exit status */
  g_atomic_int_set (&fixture->engine.ended, TRUE);
  check_end (fixture, FALSE);
  g_assert_cmpstr (fixture->news->str, ==, "program;");
}

/* Somebody has restarted the container: it has other processes, and its exit status is not lost. */
static void
test_restarted (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  start_processes (fixture);
  watch (fixture);
  run_for (600);
  kill (fixture->engine.pid, SIGKILL);
  while (fixture->news->len == 0)
    g_main_context_iteration (NULL, TRUE);
  kill (fixture->conmon, SIGKILL);
  waitpid (fixture->conmon, NULL, 0);
  start_processes (fixture);
  check_end (fixture, FALSE);
  g_assert_cmpstr (fixture->news->str, ==, "program;");
}

/* The pids of an engine on another host belong to other processes here, or to none. */
static void
test_remote_engine (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  start_processes (fixture);
  watch (fixture);
  run_for (600);
  kill (fixture->conmon, SIGKILL);
  kill (fixture->engine.pid, SIGKILL);
  run_for (1500);
  g_assert_false (fixture->ended);
  g_assert_cmpstr (fixture->news->str, ==, "");
  g_assert_cmpint (g_atomic_int_get (&fixture->engine.waits), ==, 1);
  g_atomic_int_set (&fixture->engine.ended, TRUE);
  check_end (fixture, FALSE);
}

/* A unix socket may be a forwarded one. */
static void
test_forwarded_socket (Fixture *fixture, gconstpointer data)
{
  fixture->engine.pid = getpid ();
  fixture->engine.conmon_pid = getppid ();
  watch (fixture);
  run_for (600);
  g_assert_cmpint (g_atomic_int_get (&fixture->engine.waits), ==, 1);
  g_atomic_int_set (&fixture->engine.ended, TRUE);
  check_end (fixture, FALSE);
  (void)data;
}

/* Podman's answer, after 20 s, for a container whose conmon has exited. */
static void
test_wait_says_lost (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  fixture->engine.wait_answers
      = "{\"cause\":\"no such exit code\",\"message\":\"getting exit code of container " ID
        " from DB: no such exit code (container in state running)\",\"response\":500}";
  fixture->engine.wait_status = 500;
  watch (fixture);
  check_end (fixture, TRUE);
}

static void
test_wait_says_minus_one (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  fixture->engine.wait_answers = "-1\n";
  fixture->engine.wait_status = 200;
  watch (fixture);
  check_end (fixture, TRUE);
}

/* Podman and conmon were both killed while the container was starting. */
static void
test_wait_is_in_vain (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  fixture->engine.status = "initialized";
  fixture->engine.wait_answers = "0\n";
  fixture->engine.wait_status = 200;
  watch (fixture);
  check_end (fixture, TRUE);
}

static void
test_wait_fails (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  fixture->engine.wait_answers = "{\"message\": \"the store is locked\"}";
  fixture->engine.wait_status = 500;
  watch (fixture);
  run_for (2500);
  g_assert_false (fixture->ended);
  g_assert_cmpint (g_atomic_int_get (&fixture->engine.waits), >=, 2);
  g_atomic_int_set (&fixture->engine.ended, TRUE);
  check_end (fixture, FALSE);
}

static void
test_docker (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  fixture->engine.version = DOCKER;
  watch (fixture);
  run_for (600);
  g_assert_false (fixture->ended);
  g_atomic_int_set (&fixture->engine.ended, TRUE);
  g_assert_cmpfloat (check_end (fixture, FALSE), <, 1.5);
}

static gboolean
on_output (PpStream stream G_GNUC_UNUSED, const char *data, gsize length,
           gint64 log_time G_GNUC_UNUSED, gboolean begins_late G_GNUC_UNUSED, gpointer user_data)
{
  Fixture *fixture = user_data;

  g_string_append_len (fixture->output, data, (gssize)length);
  return TRUE;
}

/* A process that outlives its container holds the pipe open: the log is read once. */
static void
test_log_stays_open (Fixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  fixture->engine.version = DOCKER;
  g_atomic_int_set (&fixture->engine.log_open, TRUE);
  connect_engine (fixture);
  fixture->call = pp_infrastructure_follow (fixture->infrastructure, ID, FALSE, NULL, on_output,
                                            on_followed, fixture);
  run_for (500);
  g_assert_cmpint (g_atomic_int_get (&fixture->engine.log_reads), ==, 1);
  pp_infrastructure_follow_finish (fixture->call);
  while (fixture->call != NULL)
    g_main_context_iteration (NULL, TRUE);
  g_assert_nonnull (strstr (fixture->output->str, "last\n"));
  g_assert_cmpint (g_atomic_int_get (&fixture->engine.log_reads), ==, 2);
}

static void
add_tests (void)
{
  static const struct
  {
    const char *path;
    gboolean local;
    void (*test) (Fixture *fixture, gconstpointer data);
  } tests[] = {
    { "/engine-watch/both-killed", TRUE, test_both_killed },
    { "/engine-watch/conmon-killed-alone", TRUE, test_conmon_killed_alone },
    { "/engine-watch/program-ends", TRUE, test_program_ends },
    { "/engine-watch/restarted", TRUE, test_restarted },
    { "/engine-watch/remote-engine", FALSE, test_remote_engine },
    { "/engine-watch/forwarded-socket", TRUE, test_forwarded_socket },
    { "/engine-watch/wait-says-lost", FALSE, test_wait_says_lost },
    { "/engine-watch/wait-says-minus-one", FALSE, test_wait_says_minus_one },
    { "/engine-watch/wait-is-in-vain", TRUE, test_wait_is_in_vain },
    { "/engine-watch/wait-fails", FALSE, test_wait_fails },
    { "/engine-watch/docker", TRUE, test_docker },
    { "/engine-watch/log-stays-open", FALSE, test_log_stays_open },
  };

  for (guint i = 0; i < G_N_ELEMENTS (tests); i++)
    g_test_add (tests[i].path, Fixture, tests[i].local ? "local" : NULL, set_up, tests[i].test,
                tear_down);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add_tests);
}
