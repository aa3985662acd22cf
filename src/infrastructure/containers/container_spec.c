/* SPDX-License-Identifier: Apache-2.0 */
/* Converts a job configuration to the requests to the engine (prefect_docker/worker.py
 * _build_container_settings, docker/models/containers.py _create_container_args). */
#include "config.h"

#include "container_job-private.h"
#include "docker_kwargs-private.h"
#include "spec_parts-private.h"
#include "values-private.h"

#include "prefect-podman/text/cut.h"
#include "prefect-podman/text/visible.h"

#include "docker_convert-private.h"
#include "job_values-private.h"
#include "kwargs_limits-private.h"
#include "worker_options-private.h"

#include <string.h>

/* The most bytes of a variable's name that a message shows. */
#define MAX_NAME_BYTES 80
#define PLATFORM_CHARACTERS G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "_./+()-"

/* The keys that the Python worker removes from container_create_kwargs: the fields of its job
 * configuration. */
static const char *const job_configuration_fields[] = { "command",
                                                        "env",
                                                        "labels",
                                                        "name",
                                                        "image",
                                                        "networks",
                                                        "volumes",
                                                        "network_mode",
                                                        "mem_limit",
                                                        "registry_credentials",
                                                        "auto_remove",
                                                        "privileged",
                                                        "stream_output",
                                                        "memswap_limit",
                                                        "image_pull_policy",
                                                        "container_create_kwargs",
                                                        NULL };

/* The job variables that only a `podman` pool has, and the docker-py argument for each. */
static const struct
{
  const char *variable;
  const char *kwarg;
} podman_variables[] = {
  { "userns", "userns_mode" }, { "devices", "devices" },           { "shm_size", "shm_size" },
  { "user", "user" },          { "working_dir", "working_dir" },   { "entrypoint", "entrypoint" },
  { "ulimits", "ulimits" },    { "security_opt", "security_opt" }, { "extra_hosts", "extra_hosts" },
};

/* Returns FALSE with ERROR if NAME could set a different variable, perhaps one of the worker's. An
 * entry is NAME=VALUE, so NAME must not contain a "=". NAME must not begin with a blank, because
 * Podman removes the blanks before a name. */
static gboolean
check_variable_name (const char *name, GError **error)
{
  gboolean is_good = *name != '\0' && *name != ' ' && strchr (name, '=') == NULL;

  for (const char *p = name; *p != '\0' && is_good; p = g_utf8_next_char (p))
    is_good = !g_unichar_iscntrl (g_utf8_get_char (p));
  if (is_good)
    return TRUE;
  g_autofree char *shown = pp_text_cut (name, strlen (name), MAX_NAME_BYTES);
  g_autofree char *visible = pp_text_visible (shown, "");
  g_set_error (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_INVALID,
               "env: '%s' cannot be the name of a variable. A name must not be empty, must not "
               "begin with a blank, and must not contain '=' or a control character",
               visible);
  return FALSE;
}

/* docker/utils/utils.py format_environment */
static json_t *
environment_list (const json_t *env, GError **error)
{
  json_auto_t *list = json_array ();
  const char *name;
  json_t *value;

  json_object_foreach ((json_t *)env, name, value)
  {
    if (!check_variable_name (name, error))
      return NULL;
    if (!json_is_string (value) && !json_is_null (value))
      {
        g_set_error (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_INVALID,
                     "env.%s: a string is needed", name);
        return NULL;
      }
    g_autofree char *entry = json_is_null (value)
                                 ? g_strdup (name)
                                 : g_strconcat (name, "=", json_string_value (value), NULL);
    json_array_append_new (list, json_string (entry));
  }
  return json_incref (list);
}

/* Cuts each label at its first NUL, as environment_list() cuts variables. Not every program that
 * reads the engine's answers accepts a NUL. */
static json_t *
labels_object (const json_t *labels)
{
  json_t *object = json_object ();
  const char *name;
  json_t *value;

  json_object_foreach ((json_t *)labels, name, value)
  {
    const char *text = json_string_value (value);
    json_object_set_new (object, name, text != NULL ? json_string (text) : json_deep_copy (value));
  }
  return object;
}

static gboolean
set_command (json_t *body, const json_t *configuration, GError **error)
{
  const json_t *command = json_object_get (configuration, "command");
  PpConvertContext context = { .key = "command" };

  if (command == NULL || json_is_null (command))
    return TRUE;
  if (!json_is_string (command) && !pp_is_string_list (command))
    {
      pp_set_type_error (error, "command", command, "a string or a list of strings");
      return FALSE;
    }
  json_t *words = pp_convert_command (&context, command, error);
  if (words == NULL)
    return FALSE;
  json_object_set_new (body, "Cmd", words);
  return TRUE;
}

