/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "stdout_writer-private.h"

#include "prefect-podman/files/files.h"
#include "prefect-podman/files/write_thread.h"
#include "prefect-podman/text/loss.h"

#include "outlet-private.h"
#include "waiters-private.h"

#include <errno.h>
#include <glib-unix.h>
#include <string.h>
#include <unistd.h>

#define HIGH_WATER (256 * 1024) /* the most bytes to queue before producers must wait */
#define FILE_PIECE (64 * 1024)  /* the most bytes to give to the write thread at once */
/* A warning is logged after this time without progress, because runs cannot finish before their
 * output is written. */
#define STUCK_SECONDS 60
/* The most pieces to write before returning to the main loop. */
#define PIECES_A_TURN 64
/* ECMA-48 "erase in line" (EL). */
#define ERASE_TO_END_OF_LINE "\033[K"
/* The delay before retrying a failed write. It doubles each time. */
#define FIRST_RETRY_MS 250u
#define LAST_RETRY_MS 8000u

struct PpStdout
{
  PpOutlet outlet;
  gboolean erases;      /* a terminal that supports escape sequences */
  gboolean is_returned; /* the last data ended in a carriage return: its text is still shown */
  GString *pending;
  time_t waits_since; /* when the oldest byte of `pending` was queued, or a later write ended */
  gsize written;      /* bytes of `pending` that were written */
  PpFileWrite *piece; /* the piece of `pending` that the write thread is writing, or NULL */
  guint source;
  guint stuck_timer;
  gboolean stuck; /* the warning about no progress was logged */
  int failure;    /* errno of the last write; 0 if it succeeded */
  guint retry_timer;
  guint retry_ms;
  PpLoss lost;
  GList *waiters;
};

PpStdout *
pp_stdout_new (int fd)
{
  PpStdout *out = g_new0 (PpStdout, 1);

  pp_outlet_init (&out->outlet, fd);
  out->erases = pp_terminal_obeys (fd);
  out->pending = g_string_new (NULL);
  return out;
}

static void
lose (PpStdout *out, const char *text, gsize length)
{
  pp_loss_add_text (&out->lost, text, length, out->failure);
}

static void
drop_pending (PpStdout *out)
{
  if (pp_stdout_pending (out) > 0)
    out->lost.since = out->waits_since;
  lose (out, out->pending->str + out->written, pp_stdout_pending (out));
  g_string_truncate (out->pending, 0);
  out->written = 0;
}

/* Like pp_loss_describe(). */
static char *
describe_loss (const PpStdout *out, const char *what)
{
  return pp_loss_describe (&out->lost, what,
                           out->outlet.is_file ? "the disk did not answer" : "nobody read them");
}

/* Logs the loss and resets it. Returns the note to print in place of the lost lines; new string. */
static char *
report_loss (PpStdout *out)
{
  g_autofree char *shown = describe_loss (out, "are missing here");
  g_autofree char *logged = describe_loss (out, "of standard output are lost");

  g_warning ("%s", logged);
  out->lost = (PpLoss){ 0 };
  return g_strdup_printf ("... %s\n", shown);
}

static void
succeed (PpStdout *out)
{
  g_clear_handle_id (&out->stuck_timer, g_source_remove);
  if (out->stuck)
    g_message ("Standard output takes data again");
  out->stuck = FALSE;
  if (out->failure == 0)
    return;
  g_message ("Standard output can be written again");
  out->failure = 0;
  out->retry_ms = 0;
  g_clear_handle_id (&out->retry_timer, g_source_remove);
  if (out->lost.since == 0)
    return;
  /* The queue holds all lines before the lost ones. */
  g_autofree char *note = report_loss (out);
  g_string_append (out->pending, note);
}

/* True if the reader has closed standard output. Then no data is queued. */
static gboolean
is_gone (const PpStdout *out)
{
  return !out->outlet.is_file && (out->failure == EPIPE || out->failure == ECONNRESET);
}

static void
fail (PpStdout *out, int failure)
{
  gboolean is_new = out->failure != failure;

  out->failure = failure;
  /* The source watches the descriptor that is closed now. */
  if (out->outlet.terminal >= 0)
    g_clear_handle_id (&out->source, g_source_remove);
  pp_outlet_leave_terminal (&out->outlet);
  g_clear_handle_id (&out->stuck_timer, g_source_remove);
  out->stuck = FALSE;
  if (is_new && is_gone (out))
    g_warning ("Standard output is closed (%s). The output of containers is not shown there until "
               "a program reads it again",
               g_strerror (failure));
  else if (is_new)
    g_warning ("Standard output cannot be written (%s). The worker tries again. Up to %d KiB of "
               "output wait; further output is lost there. Runs go on, and output that is "
               "forwarded still reaches their logs on the server",
               g_strerror (failure), HIGH_WATER / 1024);
  if (is_gone (out))
    drop_pending (out);
}

/* Handles the result of a write: COUNT bytes, or the errno FAILURE. Returns FALSE if the descriptor
 * cannot take more now. */
