/* SPDX-License-Identifier: Apache-2.0 */
/* Follows a container of a local Podman through its log file. The file thread reads the file. The
 * engine's event for the container's end shows that no more output follows. */
#include "config.h"

#include "engine_log_inside-private.h"

#include "prefect-podman/files/files.h"
#include "prefect-podman/http/limits.h"

#include <errno.h>

/* Intervals for asking the engine about the container. The event stream may have missed the
 * container's end, because it was not open yet or was broken. The interval doubles from the first
 * to the last. */
#define FIRST_LOOK_MS 250
#define LAST_LOOK_MS 30000
/* If the event stream has been open for more than SETTLED_US, the first interval is
 * SETTLED_LOOK_MS. The check is then needed only for an engine that loses events. */
#define SETTLED_US G_USEC_PER_SEC
#define SETTLED_LOOK_MS 4000
/* A disk counts as hung if it has not answered a read for this long. */
#define HANG_SECONDS 5
#define WATCHDOG_SECONDS 2

static void look_later (FileFollow *follow);

/* Ends the call: the container has ended and its log was read completely. */
static void
end_follow (FileFollow *follow)
{
  const PpLogDamage *damage = pp_log_file_damage (follow->log);
  PpFollowEnd *end = &follow->call->end;

  if (damage->records > 0)
    end->damage = g_strdup_printf (
        "%s has %" G_GUINT64_FORMAT " damaged %s, the first at byte %" G_GUINT64_FORMAT
        "; the worker skipped %" G_GUINT64_FORMAT " %s",
        follow->path, damage->records, damage->records == 1 ? "record" : "records", damage->first,
        damage->bytes, damage->bytes == 1 ? "byte" : "bytes");
  end->succeeded = follow->succeeded;
  end->output_lost = pp_log_file_describe_loss (follow->log);
  pp_engine_call_end (follow->call, NULL, NULL);
}

static void
ask (FileFollow *follow)
{
  pp_log_thread_ask (follow->call->engine->events->thread, follow->number, ++follow->request);
}

/* Continues after a piece was taken. Returns FALSE if the call has ended. */
static gboolean
follow_up (FileFollow *follow, const PpLogNews *news)
{
  EngineCall *call = follow->call;

  switch (news->piece->kind)
    {
    case PP_LOG_TAIL_DATA:
    case PP_LOG_TAIL_NEW_FILE:
    case PP_LOG_TAIL_CUT:
      ask (follow);
      return TRUE;
    case PP_LOG_TAIL_END:
      /* Ignore an end of file from before the container's end: more output may follow. */
      if (!follow->ended || news->request < follow->end_request)
        return TRUE;
      follow->finished = TRUE;
      pp_log_file_finish (follow->log);
      return TRUE;
    case PP_LOG_TAIL_ERROR:
      break;
    }
  g_hash_table_add (call->engine->events->refused, g_strdup (follow->id));
  pp_engine_call_fail (
      call, PP_INFRASTRUCTURE_ERROR_UNAVAILABLE,
      "%s is no longer read (%s). The worker reads the rest of the output through the engine",
      follow->path, news->piece->error);
  return FALSE;
}

/* Delivers pieces while the user takes them. */
static void
deliver (FileFollow *follow)
{
  EngineCall *call = follow->call;

  while (follow->log != NULL)
    {
      g_autoptr (PpLogNews) news = NULL;
      gboolean delivered;

      pp_engine_call_enter (call);
      delivered = pp_log_file_deliver (follow->log);
      if (!pp_engine_call_leave (call) || !delivered)
        return;
      if (follow->finished)
        {
          end_follow (follow);
          return;
        }
      news = g_queue_pop_head (&follow->pieces);
      if (news == NULL)
        return;
      pp_log_file_take (follow->log, news->piece);
      if (!follow_up (follow, news))
        return;
    }
}

void
pp_file_follow_ended (FileFollow *follow, gboolean succeeded)
{
  if (follow->ended)
    return;
  follow->ended = TRUE;
  follow->succeeded = succeeded;
  g_clear_handle_id (&follow->look, g_source_remove);
  follow->end_request = follow->request + 1;
  if (follow->log != NULL)
    ask (follow);
}

/* Handles the answer to a check of the container. */

static void
on_looked (const PpHttpResponse *response, const GError *error, gpointer user_data)
{
  FileFollow *follow = user_data;
  json_auto_t *inspect = NULL;
  const json_t *state;

  follow->looking = NULL;
  if (error == NULL && pp_engine_says_gone (response))
    {
      pp_file_follow_ended (follow, FALSE);
      return;
    }
  if (error == NULL && response->status == 200)
    inspect = pp_json_parse (response->body, response->body_length, 0, NULL);
  state = json_object_get (inspect, "State");
  if (state != NULL && !json_is_true (json_object_get (state, "Running"))
      && !json_is_true (json_object_get (state, "Paused"))
      && g_strcmp0 (pp_json_string (state, "Status"), "stopping") != 0)
    pp_file_follow_ended (follow, FALSE);
  else
    look_later (follow);
}

