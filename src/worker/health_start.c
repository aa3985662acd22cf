/* SPDX-License-Identifier: Apache-2.0 */
/* Starts the health check. Retries for GIVE_UP_US if the address is in use (most often by a worker
 * that is stopping), if the address does not exist yet (the network is still being set up), or if
 * the name lookup fails temporarily. Until the health check listens, the worker continues its runs
 * but takes no new ones. */
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
                        worker->settings->worker_webserver_port, worker->health_addresses,
                        pp_worker_find_illness, worker, error);
}

static gboolean
may_pass (const GError *error)
{
  return g_error_matches (error, PP_HEALTH_ERROR, EADDRINUSE)
         || g_error_matches (error, PP_HEALTH_ERROR, EADDRNOTAVAIL);
}

/* Returns ERROR's message and the process that holds the port; new string. */
static char *
describe (const PpWorker *worker, const GError *error)
{
  g_autofree char *holder = g_error_matches (error, PP_HEALTH_ERROR, EADDRINUSE)
                                ? pp_port_holder (worker->settings->worker_webserver_port)
                                : NULL;

  return g_strdup_printf ("%s%s%s", error->message, holder != NULL ? ". The port is held by " : "",
                          holder != NULL ? holder : "");
}

static char *
describe_lookup (const PpWorker *worker, const char *why)
{
  return pp_health_problem (worker->settings->worker_webserver_host,
                            worker->settings->worker_webserver_port, why);
}

/* Warns once about WHAT and that the worker retries. */
static void
warn_of (PpWorker *worker, const char *what)
{
  if (!worker->health_warned)
    g_warning ("%s. Trying again for %d s; no runs are taken meanwhile", what,
               (int)(GIVE_UP_US / G_USEC_PER_SEC));
  worker->health_warned = TRUE;
}

/* Stops the worker because of WHAT. If MAY_PASS_LATER is TRUE, the exit code is not that of wrong
 * settings, so that a service manager starts the worker again. */
static void
give_up (PpWorker *worker, gboolean may_pass_later, const char *what)
{
  pp_worker_health_stop (worker);
  pp_worker_stop (worker, may_pass_later ? 1 : 2, what);
}

/* Tries to listen on health_addresses. */
static void
try_to_listen (PpWorker *worker)
{
  g_autoptr (GError) error = NULL;

  worker->health = listen_now (worker, &error);
  if (worker->health != NULL)
    {
      g_clear_handle_id (&worker->health_timer, g_source_remove);
      if (worker->health_warned)
        g_message ("Health checks are answered now");
      if (worker->started)
        pp_worker_poll_start (worker);
      return;
    }
  gboolean again = may_pass (error) && g_get_monotonic_time () < worker->health_deadline;
  if (again && worker->health_warned)
    return;
  g_autofree char *what = describe (worker, error);
  if (again)
    warn_of (worker, what);
  else
    give_up (worker, may_pass (error), what);
}

static void
on_looked_up (struct addrinfo *addresses, int failure, const char *why, gpointer user_data)
{
  PpWorker *worker = user_data;

  worker->health_lookup = NULL;
  if (addresses != NULL)
    {
      worker->health_addresses = addresses;
      worker->health_deadline = g_get_monotonic_time () + GIVE_UP_US;
      try_to_listen (worker);
      return;
    }
  g_autofree char *what = describe_lookup (worker, why);
  gboolean is_temporary = failure == EAI_AGAIN;
  if (is_temporary && g_get_monotonic_time () < worker->health_deadline)
    warn_of (worker, what);
  else
    give_up (worker, is_temporary, what);
}

static void
look_up (PpWorker *worker)
{
  worker->health_lookup
      = pp_host_lookup_new (worker->settings->worker_webserver_host,
                            worker->settings->worker_webserver_port, on_looked_up, worker);
}

static gboolean
on_retry (gpointer user_data)
{
  PpWorker *worker = user_data;

  if (worker->health_addresses != NULL)
    try_to_listen (worker);
  else if (worker->health_lookup == NULL)
    look_up (worker);
  else if (g_get_monotonic_time () >= worker->health_deadline)
    {
      g_autofree char *what = describe_lookup (worker, "the name server does not answer");
      give_up (worker, TRUE, what);
    }
  return worker->health_timer != 0 ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

gboolean
pp_worker_health_start (PpWorker *worker, GError **error)
{
  g_autoptr (GError) local = NULL;

  worker->health_addresses = pp_host_addresses (worker->settings->worker_webserver_host,
                                                worker->settings->worker_webserver_port);
  if (worker->health_addresses == NULL)
    look_up (worker);
  else
    worker->health = listen_now (worker, &local);
  if (worker->health != NULL)
    return TRUE;
  if (local != NULL && !may_pass (local))
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  if (local != NULL)
    {
      g_autofree char *what = describe (worker, local);
      warn_of (worker, what);
    }
  worker->health_deadline = g_get_monotonic_time () + GIVE_UP_US;
  worker->health_timer = g_timeout_add (RETRY_MS, on_retry, worker);
  return TRUE;
}

void
pp_worker_health_stop (PpWorker *worker)
{
  g_clear_handle_id (&worker->health_timer, g_source_remove);
  g_clear_pointer (&worker->health_lookup, pp_host_lookup_cancel);
  g_clear_pointer (&worker->health_addresses, freeaddrinfo);
  g_clear_pointer (&worker->health, pp_health_free);
}
