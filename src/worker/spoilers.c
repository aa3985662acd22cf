/* SPDX-License-Identifier: Apache-2.0 */
/* Spoilers: runs that the server cannot serialize, because they are nested deeper than its JSON
 * encoder allows or have half a surrogate pair in a string, and runs that are too large for this
 * worker to read. While a spoiler is due, get_scheduled_flow_runs answers 500 to every worker of
 * the pool, or this worker cannot read the answer. The server can still read the run's id and
 * states and set its state. Setting the run to CRASHED, with the reason, frees the other runs. */
#include "config.h"

#include "poll_parts-private.h"

#include "prefect-podman/prefect/resources.h"

#define MESSAGE                                                                                    \
  "This flow run cannot be read, so no worker can take it, and other runs of its work pool "       \
  "waited behind it (its parameters or job variables are too large, are nested deeper than "       \
  "254 levels, or contain an incomplete character): %s"

/* A run counts as a spoiler if it is unreadable in this many polls in a row. Each time, the server
 * must return the run's states and another run; then the server itself is not the cause. An
 * overloaded server fails for some requests, whichever run they are about. A server after a broken
 * upgrade fails for every run. */
#define LOOKS 3
/* The most ids to exclude in a request for another run. */
#define MAX_UNREAD 100

/* A run that may be a spoiler. */
typedef struct
{
  PpWorker *worker;
  char *id;
  char *words; /* the last error when reading it */
  PpStateRead *read;
  PpApiCall *call;
} Suspect;

static void
free_suspect (gpointer data)
{
  Suspect *suspect = data;

  pp_state_read_cancel (suspect->read);
  pp_api_call_cancel (suspect->call);
  g_free (suspect->words);
  g_free (suspect->id);
  g_free (suspect);
}

static void
clear (Suspect *suspect)
{
  suspect->worker->suspects = g_list_remove (suspect->worker->suspects, suspect);
  free_suspect (suspect);
}

/* Counts one more failed read of ID. Returns TRUE if ID now counts as a spoiler. */
static gboolean
is_spoiler (PpWorker *worker, const char *id)
{
  guint looks = GPOINTER_TO_UINT (g_hash_table_lookup (worker->unread, id)) + 1;

  g_hash_table_insert (worker->unread, g_strdup (id), GUINT_TO_POINTER (looks));
  return looks >= LOOKS;
}

static void
on_ended (const PpSetStateResult *result, const GError *error, gpointer user_data)
{
  Suspect *suspect = user_data;

  suspect->call = NULL;
  if (error != NULL)
    g_warning ("Flow run %s keeps other runs of work pool '%s' waiting, and could not be set to "
               "CRASHED: %s. Delete that flow run",
               suspect->id, suspect->worker->options->work_pool, error->message);
  else if (result->status == PP_SET_STATE_ACCEPT)
    {
      g_warning ("Flow run %s was set to CRASHED: it cannot be read, and other runs of work pool "
                 "'%s' waited behind it",
                 suspect->id, suspect->worker->options->work_pool);
      pp_worker_poll_soon (suspect->worker);
    }
  clear (suspect);
}

/* True if OTHERS, the server's answer, has another run. Also true for an empty answer if SUSPECT
 * is the only unreadable run: then there is no other run to compare with. */
static gboolean
gives_others (const Suspect *suspect, const json_t *others)
{
  GHashTable *unread = suspect->worker->unread;

  return json_array_size (others) > 0
         || g_hash_table_size (unread) <= (g_hash_table_contains (unread, suspect->id) ? 1 : 0);
}

/* Handles the answer to the request for another run. */
static void
on_other (json_t *body, const GError *error, gpointer user_data)
{
  Suspect *suspect = user_data;
  g_autofree char *transition_id = NULL;
  g_autofree char *message = NULL;

  suspect->call = NULL;
  if (error != NULL || !gives_others (suspect, body) || !is_spoiler (suspect->worker, suspect->id))
    {
      clear (suspect);
      return;
    }
  message = g_strdup_printf (MESSAGE, suspect->words);
  transition_id = g_uuid_string_random ();
  suspect->call
      = pp_flow_run_set_state (suspect->worker->context.api, suspect->id, transition_id, "CRASHED",
                               NULL, message, FALSE, PP_API_ONCE, on_ended, suspect);
}

