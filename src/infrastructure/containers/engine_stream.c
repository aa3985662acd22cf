/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a container's log through the engine, as a stream. */
#include "config.h"

#include "engine_api-private.h"

#include "prefect-podman/http/limits.h"
#include "prefect-podman/text/cut.h"
#include "values-private.h"

#include <string.h>

/* For this long after a check that found the container running, log data counts as complete. It is
 * less than the 250 ms after which Podman stops the log reader of an ended container. */
#define TRUSTED_MICROSECONDS (150 * G_TIME_SPAN_MILLISECOND)
/* The log of an ended container arrives without pauses. If nothing arrives for this long, something
 * has replaced the log file, and Podman waits forever to read it. */
#define FINISHED_LOG_SILENCE_SECONDS 30
/* A stream that is silent for this long after its container's end sends nothing more. */
#define SILENT_MS 2000

/* The number of descriptors that following a log file needs, and how often to check for them. */
#define FOLLOW_DESCRIPTORS 6
#define WAIT_MS 1000

static gboolean
on_payload (PpStream stream, const char *data, gsize length, gpointer user_data)
{
  EngineCall *call = user_data;
  gint64 time = call->frames.time;
  gsize passed;

  if (call->ended)
    return TRUE;
  passed = pp_log_pass_over (&call->pass, time, FALSE, length);
  if (length > passed
      && !call->output (stream, data + passed, length - passed, time, FALSE, call->user_data))
    return FALSE;
  pp_log_pass_done (&call->pass, passed);
  if (length > passed)
    pp_log_place_note (&call->place, stream, time, length - passed);
  return TRUE;
}

/* Starts reading the log from its beginning; output that was already delivered is skipped.
 * IS_FINISHED is TRUE if the container has ended: damaged data is then skipped, because it will not
 * change. */
static void
begin_log (EngineCall *call, PpFramesKind kind, gboolean is_finished)
{
  pp_log_pass_init (&call->pass, &call->place);
  pp_frames_clear (&call->frames);
  pp_frames_init (&call->frames, kind, on_payload, call);
  call->frames.skips_damage = is_finished;
}

static void fetch_rest (EngineCall *call);

/* Handles the answer to the check of is_trusted(). If the container runs, all data so far is
 * complete, and so is data that arrives within TRUSTED_MICROSECONDS after the check was sent. */
static void
on_look (const PpHttpResponse *response, const GError *error, gpointer user_data)
{
  EngineCall *call = user_data;
  json_auto_t *container = error == NULL && response->status == 200
                               ? pp_json_parse (response->body, response->body_length, 0, NULL)
                               : NULL;

  call->look = NULL;
  if (json_is_true (json_object_get (json_object_get (container, "State"), "Running")))
    {
      call->trusted_until = call->look_sent + TRUSTED_MICROSECONDS;
      call->held_is_good = TRUE;
      if (call->http_call != NULL)
        pp_http_call_resume (call->http_call);
      return;
    }
  /* The container has ended, or the engine is away; the next request shows which. */
  pp_http_call_cancel (g_steal_pointer (&call->http_call));
  fetch_rest (call);
}

/* True if the current piece is complete log data. FALSE if that is not known yet; the stream must
 * then wait. Podman stops the reader of a followed log 250 ms after the container's end, and the
 * data that it sends after that has gaps (libpod/container_log.go and its tail package; seen with
 * 4.3). If the container was running at a check, data that arrives within 150 ms of the check is
 * complete.
 *
 * One gap cannot be detected here: if a log file ends inside a line because conmon is still
 * writing, Podman's reader skips to the end of the file. This is rare. To avoid it,
 * engine_log_file.c reads the file itself if it can. */
static gboolean
is_trusted (EngineCall *call)
{
  if (!call->guarded || call->held_is_good || g_get_monotonic_time () < call->trusted_until)
    {
      call->held_is_good = FALSE;
      return TRUE;
    }
  if (call->look == NULL)
    {
      g_autofree char *path = g_strconcat ("/containers/", call->container_id, "/json", NULL);
      call->look_sent = g_get_monotonic_time ();
      call->look = pp_engine_get (call->engine, path, NULL, on_look, call);
    }
  return FALSE;
}

static gboolean
on_log_data (const char *data, gsize length, gpointer user_data)
{
  EngineCall *call = user_data;

  call->heard_at = g_get_monotonic_time ();
  if (!is_trusted (call))
    return FALSE;
  pp_engine_call_enter (call);
  PpFramesResult result = pp_frames_push (&call->frames, data, length);
  if (!pp_engine_call_leave (call))
    return TRUE;
  call->is_held = result != PP_FRAMES_TAKEN;
  if (result != PP_FRAMES_MALFORMED)
    return result == PP_FRAMES_TAKEN;

  pp_http_call_cancel (g_steal_pointer (&call->http_call));
  pp_engine_call_fail (
      call, PP_INFRASTRUCTURE_ERROR_FAILED,
      "after %" G_GUINT64_FORMAT
      " %s of output, the engine sent data that is not in frames of stdout and stderr",
      call->frames.payload_bytes, call->frames.payload_bytes == 1 ? "byte" : "bytes");
  return TRUE;
}

