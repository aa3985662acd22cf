/* SPDX-License-Identifier: Apache-2.0 */
/* The work queues that a worker was told to serve (--work-queue): which of them exist. Prefect
 * answers the poll for several queues with 404 as soon as one of them does not. Private to
 * src/worker. */
#pragma once

#include "prefect-podman/prefect/resources.h"

typedef struct PpQueues PpQueues;

/* ERROR is NULL, or why the queues are not known; borrowed. */
typedef void (*PpQueuesDoneFunc) (const GError *error, gpointer user_data);

/* The queues NAMES of POOL; NAMES is NULL or NULL-terminated, and NULL or empty stands for all
 * queues that there are. Names given twice count once. All borrowed. */
PpQueues *pp_queues_new (PpApi *api, const char *pool, const char *const *names,
                         double look_seconds);
void pp_queues_free (PpQueues *queues);

/* Whether certain queues are to be served, not all. */
gboolean pp_queues_are_named (const PpQueues *queues);

/* The queues to poll, by the names the server knows: NULL-terminated; empty when there is none of
 * those named; NULL for all of the pool. Borrowed until the next look. */
const char *const *pp_queues_present (const PpQueues *queues);

/* Whether a look is due: before the first poll, every LOOK_SECONDS, and at each poll while a queue
 * is missing or pp_queues_doubt() was called. Never when all queues are served. */
gboolean pp_queues_want_look (const PpQueues *queues);

/* The server has said that one of the queues is not there. */
void pp_queues_doubt (PpQueues *queues);

/* Looks which queues exist and says what has changed: missing ones once, and again every hour.
 * Returns the read, which the caller may cancel until DONE is called. */
PpWorkQueuesRead *pp_queues_look (PpQueues *queues, PpQueuesDoneFunc done, gpointer user_data);
