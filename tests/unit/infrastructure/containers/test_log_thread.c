/* SPDX-License-Identifier: Apache-2.0 */
/* Tests the file thread and its users: a disk that hangs blocks only the thread, and nothing is
 * lost. The functions of log_tail-private.h are replaced here. */
#include "prefect-podman/http/limits.h"
#include "prefect-podman/infrastructure/infrastructure.h"
#include "infrastructure/containers/log_tail-private.h"
#include "infrastructure/containers/log_thread-private.h"

#include "tests/unit/server.h"
#include "tests/unit/tap.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <unistd.h>

/* The disk. */

struct PpLogTail
{
  guint reads;
  int watch;
  char *path; /* of the log, or NULL if its folder does not exist */
};

static GMutex disk_mutex;
static GCond disk_cond;
static gboolean hangs;
/* More is written to the log after its end was read once. */
static gboolean is_written_on;
/* The log that is read first is written to after this read. Only logs whose folder exists count. */
static gboolean is_first_written_on;

static void
set_hangs (gboolean on)
{
  g_mutex_lock (&disk_mutex);
  hangs = on;
  g_cond_broadcast (&disk_cond);
  g_mutex_unlock (&disk_mutex);
}

static void
wait_for_disk (void)
{
  g_mutex_lock (&disk_mutex);
  while (hangs)
    g_cond_wait (&disk_cond, &disk_mutex);
  g_mutex_unlock (&disk_mutex);
}

PpLogTail *
pp_log_tail_open (const char *root, const char *folder, int inotify, GError **error)
{
  g_autofree char *path = g_build_filename (root, folder, NULL);
  PpLogTail *tail = g_new0 (PpLogTail, 1);

  (void)error;
  wait_for_disk ();
  tail->watch = inotify_add_watch (inotify, path, IN_MODIFY | IN_CREATE | IN_MOVED_TO);
  if (tail->watch >= 0)
    {
      tail->path = g_build_filename (path, PP_LOG_NAME, NULL);
      tail->reads = 1;
    }
  return tail;
}

void
pp_log_tail_free (PpLogTail *tail)
{
  if (tail != NULL)
    g_free (tail->path);
  g_free (tail);
}

int
pp_log_tail_watch (const PpLogTail *tail)
{
  return tail != NULL ? tail->watch : -1;
}

gboolean
pp_log_tail_begins_late (const PpLogTail *tail)
{
  (void)tail;
  return FALSE;
}

void
pp_log_tail_look (PpLogTail *tail, gboolean moved)
{
  (void)tail;
  (void)moved;
}

PpLogPiece *
pp_log_tail_read (PpLogTail *tail)
{
  PpLogPiece *piece = g_new0 (PpLogPiece, 1);

  wait_for_disk ();
  piece->kind = tail->reads == 0 || (tail->reads == 2 && is_written_on) ? PP_LOG_TAIL_DATA
                                                                        : PP_LOG_TAIL_END;
  if (tail->path != NULL)
    piece->kind = tail->reads == 3 ? PP_LOG_TAIL_DATA : PP_LOG_TAIL_END;
  if (piece->kind == PP_LOG_TAIL_DATA)
    {
      piece->data
          = g_strdup (tail->reads == 0 ? "T stdout F from the file\n" : "T stdout F and more\n");
      piece->length = strlen (piece->data);
    }
  tail->reads++;
  if (tail->path != NULL && is_first_written_on)
    {
      is_first_written_on = FALSE;
      g_assert_true (g_file_set_contents (tail->path, "more", -1, NULL));
    }
  return piece;
}

void
pp_log_piece_free (PpLogPiece *piece)
{
  if (piece == NULL)
    return;
  g_free (piece->data);
  g_free (piece->error);
  g_free (piece);
}

/* The engine. */

/* The engine's answers about the container, and records of the inspections and the event stream. */
typedef struct
{
  GMutex mutex;
  GCond cond;
  gboolean holds_looks; /* inspections are not answered yet */
  gboolean tells;       /* an event about the container is sent */
  const char *state;    /* the answer to an inspection; NULL: 500 */
  guint looks;
} Script;

