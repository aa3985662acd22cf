/* SPDX-License-Identifier: Apache-2.0 */
/* Polls queue by queue if the server answers 500 to the poll of all queues, or if its answer is too
 * large. One bad run or queue must not block the others. Private to src/worker. */
#pragma once

#include "worker_inside-private.h"

/* Polls the work queues of WORKER one by one. DONE gets one array with the runs of all queues that
 * answered, or a copy of ERROR if no queue answered. The caller may free the returned object at any
 * time, also in DONE. After that, DONE is not called. */
PpPollParts *pp_poll_parts_start (PpWorker *worker, const GError *error, PpApiDoneFunc done,
                                  gpointer user_data);
void pp_poll_parts_free (PpPollParts *parts);

/* spoilers.c */

/* Finds runs that the server cannot serialize and sets them to CRASHED. The server answers 500 to
 * each poll that would return such a run, so other runs wait behind it. Call this after a poll of
 * single queues if one of them failed. Does nothing while a search runs. */
void pp_worker_find_spoilers (PpWorker *worker);
/* Ends the search and forgets its results. Call this when a poll was answered or polling ends. */
void pp_worker_stop_finding_spoilers (PpWorker *worker);
