/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "prefect-podman/template/secrets.h"

#include "prefect-podman/template/mask.h"

#include "template-private.h"

#include <string.h>

#define PAIRS 65536

typedef struct
{
  char *bytes;
  gsize length;
} Secret;

struct PpSecrets
{
  GArray *secrets;          /* Secret; longest first, because one may be the beginning of another */
  guint8 starts[PAIRS / 8]; /* one bit for each pair of bytes: set if a secret begins with the
                               pair */
};

static void
clear_secret (gpointer secret)
{
  g_free (((Secret *)secret)->bytes);
}

PpSecrets *
pp_secrets_new (void)
{
  PpSecrets *secrets = g_new0 (PpSecrets, 1);

  secrets->secrets = g_array_new (FALSE, FALSE, sizeof (Secret));
  g_array_set_clear_func (secrets->secrets, clear_secret);
  return secrets;
}

void
pp_secrets_free (PpSecrets *secrets)
{
  if (secrets == NULL)
    return;
  g_array_unref (secrets->secrets);
  g_free (secrets);
}

static const Secret *
nth (const PpSecrets *secrets, guint i)
{
  return &g_array_index (secrets->secrets, Secret, i);
}

static guint
pair_at (const char *text)
{
  return (guint)(guchar)text[0] << 8 | (guchar)text[1];
}

static void
add_string (PpSecrets *secrets, const char *string)
{
  const Secret secret = { g_strdup (string), strlen (string) };
  guint place = 0;

  for (; place < secrets->secrets->len && nth (secrets, place)->length >= secret.length; place++)
    if (g_str_equal (nth (secrets, place)->bytes, string))
      {
        g_free (secret.bytes);
        return;
      }
  g_array_insert_val (secrets->secrets, place, secret);
  secrets->starts[pair_at (string) / 8] |= (guint8)(1u << pair_at (string) % 8);
}

void
pp_secrets_add (PpSecrets *secrets, const char *secret, gsize min_bytes)
{
  if (secret == NULL || strlen (secret) < MAX (min_bytes, PP_SECRETS_MIN_BYTES))
    return;
  g_autoptr (GPtrArray) forms = pp_secret_forms (secret, TRUE);

  for (guint i = 0; i < forms->len; i++)
    add_string (secrets, forms->pdata[i]);
}

/* Returns the length of the longest secret at the beginning of TEXT, which has LEFT bytes; 0 if
 * there is none. */
static gsize
longest_at (const PpSecrets *secrets, const char *text, gsize left)
{
  if (left < PP_SECRETS_MIN_BYTES
      || (secrets->starts[pair_at (text) / 8] & 1u << pair_at (text) % 8) == 0)
    return 0;
  for (guint i = 0; i < secrets->secrets->len; i++)
    {
      const Secret *secret = nth (secrets, i);

      if (secret->length <= left && memcmp (text, secret->bytes, secret->length) == 0)
        return secret->length;
    }
  return 0;
}

char *
pp_secrets_mask (const PpSecrets *secrets, const char *text, gsize *length)
{
  GString *masked = NULL;
  gsize end = 0; /* end of the secrets found so far; two that overlap count as one */

  for (gsize at = 0; secrets != NULL && at < *length; at++)
    {
      gsize found = longest_at (secrets, text + at, *length - at);

      if (found == 0)
        continue;
      if (masked == NULL)
        masked = g_string_sized_new (*length);
      if (at >= end)
        {
          g_string_append_len (masked, text + end, (gssize)(at - end));
          g_string_append (masked, PP_MASKED);
        }
      end = MAX (end, at + found);
    }
  if (masked == NULL)
    return NULL;
  g_string_append_len (masked, text + end, (gssize)(*length - end));
  *length = masked->len;
  return g_string_free (masked, FALSE);
}

gsize
pp_secrets_safe_length (const PpSecrets *secrets, const char *text, gsize length)
{
  gsize safe = length;

  for (guint i = 0; secrets != NULL && i < secrets->secrets->len; i++)
    {
      const Secret *secret = nth (secrets, i);

      for (gsize head = MIN (secret->length - 1, length); head > length - safe; head--)
        if (memcmp (text + length - head, secret->bytes, head) == 0)
          safe = length - head;
    }
  return safe;
}
