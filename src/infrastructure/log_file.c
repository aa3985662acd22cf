/* conmon's log files: "TIME STREAM TAG TEXT\n", TAG F for a whole line and P for a part of one. */
#include "config.h"

#include "prefect-podman/infrastructure/log-file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* conmon reads 8 KiB at a time from a container, so that no record is much longer. */
#define BUFFER_BYTES (64 * 1024)
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
  gint64 time;     /* of the record that is delivered */
  guint64 payload; /* passed over or delivered */
  gsize start;     /* of what is not delivered yet, in buffer */
  gsize length;    /* of what is read, in buffer */
  char *buffer; /* NULL while there is nothing in it: most containers are silent most of the time */
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
  g_free (log->buffer);
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
  return log->replaced > log->followed || pp_log_pass_has_gap (&log->pass);
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

guint64
pp_log_file_payload_bytes (const PpLogFile *log)
{
  return log->payload;
}

/* The end of the word at *POSITION, before END; *POSITION moves behind the space after it. NULL
 * when there is none. */
static const char *
next_word (const char **position, const char *end)
{
  const char *word_end = memchr (*position, ' ', (gsize)(end - *position));

  if (word_end != NULL)
    *position = word_end + 1;
  return word_end;
}

/* Takes the record from RECORD to its newline at NEWLINE apart. */
static gboolean
parse_record (const char *record, const char *newline, gint64 *time, PpStream *stream,
              const char **text, gsize *length)
{
  const char *position = record;
  const char *time_end = next_word (&position, newline);
  const char *name;
  gboolean whole;

  if (time_end == NULL)
    return FALSE;
  *time = pp_log_time_parse (record, (gsize)(time_end - record));
  name = position;
  if (next_word (&position, newline) == NULL || newline - position < 2 || position[1] != ' ')
    return FALSE;
  if (strncmp (name, "stdout ", strlen ("stdout ")) == 0)
    *stream = PP_STREAM_STDOUT;
  else if (strncmp (name, "stderr ", strlen ("stderr ")) == 0)
    *stream = PP_STREAM_STDERR;
  else
    return FALSE;
  if (*position != 'F' && *position != 'P')
    return FALSE;
  whole = *position == 'F';
  *text = position + 2;
  *length = (gsize)(newline - *text) + whole;
  return TRUE;
}

/* Delivers one record's payload, less what is to be passed over. FALSE for "not now". */
static gboolean
deliver (PpLogFile *log, PpStream stream, const char *text, gsize length)
{
  gsize passed = pp_log_pass_over (&log->pass, log->time, log->late_start, length);

  if (length > passed && !log->on_output (stream, text + passed, length - passed, log->user_data))
    return FALSE;
  pp_log_pass_done (&log->pass, passed);
  log->payload += length;
  return TRUE;
}

/* Delivers the whole records in the buffer. */
static PpLogFileResult
deliver_buffer (PpLogFile *log)
{
  for (;;)
    {
      const char *record = log->buffer + log->start;
      const char *newline = memchr (record, '\n', log->length - log->start);
      PpStream stream = PP_STREAM_STDOUT;
      const char *text = NULL;
      gsize length = 0;

      if (newline == NULL)
        return log->start == 0 && log->length == BUFFER_BYTES ? PP_LOG_FILE_MALFORMED
                                                              : PP_LOG_FILE_MORE;
      if (!parse_record (record, newline, &log->time, &stream, &text, &length))
        return PP_LOG_FILE_MALFORMED;
      if (!deliver (log, stream, text, length))
        return PP_LOG_FILE_NOT_NOW;
      log->start = (gsize)(newline + 1 - log->buffer);
    }
}

/* Reads on behind what the buffer holds. Returns the bytes read, 0 at the end of the file. */
static ssize_t
fill_buffer (PpLogFile *log)
{
  ssize_t count;

  if (log->buffer == NULL)
    log->buffer = g_malloc (BUFFER_BYTES);
  memmove (log->buffer, log->buffer + log->start, log->length - log->start);
  log->length -= log->start;
  log->start = 0;
  do
    count = read (log->fd, log->buffer + log->length, BUFFER_BYTES - log->length);
  while (count < 0 && errno == EINTR);
  if (count > 0)
    log->length += (gsize)count;
  return count;
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

/* At the end of the file: goes on to what comes after it. FALSE where nothing does yet. */
static gboolean
go_on (PpLogFile *log)
{
  /* What was written until the other file came is read before it. */
  if (log->next_fd < 0)
    return find_next (log);
  close (log->fd);
  log->fd = log->next_fd;
  log->next_fd = -1;
  log->followed++;
  log->start = 0;
  log->length = 0;
  return TRUE;
}

PpLogFileResult
pp_log_file_read (PpLogFile *log)
{
  PpLogFileResult result;
  gsize total = 0;

  if (log->length > log->start)
    {
      result = deliver_buffer (log);
      if (result != PP_LOG_FILE_MORE)
        return result;
    }
  while (total < TURN_BYTES)
    {
      ssize_t count = fill_buffer (log);

      if (count < 0)
        return PP_LOG_FILE_UNREADABLE;
      if (count == 0)
        {
          if (go_on (log))
            continue;
          if (log->length == 0)
            g_clear_pointer (&log->buffer, g_free);
          return PP_LOG_FILE_END;
        }
      total += (gsize)count;
      result = deliver_buffer (log);
      if (result != PP_LOG_FILE_MORE)
        return result;
    }
  return PP_LOG_FILE_MORE;
}
