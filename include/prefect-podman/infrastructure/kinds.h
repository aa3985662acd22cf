/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of infrastructure there are, and the work pools that each serves. */
#pragma once

#include "prefect-podman/infrastructure/infrastructure.h"

G_BEGIN_DECLS

typedef struct PpInfrastructureKind PpInfrastructureKind;

/* The kind that serves work pools of TYPE (may be NULL), or NULL if none does. */
const PpInfrastructureKind *pp_kind_for_pool (const char *type);

/* The kind that has jobs at PLACE (may be NULL), or NULL. */
const PpInfrastructureKind *pp_kind_for_place (const char *place);

/* The kind of a worker that is told no type. */
const PpInfrastructureKind *pp_kind_default (void);

/* The types of work pools that are served; NULL-terminated, static. */
const char *const *pp_kind_pool_types (void);

/* The same for a message: "'docker' and 'podman'"; new string. */
char *pp_kind_show_pool_types (void);

/* The first word of the name of a worker for pools of TYPE, as the peer's class is called:
 * "DockerWorker". */
const char *pp_kind_worker_word (const char *type);

/* Where KIND's jobs are, for pp_infrastructure_new(): the container engine's URL, as ENGINE_URL
 * (--engine-url; may be NULL) or the environment says. A place stands in the hash of a worker's
 * identity and in its journal, and never changes its spelling. New string, or NULL with ERROR. */
char *pp_kind_find_place (const PpInfrastructureKind *kind, const char *engine_url, GError **error);

/* The base job template of a new pool of TYPE; new object. */
json_t *pp_kind_default_template (const char *type);

G_END_DECLS
