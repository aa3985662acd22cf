/* SPDX-License-Identifier: Apache-2.0 */
/* Reads members of the job configuration as a given type. */
#include "config.h"

#include "job_values-private.h"

#include "docker_kwargs-private.h"

#include "docker_convert-private.h"

#include <string.h>

gboolean
pp_job_string (const json_t *configuration, const char *key, const char **value, GError **error)
{
  const json_t *found = json_object_get (configuration, key);

  *value = json_string_value (found);
  if (found == NULL || json_is_null (found) || *value != NULL)
    return TRUE;
  pp_set_type_error (error, key, found, "a string");
  return FALSE;
}

gboolean
pp_job_bool (const json_t *configuration, const char *key, gboolean *value, GError **error)
{
  const json_t *found = json_object_get (configuration, key);

  if (found == NULL || json_is_null (found))
    return TRUE;
  if (!json_is_boolean (found))
    {
      pp_set_type_error (error, key, found, "true or false");
      return FALSE;
    }
  *value = json_is_true (found);
  return TRUE;
}

gboolean
pp_job_seconds (const json_t *configuration, const char *key, double *value, GError **error)
{
  const json_t *found = json_object_get (configuration, key);
  double number;

  if (found == NULL || json_is_null (found))
    return TRUE;
  if (!pp_json_number (found, &number) || number < 0)
    {
      pp_set_type_error (error, key, found, "a number of seconds, 0 or more,");
      return FALSE;
    }
  *value = number;
  return TRUE;
}

gboolean
pp_job_count (const json_t *configuration, const char *key, guint *value, GError **error)
{
  const json_t *found = json_object_get (configuration, key);
  double number;

  if (found == NULL || json_is_null (found))
    return TRUE;
  if (!pp_json_number (found, &number) || number < 0 || number > G_MAXINT
      || number != (double)(guint)number)
    {
      pp_set_type_error (error, key, found, "an integer, 0 or more,");
      return FALSE;
    }
  *value = (guint)number;
  return TRUE;
}

gboolean
pp_job_choice (const json_t *configuration, const char *key, const char *const *names,
               guint default_index, guint *choice, GError **error)
{
  const char *text;

  *choice = default_index;
  if (!pp_job_string (configuration, key, &text, error))
    return FALSE;
  if (text == NULL || *text == '\0')
    return TRUE;
  for (guint i = 0; names[i] != NULL; i++)
    {
      if (g_str_equal (names[i], text))
        {
          *choice = i;
          return TRUE;
        }
    }
  g_autofree char *all = g_strjoinv (", ", (char **)names);
  g_autofree char *wanted = g_strconcat ("one of ", all, NULL);
  pp_set_type_error (error, key, json_object_get (configuration, key), wanted);
  return FALSE;
}

const json_t *
pp_job_list (const json_t *configuration, const char *key, GError **error)
{
  const json_t *found = json_object_get (configuration, key);

  if (pp_is_string_list (found))
    return found;
  if (found != NULL && !json_is_null (found))
    pp_set_type_error (error, key, found, "a list of strings");
  return NULL;
}

/* An image reference (distribution/reference, regexp.go). Also accepts short digests, and what only
 * Podman supports: "docker://...", "oci-archive:/path". */
#define IMAGE_WORD "[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*"
#define IMAGE_REFERENCE                                                                            \
  "^(?:(?:[A-Za-z0-9.-]+|\\[[0-9a-fA-F:]+\\])(?::[0-9]+)?/)?" IMAGE_WORD "(?:/" IMAGE_WORD ")*"    \
  "(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@[A-Za-z][A-Za-z0-9_+.-]*:[0-9a-fA-F]+)?$"
#define IMAGE_TRANSPORT                                                                            \
  "^(?:docker://|containers-storage:|dir:|docker-archive:|oci:|oci-archive:)\\S+$"

/* Engines allow 255 characters for the name, 128 for the tag, and a digest. The rest is for a path
 * of a transport. */
#define MAX_IMAGE_BYTES 5000

char *
pp_job_image (const json_t *configuration, GError **error)
{
  const json_t *found = json_object_get (configuration, "image");
  const char *text = json_string_value (found);
  g_autofree char *image = g_strstrip (g_strdup (text != NULL ? text : ""));

  if (*image == '\0')
    pp_set_type_error (error, "image", found, "the name of an image");
  else if (strlen (image) > MAX_IMAGE_BYTES)
    g_set_error (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_INVALID,
                 "image: has %" G_GSIZE_FORMAT " bytes; at most %d are allowed", strlen (image),
                 MAX_IMAGE_BYTES);
  else if (!g_regex_match_simple (IMAGE_REFERENCE, image, G_REGEX_DOLLAR_ENDONLY, 0)
           && !g_regex_match_simple (IMAGE_TRANSPORT, image, G_REGEX_DOLLAR_ENDONLY, 0))
    pp_set_type_error (error, "image", found,
                       "[REGISTRY/]NAME[:TAG][@DIGEST] with NAME in small letters");
  else
    return g_steal_pointer (&image);
  return NULL;
}
