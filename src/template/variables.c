/* SPDX-License-Identifier: Apache-2.0 */
/* Merges job variables, applies defaults, and puts the variables into the job configuration
 * (BaseJobConfiguration.resolve_for_flow_run and from_template_and_values). */
#include "config.h"

#include "template-private.h"

#include <string.h>

/* Updates ENV, a job's `env`, as env.update (UPDATE) does in Python. Returns FALSE with ERROR. */
static gboolean
update_env (json_t *env, const json_t *update, GError **error)
{
  if (json_is_object (update))
    {
      json_object_update (env, (json_t *)update);
      return TRUE;
    }
  /* Python accepts an empty list or string in place of an empty mapping, but not None. */
  if ((json_is_array (update) || json_is_string (update)) && !pp_json_truthy (update))
    return TRUE;
  return pp_template_invalid (error,
                              "env: the flow run's job variable is %s; an object is needed, "
                              "because it is merged into the deployment's env",
                              pp_json_type_name (update));
}

static gboolean
is_absent (const json_t *variables)
{
  return variables == NULL || !pp_json_truthy (variables);
}

json_t *
pp_template_merge_job_variables (const json_t *deployment_variables,
                                 const json_t *flow_run_variables, GError **error)
{
  json_auto_t *merged = json_object ();
  const char *key;
  json_t *value;

  if ((!is_absent (deployment_variables) && !json_is_object (deployment_variables))
      || (!is_absent (flow_run_variables) && !json_is_object (flow_run_variables)))
    {
      pp_template_invalid (error, "job_variables: an object is needed");
      return NULL;
    }

  json_object_update (merged, (json_t *)deployment_variables);
  json_object_foreach ((json_t *)flow_run_variables, key, value)
  {
    json_t *env = json_object_get (merged, "env");
    if (strcmp (key, "env") != 0 || !json_is_object (env))
      {
        json_object_set (merged, key, value);
        continue;
      }
    json_t *copy = json_copy (env);
    json_object_set_new (merged, "env", copy);
    if (!update_env (copy, value, error))
      return NULL;
  }
  return g_steal_pointer (&merged);
}

/* _get_base_config_defaults: returns the defaults that are not null. */
static json_t *
base_config_defaults (const json_t *properties, GError **error)
{
  json_auto_t *defaults = json_object ();
  const char *name;
  json_t *schema;

  json_object_foreach ((json_t *)properties, name, schema)
  {
    if (!json_is_object (schema))
      {
        pp_template_invalid (error,
                             "base job template: variables.properties.%s is %s, not an object",
                             name, pp_json_type_name (schema));
        return NULL;
      }
    json_t *value = json_object_get (schema, "default");
    if (value != NULL && !json_is_null (value))
      json_object_set (defaults, name, value);
  }
  return g_steal_pointer (&defaults);
}

/* set_in_dict: sets PATH of OBJECT to VALUE, and makes the objects that are missing on the path.
 * Objects that are shared with the caller's variables are copied first. */
static gboolean
set_in_object (json_t *object, const char *path, json_t *value, GError **error)
{
  g_auto (GStrv) keys = pp_path_split (path);
  guint count = g_strv_length (keys);
  if (!pp_template_check_depth (count, error))
    return FALSE;

  for (guint i = 0; i + 1 < count; i++)
    {
      json_t *next = json_object_get (object, keys[i]);
      if (next != NULL && !json_is_object (next))
        return pp_template_invalid (error, "job variable '%s': '%s' is %s, not an object", path,
                                    keys[i], pp_json_type_name (next));
      next = next != NULL ? json_copy (next) : json_object ();
      json_object_set_new (object, keys[i], next);
      object = next;
    }
  json_object_set (object, keys[count - 1], value);
  return TRUE;
}

/* deep_merge: returns a new object with OVER merged into OBJECT. OVER wins. */
static json_t *
deep_merge (const json_t *object, const json_t *over, guint depth, GError **error)
{
  if (!pp_template_check_depth (depth, error))
    return NULL;

  json_auto_t *merged = pp_json_shallow_copy (object);
  const char *key;
  json_t *value;
  json_object_foreach ((json_t *)over, key, value)
  {
    json_t *current = json_object_get (merged, key);
    if (!json_is_object (current) || !json_is_object (value))
      {
        json_object_set (merged, key, value);
        continue;
      }
    json_t *both = deep_merge (current, value, depth + 1, error);
    if (both == NULL)
      return NULL;
    json_object_set_new (merged, key, both);
  }
  return g_steal_pointer (&merged);
}

/* Nests keys of the form "a.b". Then merges the other keys over them, so the other keys win. */
static json_t *
nest_dotted_keys (const json_t *variables, GError **error)
{
  json_auto_t *nested = json_object ();
  const char *key;
  json_t *value;

  json_object_foreach ((json_t *)variables, key, value)
  {
    if (strchr (key, '.') != NULL && !set_in_object (nested, key, value, error))
      return NULL;
  }
  json_object_foreach ((json_t *)variables, key, value)
  {
    if (strchr (key, '.') != NULL)
      continue;
    json_t *current = json_object_get (nested, key);
    if (json_is_object (current) && json_is_object (value))
      {
        json_t *both = deep_merge (current, value, 0, error);
        if (both == NULL)
          return NULL;
        json_object_set_new (nested, key, both);
      }
    else
      json_object_set (nested, key, value);
  }
  return g_steal_pointer (&nested);
}

/* Merges OVER into CONFIGURATION's env, which is an object; OVER wins. Returns FALSE with ERROR if
 * OVER is not an object. WHOSE names OVER in the message. */
