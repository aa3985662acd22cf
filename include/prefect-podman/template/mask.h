/* SPDX-License-Identifier: Apache-2.0 */
/* Takes secrets out of what is shown. Pure. */
#pragma once

#include "prefect-podman/json.h"

G_BEGIN_DECLS

/* What stands where a secret was. */
#define PP_MASKED "********"

typedef struct PpMask PpMask;

PpMask *pp_mask_new (void);
void pp_mask_free (PpMask *mask);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpMask, pp_mask_free)

/* Whether a variable or key NAME says that its value is secret: a word in it ends in KEY, TOKEN,
 * PASSWORD, SECRET or the like (AWS_SECRET_ACCESS_KEY, apiToken, PREFECT_API_AUTH_STRING). */
gboolean pp_mask_is_secret_name (const char *name);

/* Every string below JSON is a secret wherever it is seen from now on (as a part of a longer string
 * when it has 4 bytes and more). */
void pp_mask_add_values (PpMask *mask, const json_t *json);

/* The same for the data of BLOCK_DOCUMENT, as the API answers it: what its schema lists in
 * secret_fields (a registry's host may be named), and all of it where that lists nothing. */
void pp_mask_add_block (PpMask *mask, const json_t *block_document);

/* The same for the strings below JSON that stand at a key with a secret name, but for those that
 * are one {{ placeholder }}. */
void pp_mask_add_named (PpMask *mask, const json_t *json);

/* TEXT without the known secrets (of a long one, its start as well), the value of "NAME=value" with
 * a secret name, and the password of a URL. New string. */
char *pp_mask_text (const PpMask *mask, const char *text);

/* A copy of JSON with pp_mask_text() done to every string, and strings at keys with a secret name
 * masked whole, but for {{ placeholders }}. Keys stay. New value. */
json_t *pp_mask_json (const PpMask *mask, const json_t *json);

G_END_DECLS
