/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "prefect-podman/files/thread.h"
#include "prefect-podman/files/write_thread.h"

#include <sys/stat.h>
#include <unistd.h>

#define STACK_BYTES ((size_t)256 * 1024)
/* How long a process that ends may wait for the disk. The worker must end within 10 s of SIGTERM,
 * and its main loop may take 8 s of these 10 s. */
#define FINISH_US (G_USEC_PER_SEC * 3 / 2)

typedef struct
{
  PpWriteJobFunc func;
  gpointer data;
} Job;

static struct
{
  PpWriteFunc write;
  GMutex mutex; /* protects the members below */
  GCond handed_over;
  GCond all_done;
  GQueue jobs; /* of Job */
  gboolean is_started;
  gboolean is_busy;
  gint64 finish_us; /* how long pp_write_thread_finish() may still wait */
} writer = { .write = write, .jobs = G_QUEUE_INIT, .finish_us = FINISH_US };

gboolean
pp_write_thread_is_for (int fd)
{
  struct stat info;

  return fstat (fd, &info) == 0 && S_ISREG (info.st_mode);
}

static void *
run (void *data)
{
  g_mutex_lock (&writer.mutex);
  for (;;)
    {
      g_autofree Job *job = g_queue_pop_head (&writer.jobs);

      writer.is_busy = job != NULL;
      if (job == NULL)
        {
          g_cond_broadcast (&writer.all_done);
          g_cond_wait (&writer.handed_over, &writer.mutex);
          continue;
        }
      g_mutex_unlock (&writer.mutex);
      job->func (job->data);
      g_mutex_lock (&writer.mutex);
    }
  return data;
}

void
pp_write_thread_do (PpWriteJobFunc func, gpointer data)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&writer.mutex);

  /* The thread is detached: if the disk hangs, the thread may never end. */
  writer.is_started = writer.is_started || pp_file_thread_start (run, NULL, STACK_BYTES, NULL) == 0;
  if (!writer.is_started)
    {
      func (data);
      return;
    }
  Job *job = g_new0 (Job, 1);
  job->func = func;
  job->data = data;
  g_queue_push_tail (&writer.jobs, job);
  g_cond_signal (&writer.handed_over);
}

static gboolean
is_done (void)
{
  return !writer.is_busy && writer.jobs.length == 0;
}

gboolean
pp_write_thread_finish (void)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&writer.mutex);
  gint64 began = g_get_monotonic_time ();

  while (!is_done ()
         && g_cond_wait_until (&writer.all_done, &writer.mutex, began + writer.finish_us))
    ;
  writer.finish_us = MAX (writer.finish_us - (g_get_monotonic_time () - began), 0);
  return is_done ();
}

ssize_t
pp_write_thread_write (int fd, const void *data, size_t length)
{
  return writer.write (fd, data, length);
}

void
pp_write_thread_use (PpWriteFunc func)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&writer.mutex);

  writer.write = func != NULL ? func : write;
  writer.finish_us = FINISH_US;
}
