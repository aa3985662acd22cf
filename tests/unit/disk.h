/* SPDX-License-Identifier: Apache-2.0 */
/* A simulated disk: see pp_write_thread_use(). */
#pragma once

#include "prefect-podman/files/write_thread.h"

#include <errno.h>
#include <unistd.h>

static struct
{
  GMutex mutex;
  GCond changed;
  gboolean hangs;
  int waiting; /* writes that wait for the disk */
  int failure; /* errno of each write, or 0 */
} disk;

static ssize_t
disk_write (int fd, const void *data, size_t length)
{
  g_mutex_lock (&disk.mutex);
  disk.waiting++;
  g_cond_broadcast (&disk.changed);
  while (disk.hangs)
    g_cond_wait (&disk.changed, &disk.mutex);
  disk.waiting--;
  int failure = disk.failure;
  g_mutex_unlock (&disk.mutex);
  if (failure == 0)
    return write (fd, data, length);
  errno = failure;
  return -1;
}

/* Changes the disk's behaviour for all later writes. */
static void
disk_set (gboolean hangs, int failure)
{
  g_mutex_lock (&disk.mutex);
  disk.hangs = hangs;
  disk.failure = failure;
  g_cond_broadcast (&disk.changed);
  g_mutex_unlock (&disk.mutex);
}

static void
disk_wait_for_write (void)
{
  g_mutex_lock (&disk.mutex);
  while (disk.waiting == 0)
    g_cond_wait (&disk.changed, &disk.mutex);
  g_mutex_unlock (&disk.mutex);
}

/* True if a write waits for the hanging disk. */
static G_GNUC_UNUSED gboolean
disk_has_write (void)
{
  g_mutex_lock (&disk.mutex);
  gboolean has_write = disk.waiting > 0;
  g_mutex_unlock (&disk.mutex);
  return has_write;
}
