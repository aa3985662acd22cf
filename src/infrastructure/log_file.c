#include "config.h"

#include "prefect-podman/infrastructure/log-file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE_BYTES (64 * 1024)
/* Read in one turn of the loop. */
#define TURN_BYTES (512 * 1024)

struct PpLogFile
{
  char *path;
  int fd;
  int next_fd;         /* the file that has taken the place of FD's, which is read first; or -1 */
  guint replaced;      /* how often another file was moved to PATH */
  guint followed;      /* how often reading went on with it */
  gboolean late_start; /* the first file was not the log's first */
  PpOutputFunc on_output;
  gpointer user_data;
  PpLogPass pass;
  gint64 time;       /* of the record that is delivered */
  guint64 read;      /* bytes of the file */
  gboolean finished; /* so was the file, to its end */
  gboolean ended;    /* the container has: no more will be written */
  gboolean was_cut;  /* a file was made shorter than what was read of it */
  PpLogRecords *records;
};

static int
open_log (const char *path)
{
  return open (path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

/* When the file of DESCRIPTOR, or of PATH below it, was made; nanoseconds, 0 for not known. */
static gint64
time_of_birth (int descriptor, const char *path)
{
#ifdef STATX_BTIME
  struct statx info;

  if (statx (descriptor, path, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, STATX_BTIME, &info) == 0
      && (info.stx_mask & STATX_BTIME) != 0)
    return (gint64)info.stx_btime.tv_sec * G_GINT64_CONSTANT (1000000000) + info.stx_btime.tv_nsec;
#else
  (void)descriptor;
  (void)path;
#endif
  return 0;
}

/* Whether the log in FD, opened at PATH, has had one before it. conmon makes its first log before
 * its control pipe, which stands beside it, and starts the container after both. */
static gboolean
is_successor (int fd, const char *path)
{
  g_autofree char *folder = g_path_get_dirname (path);
  g_autofree char *control = g_build_filename (folder, "ctl", NULL);
  gint64 started = time_of_birth (AT_FDCWD, control);

  return started != 0 && time_of_birth (fd, "") > started;
}

PpLogFile *
pp_log_file_open (const char *path, const PpLogPlace *place, PpOutputFunc on_output,
                  gpointer user_data)
{
  int fd = open_log (path);
  PpLogFile *log;

  if (fd < 0)
    return NULL;
  log = g_new0 (PpLogFile, 1);
  log->path = g_strdup (path);
  log->fd = fd;
  log->next_fd = -1;
  log->late_start = is_successor (fd, path);
  pp_log_pass_init (&log->pass, place);
  log->records = pp_log_records_new ();
  log->on_output = on_output;
  log->user_data = user_data;
  return log;
}

void
pp_log_file_free (PpLogFile *log)
{
  if (log == NULL)
    return;
  close (log->fd);
  if (log->next_fd >= 0)
    close (log->next_fd);
  g_free (log->path);
  pp_log_records_free (log->records);
  g_free (log);
}

void
pp_log_file_replaced (PpLogFile *log)
{
  log->replaced++;
}

gboolean
pp_log_file_has_gaps (const PpLogFile *log)
{
  return log->replaced > log->followed || log->was_cut || pp_log_pass_has_gap (&log->pass);
}

gint64
pp_log_file_time (const PpLogFile *log)
{
  return log->time;
}

gboolean
pp_log_file_begins_late (const PpLogFile *log)
{
  return log->late_start;
}

const PpLogDamage *
pp_log_file_damage (const PpLogFile *log)
{
  return pp_log_records_damage (log->records);
}

void
pp_log_file_finish (PpLogFile *log)
{
  log->ended = TRUE;
}

/* Delivers the whole records that were read. FALSE for "not now". */
static gboolean
deliver (PpLogFile *log)
{
  PpLogRecord record;

  while (pp_log_records_next (log->records, &record))
    {
      log->time = record.time;
      gsize passed = pp_log_pass_over (&log->pass, record.time, log->late_start, record.length);

      if (record.length > passed
          && !log->on_output (record.stream, record.text + passed, record.length - passed,
                              log->user_data))
        return FALSE;
      pp_log_pass_done (&log->pass, passed);
      pp_log_records_take (log->records);
    }
  return TRUE;
}

/* Reads the next bytes of the file. Returns how many, 0 at its end, -1 with errno. */
static ssize_t
read_piece (PpLogFile *log)
{
  char piece[PIECE_BYTES];
  ssize_t count;

  do
    count = read (log->fd, piece, sizeof piece);
  while (count < 0 && errno == EINTR);
  if (count > 0)
    {
      log->read += (guint64)count;
      pp_log_records_push (log->records, piece, (gsize)count);
    }
  return count;
}

/* Whether the file is shorter than what was read of it: somebody has cut it in place. It is read
 * from its beginning then. */
static gboolean
is_cut (PpLogFile *log)
{
  struct stat status;

  if (fstat (log->fd, &status) != 0 || (guint64)status.st_size >= log->read
      || lseek (log->fd, 0, SEEK_SET) != 0)
    return FALSE;
  log->was_cut = TRUE;
  log->read = 0;
  pp_log_records_new_file (log->records);
  return TRUE;
}

/* Opens the file that has taken the place of the one being read. FALSE where there is none. */
static gboolean
find_next (PpLogFile *log)
{
  struct stat current, there;

  if (fstat (log->fd, &current) != 0 || stat (log->path, &there) != 0
      || (current.st_ino == there.st_ino && current.st_dev == there.st_dev))
    return FALSE;
  log->next_fd = open_log (log->path);
  return log->next_fd >= 0;
}

/* At the end of the file. Returns whether there is more to deliver or to read. */
static gboolean
end_file (PpLogFile *log)
{
  /* What was written until the other file came is read before it; half a record at the end of a
   * file that conmon has left stays one. */
  if ((log->next_fd >= 0 || log->ended) && !log->finished)
    {
      log->finished = TRUE;
      pp_log_records_finish (log->records);
      return TRUE;
    }
  if (log->next_fd < 0)
    return find_next (log);
  close (log->fd);
  log->fd = log->next_fd;
  log->next_fd = -1;
  log->followed++;
  log->read = 0;
  log->finished = FALSE;
  pp_log_records_new_file (log->records);
  return TRUE;
}

PpLogFileResult
pp_log_file_read (PpLogFile *log)
{
  gsize total = 0;

  while (deliver (log))
    {
      ssize_t count;

      if (total >= TURN_BYTES)
        return PP_LOG_FILE_MORE;
      count = read_piece (log);
      if (count < 0)
        return PP_LOG_FILE_UNREADABLE;
      total += (gsize)count;
      if (count == 0 && !is_cut (log) && !end_file (log))
        return PP_LOG_FILE_END;
    }
  return PP_LOG_FILE_NOT_NOW;
}
