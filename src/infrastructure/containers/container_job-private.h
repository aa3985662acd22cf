/* SPDX-License-Identifier: Apache-2.0 */
/* A container as a job: from the engine's JSON to PpJob. Pure. */
#pragma once

#include "prefect-podman/infrastructure/job.h"

#include <jansson.h>

G_BEGIN_DECLS

/* Labels that the worker sets on each container. All that is read of a container's labels is set by
 * the worker, always: what it leaves out would come from the job's author or from the image. The
 * keys are what containers of earlier versions bear: they never change. */
#define PP_IDENTITY_LABEL "io.prefect-podman.identity"
#define PP_CLAIM_LABEL "io.prefect-podman.claim"
/* "worker" or "engine" (Prefect inside the container). */
#define PP_REPORTER_LABEL "io.prefect-podman.state-reporting"
/* The flow run and the work pool, as Prefect's Docker worker names them. */
#define PP_FLOW_RUN_LABEL "io.prefect.flow-run-id"
#define PP_WORK_POOL_LABEL "io.prefect.work-pool-name"

/* INSPECT: the answer of GET /containers/{id}/json, of the Docker API or of Podman's own. New; NULL
 * if it has no id. */
PpJob *pp_container_job_from_inspect (const json_t *inspect);

/* LIST: the answer of GET /containers/json. New array of PpJob; entries without an id are left out.
 */
GPtrArray *pp_container_jobs_from_list (const json_t *list);

G_END_DECLS
