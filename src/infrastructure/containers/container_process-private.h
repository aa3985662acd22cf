/* SPDX-License-Identifier: Apache-2.0 */
/* A container's processes, as the kernel of this host shows them: what Podman cannot tell once
 * conmon, which runs beside each container, is gone. Used inside the room only. */
#pragma once

#include "prefect-podman/json.h"

#include <glib.h>

G_BEGIN_DECLS

/* A process id alone is no identity: the kernel gives it to another process later. */
typedef struct
{
  gint64 pid;      /* 0: none */
  guint64 started; /* field 22 of /proc/PID/stat: clock ticks since the host's start */
} PpProcess;

typedef struct
{
  PpProcess program; /* the container's first process */
  PpProcess conmon;  /* pid 0: gone before it was looked for */
} PpContainerProcess;

/* Finds the processes that INSPECT (libpod's answer; State.Pid and State.ConmonPid) names, below
 * PROC ("/proc"). They count only where the kernel shows the full CONTAINER_ID with one of them:
 * in conmon's command line, or in the path of the program's control group. An engine behind a
 * forwarded socket names processes of another host, and one without conmon (Docker) none of its
 * helpers. FALSE where that, or the program, is not seen.
 */
gboolean pp_container_process_find (const char *proc, const char *container_id,
                                    const json_t *inspect, PpContainerProcess *process);

/* TRUE if the container of INSPECT (libpod's answer) waits for its start without conmon, as the
 * kernel shows it below PROC: its first process is still runc or crun, which becomes the program
 * when Podman starts it. Nobody would keep what the program prints, nor its exit status. FALSE also
 * where that is not seen: another runtime, an engine of another host. */
gboolean pp_container_process_lacks_conmon (const char *proc, const char *container_id,
                                            const json_t *inspect);

/* TRUE while PROCESS runs. A zombie does not, unless threads of it do. */
gboolean pp_process_is_alive (const char *proc, const PpProcess *process);

typedef struct PpProcessWatch PpProcessWatch;
typedef void (*PpProcessEndFunc) (gpointer user_data);

/* Calls ENDED on the main loop, once, when PROCESS has ended: at once where the kernel has pidfds
 * (Linux 5.3; PROC must be "/proc"), else within a second. */
PpProcessWatch *pp_process_watch_new (const char *proc, const PpProcess *process,
                                      PpProcessEndFunc ended, gpointer user_data);
void pp_process_watch_free (PpProcessWatch *watch); /* NULL is ignored */

G_END_DECLS
