/* SPDX-License-Identifier: Apache-2.0 */
/* The worker: heartbeat, pool sync, poll, and the flow runs in flight. */
#pragma once

#include "prefect-podman/infrastructure/infrastructure.h"
#include "prefect-podman/prefect/api.h"
#include "prefect-podman/settings/settings.h"

G_BEGIN_DECLS

/* The options of `worker start`. All borrowed; must outlive the worker. */
typedef struct
{
  const char *name;               /* --name; NULL: the worker's earlier name, or a new one */
  const char *work_pool;          /* never NULL */
  const char *const *work_queues; /* NULL-terminated, or NULL for all */
  const char *type;               /* --type or NULL */
  int limit;                      /* 0: none */
  double prefetch_seconds;
  gboolean run_once;
  gboolean with_healthcheck;
  gboolean create_pool_if_not_found;
  json_t *base_job_template; /* --base-job-template or NULL */
  const char *engine_url;    /* --engine-url or NULL */
  const char *state_dir;     /* --state-dir or NULL */
  gboolean output_prefix;    /* print the run's name before each line of its output */
} PpWorkerOptions;

/* Runs the worker until something stops it. Prints errors. Returns the process's exit code: 0
 * stopped as requested, 1 failed while running, 2 wrong settings. Handles SIGTERM, SIGINT, SIGQUIT
 * and SIGHUP. */
int pp_worker_run (const PpSettings *settings, const PpWorkerOptions *options);

G_END_DECLS