/* Returns the ids of all unreadable runs, including SUSPECT's; new array. */
static json_t *
list_unread (const Suspect *suspect)
{
  json_t *ids = json_array ();
  GHashTableIter iter;
  gpointer id;

  json_array_append_new (ids, json_string (suspect->id));
  g_hash_table_iter_init (&iter, suspect->worker->unread);
  while (g_hash_table_iter_next (&iter, &id, NULL) && json_array_size (ids) < MAX_UNREAD)
    json_array_append_new (ids, json_string (id));
  return ids;
}

static void
on_read_again (json_t *body G_GNUC_UNUSED, const GError *error, gpointer user_data)
{
  Suspect *suspect = user_data;
  json_auto_t *unread = NULL;

  suspect->call = NULL;
  if (!g_error_matches (error, PP_API_ERROR, 500)
      && !g_error_matches (error, PP_API_ERROR, PP_API_ERROR_TOO_MUCH))
    {
      g_hash_table_remove (suspect->worker->unread, suspect->id);
      clear (suspect);
      return;
    }
  g_free (suspect->words);
  suspect->words = g_strdup (error->message);
  unread = list_unread (suspect);
  suspect->call
      = pp_flow_runs_filter_other (suspect->worker->context.api, unread, on_other, suspect);
}

static void
on_read (json_t *body, const GError *error, gpointer user_data)
{
  Suspect *suspect = user_data;
  const json_t *state = json_object_get (body, "state");

  suspect->read = NULL;
  if (error != NULL)
    {
      clear (suspect);
      return;
    }
  /* A body without flow_id holds states only: the run itself could not be read
   * (state_reader-private.h). */
  if (json_object_get (body, "flow_id") != NULL
      || g_strcmp0 (pp_json_string (state, "type"), "SCHEDULED") != 0)
    {
      g_hash_table_remove (suspect->worker->unread, suspect->id);
      clear (suspect);
      return;
    }
  suspect->call = pp_flow_run_read (suspect->worker->context.api, suspect->id, PP_API_ONCE,
                                    on_read_again, suspect);
}

static void
on_scheduled (json_t *body, const GError *error, gpointer user_data)
{
  PpWorker *worker = user_data;
  const json_t *item;
  size_t index;

  worker->suspects_call = NULL;
  if (error != NULL)
    g_debug ("Could not list the runs that are due: %s", error->message);
  json_array_foreach (body, index, item)
  {
    const char *id = pp_json_string (item, "id");
    Suspect *suspect;

    if (id == NULL || !g_uuid_string_is_valid (id) || g_hash_table_contains (worker->runs, id))
      continue;
    suspect = g_new0 (Suspect, 1);
    suspect->worker = worker;
    suspect->id = g_strdup (id);
    suspect->read = pp_state_reader_read (worker->context.states, id, on_read, suspect);
    worker->suspects = g_list_prepend (worker->suspects, suspect);
  }
}

void
pp_worker_find_spoilers (PpWorker *worker)
{
  if (worker->unread == NULL)
    worker->unread = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  if (worker->suspects == NULL && worker->suspects_call == NULL)
    worker->suspects_call
        = pp_flow_runs_scheduled_ids (worker->context.api, worker->options->work_pool,
                                      pp_worker_poll_before (worker), on_scheduled, worker);
}

void
pp_worker_stop_finding_spoilers (PpWorker *worker)
{
  pp_api_call_cancel (worker->suspects_call);
  worker->suspects_call = NULL;
  g_list_free_full (g_steal_pointer (&worker->suspects), free_suspect);
  g_clear_pointer (&worker->unread, g_hash_table_unref);
}