static Script script;

static void
set_script (gboolean holds_looks, gboolean tells, const char *state)
{
  g_mutex_lock (&script.mutex);
  script.holds_looks = holds_looks;
  script.tells = tells;
  script.state = state;
  g_cond_broadcast (&script.cond);
  g_mutex_unlock (&script.mutex);
}

static guint
count_looks (void)
{
  g_mutex_lock (&script.mutex);
  guint looks = script.looks;
  g_mutex_unlock (&script.mutex);
  return looks;
}

typedef struct
{
  GMainLoop *loop;
  PpHttp *http;
  Server *server;
  char *folder;
  char *socket;
  PpInfrastructure *infrastructure;
  PpInfrastructureCall *call;
  GString *output;
  GError *error;
} Fixture;

static gboolean
answer_events (int fd)
{
  const char event[]
      = "HTTP/1.1 200 OK\r\n\r\n{\"status\": \"stop\", \"Actor\": {\"ID\": \"abc\"}}\n";

  g_mutex_lock (&script.mutex);
  while (!script.tells)
    g_cond_wait (&script.cond, &script.mutex);
  g_mutex_unlock (&script.mutex);
  return server_write (fd, event, sizeof event - 1);
}

static gboolean
answer_look (int fd)
{
  g_mutex_lock (&script.mutex);
  script.looks++;
  while (script.holds_looks)
    g_cond_wait (&script.cond, &script.mutex);
  const char *state = script.state;
  g_mutex_unlock (&script.mutex);
  if (state == NULL)
    return server_reply (fd, 500, "", "{\"message\": \"database is locked\"}");
  return server_reply (fd, 200, "", state);
}

static gboolean
answer (Server *server, const Request *request, int fd, gpointer data)
{
  const char frame[] = "\1\0\0\0\0\0\0\20from the engine\n";

  (void)server;
  (void)data;
  if (strstr (request->target, "/version") != NULL)
    return server_reply (fd, 200, "",
                         "{\"Version\": \"5.4.0\", \"ApiVersion\": \"1.41\", \"Components\": "
                         "[{\"Name\": \"Podman Engine\", \"Version\": \"5.4.0\"}]}");
  if (strstr (request->target, "/info") != NULL)
    return server_reply (fd, 200, "", "{\"DockerRootDir\": \"/disk\", \"Driver\": \"overlay\"}");
  if (strstr (request->target, "/logs") != NULL)
    return server_reply_bytes (fd, 200, "", frame, sizeof frame - 1);
  if (strstr (request->target, "/start") != NULL)
    return server_reply (fd, 204, "", "");
  if (strstr (request->target, "/events") != NULL)
    return answer_events (fd);
  return answer_look (fd);
}

static gboolean
on_output (PpStream stream, const char *data, gsize length, gint64 log_time G_GNUC_UNUSED,
           gboolean begins_late G_GNUC_UNUSED, gpointer user_data)
{
  Fixture *fixture = user_data;

  (void)stream;
  g_string_append_len (fixture->output, data, (gssize)length);
  return TRUE;
}

static void
on_done (const GError *error, gpointer user_data)
{
  Fixture *fixture = user_data;

  g_clear_error (&fixture->error);
  fixture->error = error != NULL ? g_error_copy (error) : NULL;
  g_main_loop_quit (fixture->loop);
}

