#include "config.h"

#include "prefect-podman/template/mask.h"

#include "internal.h"

#include <string.h>

/* Shorter secrets are masked only where they are a whole string: "1" is a part of too much. */
#define MIN_PART_BYTES 4

struct PpMask
{
  GHashTable *secrets; /* set of strings */
  GPtrArray *parts;    /* those long enough, longest first; borrowed from `secrets` */
  GRegex *url_password;
};

PpMask *
pp_mask_new (void)
{
  PpMask *mask = g_new0 (PpMask, 1);

  mask->secrets = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  mask->parts = g_ptr_array_new ();
  mask->url_password = g_regex_new ("(://[^/:@\\s]*:)[^@/\\s]+@", 0, 0, NULL);
  return mask;
}

void
pp_mask_free (PpMask *mask)
{
  g_hash_table_unref (mask->secrets);
  g_ptr_array_unref (mask->parts);
  g_regex_unref (mask->url_password);
  g_free (mask);
}

static gboolean
is_secret_word (const char *word)
{
  static const char *const ends[]
      = { "key",         "keys",       "token",  "tokens",     "password",
          "passwd",      "pass",       "secret", "secrets",    "credential",
          "credentials", "passphrase", "auth",   "accountkey", "certificate" };

  for (size_t i = 0; i < G_N_ELEMENTS (ends); i++)
    if (g_str_has_suffix (word, ends[i]))
      return TRUE;
  return FALSE;
}

/* NAME's words in lower case: AWS_SECRET, aws-secret and awsSecret have two. */
static char **
words_of (const char *name)
{
  g_autoptr (GString) spaced = g_string_new (NULL);

  for (const char *p = name; *p != '\0'; p++)
    {
      if (p > name && g_ascii_isupper (*p) && g_ascii_islower (p[-1]))
        g_string_append_c (spaced, ' ');
      g_string_append_c (spaced, g_ascii_isalnum (*p) ? g_ascii_tolower (*p) : ' ');
    }
  return g_strsplit (spaced->str, " ", -1);
}

gboolean
pp_mask_is_secret_name (const char *name)
{
  g_auto (GStrv) words = words_of (name);

  for (char **word = words; *word != NULL; word++)
    if (is_secret_word (*word))
      return TRUE;
  /* A JSON object whose values are secrets. */
  return g_ascii_strcasecmp (name, "PREFECT_CLIENT_CUSTOM_HEADERS") == 0;
}

static int
longest_first (gconstpointer a, gconstpointer b)
{
  size_t left = strlen (*(const char *const *)a);
  size_t right = strlen (*(const char *const *)b);
  return left < right ? 1 : left > right ? -1 : 0;
}

static void
add_secret (PpMask *mask, const char *secret)
{
  if (*secret == '\0' || strcmp (secret, PP_MASKED) == 0
      || g_hash_table_contains (mask->secrets, secret))
    return;
  char *own = g_strdup (secret);
  g_hash_table_add (mask->secrets, own);
  if (strlen (own) < MIN_PART_BYTES || strcmp (own, "true") == 0 || strcmp (own, "false") == 0)
    return;
  g_ptr_array_add (mask->parts, own);
  g_ptr_array_sort (mask->parts, longest_first);
}

void
pp_mask_add_values (PpMask *mask, const json_t *json)
{
  const char *key;
  json_t *item;
  size_t index;

  if (json_is_string (json))
    add_secret (mask, json_string_value (json));
  json_object_foreach ((json_t *)json, key, item) pp_mask_add_values (mask, item);
  json_array_foreach (json, index, item) pp_mask_add_values (mask, item);
}

/* Whether TEXT is one {{ placeholder }} and nothing else: what it stands for may be a secret, it is
 * none. */
static gboolean
is_placeholder (const char *text)
{
  g_autoptr (GPtrArray) found = pp_placeholders_find (text);
  const PpPlaceholder *first = found->len == 1 ? g_ptr_array_index (found, 0) : NULL;

  return first != NULL && strcmp (first->full_match, text) == 0;
}

static void
add_named (PpMask *mask, const char *secret)
{
  if (secret != NULL && !is_placeholder (secret))
    add_secret (mask, secret);
}

void
pp_mask_add_named (PpMask *mask, const json_t *json)
{
  const char *key;
  json_t *item;
  size_t index;

  json_object_foreach ((json_t *)json, key, item)
  {
    if (pp_mask_is_secret_name (key))
      {
        add_named (mask, json_string_value (item));
        add_named (mask, pp_json_string (item, "default")); /* in a schema */
      }
    pp_mask_add_named (mask, item);
  }
  json_array_foreach (json, index, item) pp_mask_add_named (mask, item);
}

/* Whether TEXT is "NAME=value" with a secret name; *EQUALS: where. */
static gboolean
is_secret_assignment (const char *text, const char **equals)
{
  *equals = strchr (text, '=');
  if (*equals == NULL || *equals == text || strcspn (text, " /:\n") < (size_t)(*equals - text))
    return FALSE;
  g_autofree char *name = g_strndup (text, *equals - text);
  return pp_mask_is_secret_name (name);
}

char *
pp_mask_text (const PpMask *mask, const char *text)
{
  const char *equals;

  if (g_hash_table_contains (mask->secrets, text))
    return g_strdup (PP_MASKED);
  if (is_secret_assignment (text, &equals))
    return g_strdup_printf ("%.*s=" PP_MASKED, (int)(equals - text), text);

  char *masked = g_regex_replace (mask->url_password, text, -1, 0, "\\1" PP_MASKED "@", 0, NULL);
  if (masked == NULL)
    masked = g_strdup (text);
  for (guint i = 0; i < mask->parts->len; i++)
    {
      if (strstr (masked, g_ptr_array_index (mask->parts, i)) == NULL)
        continue;
      g_auto (GStrv) pieces = g_strsplit (masked, g_ptr_array_index (mask->parts, i), -1);
      g_free (masked);
      masked = g_strjoinv (PP_MASKED, pieces);
    }
  return masked;
}

static json_t *
mask_object (const PpMask *mask, const json_t *object)
{
  json_t *masked = json_object ();
  const char *key;
  json_t *item;

  json_object_foreach ((json_t *)object, key, item)
  {
    gboolean hide = json_is_string (item) && json_string_length (item) > 0
                    && pp_mask_is_secret_name (key) && !is_placeholder (json_string_value (item));
    json_object_set_new (masked, key, hide ? json_string (PP_MASKED) : pp_mask_json (mask, item));
  }
  return masked;
}

json_t *
pp_mask_json (const PpMask *mask, const json_t *json)
{
  size_t index;
  json_t *item;

  if (json_is_object (json))
    return mask_object (mask, json);
  if (json_is_string (json))
    {
      g_autofree char *text = pp_mask_text (mask, json_string_value (json));
      return json_string (text);
    }
  if (!json_is_array (json))
    return json_copy ((json_t *)json);
  json_t *masked = json_array ();
  json_array_foreach (json, index, item) json_array_append_new (masked, pp_mask_json (mask, item));
  return masked;
}
