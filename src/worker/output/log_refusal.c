/* SPDX-License-Identifier: Apache-2.0 */
/* Handles refused log records. A server may fail for one of them. A gateway may take a text for an
 * attack, find it too long, or block all logs. The worker's role may lack the permission to write
 * logs. */
#include "config.h"

#include "log_sender_inside-private.h"

#include <string.h>

/* How often a single refused record is sent again. The delay doubles each time, from one batch
 * interval up to RETRY_MAX_MS. An overloaded server may fail for any record for a while. */
#define REFUSED_ALONE 6
#define RETRY_MAX_MS 30000
/* Delays before sending logs again if no record is the cause. The first delay is shorter. */
#define FIRST_RETRY_MS 5000
#define REFUSED_RETRY_MS 30000
/* Sent in place of a refused record. No gateway should object to this text. */
#define PLACEHOLDER                                                                                \
  "(a log record is missing here: the Prefect API, or a gateway in front of it, does not accept "  \
  "the record)"
/* A record with a longer text is sent in halves if it is too large. */
#define SPLIT_BYTES 1024
/* The logger of all parts of a line but the last one. The next worker counts records by their
 * logger (delivered_lines.c), and a line counts once. */
#define PART_LOGGER "prefect.flow_runs.part"
/* How often to check if any record was accepted. */
#define CHECK_SECONDS 30
/* The most flow runs that a warning names. */
#define MAX_NAMED 5

static gboolean
on_retry (gpointer user_data)
{
  PpLogSender *sender = user_data;

  sender->timer = 0;
  pp_log_send_batch (sender);
  return G_SOURCE_REMOVE;
}

static void
retry_in (PpLogSender *sender, guint milliseconds)
{
  sender->in_flight = 0;
  sender->resting = TRUE;
  sender->timer = g_timeout_add (milliseconds, on_retry, sender);
}

static void
take_original (PpLogSender *sender, PpLogRecord *record)
{
  PpLogRecord *head = g_queue_pop_head (&sender->records);

  sender->bytes += pp_log_record_size (record);
  sender->bytes -= pp_log_record_size (head);
  g_free (head);
  g_queue_push_head (&sender->records, record);
}

/* Sends PLACEHOLDER in place of the first record. If it is accepted, the record's text was the
 * reason for the refusal; else all records are refused. */
static void
send_placeholder (PpLogSender *sender)
{
  PpLogRecord *record = g_queue_peek_head (&sender->records);
  PpLogRecord *placeholder = g_malloc (sizeof *record + sizeof PLACEHOLDER);

  *placeholder = *record;
  placeholder->length = strlen (PLACEHOLDER);
  memcpy (placeholder->message, PLACEHOLDER, sizeof PLACEHOLDER);
  g_queue_pop_head (&sender->records);
  g_queue_push_head (&sender->records, placeholder);
  sender->bytes += pp_log_record_size (placeholder);
  sender->bytes -= pp_log_record_size (record);
  sender->original = record;
  sender->in_flight = 0;
  pp_log_send_batch (sender);
}

/* Returns a copy of RECORD with only LENGTH bytes of its text, from byte FROM on. */
static PpLogRecord *
cut_record (const PpLogRecord *record, gsize from, gsize length)
{
  PpLogRecord *part = g_malloc (sizeof *part + length + 1);

  *part = *record;
  part->length = length;
  memcpy (part->message, record->message + from, length);
  part->message[length] = '\0';
  return part;
}

/* Sets timestamps so that each record of the first record's run is later than the one before it.
 * The server sorts by timestamp. Changes only timestamps that are too early. */
static void
keep_order (PpLogSender *sender)
{
  const PpLogRecord *first = g_queue_peek_head (&sender->records);
  gint64 time = first->timestamp;

  for (GList *link = sender->records.head->next; link != NULL; link = link->next)
    {
      PpLogRecord *record = link->data;

      if (!g_str_equal (record->flow_run_id, first->flow_run_id))
        continue;
      if (record->timestamp > time)
        return;
      record->timestamp = ++time;
    }
  pp_log_sender_go_on_after (sender, first->flow_run_id, time);
}

