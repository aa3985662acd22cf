/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the engine: the URL that the user gave, or a default socket. */
#include "config.h"

#include "engine-private.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static gboolean
is_usable_socket (const char *path)
{
  struct stat st;

  return stat (path, &st) == 0 && S_ISSOCK (st.st_mode) && access (path, R_OK | W_OK) == 0;
}

/* Returns the default sockets in order of preference; new array. */
static char **
default_sockets (const PpEnginePlaces *places)
{
  GPtrArray *paths = g_ptr_array_new ();

  /* root always uses the rootful Podman, whatever XDG_RUNTIME_DIR says. */
  if (places->uid != 0)
    g_ptr_array_add (paths, places->xdg_runtime_dir != NULL && *places->xdg_runtime_dir != '\0'
                                ? g_strconcat (places->xdg_runtime_dir, "/podman/podman.sock", NULL)
                                : g_strdup_printf ("%s/run/user/%u/podman/podman.sock",
                                                   places->root, places->uid));
  g_ptr_array_add (paths, g_strconcat (places->root, "/run/podman/podman.sock", NULL));
  g_ptr_array_add (paths, g_strconcat (places->root, "/var/run/docker.sock", NULL));
  g_ptr_array_add (paths, NULL);
  return (char **)g_ptr_array_free (paths, FALSE);
}

char *
pp_engine_find_in (const char *engine_url, const PpEnginePlaces *places, GError **error)
{
  const struct
  {
    const char *url;
    const char *origin;
  } given[] = { { engine_url, "--engine-url" },
                { places->container_host, "CONTAINER_HOST" },
                { places->docker_host, "DOCKER_HOST" } };

  for (gsize i = 0; i < G_N_ELEMENTS (given); i++)
    {
      g_autofree char *socket_path = NULL;
      g_autofree char *base_url = NULL;
      if (given[i].url == NULL || *given[i].url == '\0')
        continue;
      g_autofree char *url = pp_engine_address_to_url (given[i].url);
      if (pp_engine_url_parse (url, &socket_path, &base_url, error))
        return g_steal_pointer (&url);
      g_prefix_error (error, "%s: ", given[i].origin);
      return NULL;
    }

  g_auto (GStrv) sockets = default_sockets (places);
  for (guint i = 0; sockets[i] != NULL; i++)
    if (is_usable_socket (sockets[i]))
      return g_strconcat ("unix://", sockets[i], NULL);
  return g_strconcat ("unix://", sockets[0], NULL);
}

char *
pp_engine_find (const char *engine_url, GError **error)
{
  PpEnginePlaces places = { .container_host = g_getenv ("CONTAINER_HOST"),
                            .docker_host = g_getenv ("DOCKER_HOST"),
                            .xdg_runtime_dir = g_getenv ("XDG_RUNTIME_DIR"),
                            .uid = getuid (),
                            .root = "" };

  return pp_engine_find_in (engine_url, &places, error);
}
