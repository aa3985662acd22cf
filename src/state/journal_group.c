/* SPDX-License-Identifier: Apache-2.0 */
/* The code that runs in the journal's thread. */
#include "config.h"

#include "journal-private.h"

#include "prefect-podman/files/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void
pp_journal_name (PpJournalName name, const char *prefix, const char *flow_run_id,
                 const char *suffix)
{
  snprintf (name, sizeof (PpJournalName), "%s%s%s", prefix, flow_run_id, suffix);
}

static void
fail (PpJournalPut *put, const char *what)
{
  put->error = errno;
  put->what = what;
}

/* True if the group writes a temporary file for PUT, and nothing has failed yet. */
static gboolean
is_written (const PpJournalPut *put)
{
  return (put->action == PP_JOURNAL_PUT || put->action == PP_JOURNAL_PROBE) && put->later == NULL
         && put->error == 0;
}

static void
begin (PpJournalPut *put, gboolean alone)
{
  PpJournalName temporary;

  pp_journal_name (temporary, PP_TEMPORARY_PREFIX, put->flow_run_id, "");
  put->fd = pp_small_file_begin (put->folder_fd, temporary, put->text, put->length);
  if (put->fd < 0)
    fail (put, "cannot be written");
  /* Only a hint: if the data of the whole group is already on its way to the disk, the first fsync
   * also does most of the work of the others. */
  else if (!alone)
    sync_file_range (put->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
}

static void
end (PpJournalPut *put)
{
  PpJournalName temporary;

  if (pp_small_file_end (put->fd))
    return;
  fail (put, "cannot be written to the disk");
  pp_journal_name (temporary, PP_TEMPORARY_PREFIX, put->flow_run_id, "");
  unlinkat (put->folder_fd, temporary, 0);
}

static void
put_in_place (PpJournalPut *put)
{
  PpJournalName temporary, name;

  pp_journal_name (temporary, PP_TEMPORARY_PREFIX, put->flow_run_id, "");
  pp_journal_name (name, "", put->flow_run_id, PP_ENTRY_SUFFIX);
  if (put->action == PP_JOURNAL_PROBE)
    unlinkat (put->folder_fd, temporary, 0);
  else if (renameat (put->folder_fd, temporary, put->folder_fd, name) != 0)
    {
      fail (put, "cannot be written (rename of the temporary file)");
      unlinkat (put->folder_fd, temporary, 0);
    }
}

static void
write_position (PpJournalPut *put)
{
  PpJournalName name;
  ssize_t count;
  int fd;

  pp_journal_name (name, "", put->flow_run_id, PP_POSITION_SUFFIX);
  fd = pp_own_open (put->folder_fd, name, O_WRONLY | O_CREAT | O_NOFOLLOW, 0600);
  if (fd < 0)
    {
      fail (put, "cannot be written");
      return;
    }
  do
    count = pwrite (fd, put->text, put->length, 0);
  while (count < 0 && errno == EINTR);
  if (count >= 0 && (gsize)count < put->length)
    errno = ENOSPC;
  if (count < 0 || (gsize)count < put->length)
    fail (put, "cannot be written");
  close (fd);
}

/* Removes the entry first. If it were left without its position by a kill, the next worker would
 * deliver all output once more. A position without an entry does no harm (pp_journal_load()). */
static void
remove_files (PpJournalPut *put)
{
  PpJournalName name;

  pp_journal_name (name, "", put->flow_run_id, PP_ENTRY_SUFFIX);
  if (unlinkat (put->folder_fd, name, 0) != 0 && errno != ENOENT)
    {
      fail (put, "cannot be removed");
      return;
    }
  pp_journal_name (name, "", put->flow_run_id, PP_POSITION_SUFFIX);
  unlinkat (put->folder_fd, name, 0);
}

/* Syncs the folder FOLDER_FD once. GROUP has put files into this folder, and the sync makes the
 * names of all these files durable. */
static void
sync_folder (PpJournalGroup *group, int folder_fd)
{
  gboolean synced = FALSE;

  for (guint i = 0; i < group->count && !synced; i++)
    synced = group->puts[i]->synced && group->puts[i]->folder_fd == folder_fd;
  if (synced)
    return;
  synced = fsync (folder_fd) == 0;
  for (guint i = 0; i < group->count; i++)
    {
      PpJournalPut *put = group->puts[i];

      if (!is_written (put) || put->folder_fd != folder_fd)
        continue;
      put->synced = synced;
      if (!synced)
        fail (put, "cannot be written to the disk (fsync of its folder)");
    }
}

void
pp_journal_group_write (PpJournalGroup *group)
{
  for (guint i = 0; i < group->count; i++)
    if (is_written (group->puts[i]))
      begin (group->puts[i], group->count == 1);
  for (guint i = 0; i < group->count; i++)
    if (is_written (group->puts[i]))
      end (group->puts[i]);
  for (guint i = 0; i < group->count; i++)
    {
      PpJournalPut *put = group->puts[i];

      if (put->action == PP_JOURNAL_REMOVE && !put->refused)
        remove_files (put);
      else if (put->action == PP_JOURNAL_POSITION && !put->refused)
        write_position (put);
      else if (is_written (put))
        put_in_place (put);
    }
  for (guint i = 0; i < group->count; i++)
    if (is_written (group->puts[i]))
      sync_folder (group, group->puts[i]->folder_fd);
  for (guint i = 0; i < group->count; i++)
    if (group->puts[i]->action == PP_JOURNAL_WORK)
      group->puts[i]->work (group->puts[i]->data);
}
