/* SPDX-License-Identifier: Apache-2.0 */
/* Detects a container's end independently of its log and of the engine's events: from the kernel if
 * the container's processes are visible on this host, else by the engine's wait request. */
#include "config.h"

#include "engine_api-private.h"

#include "container_process-private.h"

#include <string.h>

#define PROC "/proc"
/* The time until the first check. A container that ends sooner needs no check, because the reader
 * of its log detects the end. */
#define FIRST_LOOK_MS 300
/* Intervals for asking the engine after the process has ended. SOON_MS is about the time that
 * conmon and Podman's clean-up need. The interval grows to SLOW_MS. */
#define SOON_MS 250
#define SLOW_MS 1000
/* The longest interval while the engine does not answer. It doubles from SLOW_MS. */
#define MAX_BACK_OFF_MS 15000
/* If Podman reports "running" for a container whose program and conmon are both gone, its exit
 * status counts as lost after this many checks, at least one second apart. conmon records the
 * status before it ends, and Podman reads it at each check. */
#define LOST_LOOKS 3
/* If this many waits have ended and Podman still reports the container as starting or stopping, the
 * exit status counts as lost: nothing changes the container's state any more. */
#define LOST_WAITS 2
/* Podman implements wait by polling. Poll every second, not every 250 ms. */
#define PODMAN_WAIT "/wait?interval=1s"

struct EngineWatch
{
  EngineCall *call;
  char *id;
  PpWatchFunc news;
  PpContainerProcess process;
  gboolean is_seen; /* process was found */
  PpProcessWatch *program;
  PpProcessWatch *conmon;
  gboolean program_gone;
  gboolean conmon_gone;
  PpHttpCall *request; /* a check or a wait */
  guint timer;
  guint look_ms;
  guint failures;     /* requests without an answer, in a row */
  guint lost_looks;   /* checks that reported "running" for a container without processes */
  guint waits;        /* waits that ended before the engine reported the container's end */
  gboolean wait_lost; /* Podman's wait reported that there is no exit status */
};

static void look_in (EngineWatch *watch, guint milliseconds);

static void
end_watch (EngineWatch *watch, gboolean status_lost)
{
  watch->call->status_lost = status_lost;
  pp_engine_call_end (watch->call, NULL, NULL);
}

/* Reports NEWS. Returns FALSE if the user has cancelled the call. */
static gboolean
tell (EngineWatch *watch, PpWatchNews news)
{
  EngineCall *call = watch->call;

  pp_engine_call_enter (call);
  if (watch->news != NULL)
    watch->news (news, call->user_data);
  return pp_engine_call_leave (call);
}

static void
try_again (EngineWatch *watch)
{
  look_in (watch, MIN (SLOW_MS << MIN (watch->failures, 4), MAX_BACK_OFF_MS));
  watch->failures++;
}

/* Watching the processes. */

static void
on_program_ended (gpointer user_data)
{
  EngineWatch *watch = user_data;

  watch->program_gone = TRUE;
  watch->look_ms = SOON_MS;
  if (!tell (watch, PP_WATCH_PROGRAM_GONE))
    return;
  /* Only conmon could have recorded the exit status, and it ended first. */
  if (watch->conmon_gone)
    end_watch (watch, TRUE);
  else if (watch->request == NULL)
    look_in (watch, watch->look_ms);
}

static void
on_conmon_ended (gpointer user_data)
{
  EngineWatch *watch = user_data;

  /* conmon normally ends after the program. */
  if (watch->program_gone || !pp_process_is_alive (PROC, &watch->process.program))
    return;
  watch->conmon_gone = TRUE;
  tell (watch, PP_WATCH_CONMON_GONE);
}

static gboolean
find_processes (EngineWatch *watch, const json_t *inspect)
{
  const Engine *engine = watch->call->engine;

  if (engine->socket_path == NULL
      || !pp_container_process_find (PROC, watch->id, inspect, &watch->process))
    return FALSE;
  watch->is_seen = TRUE;
  watch->program = pp_process_watch_new (PROC, &watch->process.program, on_program_ended, watch);
  if (watch->process.conmon.pid != 0)
    watch->conmon = pp_process_watch_new (PROC, &watch->process.conmon, on_conmon_ended, watch);
  watch->conmon_gone = watch->process.conmon.pid == 0;
  if (watch->conmon_gone)
    tell (watch, PP_WATCH_CONMON_GONE);
  return TRUE;
}

/* The engine's wait request, used if no process is visible. */

/* True if RESPONSE reports a lost exit status. Podman waits 20 s for a missing conmon. Then 4.3
 * reports that there is no exit code, and later versions report -1 (Container.WaitForExit). */
static gboolean
says_lost (const PpHttpResponse *response)
{
  if (response->status >= 400)
    return strstr (response->body, "exit code") != NULL;
  return response->status == 200 && g_ascii_strtoll (response->body, NULL, 10) < 0;
}

static void
on_waited (const PpHttpResponse *response, const GError *error, gpointer user_data)
{
  EngineWatch *watch = user_data;

  watch->request = NULL;
  watch->wait_lost = error == NULL && says_lost (response);
  if (error != NULL
      || (response->status >= 400 && !pp_engine_says_gone (response) && !watch->wait_lost))
    {
      try_again (watch);
      return;
    }
  watch->failures = 0;
  /* Somebody may start the container again and again: after the first wait, do not hurry. */
  look_in (watch, watch->waits == 0 ? 0 : SLOW_MS);
  watch->waits++;
}