/* Returns FALSE if CALL has ended. */
static gboolean
check_log_end (EngineCall *call)
{
  if (pp_frames_at_boundary (&call->frames))
    return TRUE;
  pp_engine_call_fail (
      call, PP_INFRASTRUCTURE_ERROR_UNAVAILABLE,
      "the engine's stream ended in the middle of a frame, after %" G_GUINT64_FORMAT
      " %s of output",
      call->frames.payload_bytes, call->frames.payload_bytes == 1 ? "byte" : "bytes");
  return FALSE;
}

/* Returns a part of a sentence about what could not be read of the log, or NULL; new string. */
static char *
describe_damage (const PpFrames *frames)
{
  const PpLogDamage *damage = &frames->damage;

  if (frames->engine_words != NULL)
    {
      g_autofree char *words
          = pp_text_cut (frames->engine_words, strlen (frames->engine_words), PP_FRAMES_MAX_WORDS);

      return g_strdup_printf ("the engine stopped reading the container's log: %s",
                              g_strchomp (words));
    }
  if (damage->records == 0)
    return NULL;
  return g_strdup_printf ("the log that the engine sent has %" G_GUINT64_FORMAT
                          " damaged %s, the first at byte %" G_GUINT64_FORMAT
                          "; the worker skipped %" G_GUINT64_FORMAT " %s",
                          damage->records, damage->records == 1 ? "piece" : "pieces", damage->first,
                          damage->bytes, damage->bytes == 1 ? "byte" : "bytes");
}

/* Ends the call: the log was read completely. */
static void
end_follow (EngineCall *call)
{
  call->end.damage = describe_damage (&call->frames);
  if (call->pass.gap)
    call->end.output_lost
        = g_strdup ("its log reached its size limit (max-size in log_config) and was replaced "
                    "while no worker read it. Raise the limit to keep all output");
  pp_engine_call_end (call, NULL, NULL);
}

static void
on_rest_end (EngineCall *call, const PpHttpResponse *response G_GNUC_UNUSED)
{
  /* The log's last frame is incomplete, and reading it again would not help. */
  if (!pp_frames_at_boundary (&call->frames))
    {
      if (call->frames.damage.records++ == 0)
        call->frames.damage.first = call->frames.offset;
    }
  end_follow (call);
}

/* Reads the log of the ended container again and skips output that was already delivered. */
static void
fetch_rest (EngineCall *call)
{
  call->reads_rest = TRUE;
  call->guarded = FALSE;
  call->gone_is_fine = TRUE;
  g_autofree char *path = g_strconcat (call->path, "&follow=0", NULL);
  EngineRequest request = { .method = "GET",
                            .path = path,
                            .silence_seconds = FINISHED_LOG_SILENCE_SECONDS,
                            .on_data = on_log_data };

  begin_log (call, call->frames.kind, TRUE);
  pp_engine_call_send (call, &request, on_rest_end);
}

static gboolean
drop_payload (PpStream stream G_GNUC_UNUSED, const char *data G_GNUC_UNUSED,
              gsize length G_GNUC_UNUSED, gpointer user_data G_GNUC_UNUSED)
{
  return TRUE;
}

static void
on_tail (EngineCall *call, const PpHttpResponse *response)
{
  PpFrames tail;

  pp_frames_init (&tail, call->frames.kind, drop_payload, NULL);
  pp_frames_push (&tail, response->body, response->body_length);
  pp_frames_clear (&tail);
  if (tail.last_byte[0] == '\n' && tail.last_byte[1] == '\n')
    end_follow (call);
  else
    fetch_rest (call);
}

/* A followed log may be incomplete when its stream ends. Podman's stream lacks the end of the log
 * (is_trusted()), so the log is read again. If the last line has no newline, Docker's stream
 * (20.10) usually lacks that line. The last entries of the log show if there is such a line. */
static void
on_log_end (EngineCall *call, const PpHttpResponse *response G_GNUC_UNUSED)
{
  pp_http_call_cancel (g_steal_pointer (&call->look));
  call->reads_rest = TRUE;
  if (!call->guarded && !check_log_end (call))
    return;
  call->gone_is_fine = TRUE;
  if (call->engine->info == NULL || call->engine->info->kind != PP_ENGINE_DOCKER)
    {
      fetch_rest (call);
      return;
    }
  g_autofree char *path = g_strconcat (call->path, "&follow=0&tail=2", NULL);
  EngineRequest request = { .method = "GET", .path = path, .timeout_seconds = 120 };
  pp_engine_call_send (call, &request, on_tail);
}

