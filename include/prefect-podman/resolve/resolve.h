/* SPDX-License-Identifier: Apache-2.0 */
/* From a flow run to its finished job configuration: fetches what it refers to (deployment, flow,
 * blocks, variables), then calls the pure room template/. Shared by the worker and by
 * `prefect-podman render`. */
#pragma once

#include "prefect-podman/prefect/api.h"
#include "prefect-podman/template/mask.h"
#include "prefect-podman/template/template.h"

G_BEGIN_DECLS

#define PP_RESOLVE_ERROR (pp_resolve_error_quark ())
GQuark pp_resolve_error_quark (void);
typedef enum
{
  PP_RESOLVE_ERROR_DEPLOYMENT_GONE, /* the run's deployment no longer exists */
  PP_RESOLVE_ERROR_FETCH,           /* the API refused something that is needed: its words */
  PP_RESOLVE_ERROR_CONFIGURATION,   /* template/ refused: names the key */
} PpResolveError;

/* Everything a job configuration is made of, as the API answers it. Owns one reference to each. */
typedef struct
{
  json_t *flow_run;
  json_t *work_pool;
  json_t *deployment; /* NULL for a run without one */
  json_t *flow;
  json_t *blocks;    /* object: "slug/name" -> block document */
  json_t *block_ids; /* object: uuid -> block document */
  json_t *variables; /* object: name -> variable, null for one that does not exist */
  json_t *server;    /* object: "version" -> the server's, a string; null or not there: not known */
  json_t
      *populated; /* pp_resolve_populate() of these, by the resolver that fetched them; or NULL */
} PpResolveParts;

void pp_resolve_parts_free (PpResolveParts *parts);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpResolveParts, pp_resolve_parts_free)

/* Who resolves; all borrowed. */
typedef struct
{
  const char *worker_name;
  const char *worker_id;             /* may be NULL */
  const json_t *environment;         /* PpSettings.environment */
  const json_t *process_environment; /* pp_resolve_process_environment() */
} PpResolveIdentity;

/* The environment of this process, for {{ $NAME }} in templates; new object. May hold secrets. */
json_t *pp_resolve_process_environment (void);

/* PARTS -> finished job configuration, with PP_SECRET_ENVIRONMENT_KEY. Pure. Returns a new object
 * or NULL with ERROR (PP_RESOLVE_ERROR_CONFIGURATION). */
json_t *pp_resolve_configuration (const PpResolveParts *parts, const PpResolveIdentity *identity,
                                  GError **error);

/* The image of a run that names none, beside a server of VERSION (NULL: not known, or Prefect
 * Cloud): Prefect's own image of that version, and the newest one for a development build, of which
 * there is no image. A new string. Pure. (The peer takes its own version, in
 * prefect/utilities/dockerutils.py get_prefect_image_name(); a worker in C has none.) */
char *pp_resolve_default_image (const char *version);

/* Knows the secrets of the blocks in PARTS; new, or NULL when there are no blocks. Pure. */
PpMask *pp_resolve_mask (const PpResolveParts *parts);

/* The configuration of PARTS before what it refers to is put in: job variables merged, defaults and
 * values in their places, the worker's own job variables among them. PROCESS_ENVIRONMENT NULL: {{
 * $NAME }} stays empty. Pure. A new object, or NULL with template/'s ERROR. */
json_t *pp_resolve_populate (const PpResolveParts *parts, const json_t *process_environment,
                             GError **error);

/* Whether WORK_POOL is of type `podman`. */
gboolean pp_resolve_is_podman_pool (const json_t *work_pool);

typedef struct PpResolver PpResolver;
typedef struct PpResolveCall PpResolveCall;

/* Fetches through API, which must outlive it, as must PROCESS_ENVIRONMENT. Deployments fetched for
 * runs of one poll are shared between them; flows are kept a minute. */
PpResolver *pp_resolver_new (PpApi *api, const json_t *process_environment);
void pp_resolver_free (PpResolver *resolver);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpResolver, pp_resolver_free)

/* PARTS (borrowed) or ERROR; exactly one is NULL. */
typedef void (*PpResolveDoneFunc) (const PpResolveParts *parts, const GError *error,
                                   gpointer user_data);

/* Fetches the parts for FLOW_RUN in WORK_POOL (references are taken). The call is gone once DONE
 * was called. */
PpResolveCall *pp_resolver_fetch (PpResolver *resolver, json_t *flow_run, json_t *work_pool,
                                  PpResolveDoneFunc done, gpointer user_data);
/* DONE of CALL (may be NULL) will not be called. */
void pp_resolve_call_cancel (PpResolveCall *call);

G_END_DECLS
