/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "prefect-podman/files/write_thread.h"

#include <errno.h>
#include <string.h>

/* The thread and the caller hold one reference each, because either of them may finish first. */
struct PpFileWrite
{
  gint references;
  int fd;
  char *text;
  gsize length;
  ssize_t count;              /* result of write(); valid if is_done */
  int failure;                /* its errno; valid if is_done */
  gint is_done;               /* atomic */
  void (*on_done) (gpointer); /* NULL: pp_file_write_end() was called */
  gpointer user_data;
};

static void
unref (PpFileWrite *file_write)
{
  if (!g_atomic_int_dec_and_test (&file_write->references))
    return;
  g_free (file_write->text);
  g_free (file_write);
}

static gboolean
on_written (gpointer user_data)
{
  PpFileWrite *file_write = user_data;

  if (file_write->on_done != NULL)
    file_write->on_done (file_write->user_data);
  unref (file_write);
  return G_SOURCE_REMOVE;
}

/* Runs in the write thread. */
static void
write_text (gpointer data)
{
  PpFileWrite *file_write = data;

  do
    file_write->count
        = pp_write_thread_write (file_write->fd, file_write->text, file_write->length);
  while (file_write->count < 0 && errno == EINTR);
  file_write->failure = errno;
  g_atomic_int_set (&file_write->is_done, TRUE);
  g_idle_add_full (G_PRIORITY_DEFAULT, on_written, file_write, NULL);
}

PpFileWrite *
pp_file_write_new (int fd, const char *text, gsize length, void (*on_done) (gpointer),
                   gpointer user_data)
{
  PpFileWrite *file_write = g_new0 (PpFileWrite, 1);

  file_write->references = 2;
  file_write->fd = fd;
  file_write->text = g_malloc (length);
  memcpy (file_write->text, text, length);
  file_write->length = length;
  file_write->on_done = on_done;
  file_write->user_data = user_data;
  pp_write_thread_do (write_text, file_write);
  return file_write;
}

ssize_t
pp_file_write_end (PpFileWrite *file_write)
{
  ssize_t count = -1;
  int failure = EINPROGRESS;

  if (file_write == NULL)
    return -1;
  file_write->on_done = NULL;
  if (g_atomic_int_get (&file_write->is_done))
    {
      count = file_write->count;
      failure = file_write->failure;
    }
  unref (file_write);
  errno = failure;
  return count;
}
