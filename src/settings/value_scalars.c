/* SPDX-License-Identifier: Apache-2.0 */
/* Settings with one value: numbers, words, paths, durations. */
#include "config.h"

#include "duration-private.h"
#include "prefect-podman/settings/settings.h"
#include "value-private.h"

#include "value_parts-private.h"

#include <errno.h>
#include <math.h>
#include <pwd.h>
#include <string.h>
#include <sys/types.h>

json_t *
pp_value_fail (GError **error, const char *wanted, const json_t *raw)
{
  g_autofree char *shown = NULL;

  if (json_is_string (raw) && strlen (json_string_value (raw)) <= 60)
    {
      g_autofree char *escaped = g_strescape (json_string_value (raw), NULL);
      shown = g_strdup_printf ("\"%s\"", escaped);
    }
  else if (json_is_number (raw) || json_is_boolean (raw))
    shown = json_dumps (raw, JSON_ENCODE_ANY);
  g_set_error (error, PP_SETTINGS_ERROR, PP_SETTINGS_ERROR_INVALID,
               "%s%smust be %s: change it or leave it out", shown != NULL ? shown : "",
               shown != NULL ? ": " : "", wanted);
  return NULL;
}

json_t *
pp_value_fail_unseen (GError **error, const char *wanted)
{
  return pp_value_fail (error, wanted, NULL);
}

/* Removes surrounding white space, and underscores between digits, from TEXT. Returns a new string,
 * or NULL if an underscore is where pydantic allows none. */
static char *
clean_number (const char *text)
{
  g_autofree char *number = g_strstrip (g_strdup (text));
  size_t length = strlen (number);

  if (number[0] == '_' || (length > 0 && number[length - 1] == '_')
      || strstr (number, "__") != NULL)
    return NULL;
  GString *out = g_string_new (NULL);
  for (const char *p = number; *p != '\0'; p++)
    if (*p != '_')
      g_string_append_c (out, *p);
  return g_string_free (out, FALSE);
}

static gboolean
text_to_integer (const char *text, gint64 *integer)
{
  g_autofree char *number = clean_number (text);
  const char *digits = number;
  char *end;

  if (number == NULL)
    return FALSE;
  digits += *digits == '-' || *digits == '+';
  if (!g_ascii_isdigit (*digits))
    return FALSE;
  errno = 0;
  *integer = g_ascii_strtoll (number, &end, 10);
  if (errno != 0)
    return FALSE;
  if (end[0] == '.' && end[1] != '\0') /* "10.00" is a whole number */
    end += 1 + strspn (end + 1, "0");
  return *end == '\0';
}

static gboolean
text_to_float (const char *text, double *value)
{
  g_autofree char *number = clean_number (text);
  char *end;

  /* strtod() accepts hexadecimal and "nan(...)", but pydantic does not. */
  if (number == NULL || *number == '\0' || strpbrk (number, "xXpP(") != NULL)
    return FALSE;
  *value = g_ascii_strtod (number, &end);
  return *end == '\0';
}

json_t *
pp_value_parse_bool (const json_t *raw, GError **error)
{
  static const char *const words[] = { "1", "on", "t", "true", "y", "yes" };
  static const char *const no_words[] = { "0", "off", "f", "false", "n", "no" };

  if (json_is_boolean (raw))
    return json_boolean (json_is_true (raw));
  if (json_is_number (raw) && (json_number_value (raw) == 0 || json_number_value (raw) == 1))
    return json_boolean (json_number_value (raw) == 1);
  if (json_is_string (raw))
    for (size_t i = 0; i < G_N_ELEMENTS (words); i++)
      {
        if (g_ascii_strcasecmp (json_string_value (raw), words[i]) == 0)
          return json_true ();
        if (g_ascii_strcasecmp (json_string_value (raw), no_words[i]) == 0)
          return json_false ();
      }
  return pp_value_fail (error, "true or false", raw);
}

json_t *
pp_value_parse_int (const json_t *raw, GError **error)
{
  gint64 integer;

  if (json_is_boolean (raw))
    return json_integer (json_is_true (raw));
  if (json_is_integer (raw))
    return json_integer (json_integer_value (raw));
  if (json_is_real (raw) && json_real_value (raw) == floor (json_real_value (raw))
      && fabs (json_real_value (raw)) < 9e15)
    return json_integer ((json_int_t)json_real_value (raw));
  if (json_is_string (raw) && text_to_integer (json_string_value (raw), &integer))
    return json_integer (integer);
  return pp_value_fail (error, "a whole number", raw);
}

