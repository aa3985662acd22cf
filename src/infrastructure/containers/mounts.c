/* SPDX-License-Identifier: Apache-2.0 */
/* HostConfig.Mounts (docker.types.Mount): the keys of a mount, the engines that support them, and
 * adaptations for Podman. Engines silently ignore keys that they do not know. The table is from the
 * sources of Docker 20.10 to 28 (api/types/mount/mount.go), of Podman 4.3 to 5.8 and of Podman's
 * main branch (compat/containers_create.go, cliOpts()). It was tested on Podman 4.3.1 and Docker
 * 20.10.24. */
#include "config.h"

#include "spec_parts-private.h"

#include "docker_convert-private.h"
#include "values-private.h"

#include <string.h>

/* The first version of an engine that supports a key; all zeros: every version. */
typedef struct
{
  guint major, minor;
} Since;

#define NEVER                                                                                      \
  {                                                                                                \
    G_MAXUINT, 0                                                                                   \
  }

typedef struct
{
  const char *path; /* path within the mount; ends with the key's name */
  const char *type; /* for a group of options: the Type of its mounts */
  gboolean is_group;
  Since docker, podman;
  gboolean passed_over; /* a warning is enough */
  const char *effect;   /* what happens to the job, followed by advice */
} Key;

#define NEW_VOLUME                                                                                 \
  "a new volume would be a plain local one, with the files of the image. Create the volume first " \
  "(podman volume create --opt), or use volumes: [\"NAME:/path:nocopy\"]"

/* ReadOnlyNonRecursive asks for what Podman, and Docker before 25, do anyway. */
static const Key keys[] = {
  { .path = "Type" },
  { .path = "Source" },
  { .path = "Target" },
  { .path = "ReadOnly" },
  { .path = "Consistency" },
  { .path = "BindOptions", .type = "bind", .is_group = TRUE },
  { .path = "BindOptions.Propagation" },
  { .path = "BindOptions.NonRecursive",
    .docker = { 19, 3 },
    .effect = "the container would also get what is mounted below the source. Update Docker to "
              "19.03 or later" },
  { .path = "BindOptions.CreateMountpoint",
    .docker = { 23, 0 },
    .effect = "a missing source would not be created. Use volumes: [\"/source:/target\"], or "
              "update Docker to 23 or later" },
  { .path = "BindOptions.ReadOnlyNonRecursive" },
  { .path = "BindOptions.ReadOnlyForceRecursive",
    .docker = { 25, 0 },
    .podman = NEVER,
    .effect = "the container could write to what is mounted below the source. Remove this option, "
              "or use Docker 25 or later" },
  { .path = "VolumeOptions", .type = "volume", .is_group = TRUE },
  { .path = "VolumeOptions.NoCopy", .podman = NEVER, .effect = NEW_VOLUME },
  { .path = "VolumeOptions.Labels",
    .podman = NEVER,
    .passed_over = TRUE,
    .effect
    = "a new volume has no labels. Create the volume first (podman volume create --label)" },
  { .path = "VolumeOptions.DriverConfig", .is_group = TRUE, .podman = NEVER, .effect = NEW_VOLUME },
  { .path = "VolumeOptions.DriverConfig.Name" },
  { .path = "VolumeOptions.DriverConfig.Options" },
  { .path = "VolumeOptions.Subpath",
    .docker = { 26, 0 },
    .podman = { 6, 0 },
    .effect = "the whole volume would be mounted. Remove this option and let the command use the "
              "folder inside the volume, or update the engine (Docker to 26, Podman to 6)" },
  { .path = "ImageOptions", .type = "image", .is_group = TRUE },
  { .path = "ImageOptions.Subpath",
    .podman = NEVER,
    .effect = "the whole image would be mounted. Remove this option" },
  { .path = "TmpfsOptions", .type = "tmpfs", .is_group = TRUE },
  { .path = "TmpfsOptions.SizeBytes" },
  { .path = "TmpfsOptions.Mode" },
  { .path = "TmpfsOptions.Options",
    .docker = { 27, 0 },
    .podman = NEVER,
    .effect = "the tmpfs would be mounted without these options. Use tmpfs: {\"/target\": "
              "\"size=1g,noexec\"}" },
  { .path = "ClusterOptions", .type = "cluster", .is_group = TRUE },
};

/* Returns the key at PATH, in upper or lower case as Go reads it, or NULL. */
static const Key *
find_key (const char *path)
{
  for (gsize i = 0; i < G_N_ELEMENTS (keys); i++)
    if (g_ascii_strcasecmp (keys[i].path, path) == 0)
      return &keys[i];
  return NULL;
}

