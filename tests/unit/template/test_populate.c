/* SPDX-License-Identifier: Apache-2.0 */
/* How job variables are put into the job configuration, one rule at a time. parity/run.py compares
 * the results with Prefect itself. */
#include "tests/unit/template/template_test.h"

typedef struct
{
  const char *what;
  const char *job_configuration;
  const char *properties;
  const char *job_variables;
  const char *expected; /* JSON; if it does not begin with {, part of the error */
} Case;

#define EVERY_TYPE                                                                                 \
  "{'v': [null, true, false, 1, -9223372036854775808, 'it\\u0027s', {'a': 1.0}], 's': 'text'}"

static const Case cases[] = {
  { "a whole placeholder keeps the type of its value", "{'a': '{{ v }}', 'b': '{{s}}'}", "{}",
    EVERY_TYPE,
    "{'a': [null, true, false, 1, -9223372036854775808, 'it\\u0027s', {'a': 1.0}], 'b': 'text'}" },
  { "an embedded one is what Python's str() makes of it", "{'a': '>{{ v }}', 'b': '>{{ s }}'}",
    "{}", EVERY_TYPE,
    "{'a': '>[None, True, False, 1, -9223372036854775808, \\u0022it\\u0027s\\u0022, "
    "{\\u0027a\\u0027: 1.0}]', 'b': '>text'}" },
  { "a placeholder between spaces is embedded", "{'a': ' {{ v }}'}", "{}", "{'v': true}",
    "{'a': ' True'}" },
  { "an unknown whole placeholder drops its key, or its place in a list",
    "{'a': '{{ x }}', 'b': ['{{ x }}', 'c', {'d': '{{ x }}'}]}", "{}", "{}", "{'b': ['c', {}]}" },
  { "an unknown embedded placeholder is nothing", "{'a': '{{ x }}{{ y }}'}", "{}", "{}",
    "{'a': ''}" },
  { "a null default is no value, a null job variable is one", "{'a': '{{ a }}', 'b': '{{ b }}'}",
    "{'a': {'default': null}, 'b': {'default': 1}}", "{'b': null}", "{'b': null}" },
  { "spaces, and what is no placeholder",
    "{'a': '{{\\u00a0v\\t}}|{{ v w }}|{{}}|{ { v } }|{{{ v }}}'}", "{}", "{'v': 1}",
    "{'a': '1|{{ v w }}|{{}}|{ { v } }|{1}'}" },
  { "paths into values; strings have indexes, objects have no numbers",
    "{'a': '{{ v.list[1].k }}', 'b': '{{ v.list[-1].k }}', 'c': '{{ s[1] }}', 'd': '{{ v.0 }}', "
    "'e': '{{ v.list.0 }}', 'f': '{{ v.list[9] }}'}",
    "{}", "{'v': {'list': [7, {'k': 'x'}], '0': 1}, 's': 'h\\u00e9'}",
    "{'a': 'x', 'b': 'x', 'c': '\\u00e9', 'e': 7}" },
  { "the worker's environment, embedded even where it stands alone",
    "{'a': '{{ $HERE }}', 'b': '{{ $$HERE }}/{{ $GONE }}', 'c': '{{ $GONE }}'}", "{}", "{}",
    "{'a': 'here', 'b': 'here/', 'c': ''}" },
  { "a job reads nothing of the worker's environment", "{'a': '{{ v }}', 'b': '>{{ v }}{{ w }}'}",
    "{}", "{'v': '{{ $HERE }}', 'w': '{{ $GONE }}'}",
    "{'a': '{{ $HERE }}', 'b': '>{{ $HERE }}{{ $GONE }}'}" },
  { "nor by its env over a default env", "{'env': '{{ env }}'}",
    "{'env': {'default': {'A': '{{ $HERE }}', 'B': '{{ $HERE }}'}}}",
    "{'v': 1, 'env': {'B': '{{ $HERE }}', 'C': 'x{{ $HERE }}{{ $GONE }}{{ v }}', 'D': '{{ n }}'}}",
    "{'env': {'A': 'here', 'B': '{{ $HERE }}', 'C': 'x{{ $HERE }}{{ $GONE }}1'}}" },
  { "nor by its env over the configuration's env", "{'env': {'A': '{{ $HERE }}', 'B': 'b'}}", "{}",
    "{'env.B': '{{ $HERE }}', 'env.C': '{{ $HERE }}'}",
    "{'env': {'A': 'here', 'B': '{{ $HERE }}', 'C': '{{ $HERE }}'}}" },
  { "references are left for later", "{'a': 'x{{ prefect.variables.v }}{{ v }}'}", "{}",
    "{'v': '{{ prefect.blocks.a.b }}'}",
    "{'a': 'x{{ prefect.variables.v }}{{ prefect.blocks.a.b }}'}" },
  { "values are not rendered", "{'a': '{{ v }}'}", "{}", "{'v': '{{ w }}', 'w': 1}",
    "{'a': '{{ w }}'}" },
  { "the default env goes under the job variables' env", "{'env': '{{ env }}'}",
    "{'env': {'default': {'A': 'd', 'B': 'd'}}}", "{'env': {'B': 'j', 'C': null}}",
    "{'env': {'A': 'd', 'B': 'j', 'C': null}}" },
  { "env of the configuration, default and job variables",
    "{'env': {'A': 'c', 'B': 'c', 'C': '{{ v }}'}}",
    "{'env': {'default': {'B': 'd', 'D': '{{ v }}'}}}", "{'v': 1, 'env': {'E': 'x{{ v }}'}}",
    "{'env': {'A': 'c', 'B': 'd', 'C': 1, 'D': 1, 'E': 'x1'}}" },
  { "without a default env the placeholder takes the job variables'", "{'env': '{{ env }}'}", "{}",
    "{'env': {'A': '{{ v }}'}}", "{'env': {'A': '{{ v }}'}}" },
  { "dotted keys nest; the nested spelling wins", "{'a': '{{ a }}', 'b': '{{ b.c }}'}", "{}",
    "{'a.x': 1, 'a.y': {'p': 1, 'q': 1}, 'b.c': 2, 'a': {'y': {'q': 2}}}",
    "{'a': {'x': 1, 'y': {'p': 1, 'q': 2}}, 'b': 2}" },
  { "a dotted key through a value", "{}", "{}", "{'a.b': 1, 'a.b.c': 2}",
    "job variable 'a.b.c': 'b' is a number, not an object" },
  { "an env that is no object", "{'env': {}}", "{}", "{'env': 'A=1'}",
    "env: the job variable is a string; an object is needed" },
};