static gboolean
set_volumes (json_t *body, const json_t *configuration, GError **error)
{
  const json_t *volumes = pp_job_list (configuration, "volumes", error);
  gsize i;
  json_t *item;

  if (volumes == NULL || json_array_size (volumes) == 0)
    return volumes != NULL || *error == NULL;

  g_autofree char *directory = g_get_current_dir ();
  json_t *binds = json_array ();
  json_t *paths = json_object ();
  json_object_set_new (json_object_get (body, "HostConfig"), "Binds", binds);
  json_object_set_new (body, "Volumes", paths);
  json_array_foreach ((json_t *)volumes, i, item)
  {
    g_autofree char *volume = g_strstrip (g_strdup (json_string_value (item)));
    if (*volume == '\0' || (strchr (volume, ':') == NULL && *volume != '/'))
      {
        pp_set_type_error (error, "volumes", item,
                           "SOURCE:CONTAINER-PATH[:OPTIONS] or an absolute container path");
        return FALSE;
      }
    g_autofree char *bind = pp_volume_resolve (volume, directory);
    g_autofree char *path = pp_volume_container_path (bind);
    json_array_append_new (binds, json_string (bind));
    json_object_set_new (paths, path, json_object ());
  }
  return TRUE;
}

static gboolean
set_memory (json_t *body, const json_t *configuration, GError **error)
{
  static const struct
  {
    const char *key;
    const char *field;
  } limits[] = { { "mem_limit", "Memory" }, { "memswap_limit", "MemorySwap" } };

  for (gsize i = 0; i < G_N_ELEMENTS (limits); i++)
    {
      const json_t *value = json_object_get (configuration, limits[i].key);
      PpConvertContext context = { .key = limits[i].key };
      if (value == NULL || json_is_null (value))
        continue;
      json_t *bytes = pp_convert_bytes (&context, value, error);
      if (bytes == NULL)
        return FALSE;
      json_object_set_new (json_object_get (body, "HostConfig"), limits[i].field, bytes);
    }
  return TRUE;
}

/* The first of `networks` is the container's network mode. The others are connected after the
 * create call. */
static gboolean
set_networks (PpContainerSpec *spec, const json_t *configuration, const json_t *rest,
              GError **error)
{
  json_t *host_config = json_object_get (spec->create_body, "HostConfig");
  const json_t *networks = pp_job_list (configuration, "networks", error);
  const char *mode = NULL;

  if (networks == NULL && *error != NULL)
    return FALSE;
  if (!pp_job_string (configuration, "network_mode", &mode, error))
    return FALSE;
  for (gsize i = 1; i < json_array_size (networks); i++)
    g_ptr_array_add (spec->networks, g_strdup (json_string_value (json_array_get (networks, i))));

  const char *network = json_string_value (json_array_get (networks, 0));
  if (network == NULL || *network == '\0')
    {
      json_object_set_new (host_config, "NetworkMode",
                           json_string (mode != NULL && *mode != '\0' ? mode : "default"));
      return TRUE;
    }
  json_t *endpoints = json_object_get (rest, "networking_config");
  json_object_set_new (host_config, "NetworkMode", json_string (network));
  json_object_set_new (spec->create_body, "NetworkingConfig",
                       json_object_get (endpoints, network) != NULL
                           ? json_pack ("{s:O}", "EndpointsConfig", endpoints)
                           : json_pack ("{s:n}", network));
  return TRUE;
}

static gboolean
apply_kwargs (PpContainerSpec *spec, const json_t *configuration, json_t *rest, GError **error)
{
  const json_t *given = json_object_get (configuration, "container_create_kwargs");
  json_auto_t *kwargs = json_object ();
  json_auto_t *podman = json_object ();

  if (given != NULL && !json_is_null (given) && !json_is_object (given))
    {
      pp_set_type_error (error, "container_create_kwargs", given, "an object");
      return FALSE;
    }
  json_object_update (kwargs, (json_t *)given);
  for (guint i = 0; job_configuration_fields[i] != NULL; i++)
    {
      const char *field = job_configuration_fields[i];
      const json_t *value = json_object_get (kwargs, field);
      if (value != NULL && !json_is_null (value))
        g_ptr_array_add (spec->warnings,
                         g_strdup_printf ("container_create_kwargs.%s is ignored: set the job "
                                          "variable %s%s",
                                          field, field,
                                          g_str_equal (field, "volumes")
                                              ? ", as [\"/host/path:/container/path\"]"
                                              : ""));
      json_object_del (kwargs, field);
    }
  if (!pp_docker_kwargs_apply (kwargs, "container_create_kwargs.", spec->create_body, rest, error))
    return FALSE;
  if (!pp_spec_limit_kwargs (spec, error))
    return FALSE;

  for (gsize i = 0; i < G_N_ELEMENTS (podman_variables); i++)
    {
      json_t *value = json_object_get (configuration, podman_variables[i].variable);
      if (pp_json_truthy (value))
        json_object_set (podman, podman_variables[i].kwarg, value);
    }
  return pp_docker_kwargs_apply (podman, "", spec->create_body, rest, error);
}

