/* Following a container of a local Podman through its log file: inotify says that there is more,
 * the engine's event that the container has died says that there will be none. */
#include "engine_api.h"

#include "prefect-podman/http/limits.h"

#include <errno.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

/* Should the event be missed (the stream was not open yet, or broke), the container itself is
 * asked: after this, then twice as long, up to the second. */
#define FIRST_LOOK_MS 250
#define LAST_LOOK_MS 30000
/* With a stream that was open well before the container started, the first look is only for an
 * engine that loses events. */
#define SETTLED_US G_USEC_PER_SEC
#define SETTLED_LOOK_MS 4000
/* A line of the events' stream; the longest that says anything to us is far shorter. */
#define MAX_EVENT_BYTES 65536
#define LOG_NAME "ctr.log"
/* Reads of inotify's queue in one turn of the loop. */
#define INOTIFY_READS 16

/* {"event":["died","stop","cleanup","remove"]}, Podman's own words: 4.3 does not know Docker's
 * "die" in a filter, and says no "died" of a container that was stopped through the API. */
#define EVENTS_PATH                                                                                \
  "/events?filters=%7B%22event%22%3A%5B%22died%22%2C%22stop%22%2C%22cleanup%22%2C%22remove%22%5D%" \
  "7D"

struct EngineEvents
{
  Engine *engine;
  PpHttpCall *stream; /* GET /events */
  gint64 opened_at;   /* when that was asked for, monotonic microseconds */
  GString *line;
  int inotify;
  guint inotify_source;
  GHashTable *by_watch; /* inotify watch -> FileFollow */
  GHashTable *by_id;    /* container id -> FileFollow */
  gboolean unwatched_said;
};

struct FileFollow
{
  EngineCall *call;
  PpLogFile *log;
  char *id;
  char *path;
  int watch;
  guint turn; /* source of the next read */
  guint look; /* source of the next look at the container */
  guint look_ms;
  PpHttpCall *looking;
  gboolean ended;     /* the container has: what is in the file is all there is */
  gboolean succeeded; /* with exit code 0, the engine says */
};

static void open_events (EngineEvents *events);
static void read_inotify (EngineEvents *events);
static void look_later (FileFollow *follow);

/* The log was read to its end, and the container has had its own. */
static void
end_follow (FileFollow *follow)
{
  const PpLogDamage *damage = pp_log_file_damage (follow->log);
  json_auto_t *result = json_object ();

  /* The news of another file may still be waiting. */
  read_inotify (follow->call->engine->events);
  if (damage->records > 0)
    json_object_set_new (
        result, "Damage",
        json_sprintf ("%" G_GUINT64_FORMAT " records of %s are damaged, the first at byte "
                      "%" G_GUINT64_FORMAT "; %" G_GUINT64_FORMAT " bytes were skipped",
                      damage->records, follow->path, damage->first, damage->bytes));
  if (follow->succeeded)
    json_object_set_new (result, "StatusCode", json_integer (0));
  if (pp_log_file_has_gaps (follow->log))
    json_object_set_new (result, "OutputLost", json_true ());
  pp_engine_call_end (follow->call, result, NULL);
}

static gboolean
on_turn (gpointer user_data)
{
  FileFollow *follow = user_data;
  EngineCall *call = follow->call;
  PpLogFileResult result;
  int read_error;

  pp_engine_call_enter (call);
  result = pp_log_file_read (follow->log);
  read_error = errno;
  if (!pp_engine_call_leave (call))
    return G_SOURCE_REMOVE;
  if (result == PP_LOG_FILE_MORE)
    return G_SOURCE_CONTINUE;
  follow->turn = 0;
  if (result == PP_LOG_FILE_END && follow->ended)
    end_follow (follow);
  else if (result == PP_LOG_FILE_UNREADABLE)
    {
      g_autofree char *why = pp_limits_describe (read_error);
      pp_engine_call_fail (call, PP_INFRASTRUCTURE_ERROR_UNAVAILABLE, "%s cannot be read: %s",
                           follow->path, why);
    }
  return G_SOURCE_REMOVE;
}

