/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "prefect-podman/files/files.h"
#include "prefect-podman/http/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

/* Descriptors kept for health checks. */
#define RESERVE 4
#define MAX_PROBES 64
/* More than a call to the server or to the engine needs. */
#define PROBED_BYTES (4 * 1024 * 1024)

gboolean
pp_limits_is_shortage (int error)
{
  return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS
         || error == EADDRNOTAVAIL;
}

/* Formats a limit of this process: "1024", "unlimited" or "unknown"; new string. */
static char *
limit_of (int resource)
{
  struct rlimit limit;

  if (getrlimit ((__rlimit_resource_t)resource, &limit) != 0)
    return g_strdup ("unknown");
  if (limit.rlim_cur == RLIM_INFINITY)
    return g_strdup ("unlimited");
  return g_strdup_printf ("%" G_GUINT64_FORMAT, (guint64)limit.rlim_cur);
}

/* Returns the content of a file below /proc/sys, which has one line; new string. */
static char *
system_limit (const char *path)
{
  gsize length;
  char *text = pp_foreign_file_read (path, FALSE, 4096, &length, NULL);

  if (text == NULL)
    return g_strdup ("unknown");
  return g_strdelimit (g_strchomp (text), "\t", ' ');
}

char *
pp_limits_describe (int error)
{
  const char *words = g_strerror (error);
  g_autofree char *number = NULL;

  switch (error)
    {
    case EMFILE:
      number = limit_of (RLIMIT_NOFILE);
      return g_strdup_printf ("%s: the limit of this process is %s (RLIMIT_NOFILE). Raise it: "
                              "ulimit -n before the start, or LimitNOFILE= in the systemd unit",
                              words, number);
    case ENFILE:
      number = system_limit ("/proc/sys/fs/file-max");
      return g_strdup_printf ("%s: the limit of all processes of this host together is %s. Raise "
                              "it: sysctl fs.file-max",
                              words, number);
    case ENOMEM:
      return g_strdup_printf ("%s: this host has no free memory, or this process has reached its "
                              "limit. Free some memory, or raise the limit: MemoryMax= in the "
                              "systemd unit, or ulimit -v",
                              words);
    case EAGAIN:
      number = limit_of (RLIMIT_NPROC);
      return g_strdup_printf ("cannot start a thread: the limit of this user is %s (RLIMIT_NPROC). "
                              "Raise it: ulimit -u before the start, or LimitNPROC= and TasksMax= "
                              "in the systemd unit",
                              number);
    case ENOBUFS:
      return g_strdup_printf ("%s: the kernel of this host has no memory for more sockets. See "
                              "sysctl net.ipv4.tcp_mem",
                              words);
    case EADDRNOTAVAIL:
      number = system_limit ("/proc/sys/net/ipv4/ip_local_port_range");
      return g_strdup_printf ("%s: this host has no address to connect from, or no free local port "
                              "(sysctl net.ipv4.ip_local_port_range: %s)",
                              words, number);
    default:
      return g_strdup (words);
    }
}

int
pp_limits_probe (guint count)
{
  int fds[MAX_PROBES];
  guint opened = 0;
  int error = 0;

  count = MIN (count, MAX_PROBES);
  while (opened < count && error == 0)
    {
      int fd = pp_own_open (AT_FDCWD, "/dev/null", O_RDONLY, 0);

      if (fd < 0)
        error = errno;
      else
        fds[opened++] = fd;
    }
  while (opened > 0)
    close (fds[--opened]);
  /* If /dev/null is missing, that is no shortage. */
  return pp_limits_is_shortage (error) ? error : 0;
}

int
pp_limits_probe_memory (void)
{
  char *memory = g_try_malloc (PROBED_BYTES);
  gboolean is_there = memory != NULL;

  g_free (memory);
  return is_there ? 0 : ENOMEM;
}

void
pp_limits_raise (void)
{
  struct rlimit limit;

  if (getrlimit (RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max)
    return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit (RLIMIT_NOFILE, &limit);
}

void
pp_limits_use_reserve (gboolean use)
{
  static int held[RESERVE];
  static guint count = 0;

  while (use && count > 0)
    close (held[--count]);
  while (!use && count < RESERVE)
    {
      int fd = pp_own_open (AT_FDCWD, "/dev/null", O_RDONLY, 0);

      if (fd < 0)
        return; /* the next call tries again */
      held[count++] = fd;
    }
}
