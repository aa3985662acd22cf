#include "prefect-podman/worker/state_reader.h"

#include "prefect-podman/prefect/resources.h"

/* What is asked for soon after an answer waits for more to ask with it; a lone run does not. */
#define GATHER_MS 150
#define QUIET_US (1 * G_USEC_PER_SEC)
/* A server answers a filter with 200 runs at most, or with PREFECT_SERVER_API_DEFAULT_LIMIT; in
 * that case what is left out of an answer is read again, alone. */
#define MAX_READ 100

struct PpStateRead
{
  PpStateReader *reader;
  char *flow_run_id;
  gboolean alone; /* it was missing from an answer for many */
  PpApiDoneFunc done;
  gpointer user_data;
};

struct PpStateReader
{
  PpApi *api;
  GQueue waiting; /* of PpStateRead */
  GQueue asked;   /* of PpStateRead: those the call under way is for */
  PpApiCall *call;
  guint asked_for; /* how many runs that call asks for */
  guint timer;
  gint64 answered; /* when the last call was, monotonic microseconds */
};

static void ask (PpStateReader *reader);

static void
free_read (PpStateRead *read)
{
  g_free (read->flow_run_id);
  g_free (read);
}

PpStateReader *
pp_state_reader_new (PpApi *api)
{
  PpStateReader *reader = g_new0 (PpStateReader, 1);

  reader->api = api;
  return reader;
}

void
pp_state_reader_free (PpStateReader *reader)
{
  PpStateRead *read;

  if (reader == NULL)
    return;
  pp_api_call_cancel (reader->call);
  g_clear_handle_id (&reader->timer, g_source_remove);
  while ((read = g_queue_pop_head (&reader->asked)) != NULL
         || (read = g_queue_pop_head (&reader->waiting)) != NULL)
    free_read (read);
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

/* Has what waits asked for: at once, or when others may have come. */
static void
schedule (PpStateReader *reader)
{
  gboolean busy = g_get_monotonic_time () - reader->answered < QUIET_US;

  if (reader->call == NULL && reader->timer == 0 && !g_queue_is_empty (&reader->waiting))
    reader->timer = g_timeout_add (busy ? GATHER_MS : 0, on_gathered, reader);
}

static void
give (PpStateRead *read, GHashTable *flow_runs, const GError *error)
{
  g_autoptr (GError) missing = NULL;
  json_t *flow_run = g_hash_table_lookup (flow_runs, read->flow_run_id);

  if (error == NULL && flow_run == NULL)
    missing = g_error_new (PP_API_ERROR, 404, "Flow run %s is not on the server any more",
                           read->flow_run_id);
  read->done (flow_run, error != NULL ? error : missing, read->user_data);
  free_read (read);
}

static void
ask_alone (PpStateRead *read)
{
  read->alone = TRUE;
  g_queue_push_tail (&read->reader->waiting, read);
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
  /* One by one: a callback may cancel another's. */
  while ((read = g_queue_pop_head (&reader->asked)) != NULL)
    if (error == NULL && reader->asked_for > 1
        && !g_hash_table_contains (flow_runs, read->flow_run_id))
      ask_alone (read);
    else
      give (read, flow_runs, error);
  schedule (reader);
}

/* Whether the first that waits can go with what is to be asked for. */
static gboolean
may_join (PpStateReader *reader)
{
  const PpStateRead *next = g_queue_peek_head (&reader->waiting);
  const PpStateRead *last = g_queue_peek_tail (&reader->asked);

  return last == NULL
         || (next != NULL && !next->alone && !last->alone
             && g_queue_get_length (&reader->asked) < MAX_READ);
}

static void
ask (PpStateReader *reader)
{
  json_auto_t *ids = json_array ();
  PpStateRead *read;

  while (may_join (reader) && (read = g_queue_pop_head (&reader->waiting)) != NULL)
    {
      json_array_append_new (ids, json_string (read->flow_run_id));
      g_queue_push_tail (&reader->asked, read);
    }
  reader->asked_for = (guint)json_array_size (ids);
  if (!g_queue_is_empty (&reader->asked))
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
  if (read == NULL)
    return;
  if (g_queue_remove (&read->reader->waiting, read) || g_queue_remove (&read->reader->asked, read))
    free_read (read);
}
