/* SPDX-License-Identifier: Apache-2.0 */
/* Cuts text of others to a length. No word is cut: of a secret that is masked later, a part would
 * not be found. Pure. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Returns the LENGTH bytes of TEXT as a new string of valid UTF-8. If they are more than MAX, cuts
 * them behind the last whole word of the first MAX bytes, and appends "...". Of a word without an
 * end in sight, drops 1024 bytes, or half of MAX if that is less. */
char *pp_text_cut (const char *text, gsize length, gsize max);

/* Returns where the last whole words of TEXT, at most MAX bytes, begin in TEXT. Of a word that
 * begins before them, drops as much as pp_text_cut(). TEXT is valid UTF-8. */
const char *pp_text_last_words (const char *text, gsize max);

G_END_DECLS
