/* Where an engine is looked for, and in which order. */
#include "tap.h"

#include "prefect-podman/infrastructure/engine.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A listening socket at ROOT/PATH; returns its descriptor. */
static int
make_socket (const char *root, const char *path)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  g_autofree char *full = g_strconcat (root, path, NULL);
  g_autofree char *directory = g_path_get_dirname (full);
  int fd = socket (AF_UNIX, SOCK_STREAM, 0);

  g_assert_cmpint (g_mkdir_with_parents (directory, 0755), ==, 0);
  g_assert_cmpuint (strlen (full), <, sizeof address.sun_path);
  strcpy (address.sun_path, full);
  g_assert_cmpint (bind (fd, (struct sockaddr *)&address, sizeof address), ==, 0);
  return fd;
}

static void
assert_found (const PpEnginePlaces *places, const char *path)
{
  g_autofree char *wanted = g_strconcat ("unix://", places->root, path, NULL);
  g_autofree char *found = pp_engine_find_in (NULL, places, NULL);

  g_assert_cmpstr (found, ==, wanted);
}

static void
remove_at (const char *root, const char *path)
{
  g_autofree char *full = g_strconcat (root, path, NULL);
  g_assert_cmpint (g_unlink (full), ==, 0);
}

static void
test_sockets (void)
{
  static const char *const paths[]
      = { "/run/user/7/podman/podman.sock", "/run/podman/podman.sock", "/var/run/docker.sock" };
  g_autofree char *root = g_dir_make_tmp ("ppf-XXXXXX", NULL);
  PpEnginePlaces user = { .uid = 7, .root = root };
  PpEnginePlaces superuser = { .uid = 0, .root = root, .xdg_runtime_dir = "/run/user/0" };
  int fds[3];

  /* None there: the first of the list is what an error will name. */
  assert_found (&user, paths[0]);
  assert_found (&superuser, paths[1]);
  for (int i = 0; i < 3; i++)
    fds[i] = make_socket (root, paths[i]);
  assert_found (&user, paths[0]);
  assert_found (&superuser, paths[1]);
  remove_at (root, paths[0]);
  assert_found (&user, paths[1]);
  remove_at (root, paths[1]);
  assert_found (&user, paths[2]);
  assert_found (&superuser, paths[2]);
  remove_at (root, paths[2]);
  assert_found (&user, paths[0]);
  for (int i = 0; i < 3; i++)
    close (fds[i]);

  g_autofree char *xdg = g_strconcat (root, "/xdg", NULL);
  user.xdg_runtime_dir = xdg;
  assert_found (&user, "/xdg/podman/podman.sock");
  g_autofree char *command = g_strdup_printf ("rm -r '%s'", root);
  g_assert_true (g_spawn_command_line_sync (command, NULL, NULL, NULL, NULL));
}

static void
test_given (void)
{
  PpEnginePlaces places = { .root = "/nonexistent", .docker_host = "tcp://b:2375" };
  g_autofree char *docker = pp_engine_find_in (NULL, &places, NULL);
  g_assert_cmpstr (docker, ==, "tcp://b:2375");
  places.container_host = "unix:///a.sock";
  g_autofree char *container = pp_engine_find_in (NULL, &places, NULL);
  g_assert_cmpstr (container, ==, "unix:///a.sock");
  g_autofree char *option = pp_engine_find_in ("http://c:1", &places, NULL);
  g_assert_cmpstr (option, ==, "http://c:1");
  places.container_host = "";
  g_autofree char *empty = pp_engine_find_in (NULL, &places, NULL);
  g_assert_cmpstr (empty, ==, "tcp://b:2375");
}

static void
test_schemes (void)
{
  static const struct
  {
    const char *url;
    const char *socket_path;
    const char *base_url;
  } table[] = {
    { "unix:///run/podman/podman.sock", "/run/podman/podman.sock", "http://localhost" },
    { "http+unix:///x", "/x", "http://localhost" },
    { "tcp://host:2375", NULL, "http://host:2375" },
    { "tcp://[::1]:2375/", NULL, "http://[::1]:2375" },
    { "https://host:2376", NULL, "https://host:2376" },
    { "ssh://core@host", NULL, NULL },
    { "unix://relative", NULL, NULL },
    { "tcp://", NULL, NULL },
    { "/run/podman/podman.sock", NULL, NULL },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_autofree char *socket_path = NULL;
      g_autofree char *base_url = NULL;
      g_autoptr (GError) error = NULL;
      gboolean ok = pp_engine_url_parse (table[i].url, &socket_path, &base_url, &error);
      g_assert_cmpint (ok, ==, table[i].base_url != NULL);
      g_assert_cmpstr (socket_path, ==, table[i].socket_path);
      g_assert_cmpstr (base_url, ==, table[i].base_url);
      if (!ok)
        g_assert_nonnull (strstr (error->message, table[i].url));
    }

  PpEnginePlaces places = { .root = "", .docker_host = "ssh://core@host" };
  g_autoptr (GError) error = NULL;
  g_assert_null (pp_engine_find_in (NULL, &places, &error));
  g_assert_error (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_INVALID);
  g_assert_true (g_str_has_prefix (error->message, "DOCKER_HOST: "));
}

static void
add_tests (void)
{
  g_test_add_func ("/infrastructure/find/sockets", test_sockets);
  g_test_add_func ("/infrastructure/find/given", test_given);
  g_test_add_func ("/infrastructure/find/schemes", test_schemes);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add_tests);
}
