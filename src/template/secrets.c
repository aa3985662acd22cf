#include "config.h"

#include "prefect-podman/template/secrets.h"

#include "prefect-podman/template/mask.h"

#include <stdlib.h>
#include <string.h>

struct PpSecrets
{
  GTree *strings; /* the longest first: one may be a part of another; no values */
};

static gint
longest_first (gconstpointer a, gconstpointer b, gpointer data G_GNUC_UNUSED)
{
  size_t length_a = strlen (a);
  size_t length_b = strlen (b);

  return length_a < length_b ? 1 : length_a > length_b ? -1 : strcmp (a, b);
}

PpSecrets *
pp_secrets_new (void)
{
  PpSecrets *secrets = g_new0 (PpSecrets, 1);

  secrets->strings = g_tree_new_full (longest_first, NULL, g_free, NULL);
  return secrets;
}

void
pp_secrets_free (PpSecrets *secrets)
{
  if (secrets == NULL)
    return;
  g_tree_destroy (secrets->strings);
  g_free (secrets);
}

static void
add_string (PpSecrets *secrets, const char *string)
{
  g_tree_insert (secrets->strings, g_strdup (string), NULL);
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

/* Masks STRING in TEXT, which is NULL as long as it is the same as the LENGTH bytes of ORIGINAL. */
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

typedef struct
{
  const char *text;
  gsize length;
  GString *masked; /* NULL while it is the same */
} Masking;

static gboolean
mask_one (gpointer string, gpointer value G_GNUC_UNUSED, gpointer user_data)
{
  Masking *masking = user_data;

  masking->masked = mask_string (masking->masked, masking->text, masking->length, string);
  return FALSE;
}

char *
pp_secrets_mask (const PpSecrets *secrets, const char *text, gsize length)
{
  Masking masking = { .text = text, .length = length };

  if (secrets != NULL)
    g_tree_foreach (secrets->strings, mask_one, &masking);
  return masking.masked != NULL ? g_string_free (masking.masked, FALSE) : NULL;
}

typedef struct
{
  const char *text;
  gsize length;
  gsize safe;
} Cut;

static gboolean
cut_one (gpointer string, gpointer value G_GNUC_UNUSED, gpointer user_data)
{
  Cut *cut = user_data;

  for (gsize head = MIN (strlen (string) - 1, cut->length); head > cut->length - cut->safe; head--)
    if (memcmp (cut->text + cut->length - head, string, head) == 0)
      cut->safe = cut->length - head;
  return FALSE;
}

gsize
pp_secrets_safe_length (const PpSecrets *secrets, const char *text, gsize length)
{
  Cut cut = { .text = text, .length = length, .safe = length };

  if (secrets != NULL)
    g_tree_foreach (secrets->strings, cut_one, &cut);
  return cut.safe;
}
