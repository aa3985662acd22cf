/* SPDX-License-Identifier: Apache-2.0 */
/* One batch of log records in flight: sending it, checking if it arrived, sending it again. */
#include "config.h"

#include "log_sender_inside-private.h"

#include "prefect-podman/prefect/resources.h"
#include "prefect-podman/text/timestamp.h"

#include "worker/failpoint-private.h"
#include "worker/look-private.h"

/* The number of unanswered attempts after which a warning is logged. From then on, if other
 * requests are answered, a single record may be the cause: some gateways close the connection
 * instead of answering. */
#define SAY_UNANSWERED 5
/* The least time to look for a batch on the server after a lost answer. A proxy that has closed the
 * connection may still deliver the batch. The server cannot detect that a record arrives twice. */
#define LEAST_LOOK_US (15 * G_USEC_PER_SEC)
/* How much longer to look if the server was silent for the whole request timeout. */
#define LATE_US (60 * G_USEC_PER_SEC)
/* The longest wait for a slow disk before a batch is sent without its journal note. */
#define NOTE_SECONDS 1

/* Calls on_sending for each run with output in the batch in flight. SENT is TRUE before the batch
 * is sent, and FALSE if it was certainly not stored. The timestamp is that of the run's last output
 * record that may be on its way, from this batch (if SENT) or from an earlier attempt; 0 if there
 * is none. Returns TRUE if the batch has output of a run. */
static gboolean
tell_sending (const PpLogSender *sender, gboolean sent)
{
  const PpLogSender *root = sender->root;
  /* flow run id -> PpLogRecord, the last one on its way, or NULL */
  g_autoptr (GHashTable) last = g_hash_table_new (g_str_hash, g_str_equal);
  gint64 now = g_get_monotonic_time ();
  GHashTableIter iter;
  gpointer run, on_its_way;
  guint left = sender->in_flight;

  if (root->on_sending == NULL || left == 0)
    return FALSE;
  for (const GList *link = sender->records.head; link != NULL; link = link->next)
    {
      PpLogRecord *record = link->data;
      gboolean is_known = g_hash_table_contains (last, record->flow_run_id);
      gboolean is_in_flight = left > 0;

      left -= is_in_flight ? 1 : 0;
      if (!record->is_output || (!is_in_flight && !is_known))
        continue;
      if ((is_in_flight && sent) || record->late_until > now)
        g_hash_table_replace (last, record->flow_run_id, record);
      else if (!is_known)
        g_hash_table_insert (last, record->flow_run_id, NULL);
    }
  g_hash_table_iter_init (&iter, last);
  while (g_hash_table_iter_next (&iter, &run, &on_its_way))
    root->on_sending (run, on_its_way != NULL ? ((const PpLogRecord *)on_its_way)->timestamp : 0,
                      root->sending_data);
  return g_hash_table_size (last) > 0;
}

/* Calls on_delivered for the run of RECORD, the last of COUNT delivered records of the run. */
static void
tell_delivered (const PpLogSender *sender, const PpLogRecord *record, guint count)
{
  const PpLogSender *root = sender->root;

  if (count > 0 && root->on_delivered != NULL)
    root->on_delivered (record->flow_run_id, count, record->timestamp, root->delivered_data);
}

void
pp_log_drop_in_flight (PpLogSender *sender)
{
  g_autofree PpLogRecord *last = NULL; /* the last of COUNT output records of one run */
  guint count = 0;

  for (guint i = 0; i < sender->in_flight; i++)
    {
      g_autofree PpLogRecord *record = g_queue_pop_head (&sender->records);

      sender->bytes -= pp_log_record_size (record);
      sender->delivered += record->is_part ? 0 : 1;
      if (!record->is_output)
        continue;
      if (last != NULL && !g_str_equal (last->flow_run_id, record->flow_run_id))
        {
          tell_delivered (sender, last, count);
          count = 0;
        }
      count++;
      g_free (last);
      last = g_steal_pointer (&record);
    }
  tell_delivered (sender, last, count);
  sender->in_flight = 0;
}

/* Goes on after the records in flight, which were accepted or are dropped. */
static void
go_on (PpLogSender *sender)
{
  pp_log_note_taken (sender);
  pp_log_drop_in_flight (sender);
  pp_failpoint ("logs", "noted");
  sender->max_records = MIN (sender->max_records * 2, PP_LOG_BATCH_RECORDS);
  sender->unanswered = 0;
  pp_log_wake (sender);
  pp_log_schedule (sender);
}

