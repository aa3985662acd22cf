#define G_LOG_DOMAIN "prefect.worker.podman"

#include "prefect-podman/worker/stdout_writer.h"

#include "waiters.h"

#include <errno.h>
#include <glib-unix.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

/* What may wait before producers are told to. */
#define HIGH_WATER (256 * 1024)
/* poll() promises no more than this for a pipe without blocking (PIPE_BUF); the descriptor stays as
 * it was given to us, because O_NONBLOCK would be seen by everyone who shares it. */
#define PIECE 4096
/* Output that nobody takes holds up the ends of runs: said after this. */
#define STUCK_SECONDS 60
/* Pieces written before the loop gets its turn. */
#define PIECES_A_TURN 64

struct PpStdout
{
  int fd;
  gsize piece; /* bytes one write may take: files never block, pipes and terminals may */
  GString *pending;
  gsize written; /* of pending, from its start */
  guint source;
  guint stuck_timer;
  gboolean stuck; /* that was said */
  gboolean broken;
  GList *waiters;
};

PpStdout *
pp_stdout_new (int fd)
{
  PpStdout *out = g_new0 (PpStdout, 1);
  struct stat info;

  out->fd = fd;
  out->piece = fstat (fd, &info) == 0 && S_ISREG (info.st_mode) ? HIGH_WATER : PIECE;
  out->pending = g_string_new (NULL);
  return out;
}

static gboolean
is_ready (const PpStdout *out)
{
  struct pollfd descriptor = { .fd = out->fd, .events = POLLOUT };

  return poll (&descriptor, 1, 0) == 1;
}

/* Writes one piece. Returns FALSE when the descriptor takes no more for now. */
static gboolean
write_piece (PpStdout *out)
{
  gsize left = out->pending->len - out->written;
  ssize_t count;

  if (left == 0 || !is_ready (out))
    return FALSE;
  count = write (out->fd, out->pending->str + out->written, MIN (left, out->piece));
  if (count < 0 && (errno == EINTR || errno == EAGAIN))
    return errno == EINTR;
  if (count < 0)
    {
      g_warning ("Standard output is gone (%s): the output of containers is no longer shown there",
                 g_strerror (errno));
      out->broken = TRUE;
      g_clear_handle_id (&out->stuck_timer, g_source_remove);
      g_string_truncate (out->pending, 0);
      out->written = 0;
      return FALSE;
    }
  out->written += (gsize)count;
  g_clear_handle_id (&out->stuck_timer, g_source_remove);
  if (out->stuck)
    g_message ("Standard output is taken again");
  out->stuck = FALSE;
  return TRUE;
}

/* Those who wait now; each may add waiters, and have others forgotten. */
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
  g_warning ("Standard output has taken nothing for %d s: runs with output for it wait with their "
             "ends until whatever reads it (a pipe, a terminal that is held) goes on",
             STUCK_SECONDS);
  return G_SOURCE_REMOVE;
}

static void
expect_progress (PpStdout *out)
{
  if (out->stuck_timer == 0 && !out->stuck && out->pending->len > 0)
    out->stuck_timer = g_timeout_add_seconds (STUCK_SECONDS, on_stuck, out);
}

static gboolean
on_writable (gint fd, GIOCondition condition, gpointer user_data)
{
  PpStdout *out = user_data;

  (void)fd;
  (void)condition;
  for (guint i = 0; i < PIECES_A_TURN && write_piece (out); i++)
    ;
  if (out->written >= out->pending->len)
    {
      g_string_truncate (out->pending, 0);
      out->written = 0;
      out->source = 0;
    }
  else if (out->written > HIGH_WATER / 2)
    {
      g_string_erase (out->pending, 0, (gssize)out->written);
      out->written = 0;
    }
  if (out->waiters != NULL && pp_stdout_has_room (out))
    run_waiters (out);
  if (out->pending->len == 0)
    return G_SOURCE_REMOVE;
  expect_progress (out);
  return G_SOURCE_CONTINUE;
}

static void
watch (PpStdout *out)
{
  if (out->source == 0)
    out->source = g_unix_fd_add (out->fd, G_IO_OUT | G_IO_ERR | G_IO_HUP, on_writable, out);
  expect_progress (out);
}

void
pp_stdout_flush (PpStdout *out)
{
  while (out != NULL && !out->broken && write_piece (out))
    ;
}

void
pp_stdout_free (PpStdout *out)
{
  if (out == NULL)
    return;
  pp_stdout_flush (out);
  g_clear_handle_id (&out->source, g_source_remove);
  g_clear_handle_id (&out->stuck_timer, g_source_remove);
  g_list_free_full (out->waiters, g_free);
  g_string_free (out->pending, TRUE);
  g_free (out);
}

void
pp_stdout_write (PpStdout *out, const char *data, gsize length)
{
  if (out->broken || length == 0)
    return;
  g_string_append_len (out->pending, data, (gssize)length);
  watch (out);
}

gboolean
pp_stdout_has_room (const PpStdout *out)
{
  return pp_stdout_pending (out) < HIGH_WATER;
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
