/* SPDX-License-Identifier: Apache-2.0 */
/* Members of the job configuration, read as the type they have to be. Null and missing are alike:
 * the value is left as it was, unless said otherwise. FALSE with ERROR
 * (PP_INFRASTRUCTURE_ERROR_INVALID, it names KEY) for another type. Used inside the room only. */
#pragma once

#include "prefect-podman/json.h"

G_BEGIN_DECLS

/* *VALUE: borrowed; NULL for null, missing. */
gboolean pp_job_string (const json_t *configuration, const char *key, const char **value,
                        GError **error);
gboolean pp_job_bool (const json_t *configuration, const char *key, gboolean *value,
                      GError **error);
gboolean pp_job_seconds (const json_t *configuration, const char *key, double *value,
                         GError **error);
gboolean pp_job_count (const json_t *configuration, const char *key, guint *value, GError **error);

/* *CHOICE: the index of the string at KEY in NAMES (NULL-terminated); DEFAULT_INDEX for none. */
gboolean pp_job_choice (const json_t *configuration, const char *key, const char *const *names,
                        guint default_index, guint *choice, GError **error);

/* The list of strings at KEY, borrowed; NULL for null, missing, and with ERROR for something else.
 */
const json_t *pp_job_list (const json_t *configuration, const char *key, GError **error);

/* The image reference at "image", without the white space around it; a new string. */
char *pp_job_image (const json_t *configuration, GError **error);

G_END_DECLS
