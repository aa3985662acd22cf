/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "log_tail-private.h"

#include "prefect-podman/files/files.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

/* Limits for open files that wait to be read: descriptors are few, and an open file still occupies
 * its disk space. */
#define MAX_HELD_FILES 64
#define MAX_HELD_BYTES (64 * 1024 * 1024)
/* Larger holes are skipped: reading a terabyte of zeros takes an hour. conmon creates no holes. */
#define HOLE_BYTES (1024 * 1024)

typedef struct
{
  int fd;
  dev_t device;
  ino_t inode;
} LogFile;

struct PpLogTail
{
  int folder;
  int watch;
  int inotify;
  uid_t owner;
  LogFile current;
  guint64 read; /* bytes of current that were read */
  GQueue held;  /* of LogFile *, oldest first; to be read after current */
  gboolean late;
  guint opened; /* number of files after the first */
  guint moved;  /* number of files moved to the log's name since the first was opened */
  guint given_up;
  guint64 given_up_bytes;
  guint64 last_size; /* the size of the last file that was read completely */
  char *refusal;     /* why a new file cannot be read, or NULL */
};

void
pp_log_piece_free (PpLogPiece *piece)
{
  if (piece == NULL)
    return;
  g_free (piece->data);
  g_free (piece->error);
  g_free (piece);
}

/* Returns the creation time in nanoseconds of NAME in the folder DESCRIPTOR, or of DESCRIPTOR
 * itself if NAME is empty. Returns 0 if the time is unknown. */
static gint64
time_of_birth (int descriptor, const char *name)
{
#ifdef STATX_BTIME
  struct statx info;

  if (statx (descriptor, name, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, STATX_BTIME, &info) == 0
      && (info.stx_mask & STATX_BTIME) != 0)
    return (gint64)info.stx_btime.tv_sec * G_GINT64_CONSTANT (1000000000) + info.stx_btime.tv_nsec;
#else
  (void)descriptor;
  (void)name;
#endif
  return 0;
}

static gboolean
open_file (const PpLogTail *tail, LogFile *file, GError **error)
{
  struct stat status;

  file->fd = pp_foreign_file_open (tail->folder, PP_LOG_NAME, tail->owner, error);
  if (file->fd < 0)
    return FALSE;
  if (fstat (file->fd, &status) != 0)
    {
      g_set_error (error, PP_FILE_ERROR, PP_FILE_ERROR_SYSTEM, "%s: %s", PP_LOG_NAME,
                   g_strerror (errno));
      close (file->fd);
      file->fd = -1;
      return FALSE;
    }
  file->device = status.st_dev;
  file->inode = status.st_ino;
  return TRUE;
}

/* Opens the folder and its log as TAIL's first file. */
static gboolean
open_first (PpLogTail *tail, const char *root, const char *folder, GError **error)
{
  struct stat status;
  int root_fd = pp_own_open (AT_FDCWD, root, O_PATH | O_DIRECTORY, 0);
  g_autofree char *link = NULL;

  if (root_fd < 0 || fstat (root_fd, &status) != 0)
    {
      g_set_error (error, PP_FILE_ERROR, PP_FILE_ERROR_MISSING, "%s: %s", root, g_strerror (errno));
      if (root_fd >= 0)
        close (root_fd);
      return FALSE;
    }
  tail->owner = status.st_uid;
  tail->folder = pp_foreign_folder_open (root_fd, folder, error);
  close (root_fd);
  if (tail->folder < 0)
    return FALSE;
  /* Watch the folder, to see a file that replaces the log. Start the watch before opening the file,
   * so that no new file is missed. conmon creates the next file under another name. IN_CREATE
   * reports that name, and only causes one more check of the log. */
  link = g_strdup_printf ("/proc/self/fd/%d", tail->folder);
  if (tail->inotify >= 0)
    tail->watch = inotify_add_watch (tail->inotify, link, IN_MODIFY | IN_CREATE | IN_MOVED_TO);
  if (tail->inotify >= 0 && tail->watch < 0)
    {
      g_set_error (error, PP_FILE_ERROR, PP_FILE_ERROR_SYSTEM,
                   "inotify cannot watch the log's folder: %s", g_strerror (errno));
      return FALSE;
    }
  return open_file (tail, &tail->current, error);
}

