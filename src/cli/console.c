/* SPDX-License-Identifier: Apache-2.0 */
/* Log lines in Prefect's format (prefect/logging/logging.yml). */
#include "config.h"

#include "cli/console-private.h"
#include "cli/print-private.h"
#include "prefect-podman/files/files.h"
#include "prefect-podman/files/write_thread.h"
#include "prefect-podman/text/loss.h"
#include "prefect-podman/text/visible.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Prefect's level names from least to most severe, and their colours on a terminal. */
static const struct
{
  const char *name;
  const char *color;
} levels[] = {
  { "DEBUG", PP_COLOR_DIM }, { "INFO", PP_COLOR_CYAN },         { "WARNING", PP_COLOR_YELLOW },
  { "ERROR", PP_COLOR_RED }, { "CRITICAL", PP_COLOR_BOLD_RED },
};

/* The longest wait for a slow reader of standard error. After a line was lost, the next lines do
 * not wait at all. Once one of them is written, lines wait again. */
#define READER_WAIT_MS 200
/* The most bytes that may be queued while a disk is slow. */
#define QUEUE_BYTES (256 * 1024)
/* ECMA-48 "erase in line" (EL). */
#define ERASE_TO_END_OF_LINE "\033[K"

/* A line for the write thread. */
typedef struct
{
  PpLoss refused; /* lines dropped before this one because the queue was full */
  char *text;     /* NULL to write only the note about lost lines */
  gsize length;
} PpConsoleJob;

static struct
{
  guint least; /* index of the least severe level that is shown */
  gboolean colors;
  gboolean erases; /* standard error is a terminal that supports escape sequences */
  gboolean installed;
  int fd;           /* standard error, or a descriptor of our own for the same terminal */
  gboolean is_file; /* a regular file: the write thread writes to it */
  GMutex mutex;     /* protects the fields below, because the journal's thread also logs */
  PpLoss lost;      /* lines lost since the last written line; for a regular file, used by the write
                       thread only */
  gboolean is_cut;  /* the last line was written only in part; used by the same thread as lost */
  gint queued;      /* bytes queued for the write thread; atomic */
  gboolean is_used; /* the write thread has been used */
  PpLoss refused;
} console = { .fd = STDERR_FILENO };

static guint
level_of (GLogLevelFlags flags)
{
  switch (flags & G_LOG_LEVEL_MASK)
    {
    case G_LOG_LEVEL_DEBUG:
      return 0;
    case G_LOG_LEVEL_WARNING:
      return 2;
    case G_LOG_LEVEL_CRITICAL:
      return 3;
    case G_LOG_LEVEL_ERROR:
      return 4;
    default:
      return 1;
    }
}

static const char *
field_value (const GLogField *fields, gsize count, const char *key)
{
  for (gsize i = 0; i < count; i++)
    if (strcmp (fields[i].key, key) == 0 && fields[i].length < 0)
      return fields[i].value;
  return NULL;
}

/* Appends MESSAGE with each control character escaped ("\x1b"), and indents each line after the
 * first. A message that quotes another program can then neither control the terminal nor look like
 * a log line. */
static void
append_message (GString *line, const char *message)
{
  g_autofree char *visible = pp_text_visible (message, "\n\t");

  g_strchomp (visible);
  for (const char *p = visible; *p != '\0'; p++)
    if (*p == '\n')
      g_string_append (line, "\n    ");
    else
      g_string_append_c (line, *p);
}

/* True if standard error takes PIPE_BUF bytes without blocking. Waits up to READER_WAIT_MS for a
 * slow reader, but not if the last line was lost too: the worker must not wait for each line. */
static gboolean
takes_more (void)
{
  struct pollfd fd = { .fd = console.fd, .events = POLLOUT };
  int ready;

  do
    ready = poll (&fd, 1, console.lost.since != 0 ? 0 : READER_WAIT_MS);
  while (ready < 0 && errno == EINTR);
  return ready != 0;
}

/* Writes TEXT until it is complete or fails, and sets DONE to the number of bytes written. Returns
 * 0 or an errno; EAGAIN if the reader is too slow. */
static int
write_text (const char *text, gsize length, gsize *done)
{
  *done = 0;
  while (*done < length)
    {
      if (!takes_more ())
        return EAGAIN;
      ssize_t written
          = pp_write_thread_write (console.fd, text + *done, MIN (length - *done, PIPE_BUF));
      if (written < 0 && errno == EINTR)
        continue;
      if (written < 0 && errno == EAGAIN)
        return EAGAIN;
      if (written <= 0)
        return written < 0 ? errno : EIO;
      *done += (gsize)written;
    }
  return 0;
}

/* Counts a lost line with LENGTH bytes and the errno FAILURE. EAGAIN is not recorded as a reason:
 * no write failed. */
static void
lose (PpLoss *lost, gsize length, int failure)
{
  pp_loss_add (lost, 1, length, failure != EAGAIN ? failure : 0);
}

/* Writes a note in place of the lost lines, after ending a line that was cut. Returns FALSE if the
 * write failed. */
static gboolean
write_loss (void)
{
  const char *why_else = console.is_file ? "the disk did not answer" : "nobody read standard error";
  g_autofree char *loss = pp_loss_describe (&console.lost, "are missing here", why_else);
  g_autofree char *note = g_strdup_printf ("%s... %s\n", console.is_cut ? "\n" : "", loss);
  gsize done;
  int failure = write_text (note, strlen (note), &done);

  console.is_cut = failure != 0 && (console.is_cut || done > 0);
  if (failure != 0)
    console.lost.why = failure != EAGAIN ? failure : 0;
  else
    console.lost = (PpLoss){ 0 };
  return failure == 0;
}

