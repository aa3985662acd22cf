/* SPDX-License-Identifier: Apache-2.0 */
/* Explains why the engine knows no exit status of a container. */
#include "config.h"

#include "engine_api-private.h"

char *
pp_engine_explain_no_end (const PpJobEnd *end)
{
  if (end->status_lost && !end->host_restarted)
    return g_strdup_printf (
        "The container's program has ended, and its exit status was lost: conmon, the process of "
        "Podman's that would have kept it, is gone%s%s. %s: look at `dmesg` or `journalctl -k`, "
        "at the space in Podman's temporary directory (`podman info`, tmpDir), and at what the run "
        "has written elsewhere.",
        end->error != NULL ? ": " : "", end->error != NULL ? end->error : "",
        end->start_interrupted
            ? "The usual reason is that Podman was killed as it started it (it gave no answer)"
            : "Somebody killed it, the kernel did for want of memory, or it could not write");
  if (end->checkpointed)
    return g_strdup (
        "The container was checkpointed (`podman container checkpoint`), which stops it. "
        "`podman container restore` continues the container, but not this run.");
  if (end->never_started && !end->start_interrupted && !end->host_restarted)
    return g_strdup_printf (
        "The container was never started, says the engine, although its start was answered with "
        "success%s%s. Does a proxy in front of the engine answer in its place?",
        end->error != NULL ? ": " : "", end->error != NULL ? end->error : "");
  return g_strdup_printf (
      "The container does not run, and the engine knows of no end of it: %s%s%s. Look at `podman "
      "inspect` and the engine's log.",
      end->host_restarted ? "the host was started anew while it ran"
                          : "it was never started, or its exit status was lost (conmon crashed, or "
                            "Podman was killed as it started it)",
      end->error != NULL ? ": " : "", end->error != NULL ? end->error : "");
}