static void
read_on (FileFollow *follow)
{
  if (follow->turn == 0 && !follow->call->ended)
    follow->turn = g_idle_add_full (G_PRIORITY_DEFAULT, on_turn, follow, NULL);
}

static void
container_ended (FileFollow *follow)
{
  follow->ended = TRUE;
  pp_log_file_finish (follow->log);
  g_clear_handle_id (&follow->look, g_source_remove);
  read_on (follow);
}

/* A look at the container itself. */

static void
on_looked (const PpHttpResponse *response, const GError *error, gpointer user_data)
{
  FileFollow *follow = user_data;
  json_auto_t *inspect = NULL;
  const json_t *state;

  follow->looking = NULL;
  if (error == NULL && response->status == 404)
    {
      container_ended (follow);
      return;
    }
  if (error == NULL && response->status == 200)
    inspect = pp_json_parse (response->body, response->body_length, 0, NULL);
  state = json_object_get (inspect, "State");
  if (state != NULL && !json_is_true (json_object_get (state, "Running"))
      && !json_is_true (json_object_get (state, "Paused"))
      && g_strcmp0 (pp_json_string (state, "Status"), "stopping") != 0)
    container_ended (follow);
  else
    look_later (follow);
}

static void
look_now (FileFollow *follow)
{
  g_autofree char *path = g_strdup_printf ("/containers/%s/json", follow->id);

  g_clear_handle_id (&follow->look, g_source_remove);
  if (follow->looking == NULL)
    follow->looking = pp_engine_get (follow->call->engine, path, NULL, on_looked, follow);
  /* A container that is silent may have ended as well as one that is not: a stream that broke is
   * opened again. */
  open_events (follow->call->engine->events);
}

static gboolean
on_look (gpointer user_data)
{
  FileFollow *follow = user_data;

  follow->look = 0;
  look_now (follow);
  return G_SOURCE_REMOVE;
}

static void
look_later (FileFollow *follow)
{
  follow->look = g_timeout_add (follow->look_ms, on_look, follow);
  follow->look_ms = MIN (follow->look_ms * 2, LAST_LOOK_MS);
}

/* The events' stream: one for all containers. */

/* Only of a success the exit code is all there is to know; of any other end the container is asked.
 */
static gboolean
says_success (const json_t *event)
{
  const json_t *attributes = json_object_get (json_object_get (event, "Actor"), "Attributes");

  return g_strcmp0 (pp_json_string (attributes, "containerExitCode"), "0") == 0;
}

static void
on_event (EngineEvents *events, const char *line, gsize length)
{
  json_auto_t *event = pp_json_parse (line, length, 0, NULL);
  const char *id = pp_json_string (json_object_get (event, "Actor"), "ID");
  FileFollow *follow = id != NULL ? g_hash_table_lookup (events->by_id, id) : NULL;

  if (follow == NULL || follow->ended)
    return;
  if (g_strcmp0 (pp_json_string (event, "status"), "die") == 0)
    {
      follow->succeeded = says_success (event);
      container_ended (follow);
    }
  else
    look_now (follow);
}

static gboolean
on_events_data (const char *data, gsize length, gpointer user_data)
{
  EngineEvents *events = user_data;

  while (length > 0)
    {
      const char *newline = memchr (data, '\n', length);
      gsize piece = newline != NULL ? (gsize)(newline - data) : length;

      if (events->line->len + piece <= MAX_EVENT_BYTES)
        g_string_append_len (events->line, data, (gssize)piece);
      if (newline == NULL)
        return TRUE;
      on_event (events, events->line->str, events->line->len);
      g_string_truncate (events->line, 0);
      data += piece + 1;
      length -= piece + 1;
    }
  return TRUE;
}

