/* SPDX-License-Identifier: Apache-2.0 */
/* Masks the passwords and the secret parameters in the URLs of a text. A container may write a text
 * that is made to take as much time as possible. So the code reads each byte only a few times, and
 * the time is proportional to the length of the text. */
#include "config.h"

#include "prefect-podman/template/mask.h"

#include "template-private.h"

#include <string.h>

#define SCHEME_END "://"

/* Returns the position of NEEDLE in the bytes from START to END, or NULL. */
static const char *
find (const char *start, const char *end, const char *needle)
{
  return start < end ? memmem (start, (size_t)(end - start), needle, strlen (needle)) : NULL;
}

/* Returns where the password after "://user:" begins in the word at START, or NULL if there is
 * none. LAST_AT is the last "@" of the word. A password has at least one byte before LAST_AT. */
static const char *
password_start (const char *start, const char *last_at)
{
  while ((start = find (start, last_at, SCHEME_END)) != NULL)
    {
      start += strlen (SCHEME_END);
      while (start < last_at && strchr ("/:@", *start) == NULL)
        start++;
      if (start + 1 < last_at && *start == ':')
        return start + 1;
    }
  return NULL;
}

/* Masks up to the last "@". A password may have an "@" or a "/" that should be escaped but is
 * not. */
static void
append_without_password (GString *masked, const char *start, const char *end)
{
  const char *last_at = memrchr (start, '@', (size_t)(end - start));
  const char *password = last_at != NULL ? password_start (start, last_at) : NULL;

  if (password != NULL)
    {
      g_string_append_len (masked, start, password - start);
      g_string_append (masked, PP_MASKED);
      start = last_at;
    }
  g_string_append_len (masked, start, end - start);
}

/* True if the bytes from START to END have a parameter ("?name" or "&name") whose name says that
 * its value is secret. There may be several "?" or "&". */
static gboolean
is_secret_parameter (const char *start, const char *end)
{
  static const char *const parts[] = { "pass", "pwd", "token", "secret", "key", "auth" };

  while (start < end && *start != '?' && *start != '&')
    start++;
  for (; start < end; start++)
    for (size_t i = 0; i < G_N_ELEMENTS (parts); i++)
      {
        size_t length = strlen (parts[i]);

        if ((size_t)(end - start) >= length && g_ascii_strncasecmp (start, parts[i], length) == 0)
          return TRUE;
      }
  return FALSE;
}

static void
append_without_parameters (GString *masked, const char *start, const char *end)
{
  const char *name = find (start, end, SCHEME_END);
  const char *equals;

  for (; name != NULL && (equals = memchr (name, '=', (size_t)(end - name))) != NULL; name = equals)
    {
      const char *last = memrchr (name, '&', (size_t)(equals - name));
      gboolean is_secret = is_secret_parameter (last != NULL ? last : name, equals++);
      const char *value_end = equals;

      g_string_append_len (masked, start, equals - start);
      while (is_secret && value_end < end && *value_end != '&')
        value_end++;
      if (value_end > equals)
        g_string_append (masked, PP_MASKED);
      start = equals = value_end;
    }
  g_string_append_len (masked, start, end - start);
}

/* Calls APPEND for each word of TEXT, because a URL has no blank. Returns the result, a new
 * string. */
static GString *
with_words (const char *text, void (*append) (GString *masked, const char *start, const char *end))
{
  GString *masked = g_string_sized_new (strlen (text));

  while (*text != '\0')
    {
      const char *end = text;

      while (*end != '\0' && !pp_is_blank (*end))
        end++;
      append (masked, text, end);
      for (text = end; pp_is_blank (*text); text++)
        g_string_append_c (masked, *text);
    }
  return masked;
}

char *
pp_mask_urls (const char *text)
{
  if (strstr (text, SCHEME_END) == NULL)
    return g_strdup (text);
  GString *masked = with_words (text, append_without_password);
  GString *all = with_words (masked->str, append_without_parameters);

  g_string_free (masked, TRUE);
  return g_string_free (all, FALSE);
}
