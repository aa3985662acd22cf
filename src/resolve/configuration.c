/* SPDX-License-Identifier: Apache-2.0 */
/* Makes the job configuration from the fetched objects. Pure, except for the process's
 * environment. */
#include "config.h"

#include "prefect-podman/resolve/resolve.h"

#include "prefect-podman/infrastructure/infrastructure.h"
#include "prefect-podman/prefect/version.h"
#include "prefect-podman/template/template.h"
#include "prefect-podman/resolve/own_secrets.h"

#include <string.h>

/* A longer text is not a version. */
#define MAX_VERSION_LENGTH 64

json_t *
pp_resolve_populate (const PpResolveParts *parts, const json_t *process_environment, GError **error)
{
  json_auto_t *extra = NULL;
  json_auto_t *populated = NULL;
  json_auto_t *variables
      = pp_template_merge_job_variables (json_object_get (parts->deployment, "job_variables"),
                                         json_object_get (parts->flow_run, "job_variables"), error);

  if (variables == NULL)
    return NULL;
  populated = pp_template_populate (json_object_get (parts->work_pool, "base_job_template"),
                                    variables, process_environment, &extra, error);
  if (populated == NULL)
    return NULL;
  return pp_template_add_extra (populated, extra);
}

gboolean
pp_resolve_is_podman_pool (const json_t *work_pool)
{
  return g_strcmp0 (pp_json_string (work_pool, "type"), "podman") == 0;
}

/* True if WORK_POOL has a type whose jobs are not containers. */
static gboolean
is_plain_pool (const json_t *work_pool)
{
  const char *type = pp_json_string (work_pool, "type");

  return type != NULL && !g_str_equal (type, "docker") && !g_str_equal (type, "podman");
}

char *
pp_resolve_default_image (const char *version)
{
  /* A public version of PEP 440, but without ".dev" and without a local part ("+12.gabc"). */
  static const char *const public
      = "^[0-9]+\\.[0-9]+(\\.[0-9]+)*((a|b|rc)[0-9]+)?(\\.post[0-9]+)?$";

  if (version == NULL || strlen (version) > MAX_VERSION_LENGTH
      || !g_regex_match_simple (public, version, G_REGEX_DOLLAR_ENDONLY, 0))
    return g_strdup (PP_PREFECT_IMAGE);
  return g_strdup_printf ("docker.io/prefecthq/prefect:%s-python%s", version,
                          g_str_has_prefix (version, "2.") ? "3.11" : "3.12");
}

static json_t *
configuration_from_parts (const PpResolveParts *parts, const PpResolveIdentity *identity,
                          GError **error)
{
  json_auto_t *populated = parts->populated != NULL
                               ? json_incref (parts->populated)
                               : pp_resolve_populate (parts, identity->process_environment, error);
  json_auto_t *resolved = NULL;
  g_autofree char *image = pp_resolve_default_image (pp_json_string (parts->server, "version"));
  PpTemplateContext context = {
    .flow_run = parts->flow_run,
    .flow = parts->flow,
    .deployment = parts->deployment,
    .work_pool = parts->work_pool,
    .worker_name = identity->worker_name,
    .worker_id = identity->worker_id,
    .environment = identity->environment,
    .prefect_version = PP_PREFECT_VERSION,
    .default_image = image,
    .podman_pool = pp_resolve_is_podman_pool (parts->work_pool),
    .plain_pool = is_plain_pool (parts->work_pool),
  };

  if (populated == NULL)
    return NULL;
  resolved = pp_template_resolve_references (populated, parts->blocks, parts->block_ids,
                                             parts->variables, error);
  if (resolved == NULL)
    return NULL;
  json_t *prepared = pp_template_prepare (resolved, &context, error);
  if (prepared == NULL)
    return NULL;
  json_object_set_new (
      prepared, PP_SECRET_ENVIRONMENT_KEY,
      pp_own_secret_environment (identity->environment, json_object_get (resolved, "env")));
  g_autofree char *name = context.plain_pool ? NULL : pp_template_name (resolved, &context, NULL);
  if (name != NULL)
    json_object_set_new (prepared, PP_NAME_TEXT_KEY, json_string (name));
  return prepared;
}

json_t *
pp_resolve_process_environment (void)
{
  g_auto (GStrv) names = g_listenv ();
  json_t *environment = json_object ();

  for (char **name = names; *name != NULL; name++)
    {
      g_autofree char *valid = g_utf8_make_valid (g_getenv (*name), -1);

      if (g_utf8_validate (*name, -1, NULL))
        json_object_set_new (environment, *name, json_string (valid));
    }
  return environment;
}

json_t *
pp_resolve_configuration (const PpResolveParts *parts, const PpResolveIdentity *identity,
                          GError **error)
{
  g_autoptr (GError) cause = NULL;
  json_t *configuration = configuration_from_parts (parts, identity, &cause);

  if (configuration == NULL)
    g_set_error (error, PP_RESOLVE_ERROR, PP_RESOLVE_ERROR_CONFIGURATION, "%s", cause->message);
  return configuration;
}

static void
learn_blocks (PpMask *mask, json_t *blocks)
{
  const char *key;
  json_t *block;

  json_object_foreach (blocks, key, block) pp_mask_add_block (mask, block);
}

PpMask *
pp_resolve_mask (const PpResolveParts *parts)
{
  if (json_object_size (parts->blocks) + json_object_size (parts->block_ids) == 0)
    return NULL;

  PpMask *mask = pp_mask_new ();
  learn_blocks (mask, parts->blocks);
  learn_blocks (mask, parts->block_ids);
  return mask;
}