static void
on_followed (const PpFollowEnd *end G_GNUC_UNUSED, const GError *error, gpointer user_data)
{
  on_done (error, user_data);
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  g_autofree char *url = NULL;

  (void)data;
  set_script (FALSE, FALSE, "{\"State\": {\"Running\": false, \"Status\": \"exited\"}}");
  /* This file tests warnings. */
  g_log_set_always_fatal (G_LOG_FATAL_MASK);
  fixture->loop = g_main_loop_new (NULL, FALSE);
  fixture->http = pp_http_new ();
  fixture->output = g_string_new (NULL);
  fixture->folder = g_dir_make_tmp ("ppf-XXXXXX", NULL);
  fixture->socket = g_build_filename (fixture->folder, "socket", NULL);
  fixture->server = server_new (fixture->socket, answer, fixture);
  url = g_strconcat ("unix://", fixture->socket, NULL);
  fixture->infrastructure = pp_infrastructure_new (fixture->http, url, NULL);
  pp_infrastructure_connect (fixture->infrastructure, on_done, fixture);
  g_main_loop_run (fixture->loop);
  g_assert_no_error (fixture->error);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  (void)data;
  set_hangs (FALSE);
  set_script (FALSE, TRUE, NULL);
  g_clear_error (&fixture->error);
  pp_infrastructure_free (fixture->infrastructure);
  pp_http_free (fixture->http);
  server_free (fixture->server);
  g_string_free (fixture->output, TRUE);
  g_main_loop_unref (fixture->loop);
  g_unlink (fixture->socket);
  g_assert_cmpint (g_rmdir (fixture->folder), ==, 0);
  g_free (fixture->socket);
  g_free (fixture->folder);
}

static void
follow (Fixture *fixture)
{
  pp_infrastructure_follow (fixture->infrastructure, "abc", FALSE, NULL, on_output, on_followed,
                            fixture);
  g_main_loop_run (fixture->loop);
}

static gboolean
on_turn (gpointer user_data)
{
  guint *turns = user_data;

  (*turns)++;
  return G_SOURCE_CONTINUE;
}

/* Reading works, and the follow ends when the log is read completely after the container's end. */
static void
test_well (Fixture *fixture, gconstpointer data)
{
  (void)data;
  follow (fixture);
  g_assert_no_error (fixture->error);
  g_assert_cmpstr (fixture->output->str, ==, "from the file\n");
  g_assert_null (pp_infrastructure_trouble (fixture->infrastructure));
}

/* The disk hangs when the log is opened: the loop continues, the health check reports it, and the
 * output of this run and the next one comes through the engine at once. */
static void
test_hanging_open (Fixture *fixture, gconstpointer data)
{
  guint turns = 0;
  guint source = g_timeout_add (100, on_turn, &turns);

  (void)data;
  set_hangs (TRUE);
  follow (fixture);
  g_assert_no_error (fixture->error);
  g_assert_cmpstr (fixture->output->str, ==, "from the engine\n");
  g_assert_cmpuint (turns, >, 10);
  g_assert_nonnull (strstr (pp_infrastructure_trouble (fixture->infrastructure),
                            "/disk/overlay-containers/abc/userdata has not answered"));
  g_string_truncate (fixture->output, 0);
  follow (fixture);
  g_assert_cmpstr (fixture->output->str, ==, "from the engine\n");
  set_hangs (FALSE);
  while (pp_infrastructure_trouble (fixture->infrastructure) != NULL)
    g_main_context_iteration (NULL, TRUE);
  g_string_truncate (fixture->output, 0);
  follow (fixture);
  g_assert_cmpstr (fixture->output->str, ==, "from the file\n");
  g_source_remove (source);
}

static gboolean
hang_after_output (PpStream stream, const char *data, gsize length, gint64 log_time,
                   gboolean begins_late, gpointer user_data)
{
  set_hangs (TRUE);
  return on_output (stream, data, length, log_time, begins_late, user_data);
}

/* The disk hangs later: the caller must follow again, from where the log was read. */
static void
test_hanging_read (Fixture *fixture, gconstpointer data)
{
  (void)data;
  pp_infrastructure_follow (fixture->infrastructure, "abc", FALSE, NULL, hang_after_output,
                            on_followed, fixture);
  g_main_loop_run (fixture->loop);
  g_assert_error (fixture->error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_UNAVAILABLE);
  g_assert_nonnull (strstr (fixture->error->message, "has not answered a read"));
  g_assert_cmpstr (fixture->output->str, ==, "from the file\n");
}