/* Returns a copy of OBJECT with the API's spelling of its keys; new reference. PREFIX is its place
 * in the mount ("", "BindOptions.", ...). */
static json_t *
spell (const json_t *object, const char *prefix)
{
  json_t *spelt = json_object ();
  const char *name;
  json_t *value;

  json_object_foreach ((json_t *)object, name, value)
  {
    g_autofree char *path = g_strconcat (prefix, name, NULL);
    const Key *key = find_key (path);
    g_autofree char *below = key != NULL ? g_strconcat (key->path, ".", NULL) : NULL;

    json_object_set_new (spelt, key != NULL ? key->path + strlen (prefix) : name,
                         key != NULL && key->is_group && json_is_object (value)
                             ? spell (value, below)
                             : json_incref (value));
  }
  return spelt;
}

json_t *
pp_convert_mounts (const PpConvertContext *context, const json_t *value, GError **error)
{
  json_auto_t *list = pp_convert_object_list (context, value, error);
  gsize i;
  json_t *mount;

  if (list == NULL)
    return NULL;
  json_t *mounts = json_array ();
  json_array_foreach (list, i, mount) { json_array_append_new (mounts, spell (mount, "")); }
  return mounts;
}

static gboolean
takes (const Key *key, const PpEngineInfo *engine)
{
  const Since *since = engine->kind == PP_ENGINE_PODMAN ? &key->podman : &key->docker;

  return since->major == 0 || pp_version_at_least (engine->version, since->major, since->minor);
}

/* Returns the names of the keys at PREFIX, joined by commas; new string. */
static char *
names_at (const char *prefix)
{
  g_autoptr (GString) names = g_string_new (NULL);
  gsize length = strlen (prefix);

  for (gsize i = 0; i < G_N_ELEMENTS (keys); i++)
    if (g_str_has_prefix (keys[i].path, prefix) && strchr (keys[i].path + length, '.') == NULL)
      g_string_append_printf (names, "%s%s", names->len > 0 ? ", " : "", keys[i].path + length);
  return g_string_free (g_steal_pointer (&names), FALSE);
}

/* Returns why ENGINE would ignore KEY at PREFIX in a mount of TYPE, with advice; new string.
 * Returns NULL if ENGINE supports KEY. KEY is NULL for a key that no engine has. */
static char *
why_dropped (const Key *key, const char *prefix, const char *type, const PpEngineInfo *engine)
{
  if (key == NULL)
    {
      g_autofree char *names = names_at (prefix);
      return g_strdup_printf ("no engine has that key. The possible keys here are: %s", names);
    }
  /* Since API 1.42, Docker itself refuses the options of another Type. */
  if (key->type != NULL && type != NULL && !g_str_equal (key->type, type)
      && (engine->kind == PP_ENGINE_PODMAN || !pp_version_at_least (engine->version, 23, 0)))
    return g_strdup_printf ("this key is for mounts of Type \"%s\", but this mount has Type \"%s\"",
                            key->type, type);
  return takes (key, engine) ? NULL : g_strdup (key->effect);
}

/* True if VALUE asks for something. An object with only empty values, as inspect shows it, asks for
 * nothing. */
static gboolean
asks (const json_t *value)
{
  const char *name;
  json_t *member;

  if (!json_is_object (value))
    return pp_json_truthy (value);
  json_object_foreach ((json_t *)value, name, member)
  {
    if (asks (member))
      return TRUE;
  }
  return FALSE;
}

/* True if VALUE at PATH is the engine's default, the "local" driver. */
static gboolean
is_default (const char *path, const json_t *value)
{
  const char *driver = pp_json_string (value, "Name");

  return g_str_equal (path, "VolumeOptions.DriverConfig")
         && (driver == NULL || *driver == '\0' || g_str_equal (driver, "local"))
         && !asks (json_object_get (value, "Options"));
}