static gboolean
take_result (PpStdout *out, ssize_t count, int failure)
{
  if (count >= 0)
    {
      out->written += (gsize)count;
      out->waits_since = time (NULL);
      succeed (out);
      return TRUE;
    }
  /* Treat EAGAIN from a file as a failure: no event would report that it takes more. */
  if (failure == EINTR || (failure == EAGAIN && !out->outlet.is_file))
    return failure == EINTR;
  fail (out, failure);
  return FALSE;
}

static void on_written (gpointer user_data);

/* Gives the next piece of a file's output to the write thread, unless it has one. Pieces are whole
 * lines, because other processes may write between two pieces. */
static void
hand_over (PpStdout *out)
{
  const char *text = out->pending->str + out->written;
  gsize length = MIN (pp_stdout_pending (out), FILE_PIECE);
  gsize whole = length;

  if (out->piece != NULL || length == 0)
    return;
  while (whole > 0 && text[whole - 1] != '\n')
    whole--;
  out->piece
      = pp_file_write_new (out->outlet.fd, text, whole > 0 ? whole : length, on_written, out);
}

/* Handles the write thread's finished piece. Returns what take_result() does. */
static gboolean
collect (PpStdout *out)
{
  ssize_t count = pp_file_write_end (g_steal_pointer (&out->piece));

  return take_result (out, count, errno);
}

/* Writes one piece. Returns FALSE if the descriptor cannot take more now. */
static gboolean
write_piece (PpStdout *out)
{
  gsize left = pp_stdout_pending (out);

  if (out->outlet.is_file)
    hand_over (out);
  if (out->outlet.is_file || left == 0 || !pp_outlet_is_ready (&out->outlet))
    return FALSE;
  ssize_t count = pp_outlet_write (&out->outlet, out->pending->str + out->written,
                                   MIN (left, PP_OUTLET_PIECE));
  return take_result (out, count, errno);
}

/* Calls the current waiters. Each may add waiters or forget others. */
static void
run_waiters (PpStdout *out)
{
  for (guint left = g_list_length (out->waiters); left > 0 && out->waiters != NULL; left--)
    {
      g_autofree PpWaiter *waiter = out->waiters->data;

      out->waiters = g_list_delete_link (out->waiters, out->waiters);
      waiter->func (waiter->user_data);
    }
}

static gboolean
on_stuck (gpointer user_data)
{
  PpStdout *out = user_data;

  out->stuck_timer = 0;
  out->stuck = TRUE;
  g_warning ("Nothing could be written to standard output for %d s. Runs with output for it cannot "
             "end until %s",
             STUCK_SECONDS,
             out->outlet.is_file
                 ? "its disk answers"
                 : "its reader (a pipe, or a terminal that was paused) reads again");
  return G_SOURCE_REMOVE;
}

static void
expect_progress (PpStdout *out)
{
  if (out->stuck_timer == 0 && !out->stuck && out->failure == 0 && out->pending->len > 0)
    out->stuck_timer = g_timeout_add_seconds (STUCK_SECONDS, on_stuck, out);
}

/* Removes written data from the queue and calls waiters if there is room. */
static void
make_room (PpStdout *out)
{
  if (out->written >= out->pending->len)
    {
      g_string_truncate (out->pending, 0);
      out->written = 0;
    }
  else if (out->written > HIGH_WATER / 2)
    {
      g_string_erase (out->pending, 0, (gssize)out->written);
      out->written = 0;
    }
  if (out->waiters != NULL && pp_stdout_has_room (out))
    run_waiters (out);
}

/* Writes as much as possible now. */
static void
write_now (PpStdout *out)
{
  for (guint i = 0; i < PIECES_A_TURN && write_piece (out); i++)
    ;
  make_room (out);
}

static void watch (PpStdout *out);
static void pause_after_failure (PpStdout *out);

static gboolean
on_retry (gpointer user_data)
{
  PpStdout *out = user_data;

  out->retry_timer = 0;
  write_now (out);
  if (out->failure != 0 && out->pending->len > 0)
    pause_after_failure (out);
  else
    watch (out);
  return G_SOURCE_REMOVE;
}

/* Retry by a timer, because poll() does not report the end of a failure. */
static void
pause_after_failure (PpStdout *out)
{
  /* The write thread is already trying. */
  if (out->piece != NULL)
    return;
  out->retry_ms = CLAMP (out->retry_ms * 2, FIRST_RETRY_MS, LAST_RETRY_MS);
  if (out->retry_timer == 0)
    out->retry_timer = g_timeout_add (out->retry_ms, on_retry, out);
}

static gboolean
on_writable (gint fd, GIOCondition condition, gpointer user_data)
{
  PpStdout *out = user_data;

  (void)fd;
  (void)condition;
  write_now (out);
  if (out->failure != 0)
    pause_after_failure (out);
  else if (out->pending->len > 0)
    {
      expect_progress (out);
      return G_SOURCE_CONTINUE;
    }
  out->source = 0;
  return G_SOURCE_REMOVE;
}

