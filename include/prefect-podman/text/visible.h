/* SPDX-License-Identifier: Apache-2.0 */
/* Text of others (containers, servers, engines, job authors), made visible: nothing in it can steer
 * a terminal, hide, or pass for more than one line. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* True if C is a control character (C0, DEL, C1), a format character (bidirectional overrides,
 * zero-width characters, ...) or a separator of lines or paragraphs. */
gboolean pp_text_is_control (gunichar c);

/* Appends LENGTH bytes of TEXT with such characters as \x1b, \u202e or \U000e0001, less those of
 * KEPT, ASCII characters that stay as they are ("\n\t"). What is no UTF-8 is replaced by U+FFFD. */
void pp_text_append_visible (GString *to, const char *text, gsize length, const char *kept);

/* The same as a new string; NULL for NULL. */
char *pp_text_visible (const char *text, const char *kept);

/* JSON text with such characters inside its strings as \u001b: it means the same. New string. */
char *pp_text_visible_json (const char *json);

/* TEXT as one word of a shell's command line: as it is where it needs no quotes; 'in quotes'; or,
 * where it has such characters other than newlines and tabs, $'in those of bash'. New string. */
char *pp_text_shell_quote (const char *text);

/* NAME for the head of an output line: letters, digits, "." and "_" of it, all else as "-", at most
 * 40 characters. New string. */
char *pp_text_label (const char *name);

G_END_DECLS