static void
on_events_end (const PpHttpResponse *response, const GError *error, gpointer user_data)
{
  EngineEvents *events = user_data;

  events->stream = NULL;
  g_string_truncate (events->line, 0);
  g_debug ("The engine's stream of events has ended: %s", error != NULL ? error->message
                                                          : response->status < 300
                                                              ? "closed"
                                                              : response->body);
}

static void
open_events (EngineEvents *events)
{
  if (events->stream != NULL)
    return;
  events->opened_at = g_get_monotonic_time ();
  events->stream
      = pp_engine_get (events->engine, EVENTS_PATH, on_events_data, on_events_end, events);
}

/* inotify */

static void
on_inotify_event (EngineEvents *events, const struct inotify_event *event)
{
  FileFollow *follow = g_hash_table_lookup (events->by_watch, GINT_TO_POINTER (event->wd));
  GHashTableIter iter;
  gpointer one;

  if (follow != NULL && event->len > 0 && strcmp (event->name, LOG_NAME) == 0)
    {
      if ((event->mask & IN_MOVED_TO) != 0)
        pp_log_file_replaced (follow->log);
      read_on (follow);
    }
  if ((event->mask & IN_Q_OVERFLOW) == 0)
    return;
  g_hash_table_iter_init (&iter, events->by_watch);
  while (g_hash_table_iter_next (&iter, NULL, &one))
    read_on (one);
}

static void
read_inotify (EngineEvents *events)
{
  char buffer[4096] __attribute__ ((aligned (__alignof__(struct inotify_event))));
  ssize_t count;

  for (guint i = 0; i < INOTIFY_READS; i++)
    {
      count = read (events->inotify, buffer, sizeof buffer);
      if (count <= 0)
        return;
      for (ssize_t position = 0; position < count;)
        {
          const struct inotify_event *event
              = (const struct inotify_event *)(const void *)(buffer + position);

          on_inotify_event (events, event);
          position += (ssize_t)(sizeof *event + event->len);
        }
    }
}

static gboolean
on_inotify (gint fd G_GNUC_UNUSED, GIOCondition condition G_GNUC_UNUSED, gpointer user_data)
{
  read_inotify (user_data);
  return G_SOURCE_CONTINUE;
}

/* Says once that files cannot be watched, and what raises LIMIT, a sysctl. */
static void
say_unwatched (EngineEvents *events, int error, const char *limit)
{
  if (!events->unwatched_said)
    g_warning ("Log files of containers cannot be watched (%s): their output is read through the "
               "engine, which may leave gaps. Raise it: sysctl fs.inotify.%s",
               g_strerror (error), limit);
  events->unwatched_said = TRUE;
}

/* Whether there is an inotify, made now where there was none. */
static gboolean
has_inotify (EngineEvents *events)
{
  if (events->inotify >= 0)
    return TRUE;
  events->inotify = inotify_init1 (IN_NONBLOCK | IN_CLOEXEC);
  if (events->inotify < 0)
    {
      /* The process has room for it: it is the user's limit. */
      if (errno != EMFILE || pp_limits_probe (1) == 0)
        say_unwatched (events, errno, "max_user_instances");
      return FALSE;
    }
  events->inotify_source = g_unix_fd_add (events->inotify, G_IO_IN, on_inotify, events);
  return TRUE;
}

EngineEvents *
pp_engine_events_new (Engine *engine)
{
  EngineEvents *events = g_new0 (EngineEvents, 1);

  events->engine = engine;
  events->line = g_string_new (NULL);
  events->by_watch = g_hash_table_new (NULL, NULL);
  events->by_id = g_hash_table_new (g_str_hash, g_str_equal);
  events->inotify = -1;
  return events;
}

void
pp_engine_events_free (EngineEvents *events)
{
  if (events == NULL)
    return;
  if (events->stream != NULL)
    pp_http_call_cancel (events->stream);
  if (events->inotify >= 0)
    {
      g_source_remove (events->inotify_source);
      close (events->inotify);
    }
  g_hash_table_unref (events->by_watch);
  g_hash_table_unref (events->by_id);
  g_string_free (events->line, TRUE);
  g_free (events);
}

