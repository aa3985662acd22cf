/* SPDX-License-Identifier: Apache-2.0 */
/* What all flow runs of a worker share. Owned by the worker; borrowed by its runs. */
#pragma once

#include "prefect-podman/infrastructure/infrastructure.h"
#include "prefect-podman/prefect/api.h"
#include "prefect-podman/settings/settings.h"
#include "events-private.h"
#include "prefect-podman/state/journal.h"
#include "worker/output/log_sender-private.h"
#include "prefect-podman/resolve/own_secrets.h"
#include "prefect-podman/resolve/resolve.h"
#include "worker/flow_run/state_reader-private.h"
#include "worker/output/stdout_writer-private.h"

G_BEGIN_DECLS

/* Labels that the worker sets on each container. All that is read of a container's labels is set by
 * the worker, always: what it leaves out would come from the job or from the image. */
/* The identity of the worker that made the container. */
#define PP_IDENTITY_LABEL "io.prefect-podman.identity"
/* The transition id of the claim (PENDING) that the container was made for. */
#define PP_CLAIM_LABEL "io.prefect-podman.claim"
/* Who tells the server of the run's states: "worker" or "engine" (Prefect inside the container). */
#define PP_STATE_REPORTING_LABEL "io.prefect-podman.state-reporting"
/* The flow run and the work pool, as Prefect's Docker worker names them. */
#define PP_FLOW_RUN_LABEL "io.prefect.flow-run-id"
#define PP_WORK_POOL_LABEL "io.prefect.work-pool-name"

typedef struct
{
  const PpSettings *settings;
  const char *worker_name;
  const char *worker_id;     /* the server's id of this worker (Prefect Cloud), or NULL */
  const char *type;          /* "docker" or "podman" */
  const char *identity_name; /* who this worker is across restarts (identity.h) */
  const char *boot_id;
  PpSecrets *secrets;          /* the worker's own, not to be seen in a container's output */
  json_t *process_environment; /* for {{ $NAME }} in templates */
  json_t *work_pool;           /* as last read; never changed in place */
  PpApi *api;
  PpInfrastructure *infrastructure;
  PpResolver *resolver;
  PpStateReader *states;
  PpLogSender *logs;
  PpStdout *out;
  gboolean output_prefix; /* the run's name before each of its lines there */
  PpEvents *events;
  PpJournal *journal;
  struct PpLateRequests *late; /* requests that outlive their run (late_requests.h) */
  guint unsettled; /* runs that hold no slot though the server has not been told of their end */
} PpWorkerContext;

G_END_DECLS
