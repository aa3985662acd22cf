/* The only C++ file: toml++ does the parsing, nothing of it (and no exception) leaves here. */
#include "config.h"

#include <stdexcept>

/* Some malformed documents ("[`x]") run into an assertion of toml++ 3.3, which would abort: here it
 * is an error like the others. */
static constexpr void
require (bool condition)
{
  if (!condition)
    throw std::runtime_error ("invalid TOML");
}

#undef NDEBUG
#define TOML_ASSERT(...) require (static_cast<bool> (__VA_ARGS__))
#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 0
#define TOML_MAX_NESTED_VALUES 32
#include <toml++/toml.h>

#include <cmath>
#include <cstring>
#include <exception>
#include <sstream>
#include <string>

#include "prefect-podman/settings/settings.h"
#include "prefect-podman/settings/toml.h"

namespace
{
/* Deeper tables than a settings file can mean are refused: they are walked by recursion. */
constexpr int max_depth = 64;

json_t *
string_to_json (const std::string &text)
{
  return json_stringn (text.data (), text.size ());
}

template <typename T>
json_t *
printed_to_json (const T &value)
{
  std::ostringstream text;
  text << value;
  return string_to_json (text.str ());
}

/* JSON has no infinity: "inf", "-inf" and "nan" are given as strings, which settings read alike. */
json_t *
float_to_json (double value)
{
  if (std::isfinite (value))
    return json_real (value);
  return json_string (std::isnan (value) ? "nan" : value < 0 ? "-inf" : "inf");
}

json_t *node_to_json (const toml::node &node, json_t **lines, int depth);
json_t *table_to_json (const toml::table &table, json_t *lines, int depth);

json_t *
array_to_json (const toml::array &array, int depth)
{
  json_t *json = json_array ();

  for (const toml::node &item : array)
    {
      json_t *value = node_to_json (item, nullptr, depth);
      if (value == nullptr)
        {
          json_decref (json);
          return nullptr;
        }
      json_array_append_new (json, value);
    }
  return json;
}

/* Returns nullptr when NODE is nested too deep. LINES, when not nullptr, gets a table's lines. */
json_t *
node_to_json (const toml::node &node, json_t **lines, int depth)
{
  if (depth > max_depth)
    return nullptr;
  switch (node.type ())
    {
    case toml::node_type::table:
      {
        json_t *table_lines = lines != nullptr ? json_object () : nullptr;
        json_t *json = table_to_json (*node.as_table (), table_lines, depth + 1);
        if (lines != nullptr)
          *lines = table_lines;
        return json;
      }
    case toml::node_type::array:
      return array_to_json (*node.as_array (), depth + 1);
    case toml::node_type::string:
      return string_to_json (node.as_string ()->get ());
    case toml::node_type::integer:
      return json_integer (node.as_integer ()->get ());
    case toml::node_type::floating_point:
      return float_to_json (node.as_floating_point ()->get ());
    case toml::node_type::boolean:
      return json_boolean (node.as_boolean ()->get ());
    case toml::node_type::date:
      return printed_to_json (node.as_date ()->get ());
    case toml::node_type::time:
      return printed_to_json (node.as_time ()->get ());
    case toml::node_type::date_time:
      return printed_to_json (node.as_date_time ()->get ());
    default:
      return json_null ();
    }
}

json_t *
table_to_json (const toml::table &table, json_t *lines, int depth)
{
  json_t *json = json_object ();

  for (auto &&[key, node] : table)
    {
      const std::string name (key.str ());
      json_t *below = nullptr;
      json_t *value = node_to_json (node, lines != nullptr ? &below : nullptr, depth);

      if (value == nullptr)
        {
          json_decref (below);
          json_decref (json);
          return nullptr;
        }
      json_object_set_new_nocheck (json, name.c_str (), value);
      if (lines == nullptr)
        continue;
      if (below == nullptr)
        below = json_integer (key.source ().begin.line);
      json_object_set_new_nocheck (lines, name.c_str (), below);
    }
  return json;
}

/* toml++ (to 3.4) has no bound for the depth of dotted names (a.a.a...) and frees tables by
 * recursion, so that a long name would use up the stack: returns the line of a name of more than
 * max_points parts, 0 for none. A string without any of the separators counts as a name. */
constexpr int max_points = 100;

unsigned
line_of_long_name (const char *text, gsize length)
{
  unsigned line = 1;
  int points = 0;

  for (gsize i = 0; i < length; i++)
    {
      if (text[i] == '.' && ++points > max_points)
        return line;
      if (text[i] == '\n')
        line++;
      if (memchr ("\n=,{}[]", text[i], 8) != nullptr)
        points = 0;
    }
  return 0;
}

json_t *
parse (const char *text, gsize length, const char *file_name, json_t **lines, GError **error)
{
  if (unsigned line = line_of_long_name (text, length))
    {
      g_set_error (error, PP_SETTINGS_ERROR, PP_SETTINGS_ERROR_INVALID,
                   "%s:%u: a name of more than %d parts", file_name, line, max_points);
      return nullptr;
    }
  toml::parse_result result = toml::parse (std::string_view (text, length));

  if (!result)
    {
      const std::string what (result.error ().description ());
      g_set_error (error, PP_SETTINGS_ERROR, PP_SETTINGS_ERROR_INVALID, "%s:%u: invalid TOML: %s",
                   file_name, (unsigned)result.error ().source ().begin.line, what.c_str ());
      return nullptr;
    }
  json_t *all_lines = json_object ();
  json_t *json = table_to_json (result.table (), all_lines, 0);
  if (json == nullptr)
    {
      json_decref (all_lines);
      g_set_error (error, PP_SETTINGS_ERROR, PP_SETTINGS_ERROR_INVALID,
                   "%s:1: tables or arrays are nested more than %d deep", file_name, max_depth);
      return nullptr;
    }
  if (lines != nullptr)
    *lines = all_lines;
  else
    json_decref (all_lines);
  return json;
}
} // namespace

extern "C" json_t *
pp_toml_parse (const char *text, gsize length, const char *file_name, json_t **lines,
               GError **error)
{
  try
    {
      return parse (text, length, file_name, lines, error);
    }
  catch (const std::exception &exception)
    {
      g_set_error (error, PP_SETTINGS_ERROR, PP_SETTINGS_ERROR_INVALID, "%s: %s", file_name,
                   exception.what ());
    }
  catch (...)
    {
      g_set_error (error, PP_SETTINGS_ERROR, PP_SETTINGS_ERROR_INVALID, "%s: cannot parse",
                   file_name);
    }
  return nullptr;
}