/* Ends the stream of an ended container. It may stay open: Podman does not notice the end if conmon
 * is gone, and on Docker a process that outlives the container may hold its pipe open. */
static gboolean
on_cut_timer (gpointer user_data)
{
  EngineCall *call = user_data;
  gint64 silence = g_get_monotonic_time () - call->heard_at;

  if (!call->reads_rest
      && (call->is_held || call->look != NULL || silence < SILENT_MS * G_TIME_SPAN_MILLISECOND))
    return G_SOURCE_CONTINUE;
  call->cut_timer = 0;
  if (call->reads_rest)
    return G_SOURCE_REMOVE;
  pp_http_call_cancel (g_steal_pointer (&call->http_call));
  fetch_rest (call);
  return G_SOURCE_REMOVE;
}

void
pp_engine_follow_finish (PpInfrastructureCall *base)
{
  EngineCall *call = (EngineCall *)base;

  if (call->wait != 0)
    call->finishes = TRUE;
  else if (call->file != NULL)
    pp_engine_follow_file_finish (call->file);
  else if (!call->reads_rest && call->cut_timer == 0)
    call->cut_timer = g_timeout_add (SILENT_MS, on_cut_timer, call);
}

/* Podman's timestamps are not used, because they are whole seconds. */
static PpFramesKind
frames_kind (const EngineCall *call, gboolean tty)
{
  const PpEngineInfo *info = call->engine->info;

  if (tty)
    return PP_FRAMES_RAW;
  return info != NULL && info->kind == PP_ENGINE_DOCKER ? PP_FRAMES_STAMPED : PP_FRAMES_PLAIN;
}

static void
deliver_followed (EngineCall *call, json_t *json G_GNUC_UNUSED, const GError *error)
{
  call->done.followed (error == NULL ? &call->end : NULL, error, call->user_data);
}

/* Returns a new call that reads a log through the engine. */
static EngineCall *
new_log_call (PpInfrastructure *infrastructure, const char *container_id, gboolean tty,
              PpOutputFunc on_output, PpFollowedFunc followed, gpointer user_data)
{
  EngineCall *call
      = pp_engine_call_new ((Engine *)infrastructure,
                            g_strdup_printf ("follow the output of container %.12s", container_id),
                            deliver_followed, user_data);

  call->done.followed = followed;
  call->output = on_output;
  call->container_id = g_uri_escape_string (container_id, NULL, FALSE);
  call->frames.kind = frames_kind (call, tty);
  call->path = g_strconcat ("/containers/", call->container_id, "/logs?stdout=1&stderr=1",
                            call->frames.kind == PP_FRAMES_STAMPED ? "&timestamps=1" : "", NULL);
  return call;
}

void
pp_engine_follow_stream (EngineCall *call)
{
  g_autofree char *path = g_strconcat (call->path, "&follow=1", NULL);
  EngineRequest request = { .method = "GET", .path = path, .on_data = on_log_data };

  call->guarded = call->engine->info == NULL || call->engine->info->kind == PP_ENGINE_PODMAN;
  begin_log (call, call->frames.kind, FALSE);
  pp_engine_call_send (call, &request, on_log_end);
}

static void begin_follow (EngineCall *call);

static gboolean
on_descriptors (gpointer user_data)
{
  EngineCall *call = user_data;

  call->wait = 0;
  begin_follow (call);
  return G_SOURCE_REMOVE;
}

/* Follows the log file if possible, because the engine's stream has gaps. Waits if this process
 * lacks descriptors for it. */
static void
begin_follow (EngineCall *call)
{
  if (call->engine->log_root != NULL && pp_limits_probe (FOLLOW_DESCRIPTORS) != 0)
    {
      call->wait = g_timeout_add (WAIT_MS, on_descriptors, call);
      return;
    }
  if (!pp_engine_follow_file (call, call->container_id, call->has_place ? &call->place : NULL))
    pp_engine_follow_stream (call);
  if (call->finishes)
    pp_engine_follow_finish (&call->base);
}

PpInfrastructureCall *
pp_engine_follow (PpInfrastructure *infrastructure, const char *container_id, gboolean tty,
                  const PpLogPlace *place, PpOutputFunc on_output, PpFollowedFunc followed,
                  gpointer user_data)
{
  EngineCall *call
      = new_log_call (infrastructure, container_id, tty, on_output, followed, user_data);

  call->has_place = place != NULL;
  if (place != NULL)
    call->place = *place;
  begin_follow (call);
  return &call->base;
}

PpInfrastructureCall *
pp_engine_read_log (PpInfrastructure *infrastructure, const char *container_id, gboolean tty,
                    const PpLogPlace *place, PpOutputFunc on_output, PpFollowedFunc followed,
                    gpointer user_data)
{
  EngineCall *call
      = new_log_call (infrastructure, container_id, tty, on_output, followed, user_data);

  if (place != NULL)
    call->place = *place;
  fetch_rest (call);
  return &call->base;
}
