/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "prefect-podman/template/mask.h"

#include "template-private.h"

#include <string.h>

/* Shorter secrets are masked only if they are the whole string: "1", for example, occurs in too
 * many strings. */
#define MIN_PART_BYTES 4
/* Errors truncate long values, so a beginning of at least this length counts as the secret. */
#define MIN_CUT_BYTES 32
/* Messages may show single lines of a secret. A shorter line is not masked by itself, because it
 * occurs in too many other texts. */
#define MIN_LINE_CHARACTERS 8
/* The most lines that are masked by themselves, for all secrets together. */
#define MAX_LINES 10000
/* If the secrets take more memory than this, fewer spellings of them are masked. */
#define MAX_FORM_BYTES ((gsize)16 * 1024 * 1024)
#define FORM_OVERHEAD 128

struct PpMask
{
  GHashTable *secrets; /* set of strings */
  GSequence *parts;    /* secrets that are long enough, with single blanks, sorted by bytes;
                          borrowed from `secrets` */
  guint lines;         /* number of lines added, of secrets with several lines */
  gsize form_bytes;    /* approximate memory of `secrets` */
};

PpMask *
pp_mask_new (void)
{
  PpMask *mask = g_new0 (PpMask, 1);

  mask->secrets = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  mask->parts = g_sequence_new (NULL);
  return mask;
}

void
pp_mask_free (PpMask *mask)
{
  g_hash_table_unref (mask->secrets);
  g_sequence_free (mask->parts);
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

/* Splits NAME into words in lower case: AWS_SECRET, aws-secret and awsSecret have two words. */
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
  /* This variable is a JSON object whose values are secrets. */
  return g_ascii_strcasecmp (name, "PREFECT_CLIENT_CUSTOM_HEADERS") == 0;
}

static gint
compare (gconstpointer a, gconstpointer b, gpointer data G_GNUC_UNUSED)
{
  return strcmp (a, b);
}

static gboolean
is_known (const PpMask *mask, const char *secret)
{
  return *secret == '\0' || strcmp (secret, PP_MASKED) == 0
         || g_hash_table_contains (mask->secrets, secret);
}

/* Adds SECRET, and also SECRET with single blanks. Engines replace line ends by blanks, so each
 * text is searched in its form with single blanks. */
static void
add_secret (PpMask *mask, const char *secret)
{
  if (is_known (mask, secret))
    return;
  g_autofree char *part = g_strstrip (pp_with_single_blanks (secret));
  if (strcmp (part, secret) != 0)
    g_hash_table_add (mask->secrets, g_strdup (secret));
  if (is_known (mask, part))
    return;
  if (strlen (part) >= MIN_PART_BYTES && strcmp (part, "true") != 0 && strcmp (part, "false") != 0)
    g_sequence_insert_sorted (mask->parts, part, compare, NULL);
  g_hash_table_add (mask->secrets, g_steal_pointer (&part));
}

/* Adds SECRET, and the spellings of it that others write. */
static void
add_forms (PpMask *mask, const char *secret)
{
  gboolean all = mask->form_bytes + strlen (secret) < MAX_FORM_BYTES;
  g_autoptr (GPtrArray) forms = pp_secret_forms (secret, all);

  for (guint i = 0; i < forms->len; i++)
    {
      guint known = g_hash_table_size (mask->secrets);

      add_secret (mask, forms->pdata[i]);
      if (g_hash_table_size (mask->secrets) > known)
        mask->form_bytes += strlen (forms->pdata[i]) + FORM_OVERHEAD;
    }
}

/* Adds SECRET and, if it has several lines (a private key, a file of passwords), each line. */
static void
add_value (PpMask *mask, const char *secret)
{
  static const char *const ends = "\r\n";

  add_forms (mask, secret);
  if (strpbrk (secret, ends) == NULL)
    return;
  while (*secret != '\0' && mask->lines < MAX_LINES)
    {
      size_t length = strcspn (secret, ends);
      g_autofree char *line = g_strstrip (g_strndup (secret, length));

      if (g_utf8_strlen (line, -1) >= MIN_LINE_CHARACTERS)
        {
          add_forms (mask, line);
          mask->lines++;
        }
      secret += length + strspn (secret + length, ends);
    }
}

/* Adds NUMBER unless it is short: a short number may also be a port or a count. */
static void
add_number (PpMask *mask, const json_t *number)
{
  g_autoptr (GPtrArray) forms = pp_number_forms (number);

  for (guint i = 0; i < forms->len; i++)
    if (strlen (forms->pdata[i]) >= MIN_PART_BYTES)
      add_secret (mask, forms->pdata[i]);
}

static gboolean
is_secret_number (const PpMask *mask, const json_t *json)
{
  if (!json_is_number (json))
    return FALSE;
  g_autoptr (GPtrArray) forms = pp_number_forms (json);

  for (guint i = 0; i < forms->len; i++)
    if (strlen (forms->pdata[i]) >= MIN_PART_BYTES
        && g_hash_table_contains (mask->secrets, forms->pdata[i]))
      return TRUE;
  return FALSE;
}

void
pp_mask_add_values (PpMask *mask, const json_t *json)
{
  const char *key;
  json_t *item;
  size_t index;

  if (json_is_string (json))
    add_value (mask, json_string_value (json));
  else if (json_is_number (json))
    add_number (mask, json);
  json_object_foreach ((json_t *)json, key, item) pp_mask_add_values (mask, item);
  json_array_foreach (json, index, item) pp_mask_add_values (mask, item);
}

