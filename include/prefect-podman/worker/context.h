/* What all flow runs of a worker share. Owned by the worker; borrowed by its runs. */
#pragma once

#include "prefect-podman/infrastructure/infrastructure.h"
#include "prefect-podman/prefect/api.h"
#include "prefect-podman/settings/settings.h"
#include "prefect-podman/worker/events.h"
#include "prefect-podman/worker/journal.h"
#include "prefect-podman/worker/log_sender.h"
#include "prefect-podman/worker/resolve.h"
#include "prefect-podman/worker/state_reader.h"
#include "prefect-podman/worker/stdout_writer.h"

G_BEGIN_DECLS

/* Of each container: the identity of the worker that made it. */
#define PP_IDENTITY_LABEL "io.prefect-podman.identity"
/* And who tells the server of its run's states: "worker" or "engine" (Prefect inside it). */
#define PP_STATE_REPORTING_LABEL "io.prefect-podman.state-reporting"

typedef struct
{
  const PpSettings *settings;
  const char *worker_name;
  const char *worker_id;     /* the server's id of this worker (Prefect Cloud), or NULL */
  const char *type;          /* "docker" or "podman" */
  const char *identity_name; /* who this worker is across restarts (identity.h) */
  const char *boot_id;
  json_t *process_environment; /* for {{ $NAME }} in templates */
  json_t *work_pool;           /* as last read; never changed in place */
  PpApi *api;
  PpInfrastructure *infrastructure;
  PpResolver *resolver;
  PpStateReader *states;
  PpLogSender *logs;
  PpStdout *out;
  PpEvents *events;
  PpJournal *journal;
} PpWorkerContext;

G_END_DECLS