/* Called for a file without queued data. There is room, so write_now() calls the waiters. */
static gboolean
on_idle (gpointer user_data)
{
  PpStdout *out = user_data;

  out->source = 0;
  write_now (out);
  return G_SOURCE_REMOVE;
}

/* Called when the write thread has finished a piece. */
static void
on_written (gpointer user_data)
{
  PpStdout *out = user_data;

  if (collect (out))
    write_now (out);
  else
    make_room (out);
  if (out->failure != 0)
    pause_after_failure (out);
  else
    watch (out);
}

static void
watch_file (PpStdout *out)
{
  hand_over (out);
  if (out->piece == NULL && out->source == 0)
    out->source = g_idle_add_full (G_PRIORITY_DEFAULT, on_idle, out, NULL);
}

static void
watch (PpStdout *out)
{
  gboolean is_idle = out->pending->len == 0 && out->waiters == NULL;

  if (is_idle || out->retry_timer != 0)
    return;
  if (out->outlet.is_file)
    watch_file (out);
  else if (out->source == 0)
    out->source = g_unix_fd_add (out->outlet.fd, G_IO_OUT | G_IO_ERR | G_IO_HUP, on_writable, out);
  expect_progress (out);
}

/* Writes as much as the write thread can in the time before the exit. */
static void
flush_file (PpStdout *out)
{
  do
    hand_over (out);
  while (out->piece != NULL && pp_write_thread_finish () && collect (out));
}

void
pp_stdout_flush (PpStdout *out)
{
  if (out != NULL && out->outlet.is_file)
    flush_file (out);
  else
    while (out != NULL && write_piece (out))
      ;
}

void
pp_stdout_free (PpStdout *out)
{
  if (out == NULL)
    return;
  pp_stdout_flush (out);
  pp_file_write_end (out->piece);
  drop_pending (out);
  if (out->lost.since != 0)
    {
      g_autofree char *loss = describe_loss (out, "of standard output could not be written");
      g_warning ("%s", loss);
    }
  g_clear_handle_id (&out->source, g_source_remove);
  g_clear_handle_id (&out->stuck_timer, g_source_remove);
  g_clear_handle_id (&out->retry_timer, g_source_remove);
  g_list_free_full (out->waiters, g_free);
  g_string_free (out->pending, TRUE);
  pp_outlet_leave_terminal (&out->outlet);
  g_free (out);
}

/* Retries a closed standard output with the note about lost lines. The write succeeds once there is
 * a new reader. */
static void
try_again (PpStdout *out)
{
  g_autofree char *loss = describe_loss (out, "are missing here");
  g_autofree char *note = g_strdup_printf ("... %s\n", loss);

  if (!pp_outlet_is_ready (&out->outlet)
      || pp_outlet_write (&out->outlet, note, strlen (note)) <= 0)
    {
      pause_after_failure (out);
      return;
    }
  g_free (report_loss (out));
  succeed (out);
}

void
pp_stdout_write (PpStdout *out, const char *data, gsize length)
{
  gboolean is_full = out->failure != 0 && pp_stdout_pending (out) >= HIGH_WATER;

  /* After a lost line, later lines are lost too until the note is written: one note covers one
   * gap. */
  if (is_gone (out) || is_full || out->lost.since != 0)
    {
      lose (out, data, length);
      if (is_gone (out) && out->retry_timer == 0)
        try_again (out);
      return;
    }
  if (out->erases && out->is_returned)
    g_string_append (out->pending, ERASE_TO_END_OF_LINE);
  out->is_returned = length > 0 && data[length - 1] == '\r';
  if (pp_stdout_pending (out) == 0)
    out->waits_since = time (NULL);
  g_string_append_len (out->pending, data, (gssize)length);
  watch (out);
}

gboolean
pp_stdout_is_terminal (const PpStdout *out)
{
  /* Do not ask a file: its file system may hang. */
  return !out->outlet.is_file && isatty (out->outlet.fd) == 1;
}

gboolean
pp_stdout_is_failing (const PpStdout *out)
{
  return out->failure != 0;
}

gboolean
pp_stdout_hangs (const PpStdout *out)
{
  return out->outlet.is_file && out->stuck;
}

gboolean
pp_stdout_has_room (const PpStdout *out)
{
  return out->failure != 0 || pp_stdout_pending (out) < HIGH_WATER;
}

void
pp_stdout_when_room (PpStdout *out, void (*func) (gpointer), gpointer user_data)
{
  PpWaiter *waiter = g_new0 (PpWaiter, 1);

  waiter->func = func;
  waiter->user_data = user_data;
  out->waiters = g_list_append (out->waiters, waiter);
  watch (out);
}

void
pp_stdout_forget (PpStdout *out, gpointer user_data)
{
  out->waiters = pp_waiters_forget (out->waiters, user_data);
}

gsize
pp_stdout_pending (const PpStdout *out)
{
  return out->pending->len - out->written;
}
