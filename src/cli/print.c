/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "cli/print-private.h"
#include "prefect-podman/files/files.h"
#include "prefect-podman/text/visible.h"

#include <unistd.h>

gboolean
pp_color_is_wanted (int fd)
{
  const char *no_color = g_getenv ("NO_COLOR");

  return (no_color == NULL || *no_color == '\0') && pp_terminal_obeys (fd);
}

char *
pp_color_text (const char *color, const char *text)
{
  if (!pp_color_is_wanted (STDOUT_FILENO))
    return g_strdup (text);
  return g_strconcat (color, text, PP_COLOR_RESET, NULL);
}

char *
pp_duration_text (gint64 microseconds)
{
  gint64 seconds = MAX (microseconds / G_USEC_PER_SEC, 0);
  gint64 minutes = seconds / 60;

  if (minutes == 0)
    return g_strdup_printf ("%" G_GINT64_FORMAT " s", seconds);
  if (minutes < 60)
    return g_strdup_printf ("%" G_GINT64_FORMAT " min", minutes);
  if (minutes < 24L * 60)
    return g_strdup_printf ("%" G_GINT64_FORMAT " h %" G_GINT64_FORMAT " min", minutes / 60,
                            minutes % 60);
  return g_strdup_printf ("%" G_GINT64_FORMAT " d %" G_GINT64_FORMAT " h", minutes / 60 / 24,
                          minutes / 60 % 24);
}

char *
pp_age_text (gint64 since)
{
  return since > 0 ? pp_duration_text (g_get_real_time () - since) : g_strdup ("-");
}

char *
pp_printable_text (const char *text)
{
  GString *clean = g_string_new (NULL);
  g_autofree char *valid = g_utf8_make_valid (text != NULL ? text : "-", -1);

  for (const char *at = valid; *at != '\0'; at = g_utf8_next_char (at))
    {
      gunichar character = g_utf8_get_char (at);
      gboolean is_safe = g_unichar_isprint (character) && !pp_text_is_control (character);
      g_string_append_unichar (clean, is_safe ? character : '?');
    }
  return g_string_free (clean, FALSE);
}
