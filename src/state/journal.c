/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "prefect-podman/state/journal.h"

#include "prefect-podman/files/thread.h"
#include "prefect-podman/state/state_dir.h"

#include "journal-private.h"

#include <errno.h>
#include <glib-unix.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Enough stack for a PpJournalWorkFunc that parses JSON. */
#define STACK_BYTES ((size_t)1024 * 1024)
/* The longest wait for the disk in pp_journal_free(). */
#define FREE_WAIT_US (2 * G_USEC_PER_SEC)
/* The disk counts as hanging if a group takes longer than this. */
#define HANGS_SECONDS 30
/* One disk block, so that a probe fails when an entry would. */
#define PROBE_BYTES 4096

static void schedule (PpJournal *journal);

static void
put_free (gpointer data)
{
  PpJournalPut *put = data;

  if (put->free_data != NULL)
    put->free_data (put->data);
  g_free (put->text);
  g_free (put);
}

/* Marks each change of a run's entry if GROUP has a later change of the same entry. A marked put is
 * needless and is not written. */
static void
mark_needless (PpJournalGroup *group)
{
  g_autoptr (GHashTable) last = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint i = group->count; i > 0; i--)
    {
      PpJournalPut *put = group->puts[i - 1];

      if (put->action >= PP_JOURNAL_POSITION)
        continue;
      put->later = g_hash_table_lookup (last, put->flow_run_id);
      g_hash_table_insert (last, put->flow_run_id, put);
    }
}

static PpJournalGroup *
take_group (PpJournal *journal)
{
  PpJournalGroup *group = g_new0 (PpJournalGroup, 1);

  group->event_fd = journal->event_fd;
  group->identity = pp_identity_ref (journal->identity);
  while (group->count < PP_JOURNAL_GROUP_MAX && !g_queue_is_empty (&journal->queue))
    {
      PpJournalPut *put = g_queue_pop_head (&journal->queue);

      put->taken = TRUE;
      group->puts[group->count++] = put;
    }
  mark_needless (group);
  return group;
}

static void *
run_thread (void *data)
{
  PpJournalGroup *group = data;
  const guint64 one = 1;

  pp_journal_group_write (group);
  while (write (group->event_fd, &one, sizeof one) < 0 && errno == EINTR)
    ;
  return NULL;
}

static void
note_failure (PpJournal *journal, const char *words)
{
  if (journal->failure == NULL)
    g_warning ("The worker takes no new runs until it can write to the state directory: %s", words);
  g_free (journal->failure);
  journal->failure = g_strdup (words);
}

static gboolean
on_hanging (gpointer user_data)
{
  PpJournal *journal = user_data;
  g_autofree char *words = g_strdup_printf ("%s: the disk has not answered for %d s",
                                            journal->runs.path, HANGS_SECONDS);

  journal->hang_timer = 0;
  note_failure (journal, words);
  return G_SOURCE_REMOVE;
}

/* Starts writing the queue. If no thread can be started, writes it on the main loop. */
static void
start_group (PpJournal *journal)
{
  journal->group = take_group (journal);
  journal->hang_timer = g_timeout_add_seconds (HANGS_SECONDS, on_hanging, journal);
  journal->has_thread
      = pp_file_thread_start (run_thread, journal->group, STACK_BYTES, &journal->thread) == 0;
  if (!journal->has_thread)
    run_thread (journal->group);
}

/* Returns why PUT failed, or NULL. A needless put has the result of the later one. */
static GError *
put_error (const PpJournal *journal, const PpJournalPut *put)
{
  GError *error = NULL;
  PpJournalName name;

  while (put->later != NULL && put->error == 0)
    put = put->later;
  if (put->error == 0)
    return NULL;
  pp_journal_name (name, "", put->flow_run_id,
                   put->action == PP_JOURNAL_PROBE      ? ""
                   : put->action == PP_JOURNAL_POSITION ? PP_POSITION_SUFFIX
                                                        : PP_ENTRY_SUFFIX);
  pp_folder_error (&error, put->folder_fd == journal->late.fd ? &journal->late : &journal->runs,
                   name, put->what, put->error);
  if (put->error == ENOENT)
    g_prefix_error (&error, "the state directory was removed, so restart this worker: ");
  if (put->error == ENOSPC || put->error == EDQUOT)
    g_prefix_error (&error, "no space is left, so free space on the state directory's disk: ");
  return error;
}

static void
note_success (PpJournal *journal)
{
  if (journal->failure == NULL)
    return;
  g_message ("The worker can write to the state directory again");
  g_clear_pointer (&journal->failure, g_free);
}

/* Updates the state of the whole journal from the results of GROUP. */
static void
judge_group (PpJournal *journal, const PpJournalGroup *group)
{
  g_autoptr (GError) failed = NULL;
  gboolean written = FALSE;

  for (guint i = 0; i < group->count && failed == NULL; i++)
    {
      const PpJournalPut *put = group->puts[i];

      if (put->refused || put->later != NULL || put->action >= PP_JOURNAL_POSITION)
        continue;
      failed = put_error (journal, put);
      written = written || put->action != PP_JOURNAL_REMOVE;
    }
  if (failed != NULL)
    note_failure (journal, failed->message);
  else if (written)
    note_success (journal);
}

