/* SPDX-License-Identifier: Apache-2.0 */
/* Shortens text that others wrote. The cut is between two words, because secrets are masked later,
 * and masking would not find a part of a secret. Pure. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The most bytes of a name or a URL in a message. The author of a job chooses many of them. */
#define PP_TEXT_MAX_NAME 2048

/* Returns the LENGTH bytes of TEXT as a new string of valid UTF-8. If LENGTH is more than MAX, cuts
 * TEXT after the last whole word of its first MAX bytes, and appends "...". If no word ends in the
 * last 1024 of these MAX bytes, cuts inside a word: it drops these 1024 bytes, or MAX / 2 bytes if
 * that is less. */
char *pp_text_cut (const char *text, gsize length, gsize max);

/* Returns a pointer into TEXT: to its last whole words, at most MAX bytes. If the last MAX bytes
 * begin inside a word, drops the rest of that word, but no more than pp_text_cut() drops. TEXT is
 * valid UTF-8. */
const char *pp_text_last_words (const char *text, gsize max);

G_END_DECLS