static void
on_taken (PpLogSender *sender)
{
  const PpLogRecord *first = g_queue_peek_head (&sender->records);

  sender->last_taken = g_get_monotonic_time ();
  if (first != NULL)
    pp_log_set_suspects_apart (sender, first->flow_run_id);
  go_on (sender);
}

static gboolean on_look_timer (gpointer user_data);

/* The server stores a batch as a whole, so finding its last record is enough. The worker sets the
 * timestamps, and no two records of a run have the same. */
static void
on_looked (json_t *body, const GError *error, gpointer user_data)
{
  PpLogSender *sender = user_data;
  const PpLogRecord *last = g_queue_peek_nth (&sender->records, sender->in_flight - 1);
  const char *timestamp = pp_json_string (json_array_get (body, 0), "timestamp");

  sender->call = NULL;
  if (error == NULL && timestamp != NULL && pp_timestamp_parse (timestamp) == last->timestamp)
    {
      sender->unsure = FALSE;
      on_taken (sender);
      return;
    }
  if (g_get_monotonic_time () < sender->look_until)
    {
      sender->timer = g_timeout_add (PP_LOOK_AGAIN_MS, on_look_timer, sender);
      return;
    }
  sender->unsure = FALSE;
  if (error == NULL && sender->unanswered >= SAY_UNANSWERED)
    {
      pp_log_batch_refused (sender, sender->why);
      return;
    }
  sender->in_flight = 0;
  pp_log_send_batch (sender);
}

static gboolean
on_look_timer (gpointer user_data)
{
  PpLogSender *sender = user_data;
  const PpLogRecord *last = g_queue_peek_nth (&sender->records, sender->in_flight - 1);

  sender->timer = 0;
  sender->call = pp_logs_read_after (sender->api, last->flow_run_id, last->timestamp - 1, 0, 1,
                                     on_looked, sender);
  return G_SOURCE_REMOVE;
}

/* True if ERROR means that the server will never accept one of the batch's records. */
static gboolean
is_about_records (const GError *error)
{
  return g_error_matches (error, PP_API_ERROR, 400) || g_error_matches (error, PP_API_ERROR, 413)
         || g_error_matches (error, PP_API_ERROR, 422);
}

/* Notes how long the batch in flight may still be on its way. The next worker waits for the batch
 * for the same time (pp_late_patience()). */
static void
keep_late (PpLogSender *sender)
{
  const GList *link = sender->records.head;

  for (guint i = 0; i < sender->in_flight && link != NULL; i++, link = link->next)
    ((PpLogRecord *)link->data)->late_until = sender->sent + sender->timeout + LATE_US;
}

/* Handles a batch that got no answer (ERROR): looks for it on the server before sending it
 * again. */
static void
look_for_batch (PpLogSender *sender, const GError *error)
{
  gint64 now = g_get_monotonic_time ();

  sender->refused = FALSE;
  sender->unsure = TRUE;
  keep_late (sender);
  g_clear_error (&sender->why);
  sender->why = g_error_copy (error);
  sender->look_until = now + MAX (pp_look_time (now - sender->sent), LEAST_LOOK_US);
  /* If the server was silent for the whole timeout, it may still be working on the request. */
  if (now - sender->sent >= sender->timeout)
    sender->look_until = MAX (sender->look_until, sender->sent + sender->timeout + LATE_US);
  if (++sender->unanswered == SAY_UNANSWERED)
    g_warning (
        "The server does not answer requests that contain log records, so the records wait: %s",
        error->message);
  sender->timer = g_timeout_add (pp_look_delay (sender->unanswered), on_look_timer, sender);
}

/* Handles a batch that was refused for good because of a record (ERROR). Sends the batch in halves
 * to find that record, so that the others are not lost. */
static void
halve_or_replace (PpLogSender *sender, const GError *error)
{
  sender->refused = FALSE;
  tell_sending (sender, FALSE);
  if (sender->original != NULL)
    {
      g_warning ("A log record of flow run %s was refused and is dropped: %s",
                 sender->original->flow_run_id, error->message);
      g_clear_pointer (&sender->original, g_free);
      /* The next batch may have records of several runs, so it shows nothing about a single run. */
      pp_log_clear_suspects (sender);
      go_on (sender);
    }
  else if (sender->in_flight > 1)
    {
      sender->max_records = sender->in_flight / 2;
      sender->in_flight = 0;
      pp_log_send_batch (sender);
    }
  else
    pp_log_record_refused (sender, error);
}

