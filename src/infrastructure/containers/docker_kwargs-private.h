/* SPDX-License-Identifier: Apache-2.0 */
/* docker-py's arguments of containers.create -> fields of the Docker API's create body. Used inside
 * the room only. */
#pragma once

#include "prefect-podman/infrastructure/infrastructure.h"

G_BEGIN_DECLS

/* Applies KWARGS (an object; docker-py's keys) to BODY, whose HostConfig is there. PREFIX stands
 * before a key in errors ("container_create_kwargs."). What has no field in the body is put into
 * REST (an object): detach, platform, extra_hosts, networking_config, and cdi_devices (names from
 * devices and from device_requests of the driver "cdi", which the body then does not have). FALSE
 * with ERROR (PP_INFRASTRUCTURE_ERROR_INVALID) that names the first unknown key, or the first wrong
 * value and its key. */
gboolean pp_docker_kwargs_apply (const json_t *kwargs, const char *prefix, json_t *body,
                                 json_t *rest, GError **error);

/* ERROR for VALUE at KEY, which should have been WANTED ("an integer"). */
void pp_set_type_error (GError **error, const char *key, const json_t *value, const char *wanted);

/* VALUE is an array of strings. */
gboolean pp_is_string_list (const json_t *value);

/* extra_hosts, an object or an array of strings, as the API's array; new reference, or NULL with
 * ERROR. */
json_t *pp_docker_extra_hosts (const char *key, const json_t *value, GError **error);

G_END_DECLS