static gboolean
on_pause (gpointer user_data)
{
  g_main_loop_quit (user_data);
  return G_SOURCE_REMOVE;
}

static void
pause_for (const Fixture *fixture, guint milliseconds)
{
  g_timeout_add (milliseconds, on_pause, fixture->loop);
  g_main_loop_run (fixture->loop);
}

/* The process lacks descriptors for the file, and the container ends before there are more: its
 * output is delivered, from one source only. */
static void
test_few_descriptors (Fixture *fixture, gconstpointer data)
{
  PpInfrastructureCall *call;
  struct rlimit limit, before;

  (void)data;
  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &before), ==, 0);
  limit = before;
  for (limit.rlim_cur = 200; pp_limits_probe (6) == 0; limit.rlim_cur--)
    g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &limit), ==, 0);
  call = pp_infrastructure_follow (fixture->infrastructure, "abc", FALSE, NULL, on_output,
                                   on_followed, fixture);
  pp_infrastructure_follow_finish (call);
  pause_for (fixture, 2500);
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &before), ==, 0);
  g_main_loop_run (fixture->loop);
  g_assert_no_error (fixture->error);
  g_assert_cmpstr (fixture->output->str, ==, "from the file\n");
}

static gboolean is_busy;

static gboolean
output_unless_busy (PpStream stream, const char *data, gsize length, gint64 log_time,
                    gboolean begins_late, gpointer user_data)
{
  return !is_busy && on_output (stream, data, length, log_time, begins_late, user_data);
}

/* The output is refused for a while. Meanwhile the log's end is read, more is written, and the
 * container ends: the end that was read is not the last one. */
static void
test_end_that_was_met_before (Fixture *fixture, gconstpointer data)
{
  PpInfrastructureCall *call;

  (void)data;
  is_written_on = TRUE;
  is_busy = TRUE;
  call = pp_infrastructure_follow (fixture->infrastructure, "abc", FALSE, NULL, output_unless_busy,
                                   on_followed, fixture);
  pause_for (fixture, 200);
  pp_infrastructure_follow_finish (call);
  pause_for (fixture, 200);
  is_busy = FALSE;
  pp_infrastructure_call_resume (call);
  g_main_loop_run (fixture->loop);
  is_written_on = FALSE;
  g_assert_no_error (fixture->error);
  g_assert_cmpstr (fixture->output->str, ==, "from the file\nand more\n");
}

static gboolean
has_looked (void)
{
  return count_looks () > 0;
}

static void
wait_for_look (void)
{
  guint source = g_timeout_add (5, on_turn, &(guint){ 0 });

  while (!has_looked ())
    g_main_context_iteration (NULL, TRUE);
  g_source_remove (source);
}

/* Follows a container whose log is not open yet, after an event has caused an inspection. */
static PpInfrastructureCall *
follow_with_early_event (Fixture *fixture, gboolean holds_looks)
{
  PpInfrastructureCall *call;

  script.looks = 0;
  /* This opens the event stream. */
  pp_infrastructure_start (fixture->infrastructure, "abc", on_done, fixture);
  g_main_loop_run (fixture->loop);
  set_hangs (TRUE);
  call = pp_infrastructure_follow (fixture->infrastructure, "abc", FALSE, NULL, on_output,
                                   on_followed, fixture);
  set_script (holds_looks, TRUE, NULL);
  wait_for_look ();
  return call;
}

/* The log is opened during an inspection, which then fails: there is one timer for the next
 * inspection, and none when nobody follows any more. */
static void
test_event_before_open (Fixture *fixture, gconstpointer data)
{
  PpInfrastructureCall *call = follow_with_early_event (fixture, TRUE);

  (void)data;
  set_hangs (FALSE);
  while (fixture->output->len == 0)
    g_main_context_iteration (NULL, TRUE);
  set_script (FALSE, TRUE, NULL);
  pause_for (fixture, 100);
  pp_infrastructure_call_cancel (call);
  g_assert_cmpuint (count_looks (), ==, 1);
  pause_for (fixture, 800);
  g_assert_cmpuint (count_looks (), ==, 1);
}

