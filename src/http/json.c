#include "prefect-podman/json.h"

#include <string.h>

/* How JSON writes a NUL, and what takes its place. */
#define NUL "\\u0000"
#define REPLACEMENT "\\ufffd"

static void
replace_nuls (char *text, gsize length)
{
  for (gsize i = 0; i + strlen (NUL) <= length; i++)
    {
      if (text[i] != '\\')
        continue;
      if (memcmp (text + i, NUL, strlen (NUL)) == 0)
        memcpy (text + i, REPLACEMENT, strlen (REPLACEMENT));
      i++; /* what is escaped is no backslash of its own */
    }
}

json_t *
pp_json_parse (const char *text, gsize length, size_t flags, json_error_t *why)
{
  json_t *json = json_loadb (text, length, flags | JSON_ALLOW_NUL, why);

  if (json != NULL || g_strstr_len (text, (gssize)length, NUL) == NULL)
    return json;
  g_autofree char *without = g_strndup (text, length);
  replace_nuls (without, length);
  return json_loadb (without, length, flags, why);
}
