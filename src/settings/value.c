/* pydantic's lenient reading of settings (pydantic-core's input_python.rs and str parsing, checked
 * against pydantic 2.14 by tests/unit/settings-parity). */
#include "config.h"

#define G_LOG_DOMAIN "prefect.settings"

#include "prefect-podman/settings/duration.h"
#include "prefect-podman/settings/settings.h"
#include "prefect-podman/settings/value.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <pwd.h>
#include <string.h>
#include <sys/types.h>

/* Sets ERROR to "not WANTED: VALUE". Only values of types that hold no secret are shown. */
static json_t *
fail (GError **error, const char *wanted, const json_t *raw)
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

static json_t *
fail_unseen (GError **error, const char *wanted)
{
  return fail (error, wanted, NULL);
}

/* TEXT less white space around it and underscores between digits, or NULL when an underscore is
 * where pydantic takes none. New string. */
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

  /* strtod takes hexadecimal and "nan(...)", pydantic does not. */
  if (number == NULL || *number == '\0' || strpbrk (number, "xXpP(") != NULL)
    return FALSE;
  *value = g_ascii_strtod (number, &end);
  return *end == '\0';
}

static json_t *
parse_bool (const json_t *raw, GError **error)
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
  return fail (error, "true or false", raw);
}

static json_t *
parse_int (const json_t *raw, GError **error)
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
  return fail (error, "a whole number", raw);
}

static json_t *
parse_float (const json_t *raw, GError **error)
{
  double value;

  if (json_is_boolean (raw))
    return json_real (json_is_true (raw));
  if (json_is_number (raw))
    return json_real (json_number_value (raw));
  if (json_is_string (raw) && text_to_float (json_string_value (raw), &value) && isfinite (value))
    return json_real (value);
  return fail (error, "a number", raw);
}

