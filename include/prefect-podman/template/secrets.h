/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets that are taken out of text of others: of the lines a container prints. Unlike PpMask it
 * looks for the given strings only, fast enough for all that a container prints. Pure. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Shorter ones are not looked for: a word of that length stands in many a line. */
#define PP_SECRETS_MIN_BYTES 8

typedef struct PpSecrets PpSecrets;

PpSecrets *pp_secrets_new (void);
void pp_secrets_free (PpSecrets *secrets);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpSecrets, pp_secrets_free)

/* SECRET (may be NULL) is looked for from now on, and how it looks in JSON and in a URL; it is left
 * alone when it has less than MIN_BYTES, PP_SECRETS_MIN_BYTES or more. */
void pp_secrets_add (PpSecrets *secrets, const char *secret, gsize min_bytes);

/* The LENGTH bytes of TEXT with PP_MASKED in place of each secret, new string; NULL: there is none
 * in it. SECRETS may be NULL. */
char *pp_secrets_mask (const PpSecrets *secrets, const char *text, gsize length);

/* How many of the LENGTH bytes of TEXT can be taken without cutting a secret that goes on behind
 * them; 0 where all may be the beginning of one. */
gsize pp_secrets_safe_length (const PpSecrets *secrets, const char *text, gsize length);

G_END_DECLS
