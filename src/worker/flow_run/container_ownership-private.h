/* SPDX-License-Identifier: Apache-2.0 */
/* Whose a container is: told by the labels that the worker sets on each one (context.h) and by what
 * this worker, or the server, knows of the run. Never by a name, or by what a job can say. */
#pragma once

#include <glib.h>
#include <jansson.h>

/* The label KEY of CONTAINER, an entry of the engine's list or its answer to an inspect. Borrowed;
 * NULL where there is none. */
const char *pp_container_label (const json_t *container, const char *key);

/* The transition id of the claim that CONTAINER was made for. Borrowed; NULL where no label tells:
 * version 0.1 set none. */
const char *pp_container_claim (const json_t *container);

/* True if CONTAINER was made for CLAIM, a transition id. Never of a container of version 0.1. */
gboolean pp_container_is_of_claim (const json_t *container, const char *claim);

/* True if CONTAINER, an entry of the engine's list, is to be gone on with rather than OTHER, of the
 * same run and claim: the one that runs, else the later made, else the one that was started. */
gboolean pp_container_is_better_candidate (const json_t *container, const json_t *other);

/* The state by which CLAIM, a transition id, took the run, among STATES, the run's on the server,
 * oldest first. Borrowed; NULL if there is none, or another claim has followed: the run was
 * SCHEDULED once more, for a retry or a resumption, and PENDING after that. A retry that Prefect
 * waits for inside its container has no such PENDING. */
const json_t *pp_states_find_claim (const json_t *states, const char *claim);
