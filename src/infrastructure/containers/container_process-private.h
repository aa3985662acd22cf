/* SPDX-License-Identifier: Apache-2.0 */
/* A container's processes as this host's kernel shows them. Podman cannot report them once conmon,
 * the monitor process of each container, is gone. Private to src/infrastructure/containers. */
#pragma once

#include "prefect-podman/json.h"

#include <glib.h>

G_BEGIN_DECLS

/* A process. The pid alone is not enough, because the kernel reuses pids. */
typedef struct
{
  gint64 pid;      /* 0 if none */
  guint64 started; /* field 22 of /proc/PID/stat: clock ticks since boot */
} PpProcess;

typedef struct
{
  PpProcess program; /* the container's first process */
  PpProcess conmon;  /* pid 0 if conmon had already exited */
} PpContainerProcess;

/* Finds the processes that INSPECT, libpod's answer, names in State.Pid and State.ConmonPid. PROC
 * is the proc file system ("/proc"). A process only counts if the kernel shows the full
 * CONTAINER_ID for it: in conmon's command line, or in the path of the program's control group.
 * Returns FALSE if the program is not found this way. That is the case for Docker, which has no
 * conmon, and for an engine behind a forwarded socket, which names processes of another host. */
gboolean pp_container_process_find (const char *proc, const char *container_id,
                                    const json_t *inspect, PpContainerProcess *process);

/* TRUE if the container of INSPECT (libpod's answer) waits for its start and has no conmon. A
 * container counts as waiting if PROC shows that its first process is still runc or crun. That
 * process becomes the program when Podman starts the container. Without conmon, nobody would keep
 * the program's output and exit status. Also FALSE if PROC cannot show this (another runtime, or an
 * engine on another host). */
gboolean pp_container_process_lacks_conmon (const char *proc, const char *container_id,
                                            const json_t *inspect);

/* True while PROCESS runs. A zombie does not run, unless it has other threads. */
gboolean pp_process_is_alive (const char *proc, const PpProcess *process);

typedef struct PpProcessWatch PpProcessWatch;
typedef void (*PpProcessEndFunc) (gpointer user_data);

/* Calls ENDED once on the main loop when PROCESS has ended: at once if the kernel has pidfds (Linux
 * 5.3; PROC must be "/proc"), else within a second. */
PpProcessWatch *pp_process_watch_new (const char *proc, const PpProcess *process,
                                      PpProcessEndFunc ended, gpointer user_data);
void pp_process_watch_free (PpProcessWatch *watch); /* NULL is ignored */

G_END_DECLS
