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

/* The string at KEY of OBJECT, borrowed; NULL when OBJECT is NULL, KEY is missing or no string. */
static inline const char *
pp_json_string (const json_t *object, const char *key)
{
  return json_string_value (json_object_get (object, key));
}

G_END_DECLS
