/* SPDX-License-Identifier: Apache-2.0 */
/* Removes secrets from what is shown. Pure. */
#pragma once

#include "prefect-podman/json.h"

G_BEGIN_DECLS

/* Replaces a secret. */
#define PP_MASKED "********"

typedef struct PpMask PpMask;

PpMask *pp_mask_new (void);
void pp_mask_free (PpMask *mask);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpMask, pp_mask_free)

/* True if NAME, of a variable or key, says that its value is secret: one of its words ends in KEY,
 * TOKEN, PASSWORD, SECRET or the like (AWS_SECRET_ACCESS_KEY, apiToken,
 * PREFECT_API_AUTH_STRING). */
gboolean pp_mask_is_secret_name (const char *name);

/* From now on, masks every string in JSON wherever it occurs. The string is also found with
 * different white space, in the quoted forms of JSON, Go and Python, and in the form that it has in
 * a URL. A string of 4 bytes or more is also masked inside a longer string. If a string has several
 * lines, each line of 8 characters or more is also masked alone (up to 10,000 lines in all). Also
 * masks every number in JSON of 4 characters or more. */
void pp_mask_add_values (PpMask *mask, const json_t *json);

/* As pp_mask_add_values(), for the secrets in BLOCK_DOCUMENT, as the API returns it: the fields
 * that its schema lists in secret_fields (so a registry's host, for example, stays visible), or all
 * of its data if that list is empty. */
void pp_mask_add_block (PpMask *mask, const json_t *block_document);

/* As pp_mask_add_values(), but only for the strings in JSON at keys with a secret name. Skips a
 * string that is a single {{ placeholder }}. */
void pp_mask_add_named (PpMask *mask, const json_t *json);

/* Masks in TEXT: known secrets, the beginning of a long known secret, the value of "NAME=value"
 * with a secret name, and in a URL the password and the parameters with a secret name. Returns a
 * new string. */
char *pp_mask_text (const PpMask *mask, const char *text);

/* Returns a copy of JSON with every string masked by pp_mask_text(), and PP_MASKED in place of each
 * number that is a secret. A string at a key with a secret name is masked as a whole, unless it is
 * a {{ placeholder }}. Keys are not masked. New value. */
json_t *pp_mask_json (const PpMask *mask, const json_t *json);

G_END_DECLS
