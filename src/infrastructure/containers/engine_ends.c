/* SPDX-License-Identifier: Apache-2.0 */
/* Explains why the engine knows no exit status of a container. */
#include "config.h"

#include "engine_api-private.h"

char *
pp_engine_explain_no_end (const PpJobEnd *end)
{
  if (end->status_lost && !end->host_restarted)
    return g_strdup_printf (
        "The container's program has ended, and its exit status was lost: conmon, Podman's process "
        "that records the exit status, is gone%s%s. %s. Look at `dmesg` or `journalctl -k`, at the "
        "free space in Podman's temporary directory (tmpDir in `podman info`), and at anything "
        "else that the run has written.",
        end->error != NULL ? ": " : "", end->error != NULL ? end->error : "",
        end->start_interrupted ? "The usual reason is that Podman was killed while it started the "
                                 "container, and gave no answer"
                               : "Somebody killed conmon, or the kernel killed it because memory "
                                 "ran out, or conmon could not write");
  if (end->checkpointed)
    return g_strdup (
        "The container was checkpointed (`podman container checkpoint`), which stops it. "
        "`podman container restore` continues the container, but not this run.");
  if (end->never_started && !end->start_interrupted && !end->host_restarted)
    return g_strdup_printf ("The engine says that the container was never started, although the "
                            "request to start it was answered with success%s%s. Does a proxy in "
                            "front of the engine answer instead of the engine?",
                            end->error != NULL ? ": " : "", end->error != NULL ? end->error : "");
  return g_strdup_printf (
      "The container is not running, and the engine has no record of its end: %s%s%s. Look at "
      "`podman inspect` and the engine's log.",
      end->host_restarted ? "the host was restarted while the container ran"
                          : "the container was never started, or its exit status was lost (conmon "
                            "crashed, or Podman was killed while it started the container)",
      end->error != NULL ? ": " : "", end->error != NULL ? end->error : "");
}