static void
wait_for_end (EngineWatch *watch)
{
  gboolean own = pp_engine_has_own_api (watch->call->engine);

  watch->request = pp_engine_ask (watch->call->engine, "POST", watch->id,
                                  own ? PODMAN_WAIT : "/wait", TRUE, on_waited, watch);
}

/* Checking the container. */

static gboolean
may_run (const json_t *state)
{
  static const char *const words[] = { "running",     "paused",  "stopping",   "restarting",
                                       "initialized", "created", "configured", NULL };
  const char *status = pp_json_string (state, "Status");

  return json_is_true (json_object_get (state, "Running"))
         || json_is_true (json_object_get (state, "Paused"))
         || (status != NULL && g_strv_contains (words, status));
}

/* Handles a container that the engine reports as running although its program has ended. */
static void
on_claimed_running (EngineWatch *watch)
{
  gboolean conmon_lives = pp_process_is_alive (PROC, &watch->process.conmon);

  watch->look_ms = MIN (watch->look_ms * 2, SLOW_MS);
  if (conmon_lives)
    watch->lost_looks = 0;
  else
    {
      watch->lost_looks++;
      watch->look_ms = SLOW_MS;
    }
  if (watch->lost_looks >= LOST_LOOKS)
    end_watch (watch, TRUE);
  else
    look_in (watch, watch->look_ms);
}

/* True if the container runs with other processes: somebody has started it again. */
static gboolean
was_started_again (const EngineWatch *watch, const json_t *inspect)
{
  const PpProcess *before = &watch->process.program;
  PpContainerProcess now;

  return pp_container_process_find (PROC, watch->id, inspect, &now)
         && (now.program.pid != before->pid || now.program.started != before->started)
         && pp_process_is_alive (PROC, &now.program);
}

static void
on_running (EngineWatch *watch, const json_t *inspect)
{
  gboolean runs = json_is_true (json_object_get (json_object_get (inspect, "State"), "Running"));

  if (watch->program_gone && was_started_again (watch, inspect))
    end_watch (watch, FALSE);
  else if (watch->program_gone)
    on_claimed_running (watch);
  else if (watch->wait_lost || (watch->waits >= LOST_WAITS && !runs))
    end_watch (watch, TRUE);
  else if (!watch->is_seen && !find_processes (watch, inspect))
    wait_for_end (watch);
}

static void
on_looked (const PpHttpResponse *response, const GError *error, gpointer user_data)
{
  EngineWatch *watch = user_data;
  json_auto_t *inspect = NULL;
  const json_t *state;

  watch->request = NULL;
  if (error == NULL && response->status == 200)
    inspect = pp_json_parse (response->body, response->body_length, 0, NULL);
  state = json_object_get (inspect, "State");
  if (error == NULL && pp_engine_says_gone (response))
    end_watch (watch, FALSE);
  else if (state == NULL)
    try_again (watch);
  else if (!may_run (state))
    end_watch (watch, FALSE);
  else
    {
      watch->failures = 0;
      on_running (watch, inspect);
    }
}

static gboolean
on_look_timer (gpointer user_data)
{
  EngineWatch *watch = user_data;

  watch->timer = 0;
  watch->request
      = pp_engine_ask (watch->call->engine, "GET", watch->id, "/json", FALSE, on_looked, watch);
  return G_SOURCE_REMOVE;
}

static void
look_in (EngineWatch *watch, guint milliseconds)
{
  g_clear_handle_id (&watch->timer, g_source_remove);
  watch->timer = g_timeout_add (milliseconds, on_look_timer, watch);
}

static void
deliver_watched (EngineCall *call, json_t *json G_GNUC_UNUSED, const GError *error)
{
  call->done.watched (call->status_lost, error, call->user_data);
}

PpInfrastructureCall *
pp_engine_watch (PpInfrastructure *infrastructure, const char *container_id, PpWatchFunc news,
                 PpWatchedFunc watched, gpointer user_data)
{
  EngineCall *call = pp_engine_call_new ((Engine *)infrastructure,
                                         g_strdup_printf ("watch container %.12s", container_id),
                                         deliver_watched, user_data);
  EngineWatch *watch = g_new0 (EngineWatch, 1);

  call->done.watched = watched;
  watch->call = call;
  watch->id = g_strdup (container_id);
  watch->news = news;
  call->watch = watch;
  look_in (watch, FIRST_LOOK_MS);
  return &call->base;
}

void
pp_engine_watch_stop (EngineWatch *watch)
{
  if (watch == NULL)
    return;
  g_clear_handle_id (&watch->timer, g_source_remove);
  pp_http_call_cancel (g_steal_pointer (&watch->request));
  g_clear_pointer (&watch->program, pp_process_watch_free);
  g_clear_pointer (&watch->conmon, pp_process_watch_free);
}

void
pp_engine_watch_free (EngineWatch *watch)
{
  if (watch == NULL)
    return;
  g_free (watch->id);
  g_free (watch);
}
