/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "prefect-podman/text/loss.h"

#include <string.h>

void
pp_loss_add (PpLoss *loss, guint64 lines, gsize bytes, int why)
{
  const PpLoss more = { .since = time (NULL), .lines = lines, .bytes = bytes, .why = why };

  if (bytes > 0)
    pp_loss_add_loss (loss, &more);
}

void
pp_loss_add_text (PpLoss *loss, const char *text, gsize length, int why)
{
  guint64 lines = 0;

  for (const char *p = text, *end = text + length; (p = memchr (p, '\n', (gsize)(end - p))) != NULL;
       p++)
    lines++;
  pp_loss_add (loss, lines, length, why);
}

void
pp_loss_add_loss (PpLoss *loss, const PpLoss *more)
{
  if (more->since == 0)
    return;
  if (loss->since == 0)
    loss->since = more->since;
  loss->lines += more->lines;
  loss->bytes += more->bytes;
  loss->why = more->why;
}

char *
pp_loss_describe (const PpLoss *loss, const char *what, const char *why_else)
{
  g_autoptr (GDateTime) since = g_date_time_new_from_unix_local (loss->since);
  g_autoptr (GDateTime) now = g_date_time_new_now_local ();
  const gboolean is_today
      = since != NULL && now != NULL && g_date_time_get_year (since) == g_date_time_get_year (now)
        && g_date_time_get_day_of_year (since) == g_date_time_get_day_of_year (now);
  g_autofree char *when
      = since != NULL ? g_date_time_format (since, is_today ? "%H:%M:%S" : "%Y-%m-%d %H:%M:%S")
                      : g_strdup ("?");

  return g_strdup_printf (
      "Lines %s since %s (%" G_GUINT64_FORMAT " %s, %" G_GUINT64_FORMAT " %s): %s", what, when,
      loss->lines, loss->lines == 1 ? "line" : "lines", loss->bytes,
      loss->bytes == 1 ? "byte" : "bytes", loss->why != 0 ? g_strerror (loss->why) : why_else);
}
