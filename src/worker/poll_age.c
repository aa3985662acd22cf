/* SPDX-License-Identifier: Apache-2.0 */
/* Tracks the time since the last answered poll. Health checks ask often, so each change is logged
 * once. */
#include "config.h"

#include "worker_inside-private.h"

/* The worker is unhealthy after this many intervals without a poll
 * (BaseWorker.is_worker_still_polling). */
#define HEALTHY_INTERVALS 30

static void
note_well (PpWorker *worker)
{
  if (worker->poll_is_stale)
    g_message ("Worker polls again");
  worker->poll_is_stale = FALSE;
}

void
pp_worker_note_poll (PpWorker *worker)
{
  worker->last_poll = g_get_monotonic_time ();
  note_well (worker);
}

gboolean
pp_worker_poll_is_stale (PpWorker *worker)
{
  gint64 since = MAX (worker->last_poll, pp_api_maintenance_until (worker->context.api));
  double age = (double)(g_get_monotonic_time () - since) / G_USEC_PER_SEC;

  if (worker->phase != PP_WORKER_RUNNING)
    return FALSE;
  if (age <= worker->settings->worker_query_seconds * HEALTHY_INTERVALS)
    {
      note_well (worker);
      return FALSE;
    }
  if (!worker->poll_is_stale)
    g_critical ("Worker has not polled in the last %.0f seconds", age);
  worker->poll_is_stale = TRUE;
  return TRUE;
}

void
pp_worker_note_absence (char **absence, const char *why)
{
  g_free (*absence);
  *absence = g_strdup (why);
}

const char *
pp_worker_poll_trouble (PpWorker *worker)
{
  if (!pp_worker_poll_is_stale (worker))
    return NULL;
  if (!worker->started && worker->engine_absence != NULL)
    return worker->engine_absence;
  if (!worker->started && worker->pool_absence != NULL)
    return worker->pool_absence;
  /* Prefect's text in build_healthcheck_server(). */
  return "Worker may be unresponsive at this time";
}
