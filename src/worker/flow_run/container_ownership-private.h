/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the last claim of a run in its states on the server. */
#pragma once

#include <glib.h>
#include <jansson.h>

/* Returns the state by which CLAIM, a transition id, claimed the run. STATES are the run's states
 * on the server, oldest first. Borrowed. Returns NULL if there is no such state, or if another
 * claim followed: the run became SCHEDULED again, for a retry or a resumption, and then PENDING. A
 * retry that Prefect waits for inside its container has no such PENDING. */
const json_t *pp_states_find_claim (const json_t *states, const char *claim);