/* Replaces the first record by two with half of its text each. */
static void
split_first (PpLogSender *sender)
{
  g_autofree PpLogRecord *record = g_queue_pop_head (&sender->records);
  gsize middle = record->length / 2;

  while (((guchar)record->message[middle] & 0xc0) == 0x80) /* inside a character */
    middle--;
  PpLogRecord *part = cut_record (record, 0, middle);
  PpLogRecord *rest = cut_record (record, middle, record->length - middle);
  part->is_part = TRUE;
  if (part->is_output)
    part->logger = PART_LOGGER;
  part->is_output = FALSE;
  rest->timestamp++;
  g_queue_push_head (&sender->records, rest);
  keep_order (sender);
  g_queue_push_head (&sender->records, part);
  sender->bytes += pp_log_record_size (part) + pp_log_record_size (rest);
  sender->bytes -= pp_log_record_size (record);
}

static void
keep_reason (PpLogSender *sender, const GError *error)
{
  if (sender->why == error)
    return;
  g_clear_error (&sender->why);
  sender->why = g_error_copy (error);
}

void
pp_log_wait_out_refusal (PpLogSender *sender, const GError *error)
{
  guint milliseconds = sender->refused ? REFUSED_RETRY_MS : FIRST_RETRY_MS;

  if (!sender->refused)
    g_warning ("Log records are not accepted, so they wait: %s", error->message);
  keep_reason (sender, error);
  sender->refused = TRUE;
  retry_in (sender, milliseconds);
}

void
pp_log_record_refused (PpLogSender *sender, const GError *error)
{
  const PpLogRecord *record = g_queue_peek_head (&sender->records);

  sender->max_records = 1;
  if (g_error_matches (error, PP_API_ERROR, 413) && record->length > SPLIT_BYTES)
    {
      split_first (sender);
      sender->in_flight = 0;
      pp_log_send_batch (sender);
      return;
    }
  keep_reason (sender, error);
  send_placeholder (sender);
}

static guint
retry_delay (const PpLogSender *sender)
{
  guint doublings = MIN (sender->failed_alone - 1, 8);

  return sender->refused ? REFUSED_RETRY_MS : MIN (sender->interval_ms << doublings, RETRY_MAX_MS);
}

void
pp_log_repeat_first (PpLogSender *sender)
{
  sender->failed_alone++;
  retry_in (sender, retry_delay (sender));
}

/* Drops the first COUNT records of a run that is set apart. */
static void
drop_first (PpLogSender *sender, guint count)
{
  sender->in_flight = count;
  sender->given_up += count;
  pp_log_drop_in_flight (sender);
  pp_log_wake (sender);
}

/* Drops all records of the run that is set apart: the server or a gateway refuses all of them, and
 * accepts those of other runs. Without this, the run could not end. */
static void
bar_run (PpLogSender *sender, const GError *error)
{
  g_warning ("The server accepts logs of other runs, but none of flow run %s. The worker drops "
             "that run's logs until the server accepts one: %s",
             sender->flow_run_id, error->message);
  sender->barred = TRUE;
  drop_first (sender, g_queue_get_length (&sender->records));
}

/* Handles a placeholder that was refused, too. */
static void
placeholder_refused (PpLogSender *sender, const GError *error)
{
  take_original (sender, g_steal_pointer (&sender->original));
  sender->failed_alone = 0;
  sender->root->text_refused = FALSE;
  if (pp_log_run_is_cause (sender))
    bar_run (sender, error);
  else if (sender->others_tried || !pp_log_try_others (sender))
    pp_log_wait_out_refusal (sender, error);
}

void
pp_log_batch_refused (PpLogSender *sender, const GError *error)
{
  if (sender->barred)
    {
      g_clear_pointer (&sender->original, g_free);
      drop_first (sender, g_queue_get_length (&sender->records));
      return;
    }
  if (sender->original != NULL)
    {
      placeholder_refused (sender, error);
      return;
    }
  sender->max_records = MAX (sender->in_flight / 2, 1);
  if (sender->in_flight > 1)
    {
      sender->in_flight = 0;
      pp_log_send_batch (sender);
      return;
    }
  keep_reason (sender, error);
  if (pp_log_try_others (sender))
    return;
  /* If a gateway refused one record for its text, it will probably refuse other texts too, so skip
   * the retries. */
  if ((sender->root->text_refused && error->code < 500) || sender->failed_alone++ >= REFUSED_ALONE)
    send_placeholder (sender);
  else
    {
      sender->refused_at = g_get_monotonic_time ();
      retry_in (sender, retry_delay (sender));
    }
}

