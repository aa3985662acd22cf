/* SPDX-License-Identifier: Apache-2.0 */
/* Reads members of the job configuration as a given type. For null and for a missing member, the
 * value is left unchanged, unless stated otherwise. For another type, returns FALSE with ERROR
 * (PP_INFRASTRUCTURE_ERROR_INVALID), which names KEY. Private to src/infrastructure/containers. */
#pragma once

#include "prefect-podman/json.h"

G_BEGIN_DECLS

/* Sets *VALUE, borrowed; NULL for null or missing. */
gboolean pp_job_string (const json_t *configuration, const char *key, const char **value,
                        GError **error);
gboolean pp_job_bool (const json_t *configuration, const char *key, gboolean *value,
                      GError **error);
gboolean pp_job_seconds (const json_t *configuration, const char *key, double *value,
                         GError **error);
gboolean pp_job_count (const json_t *configuration, const char *key, guint *value, GError **error);

/* Sets *CHOICE to the position of the string at KEY in NAMES (NULL-terminated), or to DEFAULT_INDEX
 * if the string is missing or empty. */
gboolean pp_job_choice (const json_t *configuration, const char *key, const char *const *names,
                        guint default_index, guint *choice, GError **error);

/* Returns the list of strings at KEY, borrowed. Returns NULL for null or missing, and NULL with
 * ERROR for another type. */
const json_t *pp_job_list (const json_t *configuration, const char *key, GError **error);

/* Returns the image reference at "image" without surrounding white space; new string. Returns NULL
 * with ERROR. */
char *pp_job_image (const json_t *configuration, GError **error);

G_END_DECLS
