/* SPDX-License-Identifier: Apache-2.0 */
/* Removes secrets from text that others write, such as the output of containers. Unlike PpMask, it
 * only looks for given strings, and is fast enough for all output of containers. Pure. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Shorter secrets are ignored, because a short string may be part of an ordinary line. */
#define PP_SECRETS_MIN_BYTES 8

typedef struct PpSecrets PpSecrets;

PpSecrets *pp_secrets_new (void);
void pp_secrets_free (PpSecrets *secrets);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpSecrets, pp_secrets_free)

/* Adds SECRET (may be NULL), and its spellings in JSON, Go, Python and a URL. Ignores SECRET if it
 * is shorter than MIN_BYTES, which is at least PP_SECRETS_MIN_BYTES. */
void pp_secrets_add (PpSecrets *secrets, const char *secret, gsize min_bytes);

/* Replaces each secret in the *LENGTH bytes of TEXT, which may have NULs, by PP_MASKED. Returns a
 * new string and sets *LENGTH to its length; or returns NULL if there is no secret. SECRETS may be
 * NULL.
 */
char *pp_secrets_mask (const PpSecrets *secrets, const char *text, gsize *length);

/* Returns how many of the LENGTH bytes of TEXT can be passed on without splitting a secret that
 * continues after TEXT. Returns 0 if all of them may be the beginning of a secret. */
gsize pp_secrets_safe_length (const PpSecrets *secrets, const char *text, gsize length);

G_END_DECLS