/* Logs that a record was dropped: its placeholder was accepted, so its text was the reason. */
static void
say_dropped (const PpLogSender *sender)
{
  const char *run = sender->original->flow_run_id;

  if (sender->why->code >= 500)
    g_warning ("The server fails at a log record of flow run %s, so the record is dropped: %s", run,
               sender->why->message);
  else
    g_warning ("A log record of flow run %s is not accepted, so the record is dropped: %s", run,
               sender->why->message);
}

static void
say_taken_again (const PpLogSender *sender)
{
  if (sender->barred)
    g_message ("Logs of flow run %s are accepted again; log records dropped: %" G_GUINT64_FORMAT,
               sender->flow_run_id, sender->given_up);
  else
    g_message ("Logs are accepted again; log records dropped: %" G_GUINT64_FORMAT,
               sender->given_up);
}

void
pp_log_note_taken (PpLogSender *sender)
{
  if (sender->given_up > 0)
    say_taken_again (sender);
  sender->barred = FALSE;
  sender->taken = TRUE;
  sender->failed_alone = 0;
  sender->refused = FALSE;
  sender->given_up = 0;
  if (sender->original != NULL)
    {
      say_dropped (sender);
      sender->root->text_refused = sender->why->code < 500;
      g_clear_pointer (&sender->original, g_free);
    }
  g_clear_error (&sender->why);
}

/* Returns the ids of the flow runs with queued records, at most MAX_NAMED of them; new string. */
static char *
name_runs (const PpLogSender *sender)
{
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);
  GString *names = g_string_new (NULL);

  for (const GList *link = sender->records.head; link != NULL; link = link->next)
    {
      PpLogRecord *record = link->data;

      if (!g_hash_table_add (seen, record->flow_run_id) || g_hash_table_size (seen) > MAX_NAMED)
        continue;
      g_string_append_printf (names, "%s%s", names->len > 0 ? ", " : "", record->flow_run_id);
    }
  if (g_hash_table_size (seen) > MAX_NAMED)
    g_string_append_printf (names, " and %u more", g_hash_table_size (seen) - MAX_NAMED);
  return g_string_free (names, FALSE);
}

/* Drops all queued records. A POST in flight continues: its answer shows if logs are accepted
 * again. */
static void
give_up (PpLogSender *sender)
{
  if (sender->given_up == 0)
    {
      g_autofree char *runs = name_runs (sender);

      g_warning ("No logs were accepted for %u minutes, though the Prefect API answers other "
                 "calls. The worker drops the waiting logs of flow runs %s%s%s. It also drops "
                 "later logs until logs are accepted again",
                 sender->patience / 60, runs, sender->why != NULL ? ": " : "",
                 sender->why != NULL ? sender->why->message : "");
    }
  g_clear_pointer (&sender->original, g_free);
  if (sender->call != NULL && sender->unsure)
    pp_api_call_cancel (g_steal_pointer (&sender->call)); /* the request only looks for records */
  g_clear_handle_id (&sender->timer, g_source_remove);
  sender->abandoned = sender->call != NULL;
  sender->unsure = FALSE;
  sender->resting = FALSE;
  sender->failed_alone = 0;
  pp_log_clear_suspects (sender);
  sender->in_flight = g_queue_get_length (&sender->records);
  sender->given_up += sender->in_flight;
  pp_log_drop_in_flight (sender);
  pp_log_wake (sender);
}

static gboolean
on_check (gpointer user_data)
{
  PpLogSender *sender = user_data;
  gboolean answered = pp_api_answered (sender->api) > sender->checked;

  sender->checked = g_get_monotonic_time ();
  if (sender->taken)
    sender->stalled = 0;
  else if (answered)
    sender->stalled += sender->check_seconds;
  sender->taken = FALSE;
  if (g_queue_is_empty (&sender->records))
    return pp_log_rejoin (sender) ? G_SOURCE_REMOVE : G_SOURCE_CONTINUE;
  if (sender->stalled >= sender->patience && sender->noting == NULL)
    give_up (sender);
  return G_SOURCE_CONTINUE;
}

void
pp_log_watch (PpLogSender *sender)
{
  if (sender->check != 0)
    return;
  sender->checked = g_get_monotonic_time ();
  sender->check_seconds = MIN (CHECK_SECONDS, MAX (sender->patience / 4, 1));
  sender->check = g_timeout_add_seconds (sender->check_seconds, on_check, sender);
}

void
pp_log_sender_give_up_after (PpLogSender *sender, guint seconds)
{
  sender->patience = seconds;
}