static gboolean
merge_env (json_t *configuration, const json_t *over, const char *whose, GError **error)
{
  if (!json_is_object (over))
    return pp_template_invalid (error, "env: the %s is %s; an object is needed", whose,
                                pp_json_type_name (over));
  json_t *env = json_copy (json_object_get (configuration, "env"));
  json_object_update (env, (json_t *)over);
  json_object_set_new (configuration, "env", env);
  return TRUE;
}

/* Puts the default of `env` into the job configuration's own env, or in place of its placeholder.
 * So the deployment's env adds to the default and does not replace it. */
static gboolean
apply_default_env (json_t *configuration, const json_t *defaults, GError **error)
{
  json_t *env = json_object_get (defaults, "env");
  if (!pp_json_truthy (env))
    return TRUE;
  if (json_is_object (json_object_get (configuration, "env")))
    return merge_env (configuration, env, "variable's default", error);
  json_object_set (configuration, "env", env);
  return TRUE;
}

static gboolean
apply_variables_env (json_t *configuration, const json_t *variables, GError **error)
{
  json_t *env = json_object_get (variables, "env");
  if (!json_is_object (json_object_get (configuration, "env")) || !pp_json_truthy (env))
    return TRUE;
  return merge_env (configuration, env, "job variable", error);
}

/* Adds the variables that TEMPLATE's placeholders name to NAMES, a set of strings. */
static void
collect_names (const json_t *template, GHashTable *names, guint depth)
{
  if (depth > PP_TEMPLATE_MAX_DEPTH)
    return;
  if (json_is_string (template))
    {
      g_autoptr (GPtrArray) placeholders = pp_placeholders_find (json_string_value (template));
      for (guint i = 0; i < placeholders->len; i++)
        {
          const PpPlaceholder *placeholder = g_ptr_array_index (placeholders, i);
          g_auto (GStrv) keys = pp_path_split (placeholder->name);
          g_hash_table_add (names, g_strdup (keys[0]));
        }
      return;
    }

  const char *key;
  size_t i;
  json_t *member;
  json_object_foreach ((json_t *)template, key, member)
  {
    collect_names (member, names, depth + 1);
  }
  json_array_foreach (template, i, member) { collect_names (member, names, depth + 1); }
}

/* Returns the members of VARIABLES that no placeholder in JOB_CONFIGURATION names. */
static json_t *
unnamed_variables (const json_t *job_configuration, const json_t *variables)
{
  g_autoptr (GHashTable) names = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  collect_names (job_configuration, names, 0);

  json_t *unnamed = json_object ();
  const char *key;
  json_t *value;
  json_object_foreach ((json_t *)variables, key, value)
  {
    if (!g_hash_table_contains (names, key))
      json_object_set (unnamed, key, value);
  }
  return unnamed;
}

/* Returns a new object with the members of GIVEN, the job's own env. Sets the same members of
 * CONFIGURATION's env to null. */
static json_t *
take_own_env (json_t *configuration, const json_t *given)
{
  json_t *own = json_object ();
  json_t *env = json_object_get (configuration, "env");
  if (!json_is_object (env))
    return own;

  const char *name;
  json_t *value;
  env = json_copy (env);
  json_object_set_new (configuration, "env", env);
  json_object_foreach ((json_t *)given, name, value)
  {
    json_object_set (own, name, value);
    json_object_set_new (env, name, json_null ());
  }
  return own;
}

/* Renders CONFIGURATION. GIVEN is the job's own env, or NULL. {{ $ENV }} in GIVEN stays as it is,
 * as in all other job variables. Prefect replaces {{ $ENV }} there if the template's env is an
 * object. That shows a deployment's author every variable of the worker, including its API key. */
static json_t *
render (json_t *configuration, const json_t *variables, const json_t *given,
        const json_t *environment, GError **error)
{
  json_auto_t *own = take_own_env (configuration, given);
  json_auto_t *own_rendered = NULL;
  json_t *populated = NULL;
  if (!pp_apply_values (own, variables, NULL, &own_rendered, error)
      || !pp_apply_values (configuration, variables, environment, &populated, error))
    return NULL;

  json_t *env = json_object_get (populated, "env");
  const char *name;
  json_t *value;
  json_object_foreach (own, name, value)
  {
    json_t *rendered = json_object_get (own_rendered, name);
    if (rendered != NULL)
      json_object_set (env, name, rendered);
    else
      json_object_del (env, name);
  }
  return populated;
}

json_t *
pp_template_populate (const json_t *base_job_template, const json_t *job_variables,
                      const json_t *environment, json_t **extra, GError **error)
{
  const json_t *job_configuration = json_object_get (base_job_template, "job_configuration");
  const json_t *schema = json_object_get (base_job_template, "variables");
  const json_t *properties = json_object_get (schema, "properties");
  if (!json_is_object (job_configuration) || !json_is_object (schema)
      || (properties != NULL && !json_is_object (properties)))
    {
      pp_template_invalid (error, "the work pool's base job template needs the objects "
                                  "job_configuration and variables; variables.properties, if "
                                  "present, must be an object, too");
      return NULL;
    }

  json_auto_t *defaults = base_config_defaults (properties, error);
  if (defaults == NULL)
    return NULL;
  json_auto_t *given = nest_dotted_keys (job_variables, error);
  if (given == NULL)
    return NULL;
  json_auto_t *variables = pp_json_shallow_copy (defaults);
  json_object_update (variables, given);
  json_auto_t *configuration = pp_json_shallow_copy (job_configuration);
  if (!apply_default_env (configuration, defaults, error)
      || !apply_variables_env (configuration, variables, error))
    return NULL;
  json_t *populated
      = render (configuration, variables, json_object_get (given, "env"), environment, error);
  if (populated != NULL && extra != NULL)
    *extra = unnamed_variables (job_configuration, variables);
  return populated;
}
