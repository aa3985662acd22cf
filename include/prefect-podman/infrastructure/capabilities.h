/* SPDX-License-Identifier: Apache-2.0 */
/* The capabilities of a kind of infrastructure, and the ids of its jobs as reported to Prefect. The
 * worker checks these and not the kind. Valid once pp_infrastructure_connect() was answered. */
#pragma once

#include "prefect-podman/infrastructure/infrastructure.h"

G_BEGIN_DECLS

typedef struct
{
  /* After an interrupted start, the job may run although its phase stays PP_JOB_READY. The
   * infrastructure then refuses each later start. */
  gboolean refuses_interrupted_start;
} PpCapabilities;

PpCapabilities pp_infrastructure_capabilities (const PpInfrastructure *infrastructure);

/* Returns the infrastructure_pid that the flow run of job JOB_ID has on the server; new string. */
char *pp_infrastructure_pid (const PpInfrastructure *infrastructure, const char *job_id);

G_END_DECLS