void
pp_file_follow_look (FileFollow *follow)
{
  g_autofree char *path = g_strdup_printf ("/containers/%s/json", follow->id);

  g_clear_handle_id (&follow->look, g_source_remove);
  if (follow->looking == NULL)
    follow->looking = pp_engine_get (follow->call->engine, path, NULL, on_looked, follow);
  /* Reopen a broken event stream here, and not when output arrives: a container may end without
   * output. */
  pp_engine_events_open (follow->call->engine->events);
}

static gboolean
on_look (gpointer user_data)
{
  FileFollow *follow = user_data;

  follow->look = 0;
  pp_file_follow_look (follow);
  return G_SOURCE_REMOVE;
}

static void
look_later (FileFollow *follow)
{
  g_clear_handle_id (&follow->look, g_source_remove);
  follow->look = g_timeout_add (follow->look_ms, on_look, follow);
  follow->look_ms = MIN (follow->look_ms * 2, LAST_LOOK_MS);
}

/* News from the file thread. These functions run on the main loop. */

static gboolean
on_file_output (PpStream stream, const char *data, gsize length, gpointer user_data)
{
  FileFollow *follow = user_data;
  EngineCall *call = follow->call;

  return call->ended
         || call->output (stream, data, length, pp_log_file_time (follow->log),
                          pp_log_file_begins_late (follow->log), call->user_data);
}

static void
on_open (FileFollow *follow, gboolean begins_late)
{
  EngineEvents *events = follow->call->engine->events;

  follow->log = pp_log_file_new (&follow->place, begins_late, on_file_output, follow);
  pp_engine_events_open (events);
  follow->look_ms
      = g_get_monotonic_time () - events->opened_at > SETTLED_US ? SETTLED_LOOK_MS : FIRST_LOOK_MS;
  /* If an event has started a check, the check schedules the next one itself. */
  if (!follow->ended && follow->looking == NULL)
    look_later (follow);
  ask (follow);
}

/* Stops reading the file and follows through the engine instead. */
static void
go_through_engine (FileFollow *follow)
{
  EngineCall *call = follow->call;
  gboolean ended = follow->ended;

  pp_engine_follow_file_stop (follow);
  pp_engine_follow_file_free (follow);
  call->file = NULL;
  pp_engine_follow_stream (call);
  if (ended)
    pp_engine_follow_finish (&call->base);
}

/* Warns once that files cannot be watched. WORDS is the reason, LIMIT the sysctl to raise. */
static void
say_unwatched (EngineEvents *events, const char *words, const char *limit)
{
  if (!events->unwatched_said)
    g_warning ("Log files of containers cannot be read directly (%s). The worker reads the output "
               "through the engine, and parts of it may be missing. If a limit of inotify is the "
               "reason, raise sysctl fs.inotify.%s",
               words, limit);
  events->unwatched_said = TRUE;
}

static void
on_refusal (FileFollow *follow, const GError *error)
{
  EngineEvents *events = follow->call->engine->events;

  if (g_error_matches (error, PP_FILE_ERROR, PP_FILE_ERROR_REFUSED))
    g_warning ("The log file %s is not read (%s). The worker reads the output of the container "
               "through the engine, and parts of it may be missing",
               follow->path, error->message);
  else if (g_error_matches (error, PP_FILE_ERROR, PP_FILE_ERROR_MISSING))
    g_debug ("Container %.12s has no log file to read (%s). The worker reads its output through "
             "the engine",
             follow->id, error->message);
  else
    say_unwatched (events, error->message, "max_user_watches");
  go_through_engine (follow);
}

static void
on_news (PpLogNews *given, gpointer user_data)
{
  EngineEvents *events = user_data;
  g_autoptr (PpLogNews) news = given;
  FileFollow *follow = g_hash_table_lookup (events->by_number, &news->id);

  if (follow == NULL)
    return;
  if (news->refusal != NULL)
    on_refusal (follow, news->refusal);
  else if (news->is_open)
    on_open (follow, news->is_late);
  else
    {
      g_queue_push_tail (&follow->pieces, g_steal_pointer (&news));
      deliver (follow);
    }
}

/* Makes every FileFollow read through the engine. A FileFollow whose log is not open yet does so at
 * once. If the log is open, the FileFollow's call fails; the caller then follows again, through the
 * engine. */
static void
leave_files (EngineEvents *events)
{
  g_autoptr (GList) follows = g_hash_table_get_values (events->by_number);
  g_autoptr (GPtrArray) numbers = g_ptr_array_new_with_free_func (g_free);

  for (const GList *link = follows; link != NULL; link = link->next)
    {
      guint64 *number = g_new (guint64, 1);

      *number = ((const FileFollow *)link->data)->number;
      g_ptr_array_add (numbers, number);
    }
  for (guint i = 0; i < numbers->len; i++)
    {
      /* A callback may cancel other follows. */
      FileFollow *follow = g_hash_table_lookup (events->by_number, numbers->pdata[i]);

      if (follow != NULL && follow->log == NULL)
        go_through_engine (follow);
      else if (follow != NULL)
        pp_engine_call_fail (follow->call, PP_INFRASTRUCTURE_ERROR_UNAVAILABLE,
                             "%s cannot be read now: %s", follow->path, events->trouble);
    }
}

