/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "container_process-private.h"

#include "prefect-podman/files/files.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOOK_MS 1000
/* The most bytes to read of a file in /proc. This is enough of a command line: the container's id
 * is among conmon's first arguments. */
#define MAX_PROC_BYTES 4096

struct PpProcessWatch
{
  char *proc;
  PpProcess process;
  int pidfd; /* -1 if none */
  guint source;
  PpProcessEndFunc ended;
  gpointer user_data;
};

/* Reads the start of PROC/PID/NAME into BUFFER and adds a NUL. Returns its length, or -1 with
 * errno. */
static gssize
read_head (const char *proc, gint64 pid, const char *name, char buffer[MAX_PROC_BYTES + 1])
{
  g_autofree char *path = g_strdup_printf ("%s/%" G_GINT64_FORMAT "/%s", proc, pid, name);
  gsize length = 0;
  int fd = pp_own_open (AT_FDCWD, path, O_RDONLY, 0);

  if (fd < 0)
    return -1;
  while (length < MAX_PROC_BYTES)
    {
      ssize_t count = read (fd, buffer + length, MAX_PROC_BYTES - length);

      if (count < 0 && errno == EINTR)
        continue;
      if (count < 0 && length == 0)
        {
          int error = errno;

          close (fd);
          errno = error;
          return -1;
        }
      if (count <= 0)
        break;
      length += (gsize)count;
    }
  close (fd);
  buffer[length] = '\0';
  return (gssize)length;
}

typedef struct
{
  char state;
  gint64 parent;
  gint64 threads;
  guint64 started;
} Stat;

/* Fields of /proc/PID/stat, counted from 1 as in proc(5). */
enum
{
  STAT_STATE = 3,
  STAT_PARENT = 4,
  STAT_THREADS = 20,
  STAT_STARTED = 22
};

static gboolean
read_stat (const char *proc, gint64 pid, Stat *stat)
{
  char buffer[MAX_PROC_BYTES + 1];
  const char *after_name;

  if (pid <= 0 || read_head (proc, pid, "stat", buffer) < 0)
    return FALSE;
  /* The second field is the process's name. The process itself can set it, so it may have blanks
   * and brackets. */
  after_name = strrchr (buffer, ')');
  if (after_name == NULL || after_name[1] != ' ')
    return FALSE;
  g_auto (GStrv) fields = g_strsplit (after_name + 2, " ", -1);
  if (g_strv_length (fields) <= STAT_STARTED - STAT_STATE)
    return FALSE;
  stat->state = fields[0][0];
  stat->parent = g_ascii_strtoll (fields[STAT_PARENT - STAT_STATE], NULL, 10);
  stat->threads = g_ascii_strtoll (fields[STAT_THREADS - STAT_STATE], NULL, 10);
  stat->started = g_ascii_strtoull (fields[STAT_STARTED - STAT_STATE], NULL, 10);
  return TRUE;
}

/* True if the process has ended. A process whose first thread has ended is also shown as a zombie,
 * but then it has more than one thread. */
static gboolean
has_ended (const Stat *stat)
{
  return stat->state == 'X' || (stat->state == 'Z' && stat->threads <= 1);
}

gboolean
pp_process_is_alive (const char *proc, const PpProcess *process)
{
  Stat stat;

  return read_stat (proc, process->pid, &stat) && stat.started == process->started
         && !has_ended (&stat);
}

typedef enum
{
  CONMON_SEEN,
  CONMON_GONE,
  CONMON_HIDDEN /* its command line cannot be read */
} ConmonSight;

static ConmonSight
look_for_conmon (const char *proc, const char *container_id, gint64 pid)
{
  char buffer[MAX_PROC_BYTES + 1];
  gssize length = read_head (proc, pid, "cmdline", buffer);

  if (length < 0)
    return errno == ENOENT || errno == ESRCH ? CONMON_GONE : CONMON_HIDDEN;
  for (const char *argument = buffer; argument < buffer + length; argument += strlen (argument) + 1)
    if (g_str_equal (argument, container_id))
      return CONMON_SEEN;
  return CONMON_GONE;
}

/* True if the name of one of PID's control groups has CONTAINER_ID. Podman's are libpod-ID and
 * libpod-ID.scope. */
static gboolean
is_in_cgroup (const char *proc, const char *container_id, gint64 pid)
{
  char buffer[MAX_PROC_BYTES + 1];

  return read_head (proc, pid, "cgroup", buffer) > 0 && strstr (buffer, container_id) != NULL;
}

