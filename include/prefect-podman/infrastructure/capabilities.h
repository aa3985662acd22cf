/* SPDX-License-Identifier: Apache-2.0 */
/* What a kind of infrastructure can do, and what it calls its jobs where Prefect is told of them:
 * the worker asks for this and not which kind it is. Known once pp_infrastructure_connect() has
 * been answered. */
#pragma once

#include "prefect-podman/infrastructure/infrastructure.h"

G_BEGIN_DECLS

typedef struct
{
  /* A start that was interrupted may leave the job about to run; each later start of it is refused,
   * though it runs. */
  gboolean refuses_interrupted_start;
} PpCapabilities;

PpCapabilities pp_infrastructure_capabilities (const PpInfrastructure *infrastructure);

/* The flow run's infrastructure_pid on the server, for the job of JOB_ID; new string. */
char *pp_infrastructure_pid (const PpInfrastructure *infrastructure, const char *job_id);

G_END_DECLS
