/* SPDX-License-Identifier: Apache-2.0 */
/* Adapts a job to an engine: host-gateway, CDI devices and GPUs, an empty entrypoint, and variables
 * to remove. */
#include "config.h"

#include "spec_parts-private.h"

#include "docker_kwargs-private.h"
#include "values-private.h"

#include <stdlib.h>
#include <string.h>

/* Replaces host-gateway by an address if the engine does not support it. */
static void
fit_host_gateway (PpContainerSpec *spec, const PpEngineInfo *engine)
{
  json_t *host_config = json_object_get (spec->create_body, "HostConfig");
  const char *mode = pp_json_string (host_config, "NetworkMode");

  /* On a rootful engine, a named network has its own gateway. engine_create.c asks for its address
   * before the create call. */
  if (pp_engine_knows_host_gateway (engine)
      || (!engine->rootless && pp_network_is_user_defined (mode)))
    return;
  const char *address = g_str_equal (mode, "host") ? "127.0.0.1" : engine->gateway;
  if (pp_replace_host_gateway (json_object_get (host_config, "ExtraHosts"), address)
      && address == NULL)
    g_ptr_array_add (
        spec->warnings,
        g_strdup_printf ("extra_hosts: %s %s does not support host-gateway, and the worker found "
                         "no address of this host. Entries with host-gateway are left out",
                         engine->name, engine->version));
}

/* True if REQUEST asks for NVIDIA GPUs. Docker's own driver has the name "nvidia" and the
 * capability "gpu" (moby, daemon/nvidia_linux.go). */
static gboolean
is_gpu_request (const json_t *request)
{
  const json_t *sets = json_object_get (request, "Capabilities");
  const char *driver = pp_json_string (request, "Driver");

  if (g_strcmp0 (driver, "nvidia") == 0)
    return TRUE;
  if (driver != NULL && *driver != '\0')
    return FALSE;
  for (gsize i = 0; i < json_array_size (sets); i++)
    for (gsize j = 0; j < json_array_size (json_array_get (sets, i)); j++)
      {
        const char *word = json_string_value (json_array_get (json_array_get (sets, i), j));
        if (g_strcmp0 (word, "gpu") == 0 || g_strcmp0 (word, "nvidia") == 0)
          return TRUE;
      }
  return FALSE;
}

/* Adds the CDI names of the GPUs in REQUEST to NAMES. As in Docker, these are the GPUs of
 * device_ids, or the first COUNT GPUs, or all GPUs for a negative COUNT. Returns FALSE if REQUEST
 * asks for no GPUs, or if CDI names cannot express it. */
static gboolean
add_gpus (json_t *names, const json_t *request)
{
  /* More GPUs than any host has. There must be a limit, because the job's author sets COUNT. */
  const json_int_t most = 128;
  const json_t *ids = json_object_get (request, "DeviceIDs");
  json_int_t count = json_integer_value (json_object_get (request, "Count"));

  for (gsize i = 0; i < json_array_size (ids); i++)
    {
      const char *id = json_string_value (json_array_get (ids, i));
      g_autofree char *name = g_strconcat ("nvidia.com/gpu=", id != NULL ? id : "", NULL);
      if (!pp_is_cdi_device (name))
        return FALSE;
      json_array_append_new (names, json_string (name));
    }
  if (json_array_size (ids) > 0)
    return count == 0;
  if (count < 0)
    json_array_append_new (names, json_string ("nvidia.com/gpu=all"));
  for (json_int_t i = 0; i < MIN (count, most); i++)
    {
      g_autofree char *name = g_strdup_printf ("nvidia.com/gpu=%" JSON_INTEGER_FORMAT, i);
      json_array_append_new (names, json_string (name));
    }
  return count != 0 && count <= most;
}

/* Converts requests for GPUs to CDI devices and adds these to CDI_DEVICES. Podman's Docker API only
 * supports requests of the driver "cdi" and ignores others. */