void
pp_engine_events_expect (Engine *engine)
{
  if (engine->log_root != NULL)
    open_events (engine->events);
}

/* The follow. */

static gboolean
on_file_output (PpStream stream, const char *data, gsize length, gpointer user_data)
{
  FileFollow *follow = user_data;
  EngineCall *call = follow->call;

  return call->ended || call->output (stream, data, length, call->user_data);
}

gboolean
pp_engine_follow_file (EngineCall *call, const char *container_id, const PpLogPlace *place)
{
  EngineEvents *events = call->engine->events;
  g_autofree char *folder = NULL;
  g_autofree char *path = NULL;
  FileFollow *follow;
  PpLogFile *log;
  int watch;

  if (call->engine->log_root == NULL || !has_inotify (events))
    return FALSE;
  folder = g_strdup_printf ("%s/%s/userdata", call->engine->log_root, container_id);
  path = g_build_filename (folder, LOG_NAME, NULL);
  /* The folder, so that a file that takes the log's place is seen; before the file is opened, so
   * that none is missed. IN_CREATE comes between two of them, which would else be one event. */
  watch = inotify_add_watch (events->inotify, folder, IN_MODIFY | IN_CREATE | IN_MOVED_TO);
  if (watch < 0 && errno != ENOENT && errno != EACCES)
    say_unwatched (events, errno, "max_user_watches");
  if (watch < 0)
    return FALSE;
  follow = g_new0 (FileFollow, 1);
  log = pp_log_file_open (path, place, on_file_output, follow);
  if (log == NULL)
    {
      g_debug ("No log file of container %.12s to read (%s): its output comes through the engine",
               container_id, g_strerror (errno));
      inotify_rm_watch (events->inotify, watch);
      g_free (follow);
      return FALSE;
    }
  follow->call = call;
  follow->log = log;
  follow->id = g_strdup (container_id);
  follow->path = g_steal_pointer (&path);
  follow->watch = watch;
  g_hash_table_insert (events->by_watch, GINT_TO_POINTER (follow->watch), follow);
  g_hash_table_insert (events->by_id, follow->id, follow);
  call->file = follow;
  open_events (events);
  follow->look_ms
      = g_get_monotonic_time () - events->opened_at > SETTLED_US ? SETTLED_LOOK_MS : FIRST_LOOK_MS;
  look_later (follow);
  read_on (follow);
  return TRUE;
}

const PpLogFile *
pp_engine_follow_file_log (const FileFollow *follow)
{
  return follow->log;
}

void
pp_engine_follow_file_resume (FileFollow *follow)
{
  read_on (follow);
}

void
pp_engine_follow_file_finish (FileFollow *follow)
{
  if (!follow->ended)
    container_ended (follow);
}

void
pp_engine_follow_file_stop (FileFollow *follow)
{
  EngineEvents *events = follow->call->engine->events;

  if (follow->watch >= 0)
    {
      inotify_rm_watch (events->inotify, follow->watch);
      g_hash_table_remove (events->by_watch, GINT_TO_POINTER (follow->watch));
    }
  follow->watch = -1;
  g_hash_table_remove (events->by_id, follow->id);
  g_clear_handle_id (&follow->turn, g_source_remove);
  g_clear_handle_id (&follow->look, g_source_remove);
  pp_http_call_cancel (g_steal_pointer (&follow->looking));
  if (g_hash_table_size (events->by_id) == 0)
    pp_http_call_cancel (g_steal_pointer (&events->stream));
}

void
pp_engine_follow_file_free (FileFollow *follow)
{
  if (follow == NULL)
    return;
  pp_log_file_free (follow->log);
  g_free (follow->id);
  g_free (follow->path);
  g_free (follow);
}
