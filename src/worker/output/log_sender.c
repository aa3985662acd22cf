/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "log_sender_inside-private.h"

#include "prefect-podman/prefect/resources.h"

#include <string.h>

/* The most bytes to queue before producers must wait. They may continue at half of it. */
#define HIGH_WATER (1024 * 1024)
/* The largest batch: small enough that its JSON and the server's work stay cheap. */
#define BATCH_BYTES (256 * 1024)
/* The most runs to keep a last timestamp for. When there are more, timestamps in the past are
 * dropped. */
#define MAX_LAST 10000
/* JSON around a message: names, timestamp and flow run id. */
#define RECORD_OVERHEAD 256

gsize
pp_log_record_size (const PpLogRecord *record)
{
  return record->length + RECORD_OVERHEAD;
}

PpLogSender *
pp_log_sender_new (PpApi *api, const PpSettings *settings)
{
  PpLogSender *sender = g_new0 (PpLogSender, 1);
  gsize max_log = settings->logging_to_api_max_log_size;

  sender->api = api;
  sender->root = sender;
  sender->apart
      = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, (GDestroyNotify)pp_log_sender_free);
  sender->suspects = g_ptr_array_new_with_free_func (g_free);
  sender->timeout = (gint64)(settings->api_request_timeout * G_USEC_PER_SEC);
  g_queue_init (&sender->records);
  sender->last = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  sender->max_records = PP_LOG_BATCH_RECORDS;
  sender->patience = PP_LOG_PATIENCE_SECONDS;
  sender->batch_bytes = CLAMP (settings->logging_to_api_batch_size, 1, BATCH_BYTES);
  sender->max_message = max_log > 2 * RECORD_OVERHEAD ? max_log - RECORD_OVERHEAD : RECORD_OVERHEAD;
  sender->interval_ms = (guint)(CLAMP (settings->logging_to_api_batch_interval, 0.01, 60.0) * 1000);
  return sender;
}

void
pp_log_sender_free (PpLogSender *sender)
{
  if (sender == NULL)
    return;
  g_clear_pointer (&sender->apart, g_hash_table_unref);
  g_clear_pointer (&sender->suspects, g_ptr_array_unref);
  pp_api_call_cancel (sender->call);
  pp_journal_put_cancel (sender->noting);
  g_clear_handle_id (&sender->timer, g_source_remove);
  g_clear_handle_id (&sender->wake, g_source_remove);
  g_clear_handle_id (&sender->check, g_source_remove);
  g_free (sender->original);
  g_clear_error (&sender->why);
  while (!g_queue_is_empty (&sender->records))
    g_free (g_queue_pop_head (&sender->records));
  g_list_free_full (sender->waiters, g_free);
  g_clear_pointer (&sender->last, g_hash_table_unref);
  g_free (sender);
}

static gboolean
on_interval (gpointer user_data)
{
  PpLogSender *sender = user_data;

  sender->timer = 0;
  pp_log_send_batch (sender);
  return G_SOURCE_REMOVE;
}

/* Sends a full batch now, else schedules sending at the end of the interval. */
void
pp_log_schedule (PpLogSender *sender)
{
  if (sender->call != NULL || sender->resting || sender->unsure || sender->noting != NULL
      || g_queue_is_empty (&sender->records))
    return;
  if (sender->bytes >= sender->batch_bytes || sender->delivered < sender->flush_until)
    {
      pp_log_send_batch (sender);
      return;
    }
  if (sender->timer == 0)
    sender->timer = g_timeout_add (sender->interval_ms, on_interval, sender);
}

static gboolean
waiter_is_due (const PpLogSender *sender, const Waiter *waiter)
{
  const char *run = *waiter->flow_run_id != '\0' ? waiter->flow_run_id : NULL;

  if (waiter->room)
    return pp_log_sender_of (sender, waiter->flow_run_id)->bytes < HIGH_WATER / 2;
  return pp_log_is_delivered (sender, run, waiter->number);
}

/* Calls the waiters that are due. Each may add waiters or records. */
static gboolean
on_wake (gpointer user_data)
{
  PpLogSender *sender = user_data;
  gboolean found = TRUE;

  sender->wake = 0;
  while (found)
    {
      found = FALSE;
      for (GList *link = sender->waiters; link != NULL; link = link->next)
        {
          g_autofree Waiter *waiter = NULL;

          if (!waiter_is_due (sender, link->data))
            continue;
          waiter = link->data;
          sender->waiters = g_list_delete_link (sender->waiters, link);
          waiter->base.func (waiter->base.user_data);
          found = TRUE;
          break;
        }
    }
  return G_SOURCE_REMOVE;
}

void
pp_log_wake (PpLogSender *sender)
{
  sender = sender->root;
  if (sender->wake == 0 && sender->waiters != NULL)
    sender->wake = g_idle_add (on_wake, sender);
}

void
pp_log_sender_on_delivered (PpLogSender *sender, PpLogDeliveredFunc func, gpointer user_data)
{
  sender->on_delivered = func;
  sender->delivered_data = user_data;
}

void
pp_log_sender_on_sending (PpLogSender *sender, PpJournal *journal, PpLogSendingFunc func,
                          gpointer user_data)
{
  sender->journal = journal;
  sender->on_sending = func;
  sender->sending_data = user_data;
}

static gboolean
is_past (gpointer key G_GNUC_UNUSED, gpointer last, gpointer now)
{
  return *(const gint64 *)last < *(const gint64 *)now;
}