PpLogTail *
pp_log_tail_open (const char *root, const char *folder, int inotify, GError **error)
{
  g_autoptr (PpLogTail) tail = g_new0 (PpLogTail, 1);
  gint64 started;

  tail->folder = -1;
  tail->watch = -1;
  tail->inotify = inotify;
  tail->current.fd = -1;
  g_queue_init (&tail->held);
  if (!open_first (tail, root, folder, error))
    return NULL;
  /* conmon creates the log's first file before its control pipe in the same folder, and starts the
   * container after both. */
  started = time_of_birth (tail->folder, "ctl");
  tail->late = started != 0 && time_of_birth (tail->current.fd, "") > started;
  return g_steal_pointer (&tail);
}

static void
free_file (gpointer data)
{
  LogFile *file = data;

  close (file->fd);
  g_free (file);
}

void
pp_log_tail_free (PpLogTail *tail)
{
  if (tail == NULL)
    return;
  if (tail->watch >= 0)
    inotify_rm_watch (tail->inotify, tail->watch);
  while (!g_queue_is_empty (&tail->held))
    free_file (g_queue_pop_head (&tail->held));
  if (tail->current.fd >= 0)
    close (tail->current.fd);
  if (tail->folder >= 0)
    close (tail->folder);
  g_free (tail->refusal);
  g_free (tail);
}

int
pp_log_tail_watch (const PpLogTail *tail)
{
  return tail->watch;
}

gboolean
pp_log_tail_begins_late (const PpLogTail *tail)
{
  return tail->late;
}

static guint64
held_bytes (const PpLogTail *tail)
{
  guint64 bytes = 0;
  struct stat status;

  for (const GList *link = tail->held.head; link != NULL; link = link->next)
    if (fstat (((const LogFile *)link->data)->fd, &status) == 0)
      bytes += (guint64)status.st_size;
  return bytes;
}

/* Gives up the oldest waiting files while there are too many. */
static void
bound_held (PpLogTail *tail)
{
  while (
      g_queue_get_length (&tail->held) > 1
      && (g_queue_get_length (&tail->held) > MAX_HELD_FILES || held_bytes (tail) > MAX_HELD_BYTES))
    {
      LogFile *oldest = g_queue_pop_head (&tail->held);
      struct stat status;

      tail->given_up++;
      if (fstat (oldest->fd, &status) == 0)
        tail->given_up_bytes += (guint64)status.st_size;
      free_file (oldest);
    }
}

/* Opens the log's file if it is not the newest open one. The newest file is open, so no other file
 * can have its inode. (Opening the next file earlier, under its first name, could get the files out
 * of order.) */
static void
hold (PpLogTail *tail)
{
  const LogFile *newest = g_queue_peek_tail (&tail->held);
  g_autoptr (GError) error = NULL;
  struct stat there;
  LogFile file, *held;

  if (newest == NULL)
    newest = &tail->current;
  if (fstatat (tail->folder, PP_LOG_NAME, &there, AT_SYMLINK_NOFOLLOW) != 0
      || (there.st_dev == newest->device && there.st_ino == newest->inode))
    return;
  if (!open_file (tail, &file, &error))
    {
      if (g_error_matches (error, PP_FILE_ERROR, PP_FILE_ERROR_REFUSED) && tail->refusal == NULL)
        tail->refusal = g_strdup (error->message);
      return;
    }
  if (file.device == newest->device && file.inode == newest->inode)
    {
      close (file.fd);
      return;
    }
  tail->opened++;
  held = g_new (LogFile, 1);
  *held = file;
  g_queue_push_tail (&tail->held, held);
  bound_held (tail);
}

void
pp_log_tail_look (PpLogTail *tail, gboolean moved)
{
  tail->moved += moved ? 1 : 0;
  hold (tail);
}

