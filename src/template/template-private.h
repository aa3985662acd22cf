/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the sources of template/. */
#pragma once

#include "prefect-podman/template/template.h"

G_BEGIN_DECLS

/* Limits for untrusted input. Prefect stops at Python's recursion limit, at about 900 levels. */
#define PP_TEMPLATE_MAX_DEPTH 500
#define PP_TEMPLATE_MAX_RENDERED (1024 * 1024)  /* bytes of a string made from placeholders */
#define PP_TEMPLATE_MAX_PLACEHOLDERS 1024       /* different placeholders in one string */
#define PP_TEMPLATE_MAX_SIZE (16 * 1024 * 1024) /* of a configuration, see pp_template_spend() */

#define PP_BLOCK_PREFIX "prefect.blocks."
#define PP_VARIABLE_PREFIX "prefect.variables."

/* errors.c */

/* Sets ERROR to PP_TEMPLATE_ERROR_INVALID with a formatted message. Returns FALSE. */
gboolean pp_template_invalid (GError **error, const char *format, ...) G_GNUC_PRINTF (2, 3);

/* Returns FALSE with ERROR if DEPTH exceeds PP_TEMPLATE_MAX_DEPTH. */
gboolean pp_template_check_depth (guint depth, GError **error);

/* Adds the approximate size of VALUE in bytes to *SPENT. The size includes the keys of VALUE, but
 * not its members. Returns FALSE with ERROR if the sum exceeds PP_TEMPLATE_MAX_SIZE. Many
 * placeholders may share one large value. A walk over the configuration visits this value once for
 * each placeholder, and a copy of the configuration contains it once for each placeholder. So this
 * limits both the walk and the copy. */
gboolean pp_template_spend (gsize *spent, const json_t *value, GError **error);

/* Like pp_template_spend(), with all members of VALUE, which is DEPTH levels down. A shared value
 * counts as often as it occurs. */
gboolean pp_template_spend_all (gsize *spent, const json_t *value, guint depth, GError **error);

/* Returns "a string", "null", "a list", ... for messages. */
const char *pp_json_type_name (const json_t *value);

/* Returns the beginning of VALUE for a message, or the name of its type if it is not a string; new
 * string. */
char *pp_check_shown (const json_t *value);

/* Sets ERROR to "KEY: NEEDED is needed, not TYPE OF VALUE". Returns FALSE. */
gboolean pp_check_refuse (const char *key, const json_t *value, const char *needed, GError **error);

/* Returns FALSE with ERROR if VALUE of KEY is not a list of strings. */
gboolean pp_check_strings (const char *key, const json_t *value, GError **error);

/* placeholders.c */

/* Returns a new reference to JSON, which must not be changed afterwards. */
json_t *pp_json_share (const json_t *json);

/* Returns a new object or array with the members of JSON, which are shared. */
json_t *pp_json_shallow_copy (const json_t *json);

/* python_str.c */

/* Python's str() of VALUE. Returns a new string, or NULL with ERROR if it would be too large or
 * VALUE is nested too deep. */
char *pp_python_str (const json_t *value, GError **error);

/* Returns TEXT as Python's repr() writes it with the quotes QUOTE, without these quotes; new
 * string. */
char *pp_python_quoted (const char *text, char quote);

/* Python's int() of TEXT. Returns FALSE if Python raises ValueError. A number that is too large is
 * clamped. */
gboolean pp_python_int (const char *text, gint64 *value);

/* Python's str.isspace() for one character. */
gboolean pp_python_isspace (gunichar c);

/* Python's str.strip() of TEXT; new string. */
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

/* find_placeholders for a string: returns the different placeholders of TEXT (PpPlaceholder, owned)
 * in order of appearance. Prefect returns a set, without an order. */
GPtrArray *pp_placeholders_find (const char *text);

/* Returns the placeholder in PLACEHOLDERS if TEXT consists of it alone and it has TYPE; else
 * NULL. */
const PpPlaceholder *pp_placeholders_whole (const GPtrArray *placeholders, const char *text,
                                            PpPlaceholderType type);

/* Splits "a.b[0]" into ["a", "b", "0"], as get_from_dict and set_in_dict do. New array. */
char **pp_path_split (const char *path);