/* Called when the thread has finished. Returns its group. */
static PpJournalGroup *
end_group (PpJournal *journal)
{
  PpJournalGroup *group = g_steal_pointer (&journal->group);
  guint64 count;

  g_clear_handle_id (&journal->hang_timer, g_source_remove);
  while (read (journal->event_fd, &count, sizeof count) < 0 && errno == EINTR)
    ;
  if (journal->has_thread)
    pthread_join (journal->thread, NULL);
  judge_group (journal, group);
  return group;
}

static void
free_group (PpJournalGroup *group)
{
  for (guint i = 0; i < group->count; i++)
    put_free (group->puts[i]);
  pp_identity_free (group->identity);
  g_free (group);
}

static gboolean
on_group_done (gint fd, GIOCondition condition, gpointer user_data)
{
  PpJournal *journal = user_data;
  PpJournalGroup *group = end_group (journal);

  (void)fd;
  (void)condition;
  for (guint i = 0; i < group->count; i++)
    {
      PpJournalPut *put = group->puts[i];
      g_autoptr (GError) error = put->done != NULL ? put_error (journal, put) : NULL;

      /* The callback may cancel later puts. */
      if (put->done != NULL)
        put->done (error, put->user_data);
    }
  free_group (group);
  schedule (journal);
  return G_SOURCE_CONTINUE;
}

static gboolean
on_start (gpointer user_data)
{
  PpJournal *journal = user_data;

  journal->start_source = 0;
  start_group (journal);
  return G_SOURCE_REMOVE;
}

/* Starts writing at the next turn of the loop, so that all changes of this turn are in one
 * group. */
static void
schedule (PpJournal *journal)
{
  if (journal->group == NULL && journal->start_source == 0 && !g_queue_is_empty (&journal->queue))
    journal->start_source = g_idle_add_full (G_PRIORITY_DEFAULT, on_start, journal, NULL);
}

PpJournalPut *
pp_journal_queue (PpJournal *journal, int folder_fd, PpJournalAction action,
                  const char *flow_run_id)
{
  PpJournalPut *put = g_new0 (PpJournalPut, 1);

  put->action = action;
  put->folder_fd = folder_fd;
  put->fd = -1;
  g_strlcpy (put->flow_run_id, flow_run_id, sizeof put->flow_run_id);
  if (action != PP_JOURNAL_PROBE && action < PP_JOURNAL_NOTHING
      && !g_uuid_string_is_valid (flow_run_id))
    {
      /* The id comes from a server and would be part of a file's name. */
      g_strlcpy (put->flow_run_id, "?", sizeof put->flow_run_id);
      put->refused = TRUE;
      put->error = EINVAL;
      put->what = "is not written, because the flow run's id is not a UUID";
    }
  g_queue_push_tail (&journal->queue, put);
  schedule (journal);
  return put;
}

PpJournalPut *
pp_journal_put (PpJournal *journal, const PpJournalEntry *entry, PpJournalDoneFunc done,
                gpointer user_data)
{
  PpJournalPut *put
      = pp_journal_queue (journal, journal->runs.fd, PP_JOURNAL_PUT, entry->flow_run_id);

  put->text = pp_journal_entry_to_text (entry);
  put->length = strlen (put->text);
  put->done = done;
  put->user_data = user_data;
  return put;
}

void
pp_journal_put_cancel (PpJournalPut *put)
{
  if (put != NULL)
    put->done = NULL;
}

void
pp_journal_remove (PpJournal *journal, const char *flow_run_id)
{
  pp_journal_queue (journal, journal->runs.fd, PP_JOURNAL_REMOVE, flow_run_id);
}

PpJournalPut *
pp_journal_put_position (PpJournal *journal, const char *flow_run_id, const char *text,
                         gsize length, PpJournalDoneFunc done, gpointer user_data)
{
  PpJournalPut *put
      = pp_journal_queue (journal, journal->runs.fd, PP_JOURNAL_POSITION, flow_run_id);

  put->text = g_strndup (text, length);
  put->length = length;
  put->done = done;
  put->user_data = user_data;
  return put;
}

gboolean
pp_journal_put_amend (PpJournalPut *put, const char *text)
{
  if (put->taken)
    return FALSE;
  memcpy (put->text, text, put->length);
  return TRUE;
}

/* True if a put, removal or probe is queued or being written: its result will show if the journal
 * can be written. */
static gboolean
is_telling (const PpJournal *journal)
{
  for (guint i = 0; journal->group != NULL && i < journal->group->count; i++)
    if (journal->group->puts[i]->action < PP_JOURNAL_POSITION)
      return TRUE;
  for (const GList *link = journal->queue.head; link != NULL; link = link->next)
    if (((const PpJournalPut *)link->data)->action < PP_JOURNAL_POSITION)
      return TRUE;
  return FALSE;
}

void
pp_journal_probe (PpJournal *journal)
{
  if (is_telling (journal))
    return;

  PpJournalPut *put = pp_journal_queue (journal, journal->runs.fd, PP_JOURNAL_PROBE, "probe");

  put->text = g_strnfill (PROBE_BYTES, '\n');
  put->length = PROBE_BYTES;
}

