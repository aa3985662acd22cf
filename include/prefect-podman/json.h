/* SPDX-License-Identifier: Apache-2.0 */
/* Small helpers for jansson, used everywhere in src. json_auto_t releases a json_t at the end of a
 * scope. */
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

/* Parses LENGTH bytes of TEXT, which others wrote, as JSON. FLAGS are jansson's. Returns a new
 * reference, or NULL with the reason in *WHY, which may be NULL. Each NUL in a string or a key
 * becomes U+FFFD, so that no reader of the result cuts a text at its NUL. A number that Python
 * writes, but that is too large for jansson, becomes a string of its digits. */
json_t *pp_json_parse (const char *text, gsize length, size_t flags, json_error_t *why);

/* Reads TEXT as Python's float() does: surrounding white space and "_" between digits are allowed,
 * hexadecimal is not. Returns FALSE if TEXT is no number. *NUMBER may be infinite or NaN. */
gboolean pp_number_from_text (const char *text, double *number);

/* Reads VALUE as a finite number: a JSON number, or a string with one, as pydantic's lax mode
 * does. VALUE may be NULL. Returns FALSE for anything else, booleans included. */
gboolean pp_json_number (const json_t *value, double *number);

/* Returns an upper bound, in bytes, for the memory that parsing LENGTH bytes of TEXT takes,
 * including the result. A few bytes of text ("{},{}") may need hundreds of bytes of memory. */
gsize pp_json_memory (const char *text, gsize length);

/* True if LENGTH bytes of TEXT and the memory for parsing them need no more than BOUND bytes.
 * Always TRUE for a small TEXT. */
gboolean pp_json_fits (const char *text, gsize length, gsize bound);

/* Returns the string at KEY of OBJECT, borrowed. NULL if OBJECT is NULL, or if KEY is missing or
 * is no string. */
static inline const char *
pp_json_string (const json_t *object, const char *key)
{
  return json_string_value (json_object_get (object, key));
}

/* True if VALUE is truthy in Python, that is, not None, 0, "" or empty. VALUE may be NULL. */
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
