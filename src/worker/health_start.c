/* SPDX-License-Identifier: Apache-2.0 */
/* Starts the health check. Where its address is in use, most often by a worker that is just going,
 * or is not there yet (a network that is being set up), it is tried again for a while: meanwhile
 * the worker goes on with its runs, and takes no new ones. */
#include "config.h"

#include "worker_inside-private.h"

#include "port_holder-private.h"

#include <errno.h>

#define RETRY_MS 250
#define GIVE_UP_US (10 * G_USEC_PER_SEC)

static PpHealth *
listen_now (PpWorker *worker, GError **error)
{
  return pp_health_new (worker->settings->worker_webserver_host,
                        worker->settings->worker_webserver_port, pp_worker_find_illness, worker,
                        error);
}

static gboolean
may_pass (const GError *error)
{
  return g_error_matches (error, PP_HEALTH_ERROR, EADDRINUSE)
         || g_error_matches (error, PP_HEALTH_ERROR, EADDRNOTAVAIL);
}

/* ERROR, and who has the port; new string. */
static char *
describe (const PpWorker *worker, const GError *error)
{
  g_autofree char *holder = g_error_matches (error, PP_HEALTH_ERROR, EADDRINUSE)
                                ? pp_port_holder (worker->settings->worker_webserver_port)
                                : NULL;

  return g_strdup_printf ("%s%s%s", error->message, holder != NULL ? ". It is held by " : "",
                          holder != NULL ? holder : "");
}

static gboolean
on_retry (gpointer user_data)
{
  PpWorker *worker = user_data;
  g_autoptr (GError) error = NULL;

  worker->health = listen_now (worker, &error);
  if (worker->health == NULL && may_pass (error)
      && g_get_monotonic_time () < worker->health_deadline)
    return G_SOURCE_CONTINUE;
  worker->health_timer = 0;
  if (worker->health != NULL)
    {
      g_message ("Health checks are answered now");
      if (worker->started)
        pp_worker_poll_start (worker);
      return G_SOURCE_REMOVE;
    }
  g_autofree char *what = describe (worker, error);
  pp_worker_stop (worker, 2, what);
  return G_SOURCE_REMOVE;
}

gboolean
pp_worker_health_start (PpWorker *worker, GError **error)
{
  g_autoptr (GError) local = NULL;

  worker->health = listen_now (worker, &local);
  if (worker->health != NULL)
    return TRUE;
  if (!may_pass (local))
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  g_autofree char *what = describe (worker, local);
  g_warning ("%s. Trying again for %d s; no runs are taken meanwhile", what,
             (int)(GIVE_UP_US / G_USEC_PER_SEC));
  worker->health_deadline = g_get_monotonic_time () + GIVE_UP_US;
  worker->health_timer = g_timeout_add (RETRY_MS, on_retry, worker);
  return TRUE;
}

void
pp_worker_health_stop (PpWorker *worker)
{
  g_clear_handle_id (&worker->health_timer, g_source_remove);
  g_clear_pointer (&worker->health, pp_health_free);
}