const char *
pp_journal_failure (const PpJournal *journal)
{
  return journal->failure;
}

guint
pp_journal_pending (const PpJournal *journal)
{
  return g_queue_get_length ((GQueue *)&journal->queue)
         + (journal->group != NULL ? journal->group->count : 0);
}

/* True if the runs in flight can continue although writing failed with the errno ERROR. */
static gboolean
is_bearable (int error)
{
  return error == ENOSPC || error == EDQUOT || error == EROFS || error == EACCES || error == EIO;
}

/* Tries to write. If writing fails but the runs in flight can continue, records the failure and
 * also returns TRUE. Returns FALSE with ERROR for any other failure. */
static gboolean
try_once (PpJournal *journal, GError **error)
{
  pp_journal_probe (journal);
  PpJournalGroup *group = take_group (journal);
  pp_journal_group_write (group);
  int failed = group->puts[0]->error;
  g_autoptr (GError) local = put_error (journal, group->puts[0]);
  free_group (group);
  g_clear_handle_id (&journal->start_source, g_source_remove);
  if (local == NULL)
    return TRUE;
  if (is_bearable (failed))
    {
      note_failure (journal, local->message);
      return TRUE;
    }
  g_prefix_error (&local, "Cannot write to the state directory: ");
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

PpJournal *
pp_journal_new (const PpIdentity *identity, GError **error)
{
  g_autoptr (PpJournal) journal = g_new0 (PpJournal, 1);

  journal->identity = pp_identity_ref (identity);
  g_queue_init (&journal->queue);
  journal->runs.fd = -1;
  journal->late.fd = -1;
  journal->event_fd = eventfd (0, EFD_CLOEXEC);
  if (journal->event_fd < 0)
    {
      pp_folder_error (error, &identity->folder, NULL, "the journal cannot be opened: eventfd",
                       errno);
      return NULL;
    }
  journal->event_source = g_unix_fd_add (journal->event_fd, G_IO_IN, on_group_done, journal);
  if (!pp_folder_open (&journal->runs, &identity->folder, PP_IDENTITY_RUNS, TRUE, error)
      || !pp_folder_check_owner (&journal->runs, error) || !pp_journal_open_late (journal, error))
    return NULL;
  fsync (identity->folder.fd);
  if (!try_once (journal, error))
    return NULL;
  return g_steal_pointer (&journal);
}

/* Waits for the group in progress until DEADLINE (monotonic microseconds). Returns TRUE if it is
 * done. */
static gboolean
wait_for_group (const PpJournal *journal, gint64 deadline)
{
  struct pollfd event = { .fd = journal->event_fd, .events = POLLIN };
  int ready;

  do
    {
      gint64 left = MAX (deadline - g_get_monotonic_time (), 0);
      ready = poll (&event, 1, (int)(left / 1000));
    }
  while (ready < 0 && errno == EINTR);
  return ready == 1;
}

/* True if PUT changes an entry, a note or a position. */
static gboolean
is_content (const PpJournalPut *put)
{
  return put->action < PP_JOURNAL_NOTHING && put->action != PP_JOURNAL_PROBE;
}

static void
say_unwritten (const PpJournal *journal)
{
  guint count = 0;

  for (guint i = 0; journal->group != NULL && i < journal->group->count; i++)
    count += is_content (journal->group->puts[i]);
  for (const GList *link = journal->queue.head; link != NULL; link = link->next)
    count += is_content (link->data);
  g_warning ("%s: the disk does not answer, so %u journal %s may be missing", journal->runs.path,
             count, count == 1 ? "entry" : "entries");
}

/* Writes the queue. Returns FALSE if the disk hangs: the detached thread then keeps its group and
 * its descriptors. */
static gboolean
flush (PpJournal *journal)
{
  gint64 deadline = g_get_monotonic_time () + FREE_WAIT_US;

  while (journal->group != NULL || !g_queue_is_empty (&journal->queue))
    {
      if (journal->group == NULL)
        start_group (journal);
      if (!wait_for_group (journal, deadline))
        {
          say_unwritten (journal);
          pthread_detach (journal->thread);
          return FALSE;
        }
      free_group (end_group (journal));
    }
  return TRUE;
}

void
pp_journal_free (PpJournal *journal)
{
  if (journal == NULL)
    return;
  g_clear_handle_id (&journal->event_source, g_source_remove);
  g_clear_handle_id (&journal->start_source, g_source_remove);
  gboolean flushed = flush (journal);
  g_clear_handle_id (&journal->hang_timer, g_source_remove);
  if (flushed)
    {
      pp_folder_close (&journal->runs);
      pp_folder_close (&journal->late);
      if (journal->event_fd >= 0)
        close (journal->event_fd);
    }
  else
    {
      g_free (journal->runs.path);
      g_free (journal->late.path);
    }
  while (!g_queue_is_empty (&journal->queue))
    put_free (g_queue_pop_head (&journal->queue));
  pp_identity_free (journal->identity);
  g_free (journal->failure);
  g_free (journal);
}