static void
test_populate (gconstpointer data)
{
  const Case *test = data;
  g_autoptr (GError) error = NULL;
  json_auto_t *variables = pp_test_json (test->job_variables);
  json_auto_t *environment = pp_test_json ("{'HERE': 'here'}");
  json_auto_t *template
      = json_pack ("{s:o, s:{s:o}}", "job_configuration", pp_test_json (test->job_configuration),
                   "variables", "properties", pp_test_json (test->properties));
  json_auto_t *populated = pp_template_populate (template, variables, environment, NULL, &error);

  if (test->expected[0] == '{')
    {
      g_assert_no_error (error);
      pp_test_assert_json (populated, test->expected);
    }
  else
    {
      g_assert_null (populated);
      pp_test_assert_error (error, test->expected);
    }
}

static const struct
{
  const char *json;
  const char *python;
} numbers[] = {
  { "1e22", "1e+22" },
  { "1e16", "1e+16" },
  { "1e15", "1000000000000000.0" },
  { "9999999999999998.0", "9999999999999998.0" },
  { "100.0", "100.0" },
  { "0.1", "0.1" },
  { "0.30000000000000004", "0.30000000000000004" },
  { "0.0001", "0.0001" },
  { "0.00001", "1e-05" },
  { "-0.0", "-0.0" },
  { "-1.5e300", "-1.5e+300" },
  { "5e-324", "5e-324" },
  { "1.7976931348623157e308", "1.7976931348623157e+308" },
  /* A power of two whose nearest decimal of 16 digits is another number. */
  { "5.684341886080802e-14", "5.684341886080802e-14" },
  { "9223372036854775807", "9223372036854775807" },
};

static void
test_numbers (void)
{
  json_auto_t *template
      = pp_test_json ("{'job_configuration': {'a': '={{ v }}'}, 'variables': {}}");
  for (gsize i = 0; i < G_N_ELEMENTS (numbers); i++)
    {
      json_auto_t *variables = json_pack ("{s:o}", "v", pp_test_json (numbers[i].json));
      json_auto_t *populated = pp_template_populate (template, variables, NULL, NULL, NULL);
      g_assert_cmpstr (pp_json_string (populated, "a") + 1, ==, numbers[i].python);
    }
}

