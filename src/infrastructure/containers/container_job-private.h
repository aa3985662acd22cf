/* SPDX-License-Identifier: Apache-2.0 */
/* Converts the engine's JSON about a container to a PpJob. Pure functions. */
#pragma once

#include "prefect-podman/infrastructure/job.h"

#include <jansson.h>

G_BEGIN_DECLS

/* Labels that the worker sets on each container. The worker always sets every label that it reads;
 * otherwise the job's author or the image could set it. The keys must never change, because
 * containers of earlier versions have them. */
#define PP_IDENTITY_LABEL "io.prefect-podman.identity"
#define PP_CLAIM_LABEL "io.prefect-podman.claim"
/* Says who reports the run's state: "worker", or "engine" if Prefect in the container does. */
#define PP_REPORTER_LABEL "io.prefect-podman.state-reporting"
/* The flow run and the work pool; keys of Prefect's Docker worker. */
#define PP_FLOW_RUN_LABEL "io.prefect.flow-run-id"
#define PP_WORK_POOL_LABEL "io.prefect.work-pool-name"

/* Converts INSPECT, the answer of GET /containers/{id}/json from the Docker API or Podman's own.
 * Returns a new PpJob, or NULL if INSPECT has no id. */
PpJob *pp_container_job_from_inspect (const json_t *inspect);

/* Converts LIST, the answer of GET /containers/json. Returns a new array of PpJob. Entries without
 * an id are left out. */
GPtrArray *pp_container_jobs_from_list (const json_t *list);

G_END_DECLS
