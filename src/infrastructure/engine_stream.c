/* The two answers that come bit by bit: a pull's progress and a container's log. */
#include "config.h"

#include "engine_api.h"

#include "prefect-podman/infrastructure/values.h"

/* A pull's progress goes to the user through here. */
static void
on_progress (const char *line, gpointer user_data)
{
  EngineCall *call = user_data;

  if (!call->ended && call->progress != NULL)
    call->progress (line, call->user_data);
}

static gboolean
on_pull_data (const char *data, gsize length, gpointer user_data)
{
  EngineCall *call = user_data;

  pp_engine_call_enter (call);
  pp_pull_push (call->pull, data, length);
  pp_engine_call_leave (call);
  return TRUE;
}

static void
on_pull_end (EngineCall *call, const PpHttpResponse *response G_GNUC_UNUSED)
{
  g_autoptr (GError) error = NULL;

  pp_engine_call_enter (call);
  pp_pull_finish (call->pull, &error);
  if (pp_engine_call_leave (call))
    pp_engine_call_end (call, NULL, error);
}

PpInfrastructureCall *
pp_engine_pull (PpInfrastructure *infrastructure, const char *image, const char *registry_auth,
                PpPullProgressFunc progress, PpInfrastructureDoneFunc done, gpointer user_data)
{
  g_autofree char *name = NULL;
  g_autofree char *tag = NULL;
  EngineCall *call = pp_engine_call_new (
      (Engine *)infrastructure, g_strdup_printf ("pull image '%s'", image), done, user_data);

  pp_image_split (image, &name, &tag);
  g_autofree char *escaped_name = g_uri_escape_string (name, NULL, FALSE);
  g_autofree char *escaped_tag = g_uri_escape_string (tag != NULL ? tag : "latest", NULL, FALSE);
  g_autofree char *path
      = g_strconcat ("/images/create?fromImage=", escaped_name, "&tag=", escaped_tag, NULL);
  EngineRequest request
      = { .method = "POST", .path = path, .registry_auth = registry_auth, .on_data = on_pull_data };
  call->progress = progress;
  call->pull = pp_pull_new (image, on_progress, call);
  pp_engine_call_send (call, &request, on_pull_end);
  return &call->base;
}

static gboolean
on_payload (PpStream stream, const char *data, gsize length, gpointer user_data)
{
  EngineCall *call = user_data;

  return call->ended || call->output (stream, data, length, call->user_data);
}

static gboolean
on_log_data (const char *data, gsize length, gpointer user_data)
{
  EngineCall *call = user_data;

  pp_engine_call_enter (call);
  PpFramesResult result = pp_frames_push (&call->frames, data, length);
  if (!pp_engine_call_leave (call))
    return TRUE;
  if (result != PP_FRAMES_MALFORMED)
    return result == PP_FRAMES_TAKEN;

  g_clear_pointer (&call->http_call, pp_http_call_cancel);
  pp_engine_call_fail (call, PP_INFRASTRUCTURE_ERROR_FAILED,
                       "the engine sent no frames of stdout and stderr after %" G_GUINT64_FORMAT
                       " bytes of output",
                       call->frames.payload_bytes);
  return TRUE;
}

/* FALSE when CALL has ended. */
static gboolean
check_log_end (EngineCall *call)
{
  if (pp_frames_at_boundary (&call->frames))
    return TRUE;
  pp_engine_call_fail (call, PP_INFRASTRUCTURE_ERROR_UNAVAILABLE,
                       "the engine's stream broke off inside a frame after %" G_GUINT64_FORMAT
                       " bytes of output",
                       call->frames.payload_bytes);
  return FALSE;
}

static void
on_rest_end (EngineCall *call, const PpHttpResponse *response G_GNUC_UNUSED)
{
  if (check_log_end (call))
    pp_engine_call_end (call, NULL, NULL);
}

/* Reads the finished log once more, what was delivered already left out. */
static void
fetch_rest (EngineCall *call)
{
  g_autofree char *path = g_strconcat (call->path, "&follow=0", NULL);
  EngineRequest request = { .method = "GET", .path = path, .on_data = on_log_data };

  pp_frames_init (&call->frames, call->frames.raw, call->frames.payload_bytes, on_payload, call);
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

  pp_frames_init (&tail, call->frames.raw, 0, drop_payload, NULL);
  pp_frames_push (&tail, response->body, response->body_length);
  if (tail.last_byte[0] == '\n' && tail.last_byte[1] == '\n')
    pp_engine_call_end (call, NULL, NULL);
  else
    fetch_rest (call);
}

/* No engine's followed log is whole when it ends. Podman's reader is stopped 250 ms after the
 * container, wherever it is (libpod/container_log.go; seen on 4.3: a tenth of 4 MB written at
 * once), so the log is read again. Docker (20.10) mostly leaves out a last line without a newline:
 * the last entry of each stream tells whether there is one. */
static void
on_log_end (EngineCall *call, const PpHttpResponse *response G_GNUC_UNUSED)
{
  if (!check_log_end (call))
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

PpInfrastructureCall *
pp_engine_follow (PpInfrastructure *infrastructure, const char *container_id, gboolean tty,
                  guint64 skip_bytes, PpOutputFunc on_output, PpInfrastructureDoneFunc done,
                  gpointer user_data)
{
  EngineCall *call = pp_engine_call_new (
      (Engine *)infrastructure,
      g_strdup_printf ("follow the output of container %.12s", container_id), done, user_data);
  g_autofree char *escaped = g_uri_escape_string (container_id, NULL, FALSE);

  call->output = on_output;
  if (pp_engine_follow_file (call, container_id, skip_bytes))
    return &call->base;
  call->path = g_strconcat ("/containers/", escaped, "/logs?stdout=1&stderr=1", NULL);
  pp_frames_init (&call->frames, tty, skip_bytes, on_payload, call);
  g_autofree char *path = g_strconcat (call->path, "&follow=1", NULL);
  EngineRequest request = { .method = "GET", .path = path, .on_data = on_log_data };
  pp_engine_call_send (call, &request, on_log_end);
  return &call->base;
}
