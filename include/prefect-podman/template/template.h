/* Job variables -> job configuration. Pure: JSON in, JSON out, no I/O, no clock. The semantics are
 * Prefect's (prefect/workers/base.py BaseJobConfiguration, prefect/utilities/templating,
 * prefect_docker DockerWorkerJobConfiguration). */
#pragma once

#include "prefect-podman/json.h"

G_BEGIN_DECLS

#define PP_TEMPLATE_ERROR (pp_template_error_quark ())
GQuark pp_template_error_quark (void);
typedef enum
{
  PP_TEMPLATE_ERROR_INVALID, /* the message names the key and the value */
} PpTemplateError;

/* Deployment and flow run job variables as one object (resolve_for_flow_run): env is merged
 * key-wise, the rest replaced. Either may be NULL or JSON null. Returns a new object. */
json_t *pp_template_merge_job_variables (const json_t *deployment_variables,
                                         const json_t *flow_run_variables);

/* The first half of from_template_and_values: defaults, env, dotted keys, {{ placeholders }}, {{
 * $ENV }} (looked up in ENVIRONMENT, an object of strings); block and variable references are left
 * standing. Returns a new object or NULL with ERROR. EXTRA, when not NULL, gets a new object of
 * those merged variables (defaults and values) that no placeholder of job_configuration names: the
 * worker's own job variables (state_reporting, ...) reach it through a stock `docker` pool this
 * way. */
json_t *pp_template_populate (const json_t *base_job_template, const json_t *job_variables,
                              const json_t *environment, json_t **extra, GError **error);

/* What POPULATED refers to and the caller has to fetch: {"blocks": ["slug/name", ...], "block_ids":
 * ["uuid", ...], "variables": ["name", ...]}, each once. Returns a new object. */
json_t *pp_template_references (const json_t *populated);

/* The second half: puts in the fetched. BLOCKS: "slug/name" -> block document (the API's answer),
 * BLOCK_IDS: uuid -> block document, VARIABLES: name -> value; a missing variable is JSON null or
 * absent (renders as Prefect does). May return references again when fetched values hold some: the
 * caller loops over pp_template_references() only where Prefect does. Returns a new object or NULL
 * with ERROR. */
json_t *pp_template_resolve_references (const json_t *populated, const json_t *blocks,
                                        const json_t *block_ids, const json_t *variables,
                                        GError **error);

/* What prepare_for_flow_run looks at. All borrowed; objects as the API answers them. */
typedef struct
{
  const json_t *flow_run;
  const json_t *flow;       /* may be NULL */
  const json_t *deployment; /* may be NULL */
  const json_t *work_pool;  /* may be NULL */
  const char *worker_name;
  const char *worker_id;       /* may be NULL */
  const json_t *environment;   /* PpSettings.environment */
  const char *prefect_version; /* value of the label prefect.io/version */
  const char *default_image;   /* image where none is given (get_prefect_image_name); NULL: an error
                                  instead */
  gboolean podman_pool; /* a `podman` pool: no default command, Podman's own keys are known */
} PpTemplateContext;

/* prepare_for_flow_run of the docker worker on CONFIGURATION (not changed): env (settings,
 * attribution, own; null removes), labels in Docker's spelling, name rendered with ctx.* and
 * slugified, command's default, image's default, network_mode inferred, API URL for bridge
 * networks. Values of env and labels that are numbers or booleans are written as JSON writes them.
 * Returns a new object whose keys are those of the job configuration, all checked for type
 * (PP_TEMPLATE_ERROR_INVALID names the first wrong one), or NULL with ERROR. */
json_t *pp_template_prepare (const json_t *configuration, const PpTemplateContext *context,
                             GError **error);

/* The default base job templates, as new objects: TYPE "docker" (the peer's own) or "podman". NULL
 * for another type. */
json_t *pp_template_default (const char *type);

G_END_DECLS
