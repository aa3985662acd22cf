/* SPDX-License-Identifier: Apache-2.0 */
/* Counts output that could not be written, until a note about it can be written in its place. */
#pragma once

#include <glib.h>
#include <time.h>

G_BEGIN_DECLS

/* All members zero means that nothing was lost. */
typedef struct
{
  time_t since; /* time of the first lost line; 0 if none was lost */
  guint64 lines;
  guint64 bytes;
  int why; /* errno of the last failure; 0 if no system call failed */
} PpLoss;

/* Adds LINES lost lines with BYTES bytes in total. WHY is the errno, or 0 if no system call
 * failed. Does nothing if BYTES is 0. */
void pp_loss_add (PpLoss *loss, guint64 lines, gsize bytes, int why);

/* As pp_loss_add(), for LENGTH bytes of TEXT. The number of lines is the number of newlines in
 * TEXT. */
void pp_loss_add_text (PpLoss *loss, const char *text, gsize length, int why);

/* Adds the counts of MORE, a loss that happened later. */
void pp_loss_add_loss (PpLoss *loss, const PpLoss *more);

/* Returns a new string: "Lines WHAT since 07:27:49 (3 lines, 120 bytes): No space left on
 * device". If there is no errno, WHY_ELSE replaces the system's error text. LOSS must not be
 * empty. */
char *pp_loss_describe (const PpLoss *loss, const char *what, const char *why_else);

G_END_DECLS
