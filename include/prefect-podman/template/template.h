/* SPDX-License-Identifier: Apache-2.0 */
/* Job variables -> job configuration. Pure: JSON in, JSON out, no I/O, no clock. The semantics are
 * Prefect's (prefect/workers/base.py BaseJobConfiguration, prefect/utilities/templating,
 * prefect_docker DockerWorkerJobConfiguration).
 *
 * The way of a flow run:
 *
 *   variables = pp_template_merge_job_variables (deployment's, flow run's)
 *   populated = pp_template_populate (template, variables, environment, &extra)
 *   populated = pp_template_add_extra (populated, extra)
 *   fetch "blocks" and "block_ids" of pp_template_references (populated)
 *   resolved = pp_template_resolve_references (populated, blocks, block_ids, NULL)
 *   fetch "variables" of pp_template_references (resolved)
 *   resolved = pp_template_resolve_references (resolved, NULL, NULL, variables)
 *   (look at resolved's `command` here to know whether one was given)
 *   configuration = pp_template_prepare (resolved, context)
 *
 * Results share values with what they were made from: set and delete keys of the outermost object
 * only. Values may be secrets: an error's message has keys and types, and of values only volumes
 * and those of keys that take a word out of a list. */
#pragma once

#include "prefect-podman/json.h"

G_BEGIN_DECLS

#define PP_TEMPLATE_ERROR (pp_template_error_quark ())
GQuark pp_template_error_quark (void);
typedef enum
{
  PP_TEMPLATE_ERROR_INVALID, /* the message names the key or placeholder and what is wrong with it
                              */
} PpTemplateError;

/* Deployment and flow run job variables as one object (resolve_for_flow_run): env is merged
 * key-wise, the rest replaced. Either may be NULL or JSON null. Returns a new object or NULL with
 * ERROR. */
json_t *pp_template_merge_job_variables (const json_t *deployment_variables,
                                         const json_t *flow_run_variables, GError **error);

/* The first half of from_template_and_values: defaults, env, dotted keys, {{ placeholders }}, {{
 * $ENV }} (looked up in ENVIRONMENT, an object of strings: the worker's own environment; may be
 * NULL); block and variable references are left standing. Returns a new object or NULL with ERROR.
 * EXTRA, when not NULL, gets a new object of those merged variables (defaults and values) that no
 * placeholder of job_configuration names. */
json_t *pp_template_populate (const json_t *base_job_template, const json_t *job_variables,
                              const json_t *environment, json_t **extra, GError **error);

/* The worker's own job variables (state_reporting, ...; see the "podman" base job template) out of
 * EXTRA, put into CONFIGURATION where it lacks the key: the way they come through a stock `docker`
 * pool, whose template does not know them. Other keys of EXTRA are left out, as the peer leaves
 * them out. EXTRA may be NULL. Returns a new object. */
json_t *pp_template_add_extra (const json_t *configuration, const json_t *extra);

/* What CONFIGURATION refers to and the caller has to fetch: {"blocks": ["slug/name", ...],
 * "block_ids": ["uuid", ...], "variables": ["name", ...]}, each once. Returns a new object. */
json_t *pp_template_references (const json_t *configuration);

/* The second half: puts in the fetched. BLOCKS: "slug/name" -> block document, BLOCK_IDS: uuid ->
 * block document, VARIABLES: name -> variable; all as the API answers them; a variable that does
 * not exist is JSON null or absent (renders as ""), a block that does not exist is an error.
 *
 * Blocks come first, then variables, and each only once (resolve_block_document_references,
 * resolve_variables): a block's data may hold references to variables, which are resolved, and to
 * blocks, which are not. NULL for both BLOCKS and BLOCK_IDS leaves references to blocks standing,
 * NULL for VARIABLES those to variables: so the caller can fetch in between. Returns a new object
 * or NULL with ERROR. */
json_t *pp_template_resolve_references (const json_t *configuration, const json_t *blocks,
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
  const char *worker_id;             /* may be NULL */
  const json_t *environment;         /* PpSettings.environment */
  const json_t *process_environment; /* for {{ $ENV }} in `name`, as in populate; may be NULL */
  const char *prefect_version;       /* value of the label prefect.io/version */
  const char *default_image; /* image where none is given (get_prefect_image_name); NULL: an error
                                instead */
  gboolean podman_pool;      /* a `podman` pool: no default command, Podman's own keys are known */
} PpTemplateContext;

/* prepare_for_flow_run of the docker worker on CONFIGURATION (not changed): env (settings,
 * attribution, own; null removes), labels in Docker's spelling, name rendered with ctx.* and
 * slugified, command's default ("prefect flow-run execute"; none for a podman pool, whose command
 * may also be a list of strings), image's default, network_mode inferred, API URL for bridge
 * networks. Numbers and booleans as values of env and labels are written as JSON writes them.
 *
 * Returns a new object, or NULL with ERROR (the first wrong key). It has every key of the docker
 * type, null where unset: command, env, labels, name, image, registry_credentials (username,
 * password, registry_url, reauth), image_pull_policy, networks, network_mode, auto_remove, volumes,
 * stream_output, mem_limit, memswap_limit, privileged, container_create_kwargs. Of the worker's own
 * keys (pp_template_add_extra()) it has those that were given and not null. All are checked for
 * type; unknown keys are left out, as by the peer. */
json_t *pp_template_prepare (const json_t *configuration, const PpTemplateContext *context,
                             GError **error);

/* The default base job templates, as new objects: TYPE "docker" (the peer's own) or "podman". NULL
 * for another type. */
json_t *pp_template_default (const char *type);

G_END_DECLS
