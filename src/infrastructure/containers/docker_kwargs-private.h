/* SPDX-License-Identifier: Apache-2.0 */
/* Converts docker-py's arguments of containers.create to fields of the Docker API's create body.
 * Private to src/infrastructure/containers. */
#pragma once

#include "prefect-podman/infrastructure/infrastructure.h"

G_BEGIN_DECLS

/* Applies KWARGS, an object with docker-py's keys, to BODY, which has a HostConfig. Errors show
 * keys with PREFIX ("container_create_kwargs."). Arguments without a field in the body are put into
 * the object REST: detach, platform, extra_hosts, networking_config, use_config_proxy and
 * cdi_devices. cdi_devices lists the CDI names from KWARGS: those in devices, and those in
 * device_requests whose driver is "cdi". BODY does not get these names. Returns FALSE with ERROR
 * (PP_INFRASTRUCTURE_ERROR_INVALID), which names the first unknown key, or the first wrong value
 * and its key. */
gboolean pp_docker_kwargs_apply (const json_t *kwargs, const char *prefix, json_t *body,
                                 json_t *rest, GError **error);

/* Sets ERROR: VALUE at KEY is wrong, and WANTED ("an integer") is expected. */
void pp_set_type_error (GError **error, const char *key, const json_t *value, const char *wanted);

/* True if VALUE is an array of strings. */
gboolean pp_is_string_list (const json_t *value);

/* Converts extra_hosts, an object or an array of strings, to the API's array. Returns a new
 * reference, or NULL with ERROR. */
json_t *pp_docker_extra_hosts (const char *key, const json_t *value, GError **error);

G_END_DECLS