json_t *
pp_value_parse_float (const json_t *raw, GError **error)
{
  double value;

  if (json_is_boolean (raw))
    return json_real (json_is_true (raw));
  if (json_is_number (raw))
    return json_real (json_number_value (raw));
  if (json_is_string (raw) && text_to_float (json_string_value (raw), &value) && isfinite (value))
    return json_real (value);
  return pp_value_fail (error, "a number", raw);
}

json_t *
pp_value_parse_string (const json_t *raw, GError **error)
{
  if (json_is_string (raw))
    return json_string (json_string_value (raw));
  return pp_value_fail_unseen (error, "a string (in quotes)");
}

char *
pp_setting_path (const char *path, gboolean expand_user)
{
  g_autofree char *expanded = NULL;
  const char *rest = path;
  const char *head = "";

  if (expand_user && path[0] == '~')
    {
      rest = path + strcspn (path, "/");
      g_autofree char *user = g_strndup (path + 1, rest - path - 1);
      const struct passwd *entry = *user != '\0' ? getpwnam (user) : NULL;
      if (*user == '\0')
        head = g_get_home_dir ();
      else if (entry != NULL)
        head = entry->pw_dir;
      else
        rest = path;
    }
  expanded = g_strconcat (head, rest, NULL);
  gboolean two_slashes = g_str_has_prefix (expanded, "//") && expanded[2] != '/';
  GString *out = g_string_new (expanded[0] != '/' ? "" : two_slashes ? "//" : "/");
  g_auto (GStrv) parts = g_strsplit (expanded, "/", -1);
  gboolean first = TRUE;
  for (char **part = parts; *part != NULL; part++)
    {
      if (**part == '\0' || strcmp (*part, ".") == 0)
        continue;
      g_string_append_printf (out, "%s%s", first ? "" : "/", *part);
      first = FALSE;
    }
  if (out->len == 0)
    g_string_append_c (out, '.');
  return g_string_free (out, FALSE);
}

json_t *
pp_value_parse_path (const PpSetting *setting, const json_t *raw, const char *home, GError **error)
{
  if (!json_is_string (raw))
    return pp_value_fail (error, "a path (a string)", raw);

  const char *text = json_string_value (raw);
  g_autofree char *with_home = NULL;
  if (strcmp (setting->path, "profiles_path") == 0 && home != NULL
      && strstr (text, "$PREFECT_HOME") != NULL)
    {
      g_auto (GStrv) parts = g_strsplit (text, "$PREFECT_HOME", -1);
      with_home = g_strjoinv (home, parts);
      text = with_home;
    }
  g_autofree char *path = pp_setting_path (text, strcmp (setting->path, "home") == 0);
  return json_string (path);
}

static gboolean
seconds_to_microseconds (double seconds, gint64 *microseconds)
{
  if (!(fabs (seconds) < 8e10))
    return FALSE;
  *microseconds = (gint64)llrint (seconds * 1e6);
  return TRUE;
}

json_t *
pp_value_parse_duration (const json_t *raw, gboolean text_may_be_seconds, gint64 *microseconds,
                         GError **error)
{
  double seconds;
  gboolean parsed = FALSE;

  if (json_is_boolean (raw))
    parsed = seconds_to_microseconds (json_is_true (raw), microseconds);
  else if (json_is_number (raw))
    parsed = seconds_to_microseconds (json_number_value (raw), microseconds);
  else if (json_is_string (raw))
    parsed = (text_may_be_seconds && text_to_float (json_string_value (raw), &seconds)
              && seconds_to_microseconds (seconds, microseconds))
             || pp_duration_parse (json_string_value (raw), microseconds);
  if (!parsed)
    return pp_value_fail (error, "a duration such as PT30S or 1:30:00", raw);
  g_autofree char *text = pp_duration_to_string (*microseconds);
  return json_string (text);
}

json_t *
pp_value_parse_choice (const char *choices, gboolean any_case, const json_t *raw, GError **error)
{
  g_auto (GStrv) words = g_strsplit (choices, "|", -1);
  g_autofree char *spoken = g_strjoinv (", ", words);
  g_autofree char *wanted = g_strconcat ("one of ", spoken, NULL);
  g_autofree char *upper = NULL;

  if (!json_is_string (raw))
    return pp_value_fail (error, wanted, raw);
  upper
      = any_case ? g_utf8_strup (json_string_value (raw), -1) : g_strdup (json_string_value (raw));
  if (!g_strv_contains ((const char *const *)words, upper))
    return pp_value_fail (error, wanted, raw);
  return json_string (upper);
}
