#include "loss.h"

#include <string.h>

static guint64
count_lines (const char *text, gsize length)
{
  guint64 lines = 0;

  for (const char *end = text + length; (text = memchr (text, '\n', (gsize)(end - text))) != NULL;
       text++)
    lines++;
  return lines;
}

void
pp_loss_add (PpLoss *loss, const char *text, gsize length, int why)
{
  if (length == 0)
    return;
  if (loss->since == NULL)
    loss->since = g_date_time_new_now_local ();
  loss->lines += count_lines (text, length);
  loss->bytes += length;
  loss->why = why;
}

char *
pp_loss_describe (const PpLoss *loss, const char *what, const char *why_else)
{
  g_autofree char *since = g_date_time_format (loss->since, "%H:%M:%S");

  return g_strdup_printf (
      "%" G_GUINT64_FORMAT " lines (%" G_GUINT64_FORMAT " bytes) %s since %s: %s", loss->lines,
      loss->bytes, what, since, loss->why != 0 ? g_strerror (loss->why) : why_else);
}

void
pp_loss_clear (PpLoss *loss)
{
  g_clear_pointer (&loss->since, g_date_time_unref);
  *loss = (PpLoss){ 0 };
}
