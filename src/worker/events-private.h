/* SPDX-License-Identifier: Apache-2.0 */
/* Events for the server's event feed (POST /events), sent in batches. Events are best effort: a
 * failure only loses events. */
#pragma once

#include "prefect-podman/prefect/api.h"

G_BEGIN_DECLS

typedef struct PpEvents PpEvents;

/* API must outlive it. WORKER_TYPE: "docker" or "podman". */
PpEvents *pp_events_new (PpApi *api, const char *worker_name, const char *worker_type);
void pp_events_free (PpEvents *events);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpEvents, pp_events_free)

/* Sets the work pool that later events are related to. Later events also have the pool's type as
 * the worker's type. WORK_POOL is copied. */
void pp_events_set_work_pool (PpEvents *events, const json_t *work_pool);

/* Queues EVENT ("prefect.worker.started") of the worker itself. RELATED is an array of related
 * resources, or NULL; the call takes ownership. */
void pp_events_emit_worker (PpEvents *events, const char *event, json_t *related);

/* Queues EVENT ("prefect.docker.container.running") of a job. Its resource's id is KIND
 * ("prefect.docker.container") and JOB_ID. */
void pp_events_emit_job (PpEvents *events, const char *event, const char *kind, const char *job_id,
                         const char *job_name, json_t *related);

/* Returns the related resource for an API object of KIND "flow-run", "deployment" or "flow"; new
 * object. */
json_t *pp_events_related (const char *kind, const char *id, const char *name);

/* Sends the queued events at once. */
void pp_events_flush (PpEvents *events);

G_END_DECLS
