/* SPDX-License-Identifier: Apache-2.0 */
/* Makes text of others (containers, servers, engines, job authors) safe to print. The result cannot
 * control a terminal, hide parts of itself, or look like more than one line. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* True if C is a control character (C0, DEL, C1), a format character (bidirectional overrides,
 * zero-width characters, ...), or a line or paragraph separator. These are called control
 * characters below. */
gboolean pp_text_is_control (gunichar c);

/* Appends LENGTH bytes of TEXT. Control characters are written as \x1b, \u202e or \U000e0001,
 * except the ASCII characters in KEPT ("\n\t"). Invalid UTF-8 is replaced by U+FFFD. */
void pp_text_append_visible (GString *to, const char *text, gsize length, const char *kept);

/* As pp_text_append_visible(), but returns a new string. NULL if TEXT is NULL. */
char *pp_text_visible (const char *text, const char *kept);

/* Returns JSON as a new string, with control characters inside its strings escaped as \u001b. The
 * JSON value stays the same. */
char *pp_text_visible_json (const char *json);

/* Quotes TEXT as one word of a shell's command line. Returns a new string: TEXT itself if it needs
 * no quotes, 'TEXT' in single quotes, or bash's $'...' if TEXT has control characters other than
 * newline and tab. */
char *pp_text_shell_quote (const char *text);

/* Makes NAME fit for the head of an output line. Keeps letters, digits, "." and "_", and replaces
 * all other characters by "-". Returns a new string of at most 40 characters. */
char *pp_text_label (const char *name);

G_END_DECLS
