/* SPDX-License-Identifier: Apache-2.0 */
/* Small helpers over jansson that every room uses. json_auto_t frees an owned json_t at the end of
 * a scope. */
#pragma once

#include <glib.h>
#include <jansson.h>

G_BEGIN_DECLS

#ifndef json_auto_t
static inline void
pp_json_decref_pointer (json_t **json)
{
  if (json != NULL && *json != NULL)
    json_decref (*json);
}
#define json_auto_t json_t __attribute__ ((cleanup (pp_json_decref_pointer)))
#endif

/* The JSON in LENGTH bytes of TEXT that others have a hand in, new reference; or NULL, then *WHY
 * (may be NULL) says why. FLAGS are jansson's. A NUL in one string does not make all of it useless;
 * nor does one in a key, which jansson cannot hold: every NUL is U+FFFD then. Nor do numbers that
 * it cannot hold, as Python writes them: each is a string of its digits. */
json_t *pp_json_parse (const char *text, gsize length, size_t flags, json_error_t *why);

/* Reads TEXT as Python's float() does: white space around it and "_" between digits are allowed,
 * hexadecimal is not. FALSE when TEXT is no number; *NUMBER may be infinite or NaN. */
gboolean pp_number_from_text (const char *text, double *number);

/* Reads VALUE (may be NULL) as a finite number: a JSON number, or a string that holds one, as
 * pydantic takes it in its lax mode. FALSE for anything else, booleans included. */
gboolean pp_json_number (const json_t *value, double *number);

/* At most how many bytes the parse of LENGTH bytes of TEXT takes, its result included: a few bytes
 * of text ("{},{}") may become hundreds of memory. */
gsize pp_json_memory (const char *text, gsize length);

/* True if LENGTH bytes of TEXT and their parse take no more than BOUND bytes; a small TEXT always
 * fits. */
gboolean pp_json_fits (const char *text, gsize length, gsize bound);

/* The string at KEY of OBJECT, borrowed; NULL when OBJECT is NULL, KEY is missing or no string. */
static inline const char *
pp_json_string (const json_t *object, const char *key)
{
  return json_string_value (json_object_get (object, key));
}

/* Whether Python takes VALUE (may be NULL) for true: None, 0, "" and what is empty are not. */
static inline gboolean
pp_json_truthy (const json_t *value)
{
  switch (value != NULL ? json_typeof (value) : JSON_NULL)
    {
    case JSON_OBJECT:
      return json_object_size (value) > 0;
    case JSON_ARRAY:
      return json_array_size (value) > 0;
    case JSON_STRING:
      return json_string_length (value) > 0;
    case JSON_INTEGER:
      return json_integer_value (value) != 0;
    case JSON_REAL:
      return json_real_value (value) != 0;
    case JSON_TRUE:
      return TRUE;
    default:
      return FALSE;
    }
}

G_END_DECLS
