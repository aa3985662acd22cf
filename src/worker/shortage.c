/* SPDX-License-Identifier: Apache-2.0 */
/* Shortages of the worker itself: descriptors, memory, threads, ports. While one lasts, the worker
 * takes no new runs, and its runs in flight wait. */
#include "config.h"

#include "worker_inside-private.h"

#include "prefect-podman/http/limits.h"

/* The number of free descriptors needed to take a run: for its log file, for some connections to
 * the engine and the server, and for what the runs in flight need to finish. */
#define HEADROOM 10

static void
set_shortage (PpWorker *worker, const char *why)
{
  gboolean changes = (why == NULL) != (worker->shortage == NULL);

  g_free (worker->shortage);
  worker->shortage = why != NULL
                         ? g_strdup_printf ("No flow runs are taken, and runs in flight wait, "
                                            "because this worker itself lacks a resource: %s",
                                            why)
                         : NULL;
  if (!changes)
    return;
  if (why != NULL)
    g_warning ("%s", worker->shortage);
  else
    g_message ("This worker no longer lacks a resource: flow runs are taken again");
}

/* PpHttpShortageFunc: called when requests begin to wait, and when they continue. */
static void
on_http_shortage (const char *why, gpointer user_data)
{
  if (why != NULL)
    set_shortage (user_data, why);
  else
    pp_worker_is_short (user_data);
}

void
pp_worker_expect_shortages (PpWorker *worker)
{
  pp_limits_raise ();
  pp_limits_use_reserve (FALSE);
  pp_http_wait_out_shortages (worker->http, on_http_shortage, worker);
}

gboolean
pp_worker_is_short (PpWorker *worker)
{
  const char *waiting = pp_http_shortage (worker->http);

  int error = waiting == NULL ? pp_limits_probe (HEADROOM) : 0;
  g_autofree char *why = error != 0 ? pp_limits_describe (error) : g_strdup (waiting);
  set_shortage (worker, why);
  return why != NULL;
}