static gboolean
on_watchdog (gpointer user_data)
{
  EngineEvents *events = user_data;
  g_autofree char *folder = pp_log_thread_hangs (events->thread, HANG_SECONDS);

  if (folder != NULL && events->trouble == NULL)
    {
      events->trouble = g_strdup_printf ("the disk under %s/%s has not answered a read for %d s",
                                         events->engine->log_root, folder, HANG_SECONDS);
      g_warning ("The container's log cannot be read: %s. Until the disk answers, the worker reads "
                 "the output of all runs through the engine",
                 events->trouble);
      leave_files (events);
    }
  else if (folder == NULL && events->trouble != NULL)
    {
      g_message ("The disk under %s answers again", events->engine->log_root);
      g_clear_pointer (&events->trouble, g_free);
    }
  if (events->trouble != NULL || g_hash_table_size (events->by_number) > 0)
    return G_SOURCE_CONTINUE;
  events->watchdog = 0;
  return G_SOURCE_REMOVE;
}

EngineEvents *
pp_engine_events_new (Engine *engine)
{
  EngineEvents *events = g_new0 (EngineEvents, 1);

  events->engine = engine;
  events->line = g_string_new (NULL);
  events->by_id = g_hash_table_new (g_str_hash, g_str_equal);
  events->by_number = g_hash_table_new (g_int64_hash, g_int64_equal);
  events->refused = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  return events;
}

void
pp_engine_events_free (EngineEvents *events)
{
  if (events == NULL)
    return;
  pp_http_call_cancel (events->stream);
  g_clear_handle_id (&events->watchdog, g_source_remove);
  pp_log_thread_free (events->thread);
  g_hash_table_unref (events->by_id);
  g_hash_table_unref (events->by_number);
  g_hash_table_unref (events->refused);
  g_free (events->trouble);
  g_string_free (events->line, TRUE);
  g_free (events);
}

void
pp_engine_events_expect (Engine *engine)
{
  if (engine->log_root != NULL)
    pp_engine_events_open (engine->events);
}

const char *
pp_engine_trouble (const PpInfrastructure *infrastructure)
{
  return ((const Engine *)infrastructure)->events->trouble;
}

/* Following. */

gboolean
pp_engine_follow_file (EngineCall *call, const char *container_id, const PpLogPlace *place)
{
  EngineEvents *events = call->engine->events;
  g_autofree char *folder = g_strdup_printf ("%s/userdata", container_id);
  FileFollow *follow;

  if (call->engine->log_root == NULL || events->trouble != NULL
      || g_hash_table_contains (events->refused, container_id))
    return FALSE;
  if (events->thread == NULL)
    events->thread = pp_log_thread_new (on_news, events);
  if (events->thread == NULL)
    {
      /* If this process has free descriptors, EMFILE means the user's limit of inotify
       * instances. */
      if (errno != EMFILE || pp_limits_probe (1) == 0)
        say_unwatched (events, g_strerror (errno), "max_user_instances");
      return FALSE;
    }
  follow = g_new0 (FileFollow, 1);
  follow->call = call;
  follow->look_ms = FIRST_LOOK_MS;
  follow->number = ++events->last_number;
  follow->id = g_strdup (container_id);
  follow->path = g_build_filename (call->engine->log_root, folder, PP_LOG_NAME, NULL);
  if (place != NULL)
    follow->place = *place;
  g_queue_init (&follow->pieces);
  g_hash_table_insert (events->by_number, &follow->number, follow);
  g_hash_table_insert (events->by_id, follow->id, follow);
  call->file = follow;
  pp_log_thread_open (events->thread, follow->number, call->engine->log_root, folder);
  if (events->watchdog == 0)
    events->watchdog = g_timeout_add_seconds (WATCHDOG_SECONDS, on_watchdog, events);
  return TRUE;
}

static gboolean
on_turn (gpointer user_data)
{
  FileFollow *follow = user_data;

  follow->turn = 0;
  deliver (follow);
  return G_SOURCE_REMOVE;
}

void
pp_engine_follow_file_resume (FileFollow *follow)
{
  if (follow->turn == 0 && !follow->call->ended)
    follow->turn = g_idle_add_full (G_PRIORITY_DEFAULT, on_turn, follow, NULL);
}

void
pp_engine_follow_file_finish (FileFollow *follow)
{
  pp_file_follow_ended (follow, FALSE);
}

void
pp_engine_follow_file_stop (FileFollow *follow)
{
  EngineEvents *events = follow->call->engine->events;

  if (!g_hash_table_remove (events->by_number, &follow->number))
    return;
  pp_log_thread_close (events->thread, follow->number);
  if (g_hash_table_lookup (events->by_id, follow->id) == follow)
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
  while (!g_queue_is_empty (&follow->pieces))
    pp_log_news_free (g_queue_pop_head (&follow->pieces));
  g_free (follow->id);
  g_free (follow->path);
  g_free (follow);
}
