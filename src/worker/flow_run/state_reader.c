/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "state_reader-private.h"

#include "prefect-podman/prefect/resources.h"

#include "worker/look-private.h"

/* A read that is requested within QUIET_US after an answer waits GATHER_MS for other reads to join.
 * A later read does not wait. */
#define GATHER_MS 150
#define QUIET_US (1 * G_USEC_PER_SEC)
/* The most runs in one call. For a filter, the server returns at most 200 runs, or
 * PREFECT_SERVER_API_DEFAULT_LIMIT. */
#define MAX_READ 100
/* The most runs that are remembered because no list can contain them. */
#define MAX_UNLISTABLE 1000
/* If a list fails, it is split until one run is left. A run counts as the cause if it was the run
 * that was left this many times in a row, and if it could be read by itself each time. A single
 * failure may be the server's fault. */
#define LISTS_FAILED 2

struct PpStateRead
{
  PpStateReader *reader;
  char *flow_run_id;
  PpApiCall *call; /* the call that reads this run alone; or NULL */
  guint timer;     /* starts the next such call; or 0 */
  guint unknown;   /* calls in a row without information about the run */
  GError *error;   /* error of the list that it was in; or NULL */
  GError *refusal; /* error of the last call for it alone; or NULL */
  PpApiDoneFunc done;
  gpointer user_data;
};

struct PpStateReader
{
  PpApi *api;
  GQueue waiting;         /* PpStateRead objects that wait for a call */
  GQueue groups;          /* GQueues of PpStateRead: parts of a list for which the server failed */
  GQueue asked;           /* PpStateRead objects of the call under way */
  GQueue single;          /* PpStateRead objects that are read alone */
  GHashTable *unlistable; /* id -> number of failed lists in a row that had this run */
  PpApiCall *call;
  guint timer;
  gint64 answered; /* when the last call was answered, monotonic microseconds */
};

static void ask (PpStateReader *reader);

static void
free_read (PpStateRead *read)
{
  pp_api_call_cancel (read->call);
  g_clear_handle_id (&read->timer, g_source_remove);
  g_clear_error (&read->error);
  g_clear_error (&read->refusal);
  g_free (read->flow_run_id);
  g_free (read);
}

PpStateReader *
pp_state_reader_new (PpApi *api)
{
  PpStateReader *reader = g_new0 (PpStateReader, 1);

  reader->api = api;
  reader->unlistable = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  return reader;
}

static void
free_reads (GQueue *reads)
{
  PpStateRead *read;

  while ((read = g_queue_pop_head (reads)) != NULL)
    free_read (read);
}

void
pp_state_reader_free (PpStateReader *reader)
{
  GQueue *group;

  if (reader == NULL)
    return;
  pp_api_call_cancel (reader->call);
  g_clear_handle_id (&reader->timer, g_source_remove);
  free_reads (&reader->asked);
  free_reads (&reader->waiting);
  free_reads (&reader->single);
  while ((group = g_queue_pop_head (&reader->groups)) != NULL)
    {
      free_reads (group);
      g_queue_free (group);
    }
  g_hash_table_unref (reader->unlistable);
  g_free (reader);
}

static gboolean
on_gathered (gpointer user_data)
{
  PpStateReader *reader = user_data;

  reader->timer = 0;
  ask (reader);
  return G_SOURCE_REMOVE;
}

/* Schedules the next call for waiting reads: at once, or after a delay in which others may join. */
static void
schedule (PpStateReader *reader)
{
  gboolean busy
      = g_queue_is_empty (&reader->groups) && g_get_monotonic_time () - reader->answered < QUIET_US;

  if (reader->call == NULL && reader->timer == 0
      && !(g_queue_is_empty (&reader->waiting) && g_queue_is_empty (&reader->groups)))
    reader->timer = g_timeout_add (busy ? GATHER_MS : 0, on_gathered, reader);
}