/* Sets the fields that depend on several arguments together (docker/models/containers.py, the end
 * of _create_container_args; docker/types/containers.py ContainerConfig). */
static void
set_derived (json_t *body, const json_t *rest)
{
  const json_t *ports = json_object_get (json_object_get (body, "HostConfig"), "PortBindings");
  gboolean attach = !json_is_true (json_object_get (rest, "detach"));
  gboolean stdin_open = json_is_true (json_object_get (body, "OpenStdin"));
  const char *port;
  json_t *bound;

  json_object_set_new (body, "AttachStdout", json_boolean (attach));
  json_object_set_new (body, "AttachStderr", json_boolean (attach));
  json_object_set_new (body, "AttachStdin", json_boolean (attach && stdin_open));
  json_object_set_new (body, "StdinOnce", json_boolean (attach && stdin_open));
  if (json_object_size (ports) == 0)
    return;
  json_t *exposed = json_object ();
  json_object_set_new (body, "ExposedPorts", exposed);
  json_object_foreach ((json_t *)ports, port, bound)
  {
    json_object_set_new (exposed, port, json_object ());
  }
}

/* Appends the words of the API's Cmd or Entrypoint to ARGV; borrowed. */
static void
append_words (GPtrArray *argv, const json_t *words)
{
  if (json_is_string (words))
    g_ptr_array_add (argv, (gpointer)json_string_value (words));
  for (gsize i = 0; i < json_array_size (words); i++)
    g_ptr_array_add (argv, (gpointer)json_string_value (json_array_get (words, i)));
}

static void
resolve_state_reporting (PpContainerSpec *spec)
{
  g_autoptr (GPtrArray) argv = g_ptr_array_new ();

  append_words (argv, json_object_get (spec->create_body, "Entrypoint"));
  append_words (argv, json_object_get (spec->create_body, "Cmd"));
  g_ptr_array_add (argv, NULL);
  spec->policy.runs_prefect = pp_command_runs_prefect ((const char *const *)argv->pdata);
  if (spec->policy.state_reporting == PP_REPORT_AUTO)
    spec->policy.state_reporting = spec->policy.runs_prefect ? PP_REPORT_PREFECT : PP_REPORT_WORKER;
}

/* Sets SPEC's platform to PLATFORM. An engine quotes the platform in its answer to a pull, and
 * pp_pull_may_pass() looks for phrases in that answer. The platform must not contain such a phrase.
 * Each phrase has a blank or a ":", so the platform may have neither. */
static gboolean
take_platform (PpContainerSpec *spec, const json_t *platform, GError **error)
{
  const char *text = json_string_value (platform);

  if (text != NULL && text[strspn (text, PLATFORM_CHARACTERS)] != '\0')
    {
      pp_set_type_error (error, "container_create_kwargs.platform", platform,
                         "OS/ARCHITECTURE[/VARIANT]");
      return FALSE;
    }
  spec->platform = g_strdup (text);
  return TRUE;
}

