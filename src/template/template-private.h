/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of template/ share. */
#pragma once

#include "prefect-podman/template/template.h"

G_BEGIN_DECLS

/* Bounds on untrusted input. The peer stops at Python's recursion limit, some 900 levels. */
#define PP_TEMPLATE_MAX_DEPTH 500
#define PP_TEMPLATE_MAX_RENDERED (1024 * 1024)  /* bytes of a string made from placeholders */
#define PP_TEMPLATE_MAX_PLACEHOLDERS 1024       /* different ones in one string */
#define PP_TEMPLATE_MAX_SIZE (16 * 1024 * 1024) /* of a configuration, see pp_template_spend() */

#define PP_BLOCK_PREFIX "prefect.blocks."
#define PP_VARIABLE_PREFIX "prefect.variables."

/* Sets ERROR to PP_TEMPLATE_ERROR_INVALID with the message of FORMAT. Returns FALSE. */
gboolean pp_template_invalid (GError **error, const char *format, ...) G_GNUC_PRINTF (2, 3);

/* Sets ERROR for nesting deeper than PP_TEMPLATE_MAX_DEPTH; returns whether DEPTH is fine. */
gboolean pp_template_check_depth (guint depth, GError **error);

/* Adds what VALUE itself takes (about, in bytes) to *SPENT; FALSE with ERROR over
 * PP_TEMPLATE_MAX_SIZE. A large value that many placeholders name is shared until it is walked
 * over: this is what bounds the walk and the copy. */
gboolean pp_template_spend (gsize *spent, const json_t *value, GError **error);

/* A new reference to JSON, which stays unchanged from then on. */
json_t *pp_json_share (const json_t *json);

/* A new object (array) with the members of JSON, which are shared. */
json_t *pp_json_shallow_copy (const json_t *json);

/* python_str.c */

/* str() of VALUE: new string, or NULL with ERROR when it would be too large or is too deep. */
char *pp_python_str (const json_t *value, GError **error);

/* int() of TEXT: FALSE where Python raises ValueError. Saturates. */
gboolean pp_python_int (const char *text, gint64 *value);

/* str.isspace() of one character. */
gboolean pp_python_isspace (gunichar c);

/* str.strip() of TEXT: new string. */
char *pp_python_strip (const char *text);

/* placeholders.c */

typedef enum
{
  PP_PLACEHOLDER_STANDARD,
  PP_PLACEHOLDER_BLOCK,
  PP_PLACEHOLDER_VARIABLE,
  PP_PLACEHOLDER_ENV
} PpPlaceholderType;

typedef struct
{
  char *full_match; /* "{{ name }}" as written */
  char *name;
  PpPlaceholderType type;
} PpPlaceholder;

/* find_placeholders on a string: the different placeholders of TEXT (PpPlaceholder, owned) in order
 * of appearance. The peer has them as a set, whose order is any. */
GPtrArray *pp_placeholders_find (const char *text);

/* The one placeholder of PLACEHOLDERS when TEXT is nothing else and it is of TYPE, or NULL. */
const PpPlaceholder *pp_placeholders_whole (const GPtrArray *placeholders, const char *text,
                                            PpPlaceholderType type);

/* "a.b[0]" as ["a", "b", "0"], the keys of get_from_dict and set_in_dict: new array. */
char **pp_path_split (const char *path);

/* get_from_dict: a new reference to what is at PATH of VALUE, or NULL. */
json_t *pp_path_get (const json_t *value, const char *path);

/* A text whose placeholders are being replaced. */
typedef struct
{
  char *text; /* owned */
  guint replaced;
} PpRendering;

/* Puts WITH in place of every WHAT: str.replace, as the peer does placeholder by placeholder, with
 * bounds. */
gboolean pp_rendering_replace (PpRendering *rendering, const char *what, const char *with,
                               GError **error);

static inline void
pp_rendering_clear (PpRendering *rendering)
{
  g_clear_pointer (&rendering->text, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (PpRendering, pp_rendering_clear)

/* apply_values (remove_notset=True) of TEMPLATE. *OUT gets a new reference, or NULL for NotSet. */
gboolean pp_apply_values (const json_t *template, const json_t *values, const json_t *environment,
                          json_t **out, GError **error);

/* checks.c: what pydantic checks of DockerWorkerJobConfiguration. */

/* The keys of the job configuration, checked and with defaults: new object or NULL with ERROR. */
json_t *pp_check_configuration (const json_t *configuration, gboolean podman_pool, GError **error);

/* "a string", "null", "a list", ... for messages. */
const char *pp_json_type_name (const json_t *value);

gboolean pp_check_strings (const char *key, const json_t *value, GError **error);

/* own_variables.c */

/* Copies the worker's own keys from CONFIGURATION to OUT, checked. */
gboolean pp_check_own_variables (const json_t *configuration, json_t *out, GError **error);

/* volumes.c: the checked volume (stripped), new string or NULL with ERROR. */
char *pp_check_volume (const char *volume, GError **error);

/* docker.c: what DockerWorkerJobConfiguration adds. */

/* get_network_mode: the given one, "host" for an API on this host, or NULL. Borrowed. */
const char *pp_docker_network_mode (const json_t *configuration, const json_t *env,
                                    const json_t *environment);

/* "prefect.io/x" as "io.prefect.x": new object. */
json_t *pp_docker_labels (const json_t *labels);

/* True if NAME, in Docker's spelling, is a label that only the worker sets. */
gboolean pp_docker_label_is_own (const char *name);

/* _slugify_container_name: new string, or NULL when nothing is left. */
char *pp_docker_container_name (const char *name);

/* flow_context.c: the values that `name` is rendered with, {"ctx": {"flow": ..., "flow_run": ...}}.
 */
json_t *pp_flow_context (const PpTemplateContext *context);

/* An API timestamp in UTC: datetime.isoformat() with "+00:00"; new string, or NULL. */
char *pp_timestamp_to_utc (const char *timestamp);

/* slugify.c: slugify (text, lowercase=False, max_length=250, regex_pattern="[^a-zA-Z0-9_.-]+"). */
char *pp_slugify (const char *text);

/* transliterate.c: TEXT in ASCII; new string. */
char *pp_transliterate (const char *text);

/* html_entities.c: the character of the HTML 4 entity NAME (LENGTH bytes), or 0. */
gunichar pp_html_entity (const char *name, gsize length);

G_END_DECLS