/* Checks OBJECT, which is at PREFIX in a mount of TYPE. */
static gboolean
check (PpContainerSpec *spec, const json_t *object, const char *prefix, const char *type,
       const PpEngineInfo *engine, GError **error)
{
  const char *name;
  json_t *value;

  json_object_foreach ((json_t *)object, name, value)
  {
    g_autofree char *path = g_strconcat (prefix, name, NULL);
    g_autofree char *below = g_strconcat (path, ".", NULL);
    const Key *key = find_key (path);
    const gboolean is_nothing = key != NULL && (!asks (value) || is_default (path, value));
    if (json_is_null (value) || (is_nothing && !key->is_group))
      continue;
    g_autofree char *why = is_nothing ? NULL : why_dropped (key, prefix, type, engine);
    if (why == NULL)
      {
        if (key != NULL && key->is_group && !check (spec, value, below, type, engine, error))
          return FALSE;
        continue;
      }
    g_autofree char *text = g_strdup_printf ("mounts: %s %s silently ignores %s: %s", engine->name,
                                             engine->version, path, why);
    if (key == NULL || !key->passed_over)
      {
        g_set_error_literal (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_INVALID, text);
        return FALSE;
      }
    g_ptr_array_add (spec->warnings, g_steal_pointer (&text));
  }
  return TRUE;
}

gboolean
pp_spec_refuse_mounts (PpContainerSpec *spec, const PpEngineInfo *engine, GError **error)
{
  const json_t *host_config = json_object_get (spec->create_body, "HostConfig");
  gsize i;
  json_t *mount;

  json_array_foreach (json_object_get (host_config, "Mounts"), i, mount)
  {
    if (!check (spec, mount, "", pp_json_string (mount, "Type"), engine, error))
      return FALSE;
  }
  return TRUE;
}

/* True if MOUNT can be written as a bind without losing or adding anything. Other mounts are left
 * to the engine. */
static gboolean
is_plain_bind (const json_t *mount)
{
  static const char *const propagations[]
      = { "private", "rprivate", "shared", "rshared", "slave", "rslave", NULL };
  const json_t *options = json_object_get (mount, "BindOptions");
  const json_t *read_only = json_object_get (mount, "ReadOnly");
  const json_t *non_recursive = json_object_get (options, "NonRecursive");
  const char *propagation = pp_json_string (options, "Propagation");

  return g_strcmp0 (pp_json_string (mount, "Type"), "bind") == 0 && propagation != NULL
         && g_strv_contains (propagations, propagation)
         && (read_only == NULL || json_is_boolean (read_only))
         && (non_recursive == NULL || json_is_boolean (non_recursive));
}

/* Returns MOUNT as one of HostConfig.Binds if it has a propagation; new reference, or NULL. */
static json_t *
as_bind (const json_t *mount)
{
  const char *source = pp_json_string (mount, "Source");
  const char *target = pp_json_string (mount, "Target");

  if (!is_plain_bind (mount) || source == NULL || *source != '/' || target == NULL
      || strchr (source, ':') != NULL || strchr (target, ':') != NULL)
    return NULL;
  return json_sprintf ("%s:%s:%s%s", source, target,
                       json_is_true (json_object_get (mount, "ReadOnly")) ? "ro," : "",
                       pp_json_string (json_object_get (mount, "BindOptions"), "Propagation"));
}

/* Podman's Docker API treats any BindOptions as NonRecursive, and a missing Mode as 000. Rewrites
 * the mounts so that Podman does what Docker does. */
void
pp_spec_fit_mounts_to_podman (PpContainerSpec *spec)
{
  /* 01777, Docker's default. */
  const json_int_t tmpfs_mode = 1023;
  json_t *host_config = json_object_get (spec->create_body, "HostConfig");
  json_t *mounts = json_object_get (host_config, "Mounts");

  for (gsize i = 0; i < json_array_size (mounts);)
    {
      json_t *mount = json_array_get (mounts, i);
      const json_t *bind = json_object_get (mount, "BindOptions");
      json_t *tmpfs = json_object_get (mount, "TmpfsOptions");
      json_t *as_volume = NULL;

      if (json_is_object (tmpfs) && json_integer_value (json_object_get (tmpfs, "Mode")) == 0)
        json_object_set_new (tmpfs, "Mode", json_integer (tmpfs_mode));
      if (json_is_object (bind) && !json_is_true (json_object_get (bind, "NonRecursive")))
        {
          as_volume = as_bind (mount);
          if (!pp_json_truthy (json_object_get (bind, "Propagation")))
            json_object_del (mount, "BindOptions");
        }
      if (as_volume == NULL)
        {
          i++;
          continue;
        }
      if (json_object_get (host_config, "Binds") == NULL)
        json_object_set_new (host_config, "Binds", json_array ());
      json_array_append_new (json_object_get (host_config, "Binds"), as_volume);
      json_array_remove (mounts, i);
    }
}