/* Returns the timestamp of FLOW_RUN_ID's last record; borrowed. */
static gint64 *
find_last (PpLogSender *sender, const char *flow_run_id)
{
  gint64 *last = g_hash_table_lookup (sender->last, flow_run_id);
  gint64 now = g_get_real_time ();

  if (last != NULL)
    return last;
  if (g_hash_table_size (sender->last) >= MAX_LAST)
    g_hash_table_foreach_remove (sender->last, is_past, &now);
  last = g_new0 (gint64, 1);
  g_hash_table_insert (sender->last, g_strdup (flow_run_id), last);
  return last;
}

void
pp_log_sender_go_on_after (PpLogSender *sender, const char *flow_run_id, gint64 timestamp)
{
  gint64 *last = find_last (sender->root, flow_run_id);

  *last = MAX (*last, timestamp);
}

/* Returns the timestamp for FLOW_RUN_ID's next record. If the clock was set back, timestamps of
 * runs with earlier records are ahead of the clock; those of other runs are not. */
static gint64
next_timestamp (PpLogSender *sender, const char *flow_run_id)
{
  gint64 *last = find_last (sender, flow_run_id);

  *last = MAX (g_get_real_time (), *last + 1);
  return *last;
}

void
pp_log_sender_add (PpLogSender *sender, const char *flow_run_id, const char *logger,
                   gboolean is_output, PpLogLevel level, const char *message, gsize length)
{
  PpLogRecord *record = g_malloc (sizeof *record + length + 1);

  g_strlcpy (record->flow_run_id, flow_run_id, sizeof record->flow_run_id);
  record->logger = logger;
  record->timestamp = next_timestamp (sender, flow_run_id);
  record->number = ++sender->numbers;
  record->late_until = 0;
  record->level = level;
  record->is_output = is_output;
  record->is_part = FALSE;
  record->length = length;
  memcpy (record->message, message, length);
  record->message[length] = '\0';
  sender = pp_log_sender_of (sender, flow_run_id);
  g_queue_push_tail (&sender->records, record);
  sender->bytes += pp_log_record_size (record);
  sender->added++;
  sender->idle = 0;
  pp_log_watch (sender);
  pp_log_schedule (sender);
}

/* Returns the number of bytes that the byte C needs in a JSON string. */
static gsize
json_cost (unsigned char c)
{
  if (c == '"' || c == '\\')
    return 2;
  return c < 0x20 || c == 0x7f ? 6 : 1;
}

gsize
pp_fitting_prefix (const char *text, gsize length, gsize max)
{
  gsize cost = 0;
  gsize position = 0;

  while (position < length)
    {
      gsize next = position;
      gsize width = (gsize)g_utf8_skip[(unsigned char)text[position]];

      for (; next < length && next < position + width; next++)
        cost += json_cost ((unsigned char)text[next]);
      if (cost > max && position > 0)
        return position;
      position = next;
    }
  return position;
}

gsize
pp_log_sender_fitting (const PpLogSender *sender, const char *text, gsize length)
{
  return pp_fitting_prefix (text, length, sender->max_message);
}

void
pp_log_sender_add_text (PpLogSender *sender, const char *flow_run_id, const char *logger,
                        PpLogLevel level, const char *message)
{
  gsize length = strlen (message);

  do
    {
      gsize piece = pp_log_sender_fitting (sender, message, length);
      const char *newline = piece < length ? g_strrstr_len (message, (gssize)piece, "\n") : NULL;
      gboolean is_between = newline != NULL && newline > message;

      if (is_between)
        piece = (gsize)(newline - message);
      pp_log_sender_add (sender, flow_run_id, logger, FALSE, level, message, piece);
      if (is_between)
        piece++;
      message += piece;
      length -= piece;
    }
  while (length > 0);
}

gsize
pp_log_sender_max_message (const PpLogSender *sender)
{
  return sender->max_message;
}

gboolean
pp_log_sender_has_room (const PpLogSender *sender, const char *flow_run_id)
{
  return pp_log_sender_of (sender, flow_run_id)->bytes < HIGH_WATER;
}

void
pp_log_sender_when (PpLogSender *sender, const char *flow_run_id, gboolean room,
                    void (*func) (gpointer), gpointer user_data)
{
  Waiter *waiter = g_new0 (Waiter, 1);

  waiter->room = room;
  waiter->number = sender->numbers;
  if (flow_run_id != NULL)
    g_strlcpy (waiter->flow_run_id, flow_run_id, sizeof waiter->flow_run_id);
  waiter->base.func = func;
  waiter->base.user_data = user_data;
  sender->waiters = g_list_append (sender->waiters, waiter);
  if (waiter_is_due (sender, waiter))
    pp_log_wake (sender);
}

void
pp_log_sender_forget (PpLogSender *sender, gpointer user_data)
{
  sender->waiters = pp_waiters_forget (sender->waiters, user_data);
}

void
pp_log_sender_flush (PpLogSender *sender)
{
  GHashTableIter iter;
  gpointer apart;

  g_hash_table_iter_init (&iter, sender->apart);
  while (g_hash_table_iter_next (&iter, NULL, &apart))
    if (!((PpLogSender *)apart)->resting)
      pp_log_send_batch (apart);
  sender->flush_until = sender->added;
  pp_log_send_batch (sender);
}

guint
pp_log_sender_pending (const PpLogSender *sender)
{
  guint pending = g_queue_get_length ((GQueue *)&sender->records);
  GHashTableIter iter;
  gpointer apart;

  g_hash_table_iter_init (&iter, sender->apart);
  while (g_hash_table_iter_next (&iter, NULL, &apart))
    pending += g_queue_get_length (&((PpLogSender *)apart)->records);
  return pending;
}
