/* SPDX-License-Identifier: Apache-2.0 */
/* Conversions for the fields of Podman's SpecGenerator (podman/pkg/specgen/specgen.go) that differ
 * from the Docker API. */
#pragma once

#include "prefect-podman/json.h"

G_BEGIN_DECLS

/* Sets LIBPOD_FIELD of TARGET, the SpecGenerator, from VALUE, a field of the Docker API's create
 * body. Returns FALSE if the SpecGenerator cannot express it. */
typedef gboolean (*PpLibpodFunc) (json_t *target, const char *libpod_field, const json_t *value);

/* Appends ITEM to the list at LIBPOD_FIELD of TARGET, which is created if missing. Takes ownership
 * of ITEM. */
void pp_libpod_append (json_t *target, const char *libpod_field, json_t *item);
/* Like pp_libpod_append(), for each part of TEXT between SEPARATORs. */
void pp_libpod_append_split (json_t *target, const char *libpod_field, const char *text,
                             const char *separator);

gboolean pp_libpod_binds (json_t *target, const char *libpod_field, const json_t *value);
gboolean pp_libpod_mounts (json_t *target, const char *libpod_field, const json_t *value);
gboolean pp_libpod_tmpfs (json_t *target, const char *libpod_field, const json_t *value);
gboolean pp_libpod_ports (json_t *target, const char *libpod_field, const json_t *value);
gboolean pp_libpod_endpoints (json_t *target, const char *libpod_field, const json_t *value);
gboolean pp_libpod_log_config (json_t *target, const char *libpod_field, const json_t *value);
gboolean pp_libpod_healthcheck (json_t *target, const char *libpod_field, const json_t *value);
gboolean pp_libpod_stop_signal (json_t *target, const char *libpod_field, const json_t *value);
gboolean pp_libpod_device_rates (json_t *target, const char *libpod_field, const json_t *value);

G_END_DECLS
