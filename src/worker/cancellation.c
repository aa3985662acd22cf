/* SPDX-License-Identifier: Apache-2.0 */
/* Finds runs in flight that the server wants to stop or no longer knows, or that another worker has
 * begun again. A check is made at a fixed interval. It asks about all runs in two or more queries.
 * One more query reads the states of some runs. Runs that the server cannot return in a list are
 * read one by one. */
#include "config.h"

#include "worker_inside-private.h"

#include "prefect-podman/prefect/resources.h"

/* The longest time until a cancellation is noticed. PREFECT_WORKER_CANCELLATION_POLL_SECONDS may
 * only shorten it. */
#define BEAT_SECONDS 10.0
/* The most runs whose states one check reads. A worker with more runs reads them in turn. */
#define MAX_LOOKS 50

static gboolean
on_beat (gpointer user_data)
{
  PpWorker *worker = user_data;

  worker->cancel_timer = 0;
  pp_worker_watch_cancellations (worker);
  return G_SOURCE_REMOVE;
}

static void ask_for_cancelled (PpWorker *worker);

static void
look_at_all (PpWorker *worker)
{
  GHashTableIter iter;
  gpointer run;

  g_hash_table_iter_init (&iter, worker->runs);
  while (g_hash_table_iter_next (&iter, NULL, &run))
    pp_flow_run_look (run);
}

/* Reads the states of up to MAX_LOOKS runs. Since the last check, a run may have been ended by
 * hand, scheduled again, and begun by another worker. Its state is then RUNNING as before, and only
 * the state's id is a different one. */
static void
look_at_some (PpWorker *worker)
{
  guint turns = (g_hash_table_size (worker->runs) + MAX_LOOKS - 1) / MAX_LOOKS;
  guint turn = turns > 0 ? worker->look_turn++ % turns : 0;
  GHashTableIter iter;
  gpointer run;

  g_hash_table_iter_init (&iter, worker->runs);
  for (guint i = 0; g_hash_table_iter_next (&iter, NULL, &run); i++)
    if (i / MAX_LOOKS == turn)
      pp_flow_run_look (run);
}

/* A read of a single run's state, to see if the server has ended the run. */
typedef struct
{
  PpWorker *worker;
  char *id;
  gint64 asked_at; /* monotonic microseconds */
  PpStateRead *read;
} Look;

static void
free_look (gpointer data)
{
  Look *look = data;

  pp_state_read_cancel (look->read);
  g_free (look->id);
  g_free (look);
}

static gint
has_id (gconstpointer look, gconstpointer id)
{
  return g_strcmp0 (((const Look *)look)->id, id);
}

static void
on_state (json_t *body, const GError *error G_GNUC_UNUSED, gpointer user_data)
{
  Look *look = user_data;
  PpWorker *worker = look->worker;
  const char *id = pp_json_string (body, "id");
  PpFlowRun *run = id != NULL ? g_hash_table_lookup (worker->runs, id) : NULL;

  look->read = NULL;
  if (run != NULL)
    pp_flow_run_end_as_told (run, body, look->asked_at);
  worker->cancel_looks = g_list_remove (worker->cancel_looks, look);
  free_look (look);
}

/* Reads the states of runs that may be ended, one by one. If ALL is FALSE, reads only the runs that
 * the server cannot return in a list (pp_state_reader_is_unlistable()). A slow read delays no other
 * run. */
static void
read_states (PpWorker *worker, gboolean all)
{
  PpStateReader *states = worker->context.states;
  GHashTableIter iter;
  gpointer id, run;

  g_hash_table_iter_init (&iter, worker->runs);
  while (g_hash_table_iter_next (&iter, &id, &run))
    if (pp_flow_run_may_be_ended (run) && (all || pp_state_reader_is_unlistable (states, id))
        && g_list_find_custom (worker->cancel_looks, id, has_id) == NULL)
      {
        Look *look = g_new0 (Look, 1);

        look->worker = worker;
        look->id = g_strdup (id);
        look->asked_at = g_get_monotonic_time ();
        look->read = pp_state_reader_read (states, id, on_state, look);
        worker->cancel_looks = g_list_prepend (worker->cancel_looks, look);
      }
}