static gboolean
fit_gpus (json_t *host_config, json_t *cdi_devices, const PpEngineInfo *engine, GError **error)
{
  json_auto_t *requests = json_incref (json_object_get (host_config, "DeviceRequests"));
  gsize i;
  json_t *request;

  json_array_foreach (requests, i, request)
  {
    if (is_gpu_request (request) && add_gpus (cdi_devices, request))
      continue;
    char *text = json_dumps (request, JSON_COMPACT);
    g_set_error (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_INVALID,
                 "device_requests: %s %s would silently ignore %s. It accepts GPUs with the "
                 "capability \"gpu\" (count or device_ids), and CDI devices, for example devices: "
                 "[\"nvidia.com/gpu=all\"]",
                 engine->name, engine->version, text);
    free (text);
    return FALSE;
  }
  json_object_del (host_config, "DeviceRequests");
  return TRUE;
}

/* Adds CDI_DEVICES as a device request. If the engine's Docker API does not support such requests,
 * makes a create body for Podman's own API. */
static gboolean
fit_cdi (PpContainerSpec *spec, const json_t *cdi_devices, const PpEngineInfo *engine,
         GError **error)
{
  json_t *host_config = json_object_get (spec->create_body, "HostConfig");

  if (json_array_size (cdi_devices) == 0)
    return TRUE;
  if (engine != NULL && engine->kind == PP_ENGINE_PODMAN && !pp_engine_knows_cdi_requests (engine))
    {
      spec->libpod_body = pp_libpod_body_new (spec->create_body, cdi_devices, error);
      if (spec->libpod_body == NULL)
        g_prefix_error (error,
                        "devices: on %s %s, a CDI device needs Podman's own API: ", engine->name,
                        engine->version);
      return spec->libpod_body != NULL;
    }
  json_t *requests = json_object_get (host_config, "DeviceRequests");
  if (requests == NULL)
    {
      requests = json_array ();
      json_object_set_new (host_config, "DeviceRequests", requests);
    }
  json_array_append_new (requests,
                         json_pack ("{s:s, s:i, s:O, s:[], s:{}}", "Driver", "cdi", "Count", 0,
                                    "DeviceIDs", cdi_devices, "Capabilities", "Options"));
  return TRUE;
}

/* Podman before 5.6 ignores an empty Entrypoint: it keeps the image's entrypoint and uses the
 * command as its arguments. So send [""], as Podman's command line does. */
static void
fit_entrypoint (json_t *body)
{
  json_t *entrypoint = json_object_get (body, "Entrypoint");

  if (json_is_array (entrypoint) && json_array_size (entrypoint) == 0)
    json_array_append_new (entrypoint, json_string (""));
}

/* Moves variables without a value to Podman's UnsetEnv list. Docker removes such a variable from
 * the image's environment. Podman would set it to the value in its own service's environment.
 * For a variable named "A*", Podman would set all variables that begin with "A". */
static void
fit_environment (json_t *body)
{
  json_t *env = json_object_get (body, "Env");
  json_auto_t *unset = json_array ();

  for (gsize i = 0; i < json_array_size (env);)
    {
      json_t *entry = json_array_get (env, i);
      if (strchr (json_string_value (entry), '=') != NULL)
        {
          i++;
          continue;
        }
      json_array_append (unset, entry);
      json_array_remove (env, i);
    }
  if (json_array_size (unset) == 0)
    return;
  json_object_set (body, "UnsetEnv", unset);
  if (json_array_size (env) == 0)
    json_object_del (body, "Env");
}

gboolean
pp_spec_fit_to_engine (PpContainerSpec *spec, const json_t *cdi_devices, const PpEngineInfo *engine,
                       GError **error)
{
  json_t *host_config = json_object_get (spec->create_body, "HostConfig");
  json_auto_t *devices = cdi_devices != NULL ? json_copy ((json_t *)cdi_devices) : json_array ();
  gboolean is_podman = engine != NULL && engine->kind == PP_ENGINE_PODMAN;

  if (!pp_spec_refuse_dropped (spec, engine, error))
    return FALSE;
  if (engine != NULL)
    fit_host_gateway (spec, engine);
  if (is_podman && !fit_gpus (host_config, devices, engine, error))
    return FALSE;
  if (is_podman)
    {
      fit_entrypoint (spec->create_body);
      fit_environment (spec->create_body);
    }
  if (!fit_cdi (spec, devices, engine, error))
    return FALSE;
  if (is_podman && spec->libpod_body == NULL)
    pp_spec_fit_mounts_to_podman (spec);
  return TRUE;
}
