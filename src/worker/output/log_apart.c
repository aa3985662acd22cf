/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps one run's refused log records from holding up those of other runs. If a record is refused
 * when sent alone, records of other runs are tried. If one of those is accepted, the refused run is
 * set apart: a sender of its own sends its records, repeats them and drops them. */
#include "config.h"

#include "log_sender_inside-private.h"

#include <string.h>

/* The most runs to try in a row. If the server fails at all of them, it probably fails at every
 * log. The next retry tries others. */
#define MAX_TRIED 4

/* Moves the records of FLOW_RUN_ID from FROM to the end of TO, in order. FROM and TO may be the
 * same queue. */
static void
move_run (GQueue *from, GQueue *to, const char *flow_run_id)
{
  GQueue moved = G_QUEUE_INIT;
  GList *next;

  for (GList *link = from->head; link != NULL; link = next)
    {
      const PpLogRecord *record = link->data;

      next = link->next;
      if (!g_str_equal (record->flow_run_id, flow_run_id))
        continue;
      g_queue_unlink (from, link);
      g_queue_push_tail_link (&moved, link);
    }
  GList *link;
  while ((link = g_queue_pop_head_link (&moved)) != NULL)
    g_queue_push_tail_link (to, link);
}

/* Moves the records of FLOW_RUN_ID to the beginning of the queue. */
static void
move_to_front (PpLogSender *sender, const char *flow_run_id)
{
  GQueue others = sender->records;

  g_queue_init (&sender->records);
  move_run (&others, &sender->records, flow_run_id);
  GList *link;
  while ((link = g_queue_pop_head_link (&others)) != NULL)
    g_queue_push_tail_link (&sender->records, link);
}

static gboolean
is_suspect (const PpLogSender *sender, const char *flow_run_id)
{
  for (guint i = 0; i < sender->suspects->len; i++)
    if (g_str_equal (g_ptr_array_index (sender->suspects, i), flow_run_id))
      return TRUE;
  return FALSE;
}

/* True if the queue has a record of a run that is not a suspect. */
static gboolean
has_others (const PpLogSender *sender)
{
  for (const GList *link = sender->records.head; link != NULL; link = link->next)
    if (!is_suspect (sender, ((const PpLogRecord *)link->data)->flow_run_id))
      return TRUE;
  return FALSE;
}

gboolean
pp_log_try_others (PpLogSender *sender)
{
  const PpLogRecord *refused = g_queue_peek_head (&sender->records);

  if (sender->root != sender)
    return FALSE;
  if (!is_suspect (sender, refused->flow_run_id))
    g_ptr_array_add (sender->suspects, g_strdup (refused->flow_run_id));
  if (sender->suspects->len < MAX_TRIED && has_others (sender))
    {
      /* Move the suspect's records to the end, so that those of another run come first. */
      move_run (&sender->records, &sender->records, refused->flow_run_id);
      sender->in_flight = 0;
      sender->max_records = 1;
      pp_log_send_batch (sender);
      return TRUE;
    }
  /* Repeat the first suspect's record, because its attempts are counted. */
  move_to_front (sender, g_ptr_array_index (sender->suspects, 0));
  sender->others_tried = sender->suspects->len > 1;
  pp_log_clear_suspects (sender);
  return FALSE;
}

void
pp_log_clear_suspects (PpLogSender *sender)
{
  if (sender->suspects != NULL)
    g_ptr_array_set_size (sender->suspects, 0);
}

/* True if QUEUE has a record of FLOW_RUN_ID (NULL: of any run) with a number up to NUMBER. */
static gboolean
has_record (const GQueue *queue, const char *flow_run_id, guint64 number)
{
  for (const GList *link = queue->head; link != NULL; link = link->next)
    {
      const PpLogRecord *record = link->data;

      if (record->number <= number
          && (flow_run_id == NULL || g_str_equal (record->flow_run_id, flow_run_id)))
        return TRUE;
    }
  return FALSE;
}

static PpLogSender *
new_sender_for_run (PpLogSender *root, const char *flow_run_id)
{
  PpLogSender *sender = g_new0 (PpLogSender, 1);

  sender->api = root->api;
  sender->root = root;
  sender->timeout = root->timeout;
  g_queue_init (&sender->records);
  sender->max_records = 1;
  sender->patience = root->patience;
  sender->batch_bytes = root->batch_bytes;
  sender->interval_ms = root->interval_ms;
  sender->unanswered = root->unanswered;
  sender->refused_at = g_get_monotonic_time ();
  g_strlcpy (sender->flow_run_id, flow_run_id, sizeof sender->flow_run_id);
  g_hash_table_insert (root->apart, sender->flow_run_id, sender);
  return sender;
}

/* Sets FLOW_RUN_ID apart, whose first record was refused just now. */
static void
set_apart (PpLogSender *root, const char *flow_run_id)
{
  PpLogSender *sender = new_sender_for_run (root, flow_run_id);

  move_run (&root->records, &sender->records, flow_run_id);
  for (const GList *link = sender->records.head; link != NULL; link = link->next)
    {
      const PpLogRecord *record = link->data;

      root->bytes -= pp_log_record_size (record);
      sender->bytes += pp_log_record_size (record);
      if (record->is_part)
        continue;
      root->delivered++;
      sender->added++;
    }
  pp_log_watch (sender);
  pp_log_repeat_first (sender);
}

void
pp_log_set_suspects_apart (PpLogSender *sender, const char *taken)
{
  g_autoptr (GPtrArray) suspects = NULL;

  if (sender->root != sender || sender->suspects->len == 0)
    return;
  suspects = sender->suspects;
  sender->suspects = g_ptr_array_new_with_free_func (g_free);
  for (guint i = 0; i < suspects->len; i++)
    if (!g_str_equal (g_ptr_array_index (suspects, i), taken)
        && has_record (&sender->records, g_ptr_array_index (suspects, i), G_MAXUINT64))
      set_apart (sender, g_ptr_array_index (suspects, i));
}

gboolean
pp_log_run_is_cause (const PpLogSender *sender)
{
  const PpLogSender *root = sender->root;

  if (root == sender)
    return FALSE;
  return root->last_taken > sender->refused_at
         || (root->failed_alone == 0 && !root->refused && root->unanswered == 0
             && root->suspects->len == 0);
}

gboolean
pp_log_rejoin (PpLogSender *sender)
{
  if (sender->root != sender)
    {
      sender->idle += sender->check_seconds;
      if (sender->call != NULL || (sender->barred && sender->idle < sender->patience))
        return FALSE;
    }
  sender->check = 0;
  if (sender->root != sender)
    g_hash_table_remove (sender->root->apart, sender->flow_run_id);
  return TRUE;
}

PpLogSender *
pp_log_sender_of (const PpLogSender *root, const char *flow_run_id)
{
  PpLogSender *apart = g_hash_table_lookup (root->apart, flow_run_id);

  return apart != NULL ? apart : (PpLogSender *)root;
}

gboolean
pp_log_is_delivered (const PpLogSender *root, const char *flow_run_id, guint64 number)
{
  GHashTableIter iter;
  gpointer sender;

  if (has_record (&root->records, flow_run_id, number))
    return FALSE;
  g_hash_table_iter_init (&iter, root->apart);
  while (g_hash_table_iter_next (&iter, NULL, &sender))
    if (has_record (&((const PpLogSender *)sender)->records, flow_run_id, number))
      return FALSE;
  return TRUE;
}
