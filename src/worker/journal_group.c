/* What the journal's thread does. */
#include "config.h"

#include "journal_private.h"

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

/* Whether PUT is a file that takes the place of another. */
static gboolean
is_written (const PpJournalPut *put)
{
  return (put->action == PP_JOURNAL_PUT || put->action == PP_JOURNAL_PROBE) && put->later == NULL
         && put->error == 0;
}

static void
begin (const PpJournalGroup *group, PpJournalPut *put)
{
  PpJournalName temporary;

  pp_journal_name (temporary, PP_TEMPORARY_PREFIX, put->flow_run_id, "");
  put->fd = pp_small_file_begin (group->folder_fd, temporary, put->text, put->length);
  if (put->fd < 0)
    fail (put, "cannot be written");
  /* Only a hint: with the data of a whole group under way, its first fsync does most of the work of
   * the others. */
  else if (group->count > 1)
    sync_file_range (put->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
}

static void
end (const PpJournalGroup *group, PpJournalPut *put)
{
  PpJournalName temporary;

  if (pp_small_file_end (put->fd))
    return;
  fail (put, "cannot be written to the disk");
  pp_journal_name (temporary, PP_TEMPORARY_PREFIX, put->flow_run_id, "");
  unlinkat (group->folder_fd, temporary, 0);
}

static void
put_in_place (const PpJournalGroup *group, PpJournalPut *put)
{
  PpJournalName temporary, name;

  pp_journal_name (temporary, PP_TEMPORARY_PREFIX, put->flow_run_id, "");
  pp_journal_name (name, "", put->flow_run_id, PP_ENTRY_SUFFIX);
  if (put->action == PP_JOURNAL_PROBE)
    unlinkat (group->folder_fd, temporary, 0);
  else if (renameat (group->folder_fd, temporary, group->folder_fd, name) != 0)
    {
      fail (put, "cannot be put in place");
      unlinkat (group->folder_fd, temporary, 0);
    }
}

static void
write_position (const PpJournalGroup *group, PpJournalPut *put)
{
  PpJournalName name;
  ssize_t count;
  int fd;

  pp_journal_name (name, "", put->flow_run_id, PP_POSITION_SUFFIX);
  fd = openat (group->folder_fd, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
               0600);
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

static void
remove_files (const PpJournalGroup *group, PpJournalPut *put)
{
  PpJournalName name;

  pp_journal_name (name, "", put->flow_run_id, PP_POSITION_SUFFIX);
  unlinkat (group->folder_fd, name, 0);
  pp_journal_name (name, "", put->flow_run_id, PP_ENTRY_SUFFIX);
  if (unlinkat (group->folder_fd, name, 0) != 0 && errno != ENOENT)
    fail (put, "cannot be removed");
}

void
pp_journal_group_write (PpJournalGroup *group)
{
  gboolean sync = FALSE;

  for (guint i = 0; i < group->count; i++)
    if (is_written (group->puts[i]))
      begin (group, group->puts[i]);
  for (guint i = 0; i < group->count; i++)
    if (is_written (group->puts[i]))
      end (group, group->puts[i]);
  for (guint i = 0; i < group->count; i++)
    {
      PpJournalPut *put = group->puts[i];

      if (put->action == PP_JOURNAL_REMOVE && !put->refused)
        remove_files (group, put);
      else if (put->action == PP_JOURNAL_POSITION && !put->refused)
        write_position (group, put);
      else if (is_written (put))
        put_in_place (group, put);
      sync = sync || is_written (put);
    }
  if (!sync || fsync (group->folder_fd) == 0)
    return;
  for (guint i = 0; i < group->count; i++)
    if (is_written (group->puts[i]))
      fail (group->puts[i], "cannot be written to the disk (fsync of its folder)");
}
