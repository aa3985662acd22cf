/* SPDX-License-Identifier: Apache-2.0 */
/* The grammar of a volume (assert_volume_str in prefect_docker/types.py), with every option of
 * `podman run -v`, and without Windows paths, because the engine of a Podman worker runs on
 * Linux. */
#include "config.h"

#include "template-private.h"

#include <string.h>

static gboolean
is_relative_bind_source (const char *host)
{
  return strcmp (host, ".") == 0 || strcmp (host, "..") == 0 || g_str_has_prefix (host, "./")
         || g_str_has_prefix (host, "../");
}

/* [a-zA-Z0-9][a-zA-Z0-9_.-]* */
static gboolean
is_volume_name (const char *name)
{
  return g_ascii_isalnum (name[0])
         && name[strspn (name, G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "_.-")] == '\0';
}

/* HOST:CONTAINER[:OPTIONS] */
static gboolean
check_mount (const char *volume, GError **error)
{
  g_auto (GStrv) parts = g_strsplit (volume, ":", -1);
  guint count = g_strv_length (parts);
  const char *host = parts[0];

  if (count > 3 || host[0] == '\0' || parts[1][0] == '\0' || (count == 3 && parts[2][0] == '\0'))
    return pp_template_invalid (error, "volumes: '%s' is not SOURCE:/path[:options] or /path",
                                volume);
  if (host[0] == '/' || is_relative_bind_source (host))
    return parts[1][0] == '/'
           || pp_template_invalid (
               error, "volumes: '%s': the path in the container has to begin with /", volume);
  return is_volume_name (host)
         || pp_template_invalid (error,
                                 "volumes: '%s': the part before the first ':' must be the name "
                                 "of a volume ([a-zA-Z0-9][a-zA-Z0-9_.-]*) or a path that begins "
                                 "with /, ./ or ../ (shell expressions are not expanded)",
                                 volume);
}

char *
pp_check_volume (const char *volume, GError **error)
{
  g_autofree char *stripped = pp_python_strip (volume);
  if (stripped[0] == '\0')
    {
      pp_template_invalid (error, "volumes: a volume is an empty string");
      return NULL;
    }
  if (strchr (stripped, ':') == NULL)
    {
      if (stripped[0] == '/' && stripped[1] != '\0')
        return g_steal_pointer (&stripped);
      pp_template_invalid (error, "volumes: '%s' is not SOURCE:/path[:options] or /path", stripped);
      return NULL;
    }
  return check_mount (stripped, error) ? g_steal_pointer (&stripped) : NULL;
}
