/* SPDX-License-Identifier: Apache-2.0 */
/* Converts the mounts of a Docker create body (Binds, Mounts, Tmpfs) for Podman's SpecGenerator. */
#include "config.h"

#include "libpod_fields-private.h"

#include <string.h>

void
pp_libpod_append (json_t *target, const char *libpod_field, json_t *item)
{
  json_t *list = json_object_get (target, libpod_field);

  if (list == NULL)
    {
      list = json_array ();
      json_object_set_new (target, libpod_field, list);
    }
  json_array_append_new (list, item);
}

void
pp_libpod_append_split (json_t *target, const char *libpod_field, const char *text,
                        const char *separator)
{
  g_auto (GStrv) parts = g_strsplit (text, separator, -1);

  for (guint i = 0; parts[i] != NULL; i++)
    pp_libpod_append (target, libpod_field, json_string (parts[i]));
}

static json_t *
option_list (const char *options)
{
  json_t *list = json_array ();
  g_auto (GStrv) parts = g_strsplit (options, ",", -1);

  for (guint i = 0; parts[i] != NULL; i++)
    json_array_append_new (list, json_string (parts[i]));
  return list;
}

gboolean
pp_libpod_binds (json_t *target, const char *libpod_field G_GNUC_UNUSED, const json_t *value)
{
  for (gsize i = 0; i < json_array_size (value); i++)
    {
      g_auto (GStrv) parts = g_strsplit (json_string_value (json_array_get (value, i)), ":", 3);
      guint n = g_strv_length (parts);
      const char *options = n == 3 ? parts[2] : "";
      g_autofree char *with_rbind = g_strconcat ("rbind,", options, NULL);

      if (n == 1)
        pp_libpod_append (target, "volumes", json_pack ("{s:s}", "Dest", parts[0]));
      else if (strcmp (options, "O") == 0 || g_str_has_prefix (options, "O,"))
        pp_libpod_append (target, "overlay_volumes",
                          json_pack ("{s:s, s:s, s:o}", "source", parts[0], "destination", parts[1],
                                     "options", option_list (options)));
      else if (parts[0][0] != '/')
        pp_libpod_append (target, "volumes",
                          json_pack ("{s:s, s:s, s:o}", "Name", parts[0], "Dest", parts[1],
                                     "Options", option_list (options)));
      else
        pp_libpod_append (target, "mounts",
                          json_pack ("{s:s, s:s, s:s, s:o}", "type", "bind", "source", parts[0],
                                     "destination", parts[1], "options",
                                     option_list (n == 3 ? with_rbind : "rbind")));
    }
  return TRUE;
}

/* Converts one of HostConfig.Mounts (docker.types.Mount) as Podman's Docker API does
 * (compat/containers_create.go, cliOpts()). */
static gboolean
add_mount (json_t *target, const json_t *mount)
{
  const char *type = pp_json_string (mount, "Type");
  const char *source = pp_json_string (mount, "Source");
  const char *path = pp_json_string (mount, "Target");
  const json_t *bind = json_object_get (mount, "BindOptions");
  const json_t *tmpfs = json_object_get (mount, "TmpfsOptions");
  const char *propagation = pp_json_string (bind, "Propagation");
  const json_t *size = json_object_get (tmpfs, "SizeBytes");
  const json_t *mode = json_object_get (tmpfs, "Mode");
  json_auto_t *options = json_array ();

  if (path == NULL)
    return FALSE;
  if (json_is_true (json_object_get (mount, "ReadOnly")))
    json_array_append_new (options, json_string ("ro"));
  if (g_strcmp0 (type, "volume") == 0)
    {
      json_auto_t *volume = json_pack ("{s:s, s:O}", "Dest", path, "Options", options);
      if (source != NULL)
        json_object_set_new (volume, "Name", json_string (source));
      pp_libpod_append (target, "volumes", json_incref (volume));
      return TRUE;
    }
  if (g_strcmp0 (type, "bind") == 0 && source != NULL)
    {
      gboolean flat = json_is_true (json_object_get (bind, "NonRecursive"));
      json_array_append_new (options, json_string (flat ? "bind" : "rbind"));
      if (propagation != NULL && *propagation != '\0')
        json_array_append_new (options, json_string (propagation));
    }
  else if (g_strcmp0 (type, "tmpfs") == 0)
    {
      source = "tmpfs";
      if (json_integer_value (size) > 0)
        json_array_append_new (
            options, json_sprintf ("size=%" JSON_INTEGER_FORMAT, json_integer_value (size)));
      if (json_integer_value (mode) > 0)
        json_array_append_new (options,
                               json_sprintf ("mode=%o", (unsigned int)json_integer_value (mode)));
    }
  else
    return FALSE;
  pp_libpod_append (target, "mounts",
                    json_pack ("{s:s, s:s, s:s, s:O}", "type", type, "source", source,
                               "destination", path, "options", options));
  return TRUE;
}

gboolean
pp_libpod_mounts (json_t *target, const char *libpod_field G_GNUC_UNUSED, const json_t *value)
{
  for (gsize i = 0; i < json_array_size (value); i++)
    if (!add_mount (target, json_array_get (value, i)))
      return FALSE;
  return TRUE;
}

gboolean
pp_libpod_tmpfs (json_t *target, const char *libpod_field G_GNUC_UNUSED, const json_t *value)
{
  const char *path;
  json_t *options;

  json_object_foreach ((json_t *)value, path, options)
  {
    const char *text = json_string_value (options);
    json_t *list = text != NULL && *text != '\0' ? option_list (text) : json_array ();
    pp_libpod_append (target, "mounts",
                      json_pack ("{s:s, s:s, s:s, s:o}", "type", "tmpfs", "source", "tmpfs",
                                 "destination", path, "options", list));
  }
  return TRUE;
}