static void
on_ended (json_t *body, const GError *error, gpointer user_data)
{
  PpWorker *worker = user_data;
  const json_t *flow_run;
  gboolean is_new = FALSE;
  size_t index;

  worker->cancel_call = NULL;
  if (error != NULL)
    g_debug ("Could not look for cancelled runs: %s", error->message);
  if (error != NULL)
    read_states (worker, TRUE);
  /* The server did not answer the last check. Since then, a run may have been ended and started
   * again elsewhere. */
  else if (worker->unheard)
    look_at_all (worker);
  worker->unheard = error != NULL;
  json_array_foreach (body, index, flow_run)
  {
    const char *id = pp_json_string (flow_run, "id");
    PpFlowRun *run = id != NULL ? g_hash_table_lookup (worker->runs, id) : NULL;

    if (run == NULL)
      continue;
    pp_flow_run_end_as_told (run, flow_run, worker->cancel_asked_at);
    if (g_hash_table_add (worker->cancel_heard, g_strdup (id)))
      is_new = TRUE;
  }
  /* An answer has at most 200 runs, or PREFECT_SERVER_API_DEFAULT_LIMIT: ask for the rest. */
  if (is_new)
    ask_for_cancelled (worker);
}

/* Returns the ids of all runs in flight. If ALL is FALSE, returns only the ids of the runs that may
 * be ended, that the server can return in a list, and that it has not returned in this check. */
static json_t *
ids_in_flight (const PpWorker *worker, gboolean all)
{
  json_t *ids = json_array ();
  GHashTableIter iter;
  gpointer id, run;

  g_hash_table_iter_init (&iter, worker->runs);
  while (g_hash_table_iter_next (&iter, &id, &run))
    if (all
        || (pp_flow_run_may_be_ended (run)
            && !pp_state_reader_is_unlistable (worker->context.states, id)
            && !g_hash_table_contains (worker->cancel_heard, id)))
      json_array_append_new (ids, json_string (id));
  return ids;
}

/* Asks only for runs that are not being cancelled yet and were not returned in this check, because
 * the answer has a limited size. */
static void
ask_for_cancelled (PpWorker *worker)
{
  json_auto_t *ids = ids_in_flight (worker, FALSE);

  worker->cancel_asked_at = g_get_monotonic_time ();
  if (json_array_size (ids) > 0)
    worker->cancel_call = pp_flow_runs_filter_ended (worker->context.api, ids, on_ended, worker);
}

/* The query for cancelled runs does not find deleted runs. If the server counts fewer runs than the
 * worker asked for, the worker reads each run by itself. */

static void
on_counted (json_t *body, const GError *error, gpointer user_data)
{
  PpWorker *worker = user_data;

  worker->count_call = NULL;
  /* If the count fails with 500, reading single runs may still work. */
  if ((error == NULL && json_is_integer (body) && json_integer_value (body) < worker->counted)
      || g_error_matches (error, PP_API_ERROR, 500))
    look_at_all (worker);
}

void
pp_worker_watch_cancellations (PpWorker *worker)
{
  double seconds = MIN (worker->settings->worker_cancellation_poll_seconds, BEAT_SECONDS);

  read_states (worker, FALSE);
  look_at_some (worker);
  if (worker->cancel_call == NULL)
    {
      g_clear_pointer (&worker->cancel_heard, g_hash_table_unref);
      worker->cancel_heard = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
      ask_for_cancelled (worker);
    }
  if (worker->count_call == NULL && g_hash_table_size (worker->runs) > 0)
    {
      json_auto_t *ids = ids_in_flight (worker, TRUE);

      worker->counted = (json_int_t)json_array_size (ids);
      worker->count_call = pp_flow_runs_count (worker->context.api, ids, on_counted, worker);
    }
  if (worker->cancel_timer == 0)
    worker->cancel_timer = g_timeout_add ((guint)(MAX (seconds, 0.1) * 1000), on_beat, worker);
}

void
pp_worker_stop_watching_cancellations (PpWorker *worker)
{
  g_clear_handle_id (&worker->cancel_timer, g_source_remove);
  pp_api_call_cancel (worker->cancel_call);
  worker->cancel_call = NULL;
  g_clear_pointer (&worker->cancel_heard, g_hash_table_unref);
  pp_api_call_cancel (worker->count_call);
  worker->count_call = NULL;
  g_list_free_full (g_steal_pointer (&worker->cancel_looks), free_look);
}