static void
write_line (const char *line, gsize length)
{
  gsize done;

  if (console.lost.since != 0 && !write_loss ())
    {
      pp_loss_add (&console.lost, 1, length, console.lost.why);
      return;
    }
  int failure = write_text (line, length, &done);
  if (failure == 0)
    return;
  lose (&console.lost, length - done, failure);
  console.is_cut = done > 0;
}

/* Runs in the write thread. */
static void
do_job (gpointer data)
{
  PpConsoleJob *job = data;

  pp_loss_add_loss (&console.lost, &job->refused);
  if (job->text != NULL)
    write_line (job->text, job->length);
  else if (console.lost.since != 0)
    write_loss ();
  g_atomic_int_add (&console.queued, -(gint)job->length);
  g_free (job->text);
  g_free (job);
}

/* Queues the LENGTH bytes of TEXT for the write thread. TEXT is NULL to write only the note about
 * lost lines. */
static void
hand_over (const char *text, gsize length)
{
  PpConsoleJob *job = g_new0 (PpConsoleJob, 1);

  job->refused = console.refused;
  console.refused = (PpLoss){ 0 };
  job->text = g_strndup (text, length);
  job->length = length;
  g_atomic_int_add (&console.queued, (gint)length);
  console.is_used = TRUE;
  pp_write_thread_do (do_job, job);
}

/* True if the queue has room for LENGTH bytes. After a line was refused, the queue must be half
 * empty before it takes lines again, so that one note covers many lost lines. */
static gboolean
has_room (gsize length)
{
  gsize limit = console.refused.since != 0 ? QUEUE_BYTES / 2 : QUEUE_BYTES;
  gsize queued = (gsize)g_atomic_int_get (&console.queued);

  return queued == 0 || queued + length <= limit;
}

static void
write_all (const GString *line)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&console.mutex);

  if (!console.is_file)
    write_line (line->str, line->len);
  else if (has_room (line->len))
    hand_over (line->str, line->len);
  else
    lose (&console.refused, line->len, EAGAIN);
}

void
pp_console_finish (void)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&console.mutex);

  if (console.is_file && console.is_used)
    {
      hand_over (NULL, 0);
      pp_write_thread_finish ();
    }
  else if (!console.is_file && console.lost.since != 0)
    write_loss ();
}

static void
append_time (GString *line)
{
  g_autoptr (GDateTime) now = g_date_time_new_now_local ();
  g_autofree char *time = g_date_time_format (now, "%H:%M:%S");

  g_string_append_printf (line, "%s.%03d", time, g_date_time_get_microsecond (now) / 1000);
}

static GLogWriterOutput
write_log (GLogLevelFlags flags, const GLogField *fields, gsize count, gpointer user_data)
{
  (void)user_data;
  guint level = level_of (flags);
  const char *logger = field_value (fields, count, "GLIB_DOMAIN");
  const char *message = field_value (fields, count, "MESSAGE");
  gboolean ours = logger == NULL || g_str_has_prefix (logger, "prefect");

  /* Hide the debug and info lines of libraries. */
  if (level < console.least || (!ours && level < 2))
    return G_LOG_WRITER_HANDLED;
  /* Erase a container's line that ended in a carriage return. */
  g_autoptr (GString) line
      = g_string_new (console.colors || console.erases ? ERASE_TO_END_OF_LINE : NULL);
  append_time (line);
  g_string_append_printf (line, " | %s%-7s%s | %s - ", console.colors ? levels[level].color : "",
                          levels[level].name, console.colors ? PP_COLOR_RESET : "",
                          logger != NULL ? logger : "prefect");
  append_message (line, message != NULL ? message : "");
  g_string_append_c (line, '\n');
  write_all (line);
  /* GLib aborts the process after this line. */
  if ((flags & (G_LOG_LEVEL_ERROR | G_LOG_FLAG_FATAL)) != 0)
    pp_console_finish ();
  return G_LOG_WRITER_HANDLED;
}

static void
install (void)
{
  int terminal = pp_terminal_open (STDERR_FILENO);

  console.fd = terminal >= 0 ? terminal : STDERR_FILENO;
  /* A terminal may support escape sequences although NO_COLOR turns colours off. */
  console.erases = pp_terminal_obeys (STDERR_FILENO);
  g_log_set_writer_func (write_log, NULL, NULL);
  console.installed = TRUE;
}

gboolean
pp_console_init (const char *level_name, gboolean colors, GError **error)
{
  for (guint i = 0; i < G_N_ELEMENTS (levels); i++)
    {
      if (g_ascii_strcasecmp (levels[i].name, level_name) != 0)
        continue;
      console.least = i;
      console.colors = colors;
      if (!console.installed)
        install ();
      console.is_file = pp_write_thread_is_for (console.fd);
      return TRUE;
    }
  g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
               "\"%s\" is not a log level: use DEBUG, INFO, WARNING, ERROR or CRITICAL",
               level_name);
  return FALSE;
}

int
pp_command_fail (const char *format, ...)
{
  g_autoptr (GString) line = g_string_new ("prefect-podman: ");
  va_list arguments;

  va_start (arguments, format);
  g_autofree char *message = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  g_strdelimit (message, "\n", ' ');
  append_message (line, message);
  g_string_append_c (line, '\n');
  write_all (line);
  return 2;
}
