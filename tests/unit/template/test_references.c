/* SPDX-License-Identifier: Apache-2.0 */
/* References of the job configuration to blocks and variables. */
#include "tests/unit/template/template_test.h"

static const char blocks[]
    = "{'secret/token': {'data': {'value': 's3cr3t'}},"
      " 'json/config': {'data': {'value': {'key': {'n': 1}, 'list': [{'k': 'v'}, 2], 'value': 3}}},"
      " 'many/fields': {'data': {'first': 1.0, 'value': 'v', 'none': null}},"
      " 'string/refers': {'data': {'value': '{{ prefect.variables.text }}'}},"
      " 'string/block': {'data': {'value': '{{ prefect.blocks.secret.token }}'}}}";
static const char block_ids[] = "{'id-1': {'data': {'value': '{{ prefect.variables.text }}'}}}";
static const char variables[] = "{'text': {'value': 'T'}, 'none': {'value': null},"
                                " 'list': {'value': [1, true]}, 'gone': null}";

typedef struct
{
  const char *what;
  const char *value;
  const char *expected; /* JSON, or part of the error after "error: " */
} Case;

static const Case cases[] = {
  { "a block's only member, value, is the block", "'{{ prefect.blocks.secret.token }}'",
    "'s3cr3t'" },
  { "a path into it", "'{{ prefect.blocks.json.config.list[0].k }}'", "'v'" },
  { "a path may begin with value", "'{{ prefect.blocks.json.config.value.key }}'", "{'n': 1}" },
  { "then the block's own value is meant", "'{{ prefect.blocks.json.config.value }}'",
    "{'key': {'n': 1}, 'list': [{'k': 'v'}, 2], 'value': 3}" },
  { "a block of several members", "'{{ prefect.blocks.many.fields }}'",
    "{'first': 1.0, 'value': 'v', 'none': null}" },
  { "embedded as str()",
    "'{{ prefect.blocks.many.fields.first }}/{{ prefect.blocks.many.fields.none }}'",
    "'1.0/None'" },
  { "an object cannot be embedded", "'x{{ prefect.blocks.json.config.key }}'",
    "error: {{ prefect.blocks.json.config.key }} is an object and cannot be part of a text" },
  { "a path to nothing", "'{{ prefect.blocks.json.config.nope }}'",
    "error: has nothing at 'nope'" },
  { "a block that is not there", "'{{ prefect.blocks.secret.gone }}'",
    "error: there is no block 'gone' of type 'secret'" },
  { "half a name", "'{{ prefect.blocks.secret }}'",
    "error: name a block as prefect.blocks.<type slug>.<name>" },
  { "a block by its id, siblings aside", "{'$ref': {'block_document_id': 'id-1'}, 'x': 1}",
    "{'value': 'T'}" },
  { "an id that is not there", "[{'$ref': {'block_document_id': 'id-2'}}]",
    "error: there is no block with the id id-2" },
  { "$ref without an id is an object like others", "{'$ref': {}}", "{'$ref': {}}" },
  { "$ref that is none", "{'$ref': 'text'}",
    "error: $ref: {\"block_document_id\": ...} is needed, not a string" },
  { "a variable in a block's data", "'{{ prefect.blocks.string.refers }}'", "'T'" },
  { "a block in a block's data stays", "'{{ prefect.blocks.string.block }}'",
    "'{{ prefect.blocks.secret.token }}'" },
  { "a variable keeps its type", "'{{ prefect.variables.list }}'", "[1, true]" },
  { "or is embedded", "'<{{ prefect.variables.list }}>'", "'<[1, True]>'" },
  { "a variable whose value is null",
    "['{{ prefect.variables.none }}', '{{ prefect.variables.none }}!']", "[null, 'None!']" },
  { "a variable that is not there",
    "['{{ prefect.variables.gone }}', '{{ prefect.variables.never }}', '<{{ prefect.variables.gone "
    "}}>']",
    "['', '', '<>']" },
  { "other placeholders stay", "'{{ v }}{{ prefect.variables.text }}'", "'{{ v }}T'" },
};

