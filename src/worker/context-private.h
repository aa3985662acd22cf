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
