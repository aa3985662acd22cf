/* SPDX-License-Identifier: Apache-2.0 */
/* Cuts text from outside to a length, between words only. Secrets are masked later, and masking
 * would not find a part of a secret. Pure. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Returns the LENGTH bytes of TEXT as a new string of valid UTF-8. If LENGTH is more than MAX, cuts
 * TEXT after the last whole word of its first MAX bytes, and appends "...". If the word at the cut
 * is longer than 1024 bytes, drops only the last 1024 of the MAX bytes, or half of them if that is
 * less. */
char *pp_text_cut (const char *text, gsize length, gsize max);

/* Returns the position in TEXT of its last whole words, at most MAX bytes. If a word begins before
 * these bytes, drops as much of it as pp_text_cut(). TEXT is valid UTF-8. */
const char *pp_text_last_words (const char *text, gsize max);

G_END_DECLS
