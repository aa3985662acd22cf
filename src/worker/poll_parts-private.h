/* SPDX-License-Identifier: Apache-2.0 */
/* A poll whose whole the server fails at (500), queue by queue: one bad run, or queue, must not
 * keep the others from being served. Private to src/worker. */
#pragma once

#include "worker_inside-private.h"

/* Polls the work queues of WORKER one by one. DONE gets an array of what the poll gives, of all
 * queues that answered, or ERROR (the one given here, copied) when none did. The returned object is
 * the caller's to free, in DONE at the earliest; DONE is not called after that. */
PpPollParts *pp_poll_parts_start (PpWorker *worker, const GError *error, PpApiDoneFunc done,
                                  gpointer user_data);
void pp_poll_parts_free (PpPollParts *parts);

/* spoilers.c */

/* Looks for runs that the server cannot write out at all, so that it answers 500 to every poll they
 * would be in, and sets them to CRASHED: no worker can get them, and the others wait behind them.
 * To be called at each poll that the server fails at; nothing happens while a search is under way.
 */
void pp_worker_find_spoilers (PpWorker *worker);
/* Ends the search, and forgets what it has found: a poll was answered, or there will be none. */
void pp_worker_stop_finding_spoilers (PpWorker *worker);
