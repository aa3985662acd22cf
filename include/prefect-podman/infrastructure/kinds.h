/* SPDX-License-Identifier: Apache-2.0 */
/* All kinds of infrastructure, and the types of work pools that each serves. */
#pragma once

#include "prefect-podman/infrastructure/infrastructure.h"

G_BEGIN_DECLS

typedef struct PpInfrastructureKind PpInfrastructureKind;

/* Returns the kind that serves work pools of TYPE (may be NULL), or NULL if none does. */
const PpInfrastructureKind *pp_kind_for_pool (const char *type);

/* Returns the kind whose jobs run at PLACE (may be NULL), or NULL if PLACE belongs to no kind. */
const PpInfrastructureKind *pp_kind_for_place (const char *place);

/* Returns the kind of a worker that was started without a type. */
const PpInfrastructureKind *pp_kind_default (void);

/* Returns the types of work pools that the kinds serve; NULL-terminated, static. */
const char *const *pp_kind_pool_types (void);

/* Returns the same types for a message: "'docker' and 'podman'"; new string. */
char *pp_kind_show_pool_types (void);

/* Returns the first word of the default name of a worker for pools of TYPE. For "docker" it is the
 * name of the Python worker's class: "DockerWorker". */
const char *pp_kind_worker_word (const char *type);

/* Returns the place of KIND's jobs, for pp_infrastructure_new(): the container engine's URL, from
 * ENGINE_URL (--engine-url; may be NULL) or from the environment. The place is part of the hash of
 * a worker's identity and of its journal, so its spelling must never change. New string, or NULL
 * with ERROR. */
char *pp_kind_find_place (const PpInfrastructureKind *kind, const char *engine_url, GError **error);

/* Returns the base job template of a new pool of TYPE; new object. NULL if no kind serves TYPE. */
json_t *pp_kind_default_template (const char *type);

G_END_DECLS
