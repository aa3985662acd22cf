/* SPDX-License-Identifier: Apache-2.0 */
/* Makes the finished job configuration of a flow run. Fetches the deployment, flow, blocks and
 * variables that the run refers to, then calls the pure functions of template/. Used by the worker
 * and by `prefect-podman render`. */
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
  PP_RESOLVE_ERROR_FETCH, /* the API refused a needed object; the message has the API's text */
  PP_RESOLVE_ERROR_CONFIGURATION, /* template/ refused; the message names the key */
} PpResolveError;

/* The objects that make a job configuration, as the API returns them. Owns one reference to
 * each. */
typedef struct
{
  json_t *flow_run;
  json_t *work_pool;
  json_t *deployment; /* NULL if the run has none */
  json_t *flow;
  json_t *blocks;    /* object: "slug/name" -> block document */
  json_t *block_ids; /* object: uuid -> block document */
  json_t *variables; /* object: name -> variable; null if it does not exist */
  json_t *server;    /* object: "version" -> the server's, a string; null or missing if unknown */
  json_t *populated; /* result of pp_resolve_populate(), set by the resolver; or NULL */
} PpResolveParts;

void pp_resolve_parts_free (PpResolveParts *parts);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpResolveParts, pp_resolve_parts_free)

/* The identity of the worker that resolves. All borrowed. */
typedef struct
{
  const char *worker_name;
  const char *worker_id;             /* may be NULL */
  const json_t *environment;         /* PpSettings.environment */
  const json_t *process_environment; /* pp_resolve_process_environment() */
} PpResolveIdentity;

/* Returns this process's environment, for {{ $NAME }} in templates; new object. May hold
 * secrets. */
json_t *pp_resolve_process_environment (void);

/* Makes the finished job configuration from PARTS. Its member PP_SECRET_ENVIRONMENT_KEY
 * (infrastructure.h) names the variables of `env` that are secrets of the worker; PP_NAME_TEXT_KEY
 * is the name from which a container's name was made. Pure. Returns a new object, or NULL with
 * ERROR (PP_RESOLVE_ERROR_CONFIGURATION). */
json_t *pp_resolve_configuration (const PpResolveParts *parts, const PpResolveIdentity *identity,
                                  GError **error);

/* Returns the default image for a run: Prefect's image of VERSION, the server's version. For NULL
 * (unknown, or Prefect Cloud) and for a development build, which has no image, returns the newest
 * image. New string. Pure. Prefect's own worker uses its own version (get_prefect_image_name() in
 * prefect/utilities/dockerutils.py); this worker is not a version of Prefect. */
char *pp_resolve_default_image (const char *version);

/* Returns a mask with the secrets of the blocks in PARTS; new object, or NULL if there are no
 * blocks. Pure. */
PpMask *pp_resolve_mask (const PpResolveParts *parts);

/* Returns the configuration of PARTS before references are resolved: job variables (also this
 * worker's own) are merged, and defaults and values are filled in. If PROCESS_ENVIRONMENT is NULL,
 * {{ $NAME }} stays. Pure. Returns a new object, or NULL with ERROR of template/. */
json_t *pp_resolve_populate (const PpResolveParts *parts, const json_t *process_environment,
                             GError **error);

/* True if WORK_POOL is of type `podman`. */
gboolean pp_resolve_is_podman_pool (const json_t *work_pool);

typedef struct PpResolver PpResolver;
typedef struct PpResolveCall PpResolveCall;

/* API and PROCESS_ENVIRONMENT must outlive the resolver. Runs of the same poll share the
 * deployments that were fetched. Flows are cached for a minute. */
PpResolver *pp_resolver_new (PpApi *api, const json_t *process_environment);
void pp_resolver_free (PpResolver *resolver);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpResolver, pp_resolver_free)

/* Call this when a poll is answered, before pp_resolver_fetch() for its runs. These runs then do
 * not share a deployment that was requested earlier: the deployment may have been changed before
 * the runs were created. */
void pp_resolver_note_poll (PpResolver *resolver);

/* Exactly one of PARTS and ERROR is NULL. Both are borrowed. */
typedef void (*PpResolveDoneFunc) (const PpResolveParts *parts, const GError *error,
                                   gpointer user_data);

/* Fetches the parts for FLOW_RUN in WORK_POOL and takes new references to both. The returned call
 * is valid until DONE is called. */
PpResolveCall *pp_resolver_fetch (PpResolver *resolver, json_t *flow_run, json_t *work_pool,
                                  PpResolveDoneFunc done, gpointer user_data);
/* Cancels CALL and frees it: DONE is not called. NULL is ignored. */
void pp_resolve_call_cancel (PpResolveCall *call);

G_END_DECLS
