/* SPDX-License-Identifier: Apache-2.0 */
/* JSON in C sources: ' is replaced by ". */
#pragma once

#include "prefect-podman/template/template.h"
#include "tests/unit/tap.h"

#include <string.h>

static inline json_t *
pp_test_json (const char *text)
{
  g_autofree char *quoted = g_strdelimit (g_strdup (text), "'", '"');
  json_error_t error;
  json_t *json = json_loads (quoted, JSON_DECODE_ANY, &error);
  if (json == NULL)
    g_error ("%s: %s", quoted, error.text);
  return json;
}

/* Asserts that ACTUAL equals EXPECTED, including the order of keys. */
static inline void
pp_test_assert_json (const json_t *actual, const char *expected)
{
  json_auto_t *wanted = pp_test_json (expected);
  g_autofree char *wanted_text = json_dumps (wanted, JSON_COMPACT | JSON_ENCODE_ANY);
  g_autofree char *actual_text = json_dumps (actual, JSON_COMPACT | JSON_ENCODE_ANY);
  g_assert_cmpstr (actual_text, ==, wanted_text);
}

/* Asserts that ERROR is from template/ and that its message has PART in it. */
static inline void
pp_test_assert_error (const GError *error, const char *part)
{
  g_assert_error (error, PP_TEMPLATE_ERROR, PP_TEMPLATE_ERROR_INVALID);
  if (strstr (error->message, part) == NULL)
    g_error ("'%s' is not in: %s", part, error->message);
}