/* Ends READ with FLOW_RUN or with ERROR. The other one is NULL. */
static void
finish (PpStateRead *read, json_t *flow_run, const GError *error)
{
  read->done (flow_run, error, read->user_data);
  free_read (read);
}

/* Reads of a single run. A run that no list can contain may be read by itself: the server writes
 * lists with orjson, which supports neither integers beyond 64 bits nor more than 254 levels of
 * nesting. If the run cannot be read even by itself, its states can still be read. A list without
 * the run proves nothing: it may be incomplete, or something else may have answered in the server's
 * place. Only a 404 for the run itself shows that the run was deleted. */

static void read_single (PpStateRead *read);

static gboolean
on_single_timer (gpointer user_data)
{
  PpStateRead *read = user_data;

  read->timer = 0;
  read_single (read);
  return G_SOURCE_REMOVE;
}

static void
finish_single (PpStateRead *read, json_t *flow_run, const GError *error)
{
  g_queue_remove (&read->reader->single, read);
  finish (read, flow_run, error);
}

gboolean
pp_state_reader_is_unlistable (const PpStateReader *reader, const char *flow_run_id)
{
  return GPOINTER_TO_UINT (g_hash_table_lookup (reader->unlistable, flow_run_id)) >= LISTS_FAILED;
}

static void
remember_unlistable (const PpStateRead *read)
{
  GHashTable *unlistable = read->reader->unlistable;
  guint failed = GPOINTER_TO_UINT (g_hash_table_lookup (unlistable, read->flow_run_id));

  if (read->error == NULL || failed >= LISTS_FAILED)
    return;
  if (g_hash_table_size (unlistable) >= MAX_UNLISTABLE)
    g_hash_table_remove_all (unlistable);
  g_hash_table_insert (unlistable, g_strdup (read->flow_run_id), GUINT_TO_POINTER (failed + 1));
  if (failed + 1 < LISTS_FAILED)
    return;
  g_warning ("The server fails at every list that contains flow run %s. This worker now reads that "
             "run separately (a number beyond 64 bits in the run's parameters or job variables may "
             "be the cause): %s",
             read->flow_run_id, read->error->message);
}

static void
on_states (json_t *body, const GError *error, gpointer user_data)
{
  PpStateRead *read = user_data;
  json_t *state = json_array_get (body, json_array_size (body) - 1);

  read->call = NULL;
  if (g_error_matches (error, PP_API_ERROR, PP_API_ERROR_NO_STATES)
      && pp_api_error_may_pass (read->refusal))
    {
      read->timer = g_timeout_add (pp_look_delay (++read->unknown), on_single_timer, read);
      return;
    }
  if (error != NULL)
    {
      finish_single (read, NULL, read->refusal);
      return;
    }
  remember_unlistable (read);
  json_auto_t *flow_run = json_pack ("{s:s, s:O}", "id", read->flow_run_id, "state", state);
  finish_single (read, flow_run, NULL);
}

static void
on_single (json_t *body, const GError *error, gpointer user_data)
{
  PpStateRead *read = user_data;

  read->call = NULL;
  if (error == NULL)
    remember_unlistable (read);
  if (error == NULL || g_error_matches (error, PP_API_ERROR, 404))
    {
      finish_single (read, body, error);
      return;
    }
  g_clear_error (&read->refusal);
  read->refusal = g_error_copy (error);
  read->call = pp_flow_run_states_read (read->reader->api, read->flow_run_id, on_states, read);
}

static void
read_single (PpStateRead *read)
{
  read->call = pp_flow_run_read (read->reader->api, read->flow_run_id, PP_API_PERSIST_SHARED,
                                 on_single, read);
}

static void
leave_lists (PpStateRead *read)
{
  g_queue_push_tail (&read->reader->single, read);
  read_single (read);
}

/* Lists. */

/* Moves the requested reads, except the first SKIP of them, into a new group. Groups are requested
 * before any other read. */
static void
regroup (PpStateReader *reader, guint skip)
{
  GQueue *group = g_queue_new ();

  while (g_queue_get_length (&reader->asked) > skip)
    g_queue_push_head (group, g_queue_pop_tail (&reader->asked));
  g_queue_push_head (&reader->groups, group);
}

