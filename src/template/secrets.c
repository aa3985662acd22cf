/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "prefect-podman/template/secrets.h"

#include "prefect-podman/template/mask.h"

#include <stdlib.h>
#include <string.h>

struct PpSecrets
{
  GPtrArray *strings; /* longest first, because one may be a part of another */
};

PpSecrets *
pp_secrets_new (void)
{
  PpSecrets *secrets = g_new0 (PpSecrets, 1);

  secrets->strings = g_ptr_array_new_with_free_func (g_free);
  return secrets;
}

void
pp_secrets_free (PpSecrets *secrets)
{
  if (secrets == NULL)
    return;
  g_ptr_array_unref (secrets->strings);
  g_free (secrets);
}

static gint
longest_first (gconstpointer a, gconstpointer b)
{
  size_t length_a = strlen (*(const char *const *)a);
  size_t length_b = strlen (*(const char *const *)b);

  return length_a < length_b ? 1 : length_a > length_b ? -1 : 0;
}

static void
add_string (PpSecrets *secrets, const char *string)
{
  for (guint i = 0; i < secrets->strings->len; i++)
    if (g_str_equal (secrets->strings->pdata[i], string))
      return;
  g_ptr_array_add (secrets->strings, g_strdup (string));
  g_ptr_array_sort (secrets->strings, longest_first);
}

void
pp_secrets_add (PpSecrets *secrets, const char *secret, gsize min_bytes)
{
  if (secret == NULL || strlen (secret) < MAX (min_bytes, PP_SECRETS_MIN_BYTES))
    return;
  json_auto_t *value = json_string (secret);
  char *quoted = value != NULL ? json_dumps (value, JSON_ENCODE_ANY) : NULL;
  g_autofree char *escaped = g_uri_escape_string (secret, NULL, FALSE);

  add_string (secrets, secret);
  add_string (secrets, escaped);
  if (quoted != NULL)
    {
      quoted[strlen (quoted) - 1] = '\0';
      add_string (secrets, quoted + 1);
    }
  free (quoted);
}

/* Masks STRING in TEXT. TEXT is NULL while it equals the LENGTH bytes of ORIGINAL. */
static GString *
mask_string (GString *text, const char *original, gsize length, const char *string)
{
  gsize string_length = strlen (string);
  const char *start = text != NULL ? text->str : original;
  gsize left = text != NULL ? text->len : length;
  const char *found = memmem (start, left, string, string_length);

  if (found == NULL)
    return text;
  GString *masked = g_string_sized_new (left);
  for (; found != NULL; found = memmem (start, left, string, string_length))
    {
      g_string_append_len (masked, start, found - start);
      g_string_append (masked, PP_MASKED);
      left -= (gsize)(found - start) + string_length;
      start = found + string_length;
    }
  g_string_append_len (masked, start, (gssize)left);
  if (text != NULL)
    g_string_free (text, TRUE);
  return masked;
}

char *
pp_secrets_mask (const PpSecrets *secrets, const char *text, gsize *length)
{
  GString *masked = NULL;

  for (guint i = 0; secrets != NULL && i < secrets->strings->len; i++)
    masked = mask_string (masked, text, *length, secrets->strings->pdata[i]);
  if (masked == NULL)
    return NULL;
  *length = masked->len;
  return g_string_free (masked, FALSE);
}

gsize
pp_secrets_safe_length (const PpSecrets *secrets, const char *text, gsize length)
{
  gsize safe = length;

  for (guint i = 0; secrets != NULL && i < secrets->strings->len; i++)
    {
      const char *string = secrets->strings->pdata[i];

      for (gsize head = MIN (strlen (string) - 1, length); head > length - safe; head--)
        if (memcmp (text + length - head, string, head) == 0)
          safe = length - head;
    }
  return safe;
}