/* The log cannot be opened for a while, and the engine's answers are useless: there is a pause
 * between two inspections. */
static void
test_looks_before_open (Fixture *fixture, gconstpointer data)
{
  PpInfrastructureCall *call = follow_with_early_event (fixture, FALSE);

  (void)data;
  pause_for (fixture, 600);
  g_assert_cmpuint (count_looks (), <=, 3);
  pp_infrastructure_call_cancel (call);
}

typedef struct
{
  guint opened;
  guint ends;
  guint pieces;
} LogsRead;

static void
on_news (PpLogNews *news, gpointer user_data)
{
  LogsRead *logs = user_data;

  logs->opened += news->is_open ? 1 : 0;
  if (news->piece != NULL && news->piece->kind == PP_LOG_TAIL_END)
    logs->ends++;
  else if (news->piece != NULL)
    logs->pieces++;
  pp_log_news_free (news);
}

static void
write_log (const Fixture *fixture, const char *folder)
{
  g_autofree char *path = g_build_filename (fixture->folder, folder, PP_LOG_NAME, NULL);

  g_assert_true (g_file_set_contents (path, "more", -1, NULL));
}

/* A log is written to after it was read, and before the next log is read: the new piece arrives
 * without another event. */
static void
test_written_between_two_reads (Fixture *fixture, gconstpointer data)
{
  LogsRead logs = { 0 };
  PpLogThread *thread = pp_log_thread_new (on_news, &logs);
  const char *const folders[] = { "a", "b", NULL };
  g_autofree char *hanging = NULL;

  (void)data;
  for (guint i = 0; folders[i] != NULL; i++)
    {
      g_autofree char *path = g_build_filename (fixture->folder, folders[i], NULL);
      g_assert_cmpint (g_mkdir (path, 0700), ==, 0);
      pp_log_thread_open (thread, i, fixture->folder, folders[i]);
    }
  pp_log_thread_ask (thread, 0, 1);
  pp_log_thread_ask (thread, 1, 1);
  while (logs.ends < 2)
    g_main_context_iteration (NULL, TRUE);
  /* The thread wakes up, and finds both logs written to. */
  set_hangs (TRUE);
  pp_log_thread_open (thread, 2, fixture->folder, "missing");
  while ((hanging = pp_log_thread_hangs (thread, 0)) == NULL)
    g_usleep (1000);
  write_log (fixture, "a");
  write_log (fixture, "b");
  is_first_written_on = TRUE;
  set_hangs (FALSE);
  while (logs.ends < 4 || logs.pieces < 1)
    g_main_context_iteration (NULL, TRUE);
  pp_log_thread_free (thread);
  for (guint i = 0; folders[i] != NULL; i++)
    {
      g_autofree char *path = g_build_filename (fixture->folder, folders[i], NULL);
      g_autofree char *log = g_build_filename (path, PP_LOG_NAME, NULL);
      g_unlink (log);
      g_assert_cmpint (g_rmdir (path), ==, 0);
    }
}

static void
add_tests (void)
{
  static const struct
  {
    const char *path;
    void (*test) (Fixture *, gconstpointer);
  } tests[] = {
    { "/log-thread/well", test_well },
    { "/log-thread/open", test_hanging_open },
    { "/log-thread/read", test_hanging_read },
    { "/log-thread/event-before-open", test_event_before_open },
    { "/log-thread/looks-before-open", test_looks_before_open },
    { "/log-thread/few-descriptors", test_few_descriptors },
    { "/log-thread/written-between-two-reads", test_written_between_two_reads },
    { "/log-thread/end-that-was-met-before", test_end_that_was_met_before },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (tests); i++)
    g_test_add (tests[i].path, Fixture, NULL, set_up, tests[i].test, tear_down);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add_tests);
}
