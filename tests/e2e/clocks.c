/* SPDX-License-Identifier: Apache-2.0 */
/* Preloaded into a worker. The file that TEST_CLOCKS names holds 64-bit numbers; a test changes
 * them while the worker runs. The first two are the seconds by which the wall clock and the
 * monotonic clock are ahead. If the third is not 0, the disk hangs: writes, and reads of an open
 * folder, get no answer. If the fourth is not 0, the disk of standard output and standard error
 * hangs, if these are files. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum
{
  WALL,
  MONOTONIC,
  HANGS,
  OUTPUT_HANGS,
  COUNT,
};

static const volatile int64_t *numbers;

__attribute__ ((constructor)) static void
map_file (void)
{
  int fd = open (getenv ("TEST_CLOCKS"), O_RDONLY | O_CLOEXEC);

  numbers = mmap (NULL, COUNT * sizeof *numbers, PROT_READ, MAP_SHARED, fd, 0);
  if (numbers == MAP_FAILED)
    abort ();
  close (fd);
}

int
clock_gettime (clockid_t id, struct timespec *time)
{
  int result = (int)syscall (SYS_clock_gettime, id, time);

  if (result == 0 && numbers != NULL && (id == CLOCK_REALTIME || id == CLOCK_MONOTONIC))
    time->tv_sec += numbers[id == CLOCK_REALTIME ? WALL : MONOTONIC];
  return result;
}

int
gettimeofday (struct timeval *time, void *zone)
{
  struct timespec now;

  (void)zone;
  if (clock_gettime (CLOCK_REALTIME, &now) != 0)
    return -1;
  time->tv_sec = now.tv_sec;
  time->tv_usec = now.tv_nsec / 1000;
  return 0;
}

static void
wait_for_disk (int which)
{
  const struct timespec moment = { .tv_nsec = 10 * 1000 * 1000 };

  while (numbers != NULL && numbers[which] != 0)
    nanosleep (&moment, NULL);
}

ssize_t
write (int fd, const void *data, size_t length)
{
  struct stat info;

  if (fd == STDOUT_FILENO || fd == STDERR_FILENO)
    if (fstat (fd, &info) == 0 && S_ISREG (info.st_mode))
      wait_for_disk (OUTPUT_HANGS);
  return (ssize_t)syscall (SYS_write, fd, data, length);
}

int
fsync (int fd)
{
  wait_for_disk (HANGS);
  return (int)syscall (SYS_fsync, fd);
}

ssize_t
pwrite (int fd, const void *data, size_t length, off_t offset)
{
  wait_for_disk (HANGS);
  return (ssize_t)syscall (SYS_pwrite64, fd, data, length, offset);
}

ssize_t
pwrite64 (int fd, const void *data, size_t length, off64_t offset)
{
  return pwrite (fd, data, length, offset);
}

int
openat (int folder, const char *path, int flags, ...)
{
  va_list arguments;
  mode_t mode = 0;

  va_start (arguments, flags);
  if ((flags & (O_CREAT | O_TMPFILE)) != 0)
    mode = va_arg (arguments, mode_t);
  va_end (arguments);
  if (folder != AT_FDCWD)
    wait_for_disk (HANGS);
  return (int)syscall (SYS_openat, folder, path, flags, mode);
}

int
openat64 (int folder, const char *path, int flags, ...)
{
  va_list arguments;
  mode_t mode = 0;

  va_start (arguments, flags);
  if ((flags & (O_CREAT | O_TMPFILE)) != 0)
    mode = va_arg (arguments, mode_t);
  va_end (arguments);
  return openat (folder, path, flags, mode);
}
