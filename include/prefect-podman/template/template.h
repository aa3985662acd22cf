/* SPDX-License-Identifier: Apache-2.0 */
/* Turns job variables into a job configuration. Pure: JSON in, JSON out, no I/O, no clock. Follows
 * Prefect (prefect/workers/base.py BaseJobConfiguration, prefect/utilities/templating,
 * prefect_docker DockerWorkerJobConfiguration).
 *
 * The steps for a flow run:
 *
 *   variables = pp_template_merge_job_variables (deployment's, flow run's)
 *   populated = pp_template_populate (template, variables, environment, &extra)
 *   populated = pp_template_add_extra (populated, extra)
 *   fetch "blocks" and "block_ids" of pp_template_references (populated)
 *   resolved = pp_template_resolve_references (populated, blocks, block_ids, NULL)
 *   fetch "variables" of pp_template_references (resolved)
 *   resolved = pp_template_resolve_references (resolved, NULL, NULL, variables)
 *   (`command` in resolved now shows if the user set one)
 *   configuration = pp_template_prepare (resolved, context)
 *
 * Results share values with their arguments: set and delete keys of the outermost object only.
 * Values may be secrets. So an error's message has keys and types, and only these values: volumes,
 * and values of keys that accept a fixed list of words. */
#pragma once

#include "prefect-podman/json.h"

G_BEGIN_DECLS

#define PP_TEMPLATE_ERROR (pp_template_error_quark ())
GQuark pp_template_error_quark (void);
typedef enum
{
  PP_TEMPLATE_ERROR_INVALID, /* the message names the key or placeholder, and the problem */
} PpTemplateError;

/* Merges the job variables of deployment and flow run (resolve_for_flow_run): env key by key; other
 * variables of the flow run replace the deployment's. Either argument may be NULL or JSON null.
 * Returns a new object, or NULL with ERROR. */
json_t *pp_template_merge_job_variables (const json_t *deployment_variables,
                                         const json_t *flow_run_variables, GError **error);

/* The first half of from_template_and_values: applies defaults, env, dotted keys, {{ placeholders
 * }} and {{ $ENV }}. ENVIRONMENT is the worker's own environment, an object of strings for {{ $ENV
 * }}; if it is NULL, they stay. Only placeholders of the template itself are replaced, not those in
 * values. References to blocks and variables stay. If EXTRA is not NULL, *EXTRA gets a new
 * object with those merged variables that no placeholder of job_configuration names. Returns a new
 * object, or NULL with ERROR. */
json_t *pp_template_populate (const json_t *base_job_template, const json_t *job_variables,
                              const json_t *environment, json_t **extra, GError **error);

/* Copies this worker's own job variables (state_reporting, ...; see the base job template of
 * "podman") from EXTRA to CONFIGURATION, unless CONFIGURATION has the key. So they work in a stock
 * `docker` pool, whose template lacks them. Ignores other keys of EXTRA, as Prefect does. EXTRA may
 * be NULL. Returns a new object. */
json_t *pp_template_add_extra (const json_t *configuration, const json_t *extra);

/* Returns the references in CONFIGURATION that the caller has to fetch, each listed once:
 * {"blocks": ["slug/name", ...], "block_ids": ["uuid", ...], "variables": ["name", ...]}. New
 * object. */
json_t *pp_template_references (const json_t *configuration);

/* The second half of from_template_and_values: inserts what was fetched. BLOCKS is "slug/name" ->
 * block document, BLOCK_IDS is uuid -> block document, VARIABLES is name -> variable, all as the
 * API returns them. A missing variable is JSON null or absent and is rendered as ""; a missing
 * block is an error.
 *
 * Blocks are resolved before variables, and each only once (resolve_block_document_references,
 * resolve_variables). So references to variables in a block's data are resolved, but references to
 * blocks are not. If BLOCKS and BLOCK_IDS are both NULL, references to blocks stay; if VARIABLES is
 * NULL, references to variables stay. So the caller can fetch variables in between. Returns a new
 * object, or NULL with ERROR. */
json_t *pp_template_resolve_references (const json_t *configuration, const json_t *blocks,
                                        const json_t *block_ids, const json_t *variables,
                                        GError **error);

/* The input of prepare_for_flow_run. All borrowed; objects are as the API returns them. */
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
  /* The image if none is configured (get_prefect_image_name). NULL: that is an error. */
  const char *default_image;
  /* A `podman` pool: there is no default command, and Podman's own keys are known. */
  gboolean podman_pool;
  /* A pool whose jobs are no containers. The configuration then keeps its keys as they are, and the
   * kind of infrastructure checks them. Only env, labels and the default command are set. */
  gboolean plain_pool;
} PpTemplateContext;

/* Does what prepare_for_flow_run of Prefect's docker worker does. CONFIGURATION is not changed.
 * Sets:
 *
 * - env: the settings, the variables of the run, and the job's own variables (null removes one);
 * - labels, in Docker's spelling;
 * - name, rendered with ctx.* only and slugified;
 * - the default command, "prefect flow-run execute" (none for a podman pool, whose command may also
 *   be a list of strings), and the default image;
 * - network_mode, if it has to be inferred, and the API URL for a bridge network.
 *
 * Numbers and booleans in env and labels are written as in JSON.
 *
 * Returns a new object, or NULL with ERROR for the first wrong key. The object has every key of the
 * docker type, with null if it is unset: command, env, labels, name, image, registry_credentials
 * (username, password, registry_url, reauth), image_pull_policy, networks, network_mode,
 * auto_remove, volumes, stream_output, mem_limit, memswap_limit, privileged,
 * container_create_kwargs. It has this worker's own keys (pp_template_add_extra()) if they are set
 * and not null. The types of all keys are checked. Unknown keys are ignored, as in Prefect. */
json_t *pp_template_prepare (const json_t *configuration, const PpTemplateContext *context,
                             GError **error);

/* Returns the name that pp_template_prepare() turns into a container's name, before its characters
 * are replaced. Masking finds secrets in this name, but not in the container's name. New string, or
 * NULL with ERROR. */
char *pp_template_name (const json_t *configuration, const PpTemplateContext *context,
                        GError **error);

/* Returns the container's name for NAME as pp_template_prepare() makes it, but keeps each PP_MASKED
 * (mask.h) in NAME. New string; PP_MASKED if nothing else is left. */
char *pp_template_shown_name (const char *name);

/* Returns the default base job template of TYPE as a new object: "docker" (Prefect's own) or
 * "podman". NULL for another type. */
json_t *pp_template_default (const char *type);

G_END_DECLS
