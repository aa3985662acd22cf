/* SPDX-License-Identifier: Apache-2.0 */
/* The objects that all flow runs of a worker share. The worker owns them; runs borrow them. */
#pragma once

#include "prefect-podman/infrastructure/infrastructure.h"
#include "prefect-podman/prefect/api.h"
#include "prefect-podman/settings/settings.h"
#include "claimed_states-private.h"
#include "events-private.h"
#include "refused_claims-private.h"
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
  const char *worker_id;     /* the server's id of this worker (Prefect Cloud only), or NULL */
  const char *type;          /* "docker" or "podman" */
  const char *identity_name; /* the worker's identity across restarts (identity.h) */
  const char *boot_id;
  PpSecrets *secrets;          /* the worker's own secrets; masked in container output */
  json_t *process_environment; /* for {{ $NAME }} in templates */
  json_t *work_pool;           /* as last read; replaced, never modified */
  PpApi *api;
  PpInfrastructure *infrastructure;
  PpResolver *resolver;
  PpStateReader *states;
  PpLogSender *logs;
  PpStdout *out;
  gboolean output_prefix; /* put the run's name before each line on stdout */
  PpEvents *events;
  PpJournal *journal;
  PpClaimedStates *claimed;    /* states in which this worker has claimed runs */
  PpRefusedClaims *refused;    /* runs whose claims the server refused */
  struct PpLateRequests *late; /* late requests of former runs (late_requests-private.h) */
  guint unsettled;             /* runs that have freed their slot and still wait for the server */
} PpWorkerContext;

G_END_DECLS
