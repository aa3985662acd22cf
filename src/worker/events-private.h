/* SPDX-License-Identifier: Apache-2.0 */
/* Events for the server's event feed (POST /events), sent in batches. They decorate: a failure
 * costs nothing but themselves. */
#pragma once

#include "prefect-podman/prefect/api.h"

G_BEGIN_DECLS

typedef struct PpEvents PpEvents;

/* API must outlive it. WORKER_TYPE: "docker" or "podman". */
PpEvents *pp_events_new (PpApi *api, const char *worker_name, const char *worker_type);
void pp_events_free (PpEvents *events);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpEvents, pp_events_free)

/* The pool that later events are related to; borrowed by copy. */
void pp_events_set_work_pool (PpEvents *events, const json_t *work_pool);

/* Queues EVENT ("prefect.worker.started") of the worker itself. RELATED: array of related
 * resources, stolen, or NULL. */
void pp_events_emit_worker (PpEvents *events, const char *event, json_t *related);

/* Queues EVENT ("prefect.docker.container.running") of a container. */
void pp_events_emit_container (PpEvents *events, const char *event, const char *container_id,
                               const char *container_name, json_t *related);

/* The related resource of an object of the API: kind "flow-run", "deployment", "flow"; new object.
 */
json_t *pp_events_related (const char *kind, const char *id, const char *name);

/* Sends what waits at once. */
void pp_events_flush (PpEvents *events);

G_END_DECLS
