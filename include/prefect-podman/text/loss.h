/* SPDX-License-Identifier: Apache-2.0 */
/* Output that could not be written: counted until a note can take its place. */
#pragma once

#include <glib.h>
#include <time.h>

G_BEGIN_DECLS

/* All zero: nothing is lost. */
typedef struct
{
  time_t since; /* when the first line was lost; 0: none is */
  guint64 lines;
  guint64 bytes;
  int why; /* errno of the last failure, or 0: it was none of the system's */
} PpLoss;

/* Counts LINES of BYTES in all (0: nothing is counted), lost by the errno WHY, or by none (0). */
void pp_loss_add (PpLoss *loss, guint64 lines, gsize bytes, int why);

/* The same of the LENGTH bytes of TEXT, which has as many lines as newlines. */
void pp_loss_add_text (PpLoss *loss, const char *text, gsize length, int why);

/* Adds MORE, which was lost later. */
void pp_loss_add_loss (PpLoss *loss, const PpLoss *more);

/* "3 lines (120 bytes) WHAT since 07:27:49: No space left on device"; WHY_ELSE takes the place of
 * the system's words where there is no errno. New string. Not to be called of no loss. */
char *pp_loss_describe (const PpLoss *loss, const char *what, const char *why_else);

G_END_DECLS