/* Continues with the next file. */
static void
take_next (PpLogTail *tail)
{
  LogFile *next = g_queue_pop_head (&tail->held);

  close (tail->current.fd);
  tail->current = *next;
  g_free (next);
  tail->last_size = tail->read;
  tail->read = 0;
}

/* True if the file is shorter than the part already read. */
static gboolean
is_cut (PpLogTail *tail)
{
  struct stat status;

  if (fstat (tail->current.fd, &status) != 0 || (guint64)status.st_size >= tail->read
      || lseek (tail->current.fd, 0, SEEK_SET) != 0)
    return FALSE;
  tail->read = 0;
  return TRUE;
}

/* True if conmon writes nothing more to the current file, because it has written to a newer one.
 * New files that are empty prove nothing: a tool such as logrotate may have moved the log away and
 * created an empty file, and conmon goes on writing to the file that it has open. */
static gboolean
has_next (const PpLogTail *tail)
{
  return held_bytes (tail) > 0;
}

/* Returns what follows at the end of a file. HAD_NEXT is TRUE if the next file existed before the
 * end was read: then conmon writes nothing more to this file. */
static PpLogTailKind
end_file (PpLogTail *tail, gboolean had_next)
{
  if (is_cut (tail))
    return PP_LOG_TAIL_CUT;
  if (!had_next)
    return PP_LOG_TAIL_END;
  take_next (tail);
  return PP_LOG_TAIL_NEW_FILE;
}

static void
count_losses (const PpLogTail *tail, PpLogPiece *piece)
{
  guint missed = tail->moved > tail->opened ? tail->moved - tail->opened : 0;

  piece->lost_files = missed + tail->given_up;
  piece->lost_bytes = tail->given_up_bytes + missed * tail->last_size;
}

/* Skips the rest of a large hole if PIECE ends in one. */
static void
pass_hole (PpLogTail *tail, PpLogPiece *piece)
{
  off_t place = (off_t)tail->read;
  off_t data = lseek (tail->current.fd, place, SEEK_DATA);
  struct stat status;

  if (data < 0 && errno == ENXIO && fstat (tail->current.fd, &status) == 0)
    data = status.st_size;
  if (data > place + HOLE_BYTES)
    {
      piece->hole_bytes = (guint64)(data - place);
      tail->read = (guint64)data;
    }
  lseek (tail->current.fd, (off_t)tail->read, SEEK_SET);
}

PpLogPiece *
pp_log_tail_read (PpLogTail *tail)
{
  PpLogPiece *piece = g_new0 (PpLogPiece, 1);
  gboolean had_next = has_next (tail);
  char *buffer = g_malloc (PP_LOG_PIECE_BYTES);
  ssize_t count;

  do
    count = read (tail->current.fd, buffer, PP_LOG_PIECE_BYTES);
  while (count < 0 && errno == EINTR);
  if (count > 0)
    {
      piece->kind = PP_LOG_TAIL_DATA;
      piece->length = (gsize)count;
      piece->data = g_realloc (buffer, piece->length);
      tail->read += piece->length;
      if (piece->data[piece->length - 1] == '\0')
        pass_hole (tail, piece);
      return piece;
    }
  g_free (buffer);
  if (count < 0)
    {
      piece->kind = PP_LOG_TAIL_ERROR;
      piece->error = g_strdup (g_strerror (errno));
      return piece;
    }
  piece->kind = end_file (tail, had_next);
  if (piece->kind == PP_LOG_TAIL_END && tail->refusal != NULL)
    {
      piece->kind = PP_LOG_TAIL_ERROR;
      piece->error = g_strdup (tail->refusal);
    }
  else if (piece->kind == PP_LOG_TAIL_END)
    /* Check for a new file: its event may be lost (overflow) or late. */
    hold (tail);
  if (piece->kind == PP_LOG_TAIL_END && has_next (tail))
    {
      pp_log_piece_free (piece);
      return pp_log_tail_read (tail);
    }
  count_losses (tail, piece);
  return piece;
}
