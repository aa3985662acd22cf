/* Lines that could not be written, counted until it can be said. Used inside the room only. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* All zero: nothing is lost. */
typedef struct
{
  GDateTime *since; /* when the first was lost, or NULL */
  guint64 lines;
  guint64 bytes;
  int why; /* errno of the last, or 0 */
} PpLoss;

/* Counts the LENGTH bytes of TEXT, lost by the errno WHY, or by none (0). */
void pp_loss_add (PpLoss *loss, const char *text, gsize length, int why);

/* "3 lines (120 bytes) WHAT since 07:27:49: No space left on device", or what else is WHY_ELSE,
 * where there is no errno; new string. Only where something is lost. */
char *pp_loss_describe (const PpLoss *loss, const char *what, const char *why_else);

void pp_loss_clear (PpLoss *loss);

G_END_DECLS