static void
assert_merged (const char *deployment, const char *flow_run, const char *expected)
{
  g_autoptr (GError) error = NULL;
  json_auto_t *deployment_variables = pp_test_json (deployment);
  json_auto_t *flow_run_variables = pp_test_json (flow_run);
  json_auto_t *merged
      = pp_template_merge_job_variables (deployment_variables, flow_run_variables, &error);
  if (expected == NULL)
    pp_test_assert_error (error, "env: the flow run's job variable is null");
  else
    pp_test_assert_json (merged, expected);
  pp_test_assert_json (deployment_variables, deployment);
}

static void
test_merge (void)
{
  assert_merged ("{'image': 'a', 'env': {'A': 1, 'B': 1}, 'labels': {'x': 1}}",
                 "{'env': {'B': 2, 'C': 2}, 'labels': {'y': 1}}",
                 "{'image': 'a', 'env': {'A': 1, 'B': 2, 'C': 2}, 'labels': {'y': 1}}");
  assert_merged ("null", "{'env': {'A': 1}}", "{'env': {'A': 1}}");
  assert_merged ("{'env': 'text'}", "{'env': null}", "{'env': null}");
  assert_merged ("{'env': {'A': 1}}", "null", "{'env': {'A': 1}}");
  assert_merged ("{'env': {'A': 1}}", "{'env': []}", "{'env': {'A': 1}}");
  assert_merged ("{'env': {'A': 1}}", "{'env': null}", NULL);
}

static void
test_extra (void)
{
  json_auto_t *template = pp_test_json (
      "{'job_configuration': {'image': 'r/{{ image }}', 'x': ['{{ deep.a }}'], 'user': 'root'}, "
      "'variables': {'properties': {'stop_timeout': {'default': 5}}}}");
  json_auto_t *variables = pp_test_json ("{'image': 'i', 'deep': {}, 'state_reporting': 'worker', "
                                         "'user': 'me', 'unknown': 1}");
  json_auto_t *extra = NULL;
  json_auto_t *populated = pp_template_populate (template, variables, NULL, &extra, NULL);
  json_auto_t *whole = pp_template_add_extra (populated, extra);

  pp_test_assert_json (
      extra, "{'stop_timeout': 5, 'state_reporting': 'worker', 'user': 'me', 'unknown': 1}");
  pp_test_assert_json (whole, "{'image': 'r/i', 'x': [], 'user': 'root', 'state_reporting': "
                              "'worker', 'stop_timeout': 5}");
  pp_test_assert_json (populated, "{'image': 'r/i', 'x': [], 'user': 'root'}");
}

/* Puts TEXT into DEPTH nested arrays. */
static json_t *
nest (const char *text, guint depth)
{
  json_t *json = json_string (text);
  for (guint i = 0; i < depth; i++)
    json = json_pack ("[o]", json);
  return json;
}

static void
assert_too_much (json_t *configuration, json_t *variables, const char *part)
{
  g_autoptr (GError) error = NULL;
  json_auto_t *given = variables;
  json_auto_t *template
      = json_pack ("{s:{s:o}, s:{}}", "job_configuration", "a", configuration, "variables");
  g_assert_null (pp_template_populate (template, given, NULL, NULL, &error));
  pp_test_assert_error (error, part);
}

static void
test_bounds (void)
{
  assert_too_much (nest ("x", 2000), json_object (), "are nested deeper than 500 levels");
  assert_too_much (json_string ("-{{ v }}"), json_pack ("{s:o}", "v", nest ("x", 2000)),
                   "are nested deeper than 500 levels");

  g_autofree char *dots = g_strnfill (100000, '.');
  assert_too_much (json_null (), json_pack ("{s:i}", dots, 1), "are nested deeper than 500 levels");

  g_autofree char *large = g_strnfill (1024 * 1024, 'x');
  assert_too_much (json_string ("-{{ v }}"), json_pack ("{s:s}", "v", large),
                   "longer than 1048576 bytes");
}

static void
add_tests (void)
{
  pp_test_add_cases ("/template/populate", cases, test_populate);
  g_test_add_func ("/template/numbers", test_numbers);
  g_test_add_func ("/template/merge", test_merge);
  g_test_add_func ("/template/extra", test_extra);
  g_test_add_func ("/template/bounds", test_bounds);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add_tests);
}