static gboolean
build (PpContainerSpec *spec, const json_t *configuration, const PpEngineInfo *engine,
       GError **error)
{
  const json_t *env = json_object_get (configuration, "env");
  json_auto_t *rest = json_object ();
  gboolean privileged = FALSE;

  spec->create_body
      = json_pack ("{s:s, s:b, s:b, s:b, s:o, s:{}}", "Image", spec->image, "Tty", 0, "OpenStdin",
                   0, "NetworkDisabled", 0, "Labels",
                   labels_object (json_object_get (configuration, "labels")), "HostConfig");
  if (!set_command (spec->create_body, configuration, error)
      || !pp_job_bool (configuration, "privileged", &privileged, error))
    return FALSE;
  json_auto_t *environment = environment_list (env, error);
  if (environment == NULL)
    return FALSE;
  /* docker-py sends no empty list. */
  if (json_array_size (environment) > 0)
    json_object_set (spec->create_body, "Env", environment);

  if (!set_volumes (spec->create_body, configuration, error)
      || !set_memory (spec->create_body, configuration, error)
      || !apply_kwargs (spec, configuration, rest, error)
      || !set_networks (spec, configuration, rest, error))
    return FALSE;
  json_t *host_config = json_object_get (spec->create_body, "HostConfig");
  if (privileged)
    json_object_set_new (host_config, "Privileged", json_true ());
  set_derived (spec->create_body, rest);
  if (pp_json_truthy (json_object_get (configuration, "stop_timeout")))
    json_object_set_new (spec->create_body, "StopTimeout",
                         json_integer (spec->policy.stop_timeout));

  json_t *hosts = pp_spec_extra_hosts (env, json_object_get (rest, "extra_hosts"),
                                       pp_json_string (host_config, "NetworkMode"), error);
  if (hosts == NULL && *error != NULL)
    return FALSE;
  if (hosts != NULL)
    json_object_set_new (host_config, "ExtraHosts", hosts);

  if (!take_platform (spec, json_object_get (rest, "platform"), error))
    return FALSE;
  spec->wants_proxies = !json_is_false (json_object_get (rest, "use_config_proxy"));
  spec->policy.has_tty = json_is_true (json_object_get (spec->create_body, "Tty"));
  resolve_state_reporting (spec);
  if (!pp_spec_withhold_secrets (spec, configuration, error) || !pp_spec_limit_size (spec, error))
    return FALSE;
  return pp_spec_fit_to_engine (spec, json_object_get (rest, "cdi_devices"), engine, error);
}

static gboolean
fill (PpContainerSpec *spec, const json_t *configuration, const PpEngineInfo *engine,
      GError **error)
{
  const char *name = NULL;

  spec->networks = g_ptr_array_new_with_free_func (g_free);
  spec->warnings = g_ptr_array_new_with_free_func (g_free);
  spec->image = pp_job_image (configuration, error);
  if (spec->image == NULL || !pp_job_string (configuration, "name", &name, error))
    return FALSE;
  spec->name = name != NULL && *name != '\0' ? g_strdup (name) : NULL;
  spec->registry_auth
      = pp_registry_auth (json_object_get (configuration, "registry_credentials"), spec->image);
  if (!pp_spec_set_worker_options (spec, configuration, error)
      || !build (spec, configuration, engine, error))
    return FALSE;
  spec->policy.has_limits = pp_container_spec_has_limits (spec);
  return TRUE;
}

PpContainerSpec *
pp_container_spec_new (const json_t *configuration, const PpEngineInfo *engine, GError **error)
{
  PpContainerSpec *spec = g_new0 (PpContainerSpec, 1);
  g_autoptr (GError) local_error = NULL;

  /* The functions above read *ERROR, so ERROR must not be NULL. */
  if (fill (spec, configuration, engine, &local_error))
    return spec;
  g_propagate_error (error, g_steal_pointer (&local_error));
  pp_container_spec_free (spec);
  return NULL;
}

void
pp_container_spec_free (PpContainerSpec *spec)
{
  if (spec == NULL)
    return;
  g_free (spec->name);
  g_free (spec->image);
  json_decref (spec->create_body);
  json_decref (spec->libpod_body);
  g_free (spec->platform);
  g_ptr_array_unref (spec->networks);
  g_ptr_array_unref (spec->warnings);
  g_free (spec->registry_auth);
  g_free (spec);
}

/* Sets KEY to VALUE in the object LABELS of BODY (may be NULL). */
static void
set_label (json_t *body, const char *labels, const char *key, const char *value)
{
  if (body == NULL)
    return;
  if (!json_is_object (json_object_get (body, labels)))
    json_object_set_new (body, labels, json_object ());
  json_object_set_new (json_object_get (body, labels), key, json_string (value));
}

void
pp_container_spec_set_owner (PpContainerSpec *spec, const PpJobRef *owner)
{
  const char *const labels[][2] = {
    { PP_FLOW_RUN_LABEL, owner->flow_run_id },
    { PP_WORK_POOL_LABEL, owner->work_pool },
    { PP_IDENTITY_LABEL, owner->identity },
    { PP_CLAIM_LABEL, owner->claim },
    { PP_REPORTER_LABEL, owner->reporter == PP_REPORTER_WORKER ? "worker" : "engine" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (labels); i++)
    {
      const char *value = labels[i][1] != NULL ? labels[i][1] : "";
      set_label (spec->create_body, "Labels", labels[i][0], value);
      set_label (spec->libpod_body, "labels", labels[i][0], value);
    }
}