/* True if one of SECRET_FIELDS is KEY or is below it ("a", "a.b", "a.*"). */
static gboolean
names_secret_below (const json_t *secret_fields, const char *key)
{
  size_t length = strlen (key);
  size_t index;
  const json_t *field;

  json_array_foreach (secret_fields, index, field)
  {
    const char *path = json_string_value (field);

    if (path != NULL && strncmp (path, key, length) == 0
        && (path[length] == '\0' || path[length] == '.'))
      return TRUE;
  }
  return FALSE;
}

void
pp_mask_add_block (PpMask *mask, const json_t *block_document)
{
  const json_t *schema = json_object_get (block_document, "block_schema");
  const json_t *secret_fields
      = json_object_get (json_object_get (schema, "fields"), "secret_fields");
  json_t *data = json_object_get (block_document, "data");
  const char *key;
  json_t *item;

  json_object_foreach (data, key, item)
  {
    if (json_array_size (secret_fields) == 0 || names_secret_below (secret_fields, key))
      pp_mask_add_values (mask, item);
  }
}

/* True if TEXT is a single {{ placeholder }}. The placeholder itself is not a secret, but its value
 * may be one. */
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
    add_value (mask, secret);
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

/* True if TEXT is "NAME=value" with a secret name. *EQUALS gets the position of "=". */
static gboolean
is_secret_assignment (const char *text, const char **equals)
{
  *equals = strchr (text, '=');
  if (*equals == NULL || *equals == text || strcspn (text, " /:\n") < (size_t)(*equals - text))
    return FALSE;
  g_autofree char *name = g_strndup (text, *equals - text);
  return pp_mask_is_secret_name (name);
}

static size_t
common_bytes (const char *text, const char *secret)
{
  size_t length = 0;

  while (secret[length] != '\0' && text[length] == secret[length])
    length++;
  return length;
}

/* The first COMMON bytes of TEXT and of a secret are equal. Returns how many of them count as a
 * truncated secret. */
static size_t
cut_bytes (const char *text, size_t common)
{
  while (common > 0 && ((guchar)text[common] & 0xc0) == 0x80)
    common--;
  return common >= MIN_CUT_BYTES ? common : 0;
}

/* Returns the length of the longest secret at the start of TEXT; 0 if there is none. The beginning
 * of a secret that TEXT truncates also counts. TEXT has single blanks. A job's author may define
 * tens of thousands of secrets in block documents, so this uses the sorted list: the secrets with
 * the longest common beginning are next to TEXT's place in it. */
static size_t
longest_match (const PpMask *mask, const char *text)
{
  GSequenceIter *place = g_sequence_search (mask->parts, (gpointer)text, compare, NULL);
  size_t longest = 0;

  if (!g_sequence_iter_is_end (place))
    longest = cut_bytes (text, common_bytes (text, g_sequence_get (place)));
  while (!g_sequence_iter_is_begin (place))
    {
      const char *before = g_sequence_get (g_sequence_iter_prev (place));
      size_t common = common_bytes (text, before);
      g_autofree char *start = NULL;

      longest = MAX (longest, before[common] == '\0' ? common : cut_bytes (text, common));
      /* All other secrets have fewer bytes in common with TEXT. */
      if (before[common] == '\0' || longest >= common)
        break;
      /* A shorter secret may be equal to the common beginning. */
      start = g_strndup (text, common);
      place = g_sequence_search (mask->parts, start, compare, NULL);
    }
  return longest;
}

/* Returns the position after the first BYTES bytes of TEXT. A run of blanks counts as one byte. */
static const char *
behind (const char *text, size_t bytes)
{
  for (; bytes > 0; bytes--)
    {
      text++;
      while (pp_is_blank (text[-1]) && pp_is_blank (*text))
        text++;
    }
  return text;
}

static char *
mask_parts (const PpMask *mask, const char *text)
{
  g_autofree char *single = pp_with_single_blanks (text);
  const char *at = single;
  GString *masked = g_string_sized_new (strlen (text));

  while (*at != '\0')
    {
      size_t length = longest_match (mask, at);
      const char *next = behind (text, MAX (length, 1));

      if (length > 0)
        g_string_append (masked, PP_MASKED);
      else
        g_string_append_len (masked, text, next - text);
      at += MAX (length, 1);
      text = next;
    }
  return g_string_free (masked, FALSE);
}

char *
pp_mask_text (const PpMask *mask, const char *text)
{
  const char *equals;

  if (g_hash_table_contains (mask->secrets, text))
    return g_strdup (PP_MASKED);
  if (is_secret_assignment (text, &equals))
    return g_strdup_printf ("%.*s=" PP_MASKED, (int)(equals - text), text);

  g_autofree char *masked = pp_mask_urls (text);
  return mask_parts (mask, masked);
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
  if (is_secret_number (mask, json))
    return json_string (PP_MASKED);
  if (!json_is_array (json))
    return json_copy ((json_t *)json);
  json_t *masked = json_array ();
  json_array_foreach (json, index, item) json_array_append_new (masked, pp_mask_json (mask, item));
  return masked;
}