static void
test_resolve (gconstpointer data)
{
  const Case *test = data;
  g_autoptr (GError) error = NULL;
  json_auto_t *configuration = json_pack ("{s:o}", "c", pp_test_json (test->value));
  json_auto_t *known_blocks = pp_test_json (blocks);
  json_auto_t *known_ids = pp_test_json (block_ids);
  json_auto_t *known_variables = pp_test_json (variables);
  json_auto_t *resolved = pp_template_resolve_references (configuration, known_blocks, known_ids,
                                                          known_variables, &error);

  if (g_str_has_prefix (test->expected, "error: "))
    {
      g_assert_null (resolved);
      pp_test_assert_error (error, test->expected + strlen ("error: "));
      return;
    }
  g_assert_no_error (error);
  pp_test_assert_json (json_object_get (resolved, "c"), test->expected);
}

/* An error never has the value of a secret. */
static void
test_error_without_secret (void)
{
  g_autoptr (GError) error = NULL;
  json_auto_t *configuration = pp_test_json ("{'a': '{{ prefect.blocks.secret.token.x }}'}");
  json_auto_t *known_blocks = pp_test_json (blocks);
  g_assert_null (pp_template_resolve_references (configuration, known_blocks, NULL, NULL, &error));
  g_assert_null (strstr (error->message, "s3cr3t"));
}

static void
test_references (void)
{
  json_auto_t *configuration = pp_test_json (
      "{'a': ['{{ prefect.blocks.json.config.x }} {{ prefect.blocks.json.config.y }}', "
      "'{{ prefect.variables.v }}-{{ prefect.variables.w }}', '{{ prefect.variables.v }}'], "
      "'b': {'$ref': {'block_document_id': 'id-1'}, 'x': '{{ prefect.blocks.not.fetched }}'}, "
      "'c': '{{ prefect.blocks.half }}'}");
  json_auto_t *references = pp_template_references (configuration);
  pp_test_assert_json (
      references, "{'blocks': ['json/config'], 'block_ids': ['id-1'], 'variables': ['v', 'w']}");
}

/* The caller fetches in two steps: the variables are known only after the blocks were inserted. */
static void
test_two_steps (void)
{
  json_auto_t *configuration = pp_test_json ("{'a': '{{ prefect.blocks.string.refers }}'}");
  json_auto_t *known_blocks = pp_test_json (blocks);
  json_auto_t *with_blocks
      = pp_template_resolve_references (configuration, known_blocks, NULL, NULL, NULL);
  json_auto_t *references = pp_template_references (with_blocks);
  pp_test_assert_json (references, "{'blocks': [], 'block_ids': [], 'variables': ['text']}");

  json_auto_t *known_variables = pp_test_json (variables);
  json_auto_t *resolved
      = pp_template_resolve_references (with_blocks, NULL, NULL, known_variables, NULL);
  pp_test_assert_json (resolved, "{'a': 'T'}");
}

/* Many placeholders that name a large value cause an error, and do not exhaust the memory. */
static void
test_bounds (void)
{
  g_autoptr (GError) error = NULL;
  json_auto_t *list = json_array ();
  json_auto_t *configuration = json_pack ("{s:[]}", "c");
  for (guint i = 0; i < 10000; i++)
    json_array_append_new (list, json_null ());
  for (guint i = 0; i < 100; i++)
    json_array_append (json_object_get (configuration, "c"), list);
  json_auto_t *none = json_object ();
  g_assert_null (pp_template_resolve_references (configuration, NULL, NULL, none, &error));
  pp_test_assert_error (error, "larger than 16 MiB");
}

/* Many placeholders with long names cause an error, too, because each copy has its own name. */
static void
test_bounds_of_names (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *name = g_strnfill (4000, 'x');
  json_auto_t *object = json_pack ("{s:n}", name);
  json_auto_t *configuration = json_pack ("{s:[]}", "c");
  json_auto_t *none = json_object ();
  for (guint i = 0; i < 15000; i++)
    json_array_append (json_object_get (configuration, "c"), object);
  g_assert_null (pp_template_resolve_references (configuration, NULL, NULL, none, &error));
  pp_test_assert_error (error, "larger than 16 MiB");
}

static void
add_tests (void)
{
  pp_test_add_cases ("/template/references", cases, test_resolve);
  g_test_add_func ("/template/references/no secret in an error", test_error_without_secret);
  g_test_add_func ("/template/references/found", test_references);
  g_test_add_func ("/template/references/two steps", test_two_steps);
  g_test_add_func ("/template/references/bounds", test_bounds);
  g_test_add_func ("/template/references/bounds-of-names", test_bounds_of_names);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add_tests);
}
