/* SPDX-License-Identifier: Apache-2.0 */
/* Functions that convert docker-py's arguments, one for each type of argument. Each returns the
 * API's value, or an error that names the key and the value. */
#pragma once

#include "docker_kwargs-private.h"

G_BEGIN_DECLS

typedef struct
{
  const char *key; /* as the user wrote it, with its path */
  json_t *rest;    /* see REST of pp_docker_kwargs_apply() */
} PpConvertContext;

/* Returns a new reference, or NULL with ERROR (PP_INFRASTRUCTURE_ERROR_INVALID). */
typedef json_t *(*PpConvertFunc) (const PpConvertContext *context, const json_t *value,
                                  GError **error);

json_t *pp_convert_any (const PpConvertContext *context, const json_t *value, GError **error);
json_t *pp_convert_bool (const PpConvertContext *context, const json_t *value, GError **error);
json_t *pp_convert_integer (const PpConvertContext *context, const json_t *value, GError **error);
json_t *pp_convert_string (const PpConvertContext *context, const json_t *value, GError **error);
json_t *pp_convert_string_or_integer (const PpConvertContext *context, const json_t *value,
                                      GError **error);
json_t *pp_convert_string_list (const PpConvertContext *context, const json_t *value,
                                GError **error);
/* A string or a list of strings; the API takes both. */
json_t *pp_convert_strings (const PpConvertContext *context, const json_t *value, GError **error);
json_t *pp_convert_object (const PpConvertContext *context, const json_t *value, GError **error);
json_t *pp_convert_object_list (const PpConvertContext *context, const json_t *value,
                                GError **error);

json_t *pp_convert_bytes (const PpConvertContext *context, const json_t *value, GError **error);
json_t *pp_convert_command (const PpConvertContext *context, const json_t *value, GError **error);
json_t *pp_convert_devices (const PpConvertContext *context, const json_t *value, GError **error);
json_t *pp_convert_device_requests (const PpConvertContext *context, const json_t *value,
                                    GError **error);
json_t *pp_convert_group_add (const PpConvertContext *context, const json_t *value, GError **error);
json_t *pp_convert_healthcheck (const PpConvertContext *context, const json_t *value,
                                GError **error);
json_t *pp_convert_hosts_or_list (const PpConvertContext *context, const json_t *value,
                                  GError **error);
json_t *pp_convert_init_path (const PpConvertContext *context, const json_t *value, GError **error);
json_t *pp_convert_links (const PpConvertContext *context, const json_t *value, GError **error);
json_t *pp_convert_log_config (const PpConvertContext *context, const json_t *value,
                               GError **error);
json_t *pp_convert_lxc_conf (const PpConvertContext *context, const json_t *value, GError **error);
/* The keys of a mount may be in upper or lower case, as Go reads them. The result has the API's
 * spelling. */
json_t *pp_convert_mounts (const PpConvertContext *context, const json_t *value, GError **error);
json_t *pp_convert_ports (const PpConvertContext *context, const json_t *value, GError **error);
json_t *pp_convert_sysctls (const PpConvertContext *context, const json_t *value, GError **error);
json_t *pp_convert_tmpfs (const PpConvertContext *context, const json_t *value, GError **error);
json_t *pp_convert_ulimits (const PpConvertContext *context, const json_t *value, GError **error);
json_t *pp_convert_volumes_from (const PpConvertContext *context, const json_t *value,
                                 GError **error);

G_END_DECLS