static json_t *
parse_string (const json_t *raw, GError **error)
{
  if (json_is_string (raw))
    return json_string (json_string_value (raw));
  return fail_unseen (error, "a string (in quotes)");
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

/* PREFECT_HOME expands "~"; PREFECT_PROFILES_PATH knows $PREFECT_HOME (root.py). */
static json_t *
parse_path (const PpSetting *setting, const json_t *raw, const char *home, GError **error)
{
  if (!json_is_string (raw))
    return fail (error, "a path (a string)", raw);

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

static json_t *
parse_duration (const json_t *raw, gboolean text_may_be_seconds, gint64 *microseconds,
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
    return fail (error, "a duration such as PT30S or 1:30:00", raw);
  g_autofree char *text = pp_duration_to_string (*microseconds);
  return json_string (text);
}

static json_t *
parse_choice (const char *choices, gboolean any_case, const json_t *raw, GError **error)
{
  g_auto (GStrv) words = g_strsplit (choices, "|", -1);
  g_autofree char *spoken = g_strjoinv (", ", words);
  g_autofree char *wanted = g_strconcat ("one of ", spoken, NULL);
  g_autofree char *upper = NULL;

  if (!json_is_string (raw))
    return fail (error, wanted, raw);
  upper
      = any_case ? g_utf8_strup (json_string_value (raw), -1) : g_strdup (json_string_value (raw));
  if (!g_strv_contains ((const char *const *)words, upper))
    return fail (error, wanted, raw);
  return json_string (upper);
}

/* ---- collections ---- */

static int
compare_as_text (gconstpointer a, gconstpointer b)
{
  g_autofree char *left = pp_setting_value_to_environment (*(json_t *const *)a);
  g_autofree char *right = pp_setting_value_to_environment (*(json_t *const *)b);
  return strcmp (left, right);
}

/* ARRAY (stolen) sorted as Python sorts by str(); with UNIQUE each value once. New array. */
static json_t *
sorted_array (json_t *array, gboolean unique)
{
  json_auto_t *from = array;
  json_t *to = json_array ();
  g_autoptr (GPtrArray) items = g_ptr_array_new ();
  size_t index;
  json_t *item;

  json_array_foreach (from, index, item) g_ptr_array_add (items, item);
  g_ptr_array_sort (items, compare_as_text);
  for (guint i = 0; i < items->len; i++)
    if (!unique || i == 0 || !json_equal (items->pdata[i], items->pdata[i - 1]))
      json_array_append (to, items->pdata[i]);
  return to;
}

/* What Python takes for false: an empty collection reads as an empty set. */
static gboolean
is_empty_value (const json_t *raw)
{
  return json_is_false (raw) || (json_is_number (raw) && json_number_value (raw) == 0)
         || (json_is_string (raw) && json_string_length (raw) == 0)
         || ((json_is_array (raw) || json_is_object (raw)) && json_array_size (raw) == 0
             && json_object_size (raw) == 0);
}

/* "a, b" as ["a", "b"]. New array. */
static json_t *
split (const char *text)
{
  json_t *array = json_array ();
  g_auto (GStrv) parts = g_strsplit (text, ",", -1);

  for (char **part = parts; *part != NULL; part++)
    json_array_append_new (array, json_string (g_strstrip (*part)));
  return array;
}

/* The status code RAW, or NULL. */
static json_t *
parse_status_code (const json_t *raw)
{
  json_t *code = parse_int (raw, NULL);

  if (code == NULL || (json_integer_value (code) >= 100 && json_integer_value (code) <= 599))
    return code;
  json_decref (code);
  return NULL;
}

/* validate_set_T_from_delim_string() of prefect/types. */
static json_t *
parse_set (const json_t *raw, gboolean status_codes, GError **error)
{
  const char *wanted = status_codes ? "HTTP status codes (100 to 599) with commas between"
                                    : "strings with commas between";
  json_auto_t *items = NULL;
  json_auto_t *set = json_array ();
  size_t index;
  const json_t *item;

  if (is_empty_value (raw))
    return json_array ();
  if (json_is_string (raw))
    items = split (json_string_value (raw));
  else if (json_is_array (raw))
    items = json_incref ((json_t *)raw);
  else
    items = json_pack ("[O]", raw);
  json_array_foreach (items, index, item)
  {
    json_t *value = status_codes            ? parse_status_code (item)
                    : json_is_string (item) ? json_string (json_string_value (item))
                                            : NULL;
    if (value == NULL)
      return fail (error, wanted, item);
    json_array_append_new (set, value);
  }
  return sorted_array (g_steal_pointer (&set), TRUE);
}

static json_t *
parse_headers (const json_t *raw, GError **error)
{
  const char *key;
  json_t *value;

  if (!json_is_object (raw))
    return fail_unseen (error, "a JSON object of strings such as {\"X-Header\": \"value\"}");
  json_object_foreach ((json_t *)raw, key, value) if (!json_is_string (value))
  {
    g_autofree char *wanted = g_strdup_printf ("an object of strings (\"%s\" is none)", key);
    return fail_unseen (error, wanted);
  }
  return json_deep_copy (raw);
}

static json_t *
parse_durations (const json_t *raw, GError **error)
{
  json_auto_t *durations = json_object ();
  const char *key;
  json_t *value;

  if (!json_is_object (raw))
    return fail (error, "a JSON object of durations such as {\"name\": 3600}", raw);
  json_object_foreach ((json_t *)raw, key, value)
  {
    gint64 microseconds = 0;
    json_t *duration = parse_duration (value, TRUE, &microseconds, error);
    if (duration == NULL)
      return NULL;
    json_object_set_new (durations, key, duration);
    if (microseconds <= 0)
      return fail (error, "an object of durations above 0", value);
  }
  return g_steal_pointer (&durations);
}

/* An array whose items are all numbers, as reals; NULL otherwise. */
static json_t *
parse_floats (const json_t *array)
{
  json_auto_t *floats = json_array ();
  size_t index;
  json_t *item;

  json_array_foreach (array, index, item)
  {
    json_t *value = parse_float (item, NULL);
    if (value == NULL)
      return NULL;
    json_array_append_new (floats, value);
  }
  return sorted_array (g_steal_pointer (&floats), FALSE);
}

/* "1,2.5" as parse_retry_delay_input() of prefect/types reads it; NULL for something else. JSON
 * null for an empty text. */
static json_t *
parse_delays_text (const char *text)
{
  json_auto_t *parts = split (text);
  json_auto_t *kept = json_array ();
  size_t index;
  json_t *part;

  json_array_foreach (parts, index, part) if (json_string_length (part) > 0)
      json_array_append (kept, part);
  if (json_array_size (kept) == 0)
    return json_null ();
  if (json_array_size (kept) == 1)
    return parse_float (json_array_get (kept, 0), NULL);
  return parse_floats (kept);
}

static json_t *
parse_delays (const json_t *raw, gboolean text_may_be_list, GError **error)
{
  json_t *value = NULL;

  if (json_is_number (raw))
    value = json_deep_copy (raw);
  else if (json_is_array (raw))
    value = parse_floats (raw);
  else if (json_is_string (raw) && text_may_be_list)
    value = parse_delays_text (json_string_value (raw));
  else if (json_is_string (raw) && (value = parse_int (raw, NULL)) == NULL)
    value = parse_float (raw, NULL);
  return value != NULL ? value : fail (error, "a number of seconds, or an array of numbers", raw);
}

/* _parse_vacuum_enabled() of prefect/settings/models/server/services.py. */
static json_t *
parse_vacuum (const json_t *raw, GError **error)
{
  if (json_is_array (raw))
    return parse_set (raw, FALSE, error);
  if (!json_is_string (raw))
    return parse_bool (raw, error);

  g_autofree char *word = g_ascii_strdown (json_string_value (raw), -1);
  g_strstrip (word);
  if (strcmp (word, "true") == 0 || strcmp (word, "1") == 0)
    return json_true ();
  if (strcmp (word, "false") == 0 || strcmp (word, "0") == 0 || *word == '\0')
    return json_false ();
  json_auto_t *parts = split (json_string_value (raw));
  for (size_t i = json_array_size (parts); i-- > 0;)
    if (json_string_length (json_array_get (parts, i)) == 0)
      json_array_remove (parts, i);
  return sorted_array (g_steal_pointer (&parts), TRUE);
}

/* ---- one entrance ---- */

static json_t *
check_bounds (const PpSetting *setting, json_t *value, double number, const json_t *raw,
              GError **error)
{
  gboolean fits = TRUE;
  g_autofree char *wanted = NULL;

  if (value == NULL || setting->bounds == 0)
    return value;
  fits = fits && (!(setting->bounds & PP_SETTING_MIN) || number >= setting->minimum);
  fits = fits && (!(setting->bounds & PP_SETTING_ABOVE) || number > setting->minimum);
  fits = fits && (!(setting->bounds & PP_SETTING_MAX) || number <= setting->maximum);
  if (fits)
    return value;
  json_decref (value);
  if (setting->bounds & PP_SETTING_MAX)
    wanted = g_strdup_printf ("from %g to %g", setting->minimum, setting->maximum);
  else
    wanted = g_strdup_printf ("%s %g", setting->bounds & PP_SETTING_MIN ? "at least" : "more than",
                              setting->minimum);
  return fail (error, wanted, raw);
}

static json_t *
parse_typed (const PpSetting *setting, const json_t *raw, const char *home, GError **error)
{
  gint64 microseconds = 0;
  json_t *value;

  switch (setting->type)
    {
    case PP_SETTING_BOOL:
      return parse_bool (raw, error);
    case PP_SETTING_INT:
      value = parse_int (raw, error);
      return check_bounds (setting, value, json_number_value (value), raw, error);
    case PP_SETTING_FLOAT:
      value = parse_float (raw, error);
      return check_bounds (setting, value, json_number_value (value), raw, error);
    case PP_SETTING_STRING:
    case PP_SETTING_SECRET:
      return parse_string (raw, error);
    case PP_SETTING_PATH:
      return parse_path (setting, raw, home, error);
    case PP_SETTING_DURATION:
    case PP_SETTING_SECONDS:
      value = parse_duration (raw, setting->type == PP_SETTING_SECONDS, &microseconds, error);
      return check_bounds (setting, value, microseconds / 1e6, raw, error);
    case PP_SETTING_LEVEL:
      return parse_choice ("DEBUG|INFO|WARNING|ERROR|CRITICAL", TRUE, raw, error);
    case PP_SETTING_CHOICE:
      return parse_choice (setting->choices, FALSE, raw, error);
    case PP_SETTING_STRING_SET:
      return parse_set (raw, FALSE, error);
    case PP_SETTING_STATUS_CODES:
      return parse_set (raw, TRUE, error);
    case PP_SETTING_HEADERS:
      return parse_headers (raw, error);
    case PP_SETTING_DELAYS:
      return parse_delays (raw, FALSE, error);
    case PP_SETTING_DELAYS_TEXT:
      return parse_delays (raw, TRUE, error);
    case PP_SETTING_VACUUM:
      return parse_vacuum (raw, error);
    case PP_SETTING_DURATIONS:
      return parse_durations (raw, error);
    case PP_SETTING_ANY:
      return json_deep_copy (raw);
    }
  g_return_val_if_reached (NULL);
}

/* Whether the setting's value is written as JSON: always (*REQUIRED, pydantic-settings' complex
 * fields) or where it happens to be JSON (unions with a collection among them). */
static gboolean
is_json (PpSettingType type, gboolean *required)
{
  *required = type == PP_SETTING_HEADERS || type == PP_SETTING_DURATIONS;
  return *required || type == PP_SETTING_STRING_SET || type == PP_SETTING_STATUS_CODES
         || type == PP_SETTING_DELAYS || type == PP_SETTING_DELAYS_TEXT
         || type == PP_SETTING_VACUUM;
}

json_t *
pp_setting_value_parse (const PpSetting *setting, const json_t *raw, gboolean from_text,
                        const char *home, GError **error)
{
  gboolean required;
  json_auto_t *decoded = NULL;

  if (is_json (setting->type, &required) && json_is_string (raw) && (from_text || required))
    {
      decoded = json_loads (json_string_value (raw), JSON_DECODE_ANY, NULL);
      if (decoded == NULL && required)
        return fail_unseen (error, "JSON, an object such as {\"name\": \"value\"}");
      if (decoded != NULL)
        raw = decoded;
    }
  if (json_is_null (raw))
    return json_null ();
  return parse_typed (setting, raw, home, error);
}

/* The shortest text that reads back as VALUE, as Python's repr(): "30.0", "1e-05", "1e+16". */
static char *
float_to_text (double value)
{
  char buffer[G_ASCII_DTOSTR_BUF_SIZE];

  for (int digits = 1; digits <= 17; digits++)
    {
      char format[8];
      g_snprintf (format, sizeof format, "%%.%de", digits - 1);
      g_ascii_formatd (buffer, sizeof buffer, format, value);
      if (g_ascii_strtod (buffer, NULL) == value)
        break;
    }
  /* buffer is d[.ddd]e[+-]dd; Python writes it out plain for exponents from -4 to 15. */
  int exponent = atoi (strchr (buffer, 'e') + 1);
  if (exponent < -4 || exponent > 15)
    return g_strdup (buffer);
  int mantissa = (int)(strchr (buffer, 'e') - buffer) - (buffer[0] == '-');
  int after_point = MAX (1, (mantissa > 1 ? mantissa - 2 : 0) - exponent);
  char format[16];
  g_snprintf (format, sizeof format, "%%.%df", after_point);
  char *text = g_malloc (G_ASCII_DTOSTR_BUF_SIZE);
  return g_ascii_formatd (text, G_ASCII_DTOSTR_BUF_SIZE, format, value);
}

/* json.dumps() of Python: the digits of \uXXXX in lower case. */
static char *
object_to_text (const json_t *object)
{
  char *text = json_dumps (object, JSON_ENSURE_ASCII);

  for (char *p = text; (p = strchr (p, '\\')) != NULL; p += 2)
    if (p[1] == 'u')
      for (int i = 2; i < 6; i++)
        p[i] = g_ascii_tolower (p[i]);
  return text;
}

char *
pp_setting_value_to_environment (const json_t *value)
{
  switch (json_typeof (value))
    {
    case JSON_TRUE:
      return g_strdup ("True");
    case JSON_FALSE:
      return g_strdup ("False");
    case JSON_INTEGER:
      return g_strdup_printf ("%" JSON_INTEGER_FORMAT, json_integer_value (value));
    case JSON_REAL:
      return float_to_text (json_real_value (value));
    case JSON_STRING:
      return g_strdup (json_string_value (value));
    case JSON_OBJECT:
      return object_to_text (value);
    case JSON_NULL:
      return g_strdup ("None");
    case JSON_ARRAY:
      break;
    }
  GString *joined = g_string_new (NULL);
  size_t index;
  json_t *item;
  json_array_foreach (value, index, item)
  {
    g_autofree char *text = pp_setting_value_to_environment (item);
    g_string_append_printf (joined, "%s%s", index > 0 ? "," : "", text);
  }
  return g_string_free (joined, FALSE);
}