gboolean
pp_container_process_find (const char *proc, const char *container_id, const json_t *inspect,
                           PpContainerProcess *process)
{
  const json_t *state = json_object_get (inspect, "State");
  gint64 pid = json_integer_value (json_object_get (state, "Pid"));
  gint64 conmon_pid = json_integer_value (json_object_get (state, "ConmonPid"));
  ConmonSight conmon;
  Stat stat, conmon_stat;

  *process = (PpContainerProcess){ 0 };
  /* Docker reports no ConmonPid, because it has no conmon. Podman reports it even after conmon has
   * exited. */
  if (conmon_pid <= 0)
    return FALSE;
  conmon = look_for_conmon (proc, container_id, conmon_pid);
  if (strlen (container_id) < 64 || conmon == CONMON_HIDDEN || !read_stat (proc, pid, &stat)
      || has_ended (&stat))
    return FALSE;
  if (!(conmon == CONMON_SEEN && stat.parent == conmon_pid)
      && !is_in_cgroup (proc, container_id, pid))
    return FALSE;
  process->program = (PpProcess){ pid, stat.started };
  if (conmon == CONMON_SEEN && read_stat (proc, conmon_pid, &conmon_stat))
    process->conmon = (PpProcess){ conmon_pid, conmon_stat.started };
  return TRUE;
}

/* True if process PID is the runtime, which has made the container and waits for its start. This is
 * "runc init", or a child of crun that still has the command line "crun create ... ID". */
static gboolean
is_runtime (const char *proc, const char *container_id, gint64 pid)
{
  char buffer[MAX_PROC_BYTES + 1];
  gssize length = read_head (proc, pid, "cmdline", buffer);
  const char *end = buffer + MAX (length, 0);
  gboolean creates = FALSE;
  gboolean names_container = FALSE;

  if (length <= 0)
    return FALSE;
  const char *second = buffer + strlen (buffer) + 1;
  g_autofree char *program = g_path_get_basename (buffer);
  for (const char *argument = second; argument < end; argument += strlen (argument) + 1)
    {
      creates = creates || g_str_equal (argument, "create");
      names_container = names_container || g_str_equal (argument, container_id);
    }
  return (g_str_equal (program, "runc") && second < end && g_str_equal (second, "init"))
         || (creates && names_container);
}

gboolean
pp_container_process_lacks_conmon (const char *proc, const char *container_id,
                                   const json_t *inspect)
{
  PpContainerProcess process;

  return pp_container_process_find (proc, container_id, inspect, &process)
         && process.conmon.pid == 0 && is_runtime (proc, container_id, process.program.pid);
}

/* Watching for the end of a process. */

static gboolean
tell_end (PpProcessWatch *watch)
{
  watch->source = 0;
  watch->ended (watch->user_data);
  return G_SOURCE_REMOVE;
}

static gboolean
on_look (gpointer user_data)
{
  PpProcessWatch *watch = user_data;

  if (pp_process_is_alive (watch->proc, &watch->process))
    return G_SOURCE_CONTINUE;
  return tell_end (watch);
}

static gboolean
on_pidfd (gint fd G_GNUC_UNUSED, GIOCondition condition G_GNUC_UNUSED, gpointer user_data)
{
  return tell_end (user_data);
}

static gboolean
on_gone_already (gpointer user_data)
{
  return tell_end (user_data);
}

/* Returns a pidfd of process PID, or -1. */
static int
open_pidfd (const char *proc, gint64 pid)
{
#ifdef SYS_pidfd_open
  if (g_str_equal (proc, "/proc"))
    return (int)syscall (SYS_pidfd_open, (pid_t)pid, 0U);
#endif
  (void)proc;
  (void)pid;
  return -1;
}

PpProcessWatch *
pp_process_watch_new (const char *proc, const PpProcess *process, PpProcessEndFunc ended,
                      gpointer user_data)
{
  PpProcessWatch *watch = g_new0 (PpProcessWatch, 1);

  watch->proc = g_strdup (proc);
  watch->process = *process;
  watch->ended = ended;
  watch->user_data = user_data;
  /* Open the pidfd before checking that the process is alive. If the process is alive at the check,
   * the pidfd refers to this process. */
  watch->pidfd = open_pidfd (proc, process->pid);
  if (!pp_process_is_alive (proc, process))
    watch->source = g_idle_add (on_gone_already, watch);
  else if (watch->pidfd >= 0)
    watch->source = g_unix_fd_add (watch->pidfd, G_IO_IN, on_pidfd, watch);
  else
    watch->source = g_timeout_add (LOOK_MS, on_look, watch);
  return watch;
}

void
pp_process_watch_free (PpProcessWatch *watch)
{
  if (watch == NULL)
    return;
  g_clear_handle_id (&watch->source, g_source_remove);
  if (watch->pidfd >= 0)
    close (watch->pidfd);
  g_free (watch->proc);
  g_free (watch);
}
