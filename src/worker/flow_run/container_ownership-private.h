/* SPDX-License-Identifier: Apache-2.0 */
/* Which claim of a run is its last one, by its states on the server. */
#pragma once

#include <glib.h>
#include <jansson.h>

/* The state by which CLAIM, a transition id, took the run, among STATES, the run's on the server,
 * oldest first. Borrowed; NULL if there is none, or another claim has followed: the run was
 * SCHEDULED once more, for a retry or a resumption, and PENDING after that. A retry that Prefect
 * waits for inside its container has no such PENDING. */
const json_t *pp_states_find_claim (const json_t *states, const char *claim);