static void
on_sent (json_t *body G_GNUC_UNUSED, const GError *error, gpointer user_data)
{
  PpLogSender *sender = user_data;

  pp_failpoint ("logs", "answered");
  sender->call = NULL;
  if (error == NULL)
    on_taken (sender);
  else if (sender->abandoned)
    pp_log_wait_out_refusal (sender, error);
  else if (pp_api_error_may_be_done (error))
    look_for_batch (sender, error);
  else if (is_about_records (error))
    halve_or_replace (sender, error);
  else
    {
      tell_sending (sender, FALSE);
      /* 401 means a revoked key: the records are not the cause. */
      if (g_error_matches (error, PP_API_ERROR, 401))
        pp_log_wait_out_refusal (sender, error);
      else
        pp_log_batch_refused (sender, error);
    }
  sender->abandoned = FALSE;
}

static json_t *
record_to_json (const PpLogRecord *record)
{
  g_autofree char *timestamp = pp_timestamp_text (record->timestamp);
  json_t *json = json_object ();

  json_object_set_new (json, "name", json_string (record->logger));
  json_object_set_new (json, "level", json_integer (record->level));
  json_object_set_new (json, "message", json_stringn (record->message, record->length));
  json_object_set_new (json, "timestamp", json_string (timestamp));
  json_object_set_new (json, "flow_run_id", json_string (record->flow_run_id));
  return json;
}

static void note_and_post (PpLogSender *sender);

/* The PpApiRepeatFunc of the batch in flight. Withdraws the journal note after a refused attempt,
 * and writes it again before the next one. Otherwise the next worker would wait for a batch that
 * never reached the server. */
static void
on_repeat (gboolean again, gpointer user_data)
{
  if (again)
    note_and_post (user_data);
  else
    tell_sending (user_data, FALSE);
}

/* Sends the batch in flight, or sends it again. */
static void
post_batch (PpLogSender *sender)
{
  json_t *batch = NULL;
  const GList *link = sender->records.head;

  sender->sent = g_get_monotonic_time ();
  if (sender->call != NULL)
    {
      pp_api_call_go_on (sender->call);
      return;
    }
  batch = json_array ();
  for (guint i = 0; i < sender->in_flight && link != NULL; i++, link = link->next)
    json_array_append_new (batch, record_to_json (link->data));
  sender->call = pp_logs_create (sender->api, batch, on_sent, sender);
  pp_api_call_on_repeat (sender->call, on_repeat);
}

static void
on_noted (const GError *error G_GNUC_UNUSED, gpointer user_data)
{
  PpLogSender *sender = user_data;

  sender->noting = NULL;
  g_clear_handle_id (&sender->timer, g_source_remove);
  post_batch (sender);
}

static gboolean
on_note_timer (gpointer user_data)
{
  PpLogSender *sender = user_data;

  sender->timer = 0;
  pp_journal_put_cancel (g_steal_pointer (&sender->noting));
  post_batch (sender);
  return G_SOURCE_REMOVE;
}

/* Writes the journal note for the batch in flight, and then sends it. */
static void
note_and_post (PpLogSender *sender)
{
  if (!tell_sending (sender, TRUE))
    {
      post_batch (sender);
      return;
    }
  sender->noting = pp_journal_after (sender->root->journal, on_noted, sender);
  sender->timer = g_timeout_add_seconds (NOTE_SECONDS, on_note_timer, sender);
}

void
pp_log_send_batch (PpLogSender *sender)
{
  gsize bytes = 0;

  if (sender->call != NULL || sender->unsure || sender->noting != NULL
      || g_queue_is_empty (&sender->records))
    return;
  g_clear_handle_id (&sender->timer, g_source_remove);
  sender->resting = FALSE;
  for (GList *link = sender->records.head; link != NULL && sender->in_flight < sender->max_records;
       link = link->next)
    {
      bytes += pp_log_record_size (link->data);
      if (bytes > sender->batch_bytes && sender->in_flight > 0)
        break;
      sender->in_flight++;
    }
  note_and_post (sender);
}