/* Handles a list for which the server failed, perhaps because of one run in it. Requests each half
 * separately. The last run that is left is read alone. */
static void
split (PpStateReader *reader, const GError *error)
{
  guint half = g_queue_get_length (&reader->asked) / 2;
  PpStateRead *read;

  if (half > 0)
    {
      regroup (reader, half);
      regroup (reader, 0);
      return;
    }
  read = g_queue_pop_head (&reader->asked);
  if (read == NULL)
    return; /* cancelled meanwhile */
  read->error = g_error_copy (error);
  leave_lists (read);
}

static void
on_answer (json_t *body, const GError *error, gpointer user_data)
{
  PpStateReader *reader = user_data;
  g_autoptr (GHashTable) flow_runs = g_hash_table_new (g_str_hash, g_str_equal);
  PpStateRead *read;
  json_t *flow_run;
  size_t index;

  reader->call = NULL;
  reader->answered = g_get_monotonic_time ();
  json_array_foreach (body, index, flow_run)
  {
    const char *id = pp_json_string (flow_run, "id");

    if (id != NULL)
      g_hash_table_insert (flow_runs, (gpointer)id, flow_run);
  }
  if (error != NULL)
    split (reader, error);
  /* One by one: a callback may cancel another read. */
  while (error == NULL && (read = g_queue_pop_head (&reader->asked)) != NULL)
    {
      flow_run = g_hash_table_lookup (flow_runs, read->flow_run_id);
      if (flow_run != NULL)
        {
          g_hash_table_remove (reader->unlistable, read->flow_run_id);
          finish (read, flow_run, NULL);
        }
      else
        leave_lists (read);
    }
  schedule (reader);
}

/* Fills the next list: with a part of a failed list, otherwise with waiting reads. */
static void
fill (PpStateReader *reader)
{
  GQueue *group;
  PpStateRead *read;

  while (g_queue_is_empty (&reader->asked) && (group = g_queue_pop_head (&reader->groups)) != NULL)
    {
      while ((read = g_queue_pop_head (group)) != NULL)
        g_queue_push_tail (&reader->asked, read);
      g_queue_free (group);
    }
  if (!g_queue_is_empty (&reader->asked))
    return;
  while (g_queue_get_length (&reader->asked) < MAX_READ
         && (read = g_queue_pop_head (&reader->waiting)) != NULL)
    if (pp_state_reader_is_unlistable (reader, read->flow_run_id))
      leave_lists (read);
    else
      g_queue_push_tail (&reader->asked, read);
}

static void
ask (PpStateReader *reader)
{
  json_auto_t *ids = json_array ();

  fill (reader);
  for (const GList *link = reader->asked.head; link != NULL; link = link->next)
    json_array_append_new (ids, json_string (((const PpStateRead *)link->data)->flow_run_id));
  if (json_array_size (ids) > 0)
    reader->call = pp_flow_runs_filter_ids (reader->api, ids, on_answer, reader);
}

PpStateRead *
pp_state_reader_read (PpStateReader *reader, const char *flow_run_id, PpApiDoneFunc done,
                      gpointer user_data)
{
  PpStateRead *read = g_new0 (PpStateRead, 1);

  read->reader = reader;
  read->flow_run_id = g_strdup (flow_run_id);
  read->done = done;
  read->user_data = user_data;
  g_queue_push_tail (&reader->waiting, read);
  schedule (reader);
  return read;
}

void
pp_state_read_cancel (PpStateRead *read)
{
  gboolean found;

  if (read == NULL)
    return;
  found = g_queue_remove (&read->reader->waiting, read)
          || g_queue_remove (&read->reader->asked, read)
          || g_queue_remove (&read->reader->single, read);
  for (GList *link = read->reader->groups.head; !found && link != NULL; link = link->next)
    found = g_queue_remove (link->data, read);
  if (found)
    free_read (read);
}