/* get_from_dict: returns a new reference to the value at PATH of VALUE, or NULL. */
json_t *pp_path_get (const json_t *value, const char *path);

/* A text while its placeholders are being replaced. */
typedef struct
{
  char *text; /* owned */
  guint replaced;
} PpRendering;

/* Replaces every WHAT by WITH, within limits. Prefect calls str.replace for one placeholder after
 * the other. */
gboolean pp_rendering_replace (PpRendering *rendering, const char *what, const char *with,
                               GError **error);

static inline void
pp_rendering_clear (PpRendering *rendering)
{
  g_clear_pointer (&rendering->text, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (PpRendering, pp_rendering_clear)

/* apply_values (remove_notset=True) for TEMPLATE. If ENVIRONMENT is NULL, {{ $ENV }} stays as it
 * is. *OUT gets a new reference, or NULL for NotSet. */
gboolean pp_apply_values (const json_t *template, const json_t *values, const json_t *environment,
                          json_t **out, GError **error);

/* checks.c: the checks that pydantic does for DockerWorkerJobConfiguration. */

/* Checks the keys of the job configuration and adds defaults. Returns a new object, or NULL with
 * ERROR. */
json_t *pp_check_configuration (const json_t *configuration, gboolean podman_pool, GError **error);

/* own_variables.c */

/* Checks the worker's own keys in CONFIGURATION and copies them to OUT. */
gboolean pp_check_own_variables (const json_t *configuration, json_t *out, GError **error);

/* volumes.c: checks and strips VOLUME. Returns a new string, or NULL with ERROR. */
char *pp_check_volume (const char *volume, GError **error);

/* docker.c: what DockerWorkerJobConfiguration adds. */

/* get_network_mode: returns the configured mode, "host" if the API is on this host, or NULL.
 * Borrowed. */
const char *pp_docker_network_mode (const json_t *configuration, const json_t *env,
                                    const json_t *environment);

/* Changes the spelling of labels from "prefect.io/x" to "io.prefect.x". Returns a new object. */
json_t *pp_docker_labels (const json_t *labels);

/* True if NAME, in Docker's spelling, is a label that only the worker may set. */
gboolean pp_docker_label_is_own (const char *name);

/* _slugify_container_name: returns a new string, or NULL if no character is left. */
char *pp_docker_container_name (const char *name);

/* flow_context.c: returns the values for rendering `name`: {"ctx": {"flow": ..., "flow_run":
 * ...}}. */
json_t *pp_flow_context (const PpTemplateContext *context);

/* Converts a timestamp of the API to UTC, in the form of datetime.isoformat() with "+00:00".
 * Returns a new string, or NULL. */
char *pp_timestamp_to_utc (const char *timestamp);

/* slugify.c: slugify (text, lowercase=False, max_length=250, regex_pattern="[^a-zA-Z0-9_.-]+"). */
char *pp_slugify (const char *text);

/* transliterate.c: converts TEXT to ASCII; new string. */
char *pp_transliterate (const char *text);

/* html_entities.c: returns the character of the HTML 4 entity NAME (LENGTH bytes), or 0. */
gunichar pp_html_entity (const char *name, gsize length);

/* mask_forms.c */

/* True if C is a blank, or a character that engines replace by a blank: a tab, or the end of a line
 * or page. */
gboolean pp_is_blank (char c);

/* Returns TEXT with one blank for each run of blanks, line ends and the like; new string. */
char *pp_with_single_blanks (const char *text);

/* Returns SECRET itself and its spellings: in JSON (of several programs), in Go's and Python's
 * quotes, and in a URL. If ALL is FALSE, returns only SECRET and the spellings that an engine
 * uses. Array of new strings; some may be equal. */
GPtrArray *pp_secret_forms (const char *secret, gboolean all);

/* Returns NUMBER, an integer or a real number, as JSON and Python write it. Array of new strings;
 * some may be equal. */
GPtrArray *pp_number_forms (const json_t *number);

/* mask_urls.c */

/* Returns TEXT with PP_MASKED in place of each password in its URLs, and of each value of a URL
 * parameter with a secret name. The time is proportional to TEXT's length. New string. */
char *pp_mask_urls (const char *text);

G_END_DECLS
