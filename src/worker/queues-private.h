/* SPDX-License-Identifier: Apache-2.0 */
/* Checks which of the work queues given with --work-queue exist. Prefect answers 404 to a poll for
 * several queues if one of them does not exist. Private to src/worker. */
#pragma once

#include "prefect-podman/prefect/resources.h"

typedef struct PpQueues PpQueues;

/* ERROR is NULL, or why the queues could not be read; borrowed. */
typedef void (*PpQueuesDoneFunc) (const GError *error, gpointer user_data);

/* Returns the queues NAMES of POOL. NAMES is NULL-terminated; NULL or empty means all queues of the
 * pool. Duplicate names count once. All arguments are borrowed. */
PpQueues *pp_queues_new (PpApi *api, const char *pool, const char *const *names,
                         double look_seconds);
void pp_queues_free (PpQueues *queues);

/* True if only named queues are served, not all. */
gboolean pp_queues_are_named (const PpQueues *queues);

/* Returns the names of the queues to poll, as the server spells them; NULL-terminated, and empty if
 * none of the named queues exists. Returns NULL for all queues of the pool. The names are borrowed
 * until the next pp_queues_look(). */
const char *const *pp_queues_present (const PpQueues *queues);

/* True if pp_queues_look() is due: before the first poll, every LOOK_SECONDS, and at each poll
 * while a queue is missing or after pp_queues_doubt(). Always FALSE if all queues are served. */
gboolean pp_queues_want_look (const PpQueues *queues);

/* Records that the server did not find one of the queues at a poll. */
void pp_queues_doubt (PpQueues *queues);

/* Reads which queues exist and logs changes. A missing queue is logged once, and then every hour.
 * Returns the request. The caller may cancel it until DONE is called. */
PpWorkQueuesRead *pp_queues_look (PpQueues *queues, PpQueuesDoneFunc done, gpointer user_data);
