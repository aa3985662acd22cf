/* SPDX-License-Identifier: Apache-2.0 */
/* Tests where engines are looked for, and in which order. */
#include "tests/unit/tap.h"

#include "infrastructure/containers/engine-private.h"

#include <glib/gstdio.h>
#include <grp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* Creates a listening socket at ROOT/PATH and returns its descriptor. */
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

  /* No socket exists: the first path is chosen, and the error will name it. */
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
    { "ssh://host", NULL, NULL },
    { "unix://relative", NULL, NULL },
    { "tcp://", NULL, NULL },
    { "/run/podman/podman.sock", NULL, NULL },
    { "tcp://me:p%40ss@host:2375", NULL, "http://me:p%40ss@host:2375" },
    { "https://host/engine/", NULL, "https://host/engine" },
    { "http://[::1]", NULL, "http://[::1]" },
    /* Addresses that can never work. */
    { "tcp://host", NULL, NULL },
    { "tcp://host:", NULL, NULL },
    { "tcp://host:0", NULL, NULL },
    { "tcp://host:65536", NULL, NULL },
    { "tcp://host:23x", NULL, NULL },
    { "tcp://host:2375:2375", NULL, NULL },
    { "tcp://:2375", NULL, NULL },
    { "tcp://::1:2375", NULL, NULL },
    { "tcp://[::1:2375", NULL, NULL },
    { "tcp://[]:2375", NULL, NULL },
    { "tcp://a host:2375", NULL, NULL },
    { "tcp://host:2375?x=1", NULL, NULL },
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

/* All forms of DOCKER_HOST that docker-py's parse_host() accepts, with its results. Only double
 * slashes become single. */
static void
test_addresses (void)
{
  static const struct
  {
    const char *address;
    const char *url; /* NULL if it is invalid */
  } table[] = {
    { "unix:///var/run/docker.sock", "unix:///var/run/docker.sock" },
    { "unix://var/run/docker.sock", "unix:///var/run/docker.sock" },
    { "unix:///var/run/docker.sock/", "unix:///var/run/docker.sock" },
    { "unix:////var/run/docker.sock", "unix:///var/run/docker.sock" },
    { "unix:/var/run/docker.sock", "unix:///var/run/docker.sock" },
    { "unix:var/run/docker.sock", "unix:///var/run/docker.sock" },
    { "unix://", "unix:///var/run/docker.sock" },
    { " unix://\n", "unix:///var/run/docker.sock" },
    { "http+unix://var/run/docker.sock", "http+unix:///var/run/docker.sock" },
    { "http+unix:///var/run/docker.sock", "http+unix:///var/run/docker.sock" },
    { "UNIX:///Run/My.sock", "unix:///Run/My.sock" },
    { "unix://Run/My.sock", "unix:///run/My.sock" },
    { "unix://me@run:80/my.sock", "unix:///run/my.sock" },
    { "unix://docker.sock", "unix:///docker.sock" },
    { "unix://./a", "unix:///./a" },
    { "unix:///a b", "unix:///a b" },
    { "unix:///a%20b", "unix:///a%20b" },
    { "unix:///a//b", "unix:///a//b" },
    { "tcp://host:2375", "tcp://host:2375" },
    { "TCP://Host:2375/", "tcp://Host:2375/" },
    { "tcp://:2375", "tcp://127.0.0.1:2375" },
    { ":2375", "tcp://127.0.0.1:2375" },
    { "http://:80", "http://127.0.0.1:80" },
    { "host:2375", "tcp://host:2375" },
    { " host:2375 ", "tcp://host:2375" },
    { "my-host:2375", "tcp://my-host:2375" },
    { "host1.example.com:2375", "tcp://host1.example.com:2375" },
    { "10.0.0.1:2375", "tcp://10.0.0.1:2375" },
    { "[::1]:2375", "tcp://[::1]:2375" },
    { "me@10.0.0.1:2375/engine", "tcp://me@10.0.0.1:2375/engine" },
    { "HTTPS://host:2376", "https://host:2376" },
    { " ", NULL },
    { "unix:", NULL },
    { "tcp://", NULL },
    { "tcp:host:2375", NULL },
    { "host", NULL },
    { "host:0", NULL },
    { "host:65536", NULL },
    { "host:2375?x", NULL },
    { "/var/run/docker.sock", NULL },
    { "var/run/docker.sock", NULL },
    { "//host:2375", NULL },
    { "fd://3", NULL },
    { "npipe:////./pipe/docker_engine", NULL },
    { "ftp://host:21", NULL },
    { "ssh://host", NULL },
    { "SSH://host", NULL },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (table); i++)
    {
      const PpEnginePlaces places = { .root = "/none", .docker_host = table[i].address };
      g_autoptr (GError) error = NULL;
      g_autofree char *url = pp_engine_find_in (NULL, &places, &error);

      g_test_message ("%s: %s", table[i].address, error != NULL ? error->message : url);
      g_assert_cmpstr (url, ==, table[i].url);
      g_assert_cmpint (error == NULL, ==, url != NULL);
    }
}

static void
test_password_is_not_shown (void)
{
  static const char *const urls[]
      = { "tcp://me:secret@host:0", "tcp://me:sec#ret@host:1", "tcp://me:sec/ret@host:1",
          "ssh://me:secret@host", "tcp://me:sec@ret@host" };

  for (gsize i = 0; i < G_N_ELEMENTS (urls); i++)
    {
      g_autofree char *socket_path = NULL;
      g_autofree char *base_url = NULL;
      g_autoptr (GError) error = NULL;

      g_assert_false (pp_engine_url_parse (urls[i], &socket_path, &base_url, &error));
      g_assert_null (strstr (error->message, "sec"));
      g_assert_null (strstr (error->message, "ret"));
      g_assert_nonnull (strstr (error->message, "://host"));
    }

  static const char *const addresses[]
      = { "me:secret@host", "me:secret@host:0", "//me:secret@host", "tcp:me:secret@host:1" };
  for (gsize i = 0; i < G_N_ELEMENTS (addresses); i++)
    {
      const PpEnginePlaces places = { .root = "/none", .docker_host = addresses[i] };
      g_autoptr (GError) error = NULL;

      g_assert_null (pp_engine_find_in (NULL, &places, &error));
      g_assert_null (strstr (error->message, "secret"));
      g_assert_nonnull (strstr (error->message, "host"));
    }
}

static void
test_long_socket_path (void)
{
  g_autofree char *name = g_strnfill (107, 'x');
  g_autofree char *url = g_strconcat ("unix:///", name, NULL);
  g_autofree char *socket_path = NULL;
  g_autofree char *base_url = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_false (pp_engine_url_parse (url, &socket_path, &base_url, &error));
  g_assert_nonnull (strstr (error->message, "107 bytes"));
}

/* A name service that is used only at the start. */
static gboolean names_hang;

struct group *
getgrgid (gid_t gid)
{
  static char name[] = "dockers";
  static struct group group = { .gr_name = name };

  g_assert_false (names_hang);
  group.gr_gid = gid;
  return &group;
}

/* Returns the hint for a user without access to the socket at PATH. As root, the test changes to
 * another user. */
static char *
hint_of_a_stranger (const char *path, const PpEngineNames *names)
{
  char text[4096] = "";
  int ends[2];
  pid_t child;
  ssize_t length;

  g_assert_cmpint (pipe (ends), ==, 0);
  child = fork ();
  if (child == 0)
    {
      if (getuid () == 0 && setuid (65534) != 0)
        _exit (1);
      names_hang = TRUE;
      g_autofree char *hint = pp_engine_connect_hint (path, names);
      _exit (write (ends[1], hint, strlen (hint)) < 0);
    }
  close (ends[1]);
  length = read (ends[0], text, sizeof text - 1);
  g_assert_cmpint (length, >, 0);
  close (ends[0]);
  g_assert_cmpint (waitpid (child, NULL, 0), ==, child);
  return g_strdup (text);
}

static void
test_hints (void)
{
  g_autofree char *root = g_dir_make_tmp ("ppf-XXXXXX", NULL);
  g_autofree char *path = g_strconcat (root, "/podman.sock", NULL);
  int fd = make_socket (root, "/podman.sock");

  PpEngineNames names = { NULL };
  pp_engine_names_init (&names, path);
  g_assert_cmpint (g_chmod (path, 0), ==, 0);
  g_autofree char *denied = hint_of_a_stranger (path, &names);
  g_assert_nonnull (strstr (denied, path));
  g_assert_nonnull (strstr (denied, "no access"));
  g_assert_nonnull (strstr (denied, "--engine-url"));
  g_assert_nonnull (strstr (denied, "--user enable --now podman.socket"));
  g_assert_null (strstr (denied, "start it with"));
  close (fd);
  g_assert_cmpint (g_unlink (path), ==, 0);
  g_assert_cmpint (g_rmdir (root), ==, 0);

  g_autofree char *missing = pp_engine_connect_hint (path, &names);
  g_assert_nonnull (strstr (missing, "start it with"));
  g_autofree char *docker = pp_engine_connect_hint ("/nowhere/docker.sock", &names);
  g_assert_nonnull (strstr (docker, "enable --now docker"));
  g_autofree char *remote = pp_engine_connect_hint (NULL, &names);
  g_assert_cmpstr (remote, ==, "");
  pp_engine_names_clear (&names);
}

/* When access is denied, the hint uses the names that were looked up at the start. */
static void
test_names (void)
{
  g_autofree char *root = g_dir_make_tmp ("ppf-XXXXXX", NULL);
  g_autofree char *path = g_strconcat (root, "/docker.sock", NULL);
  PpEngineNames none = { .user = (char *)"me" };
  PpEngineNames names = { NULL };
  int fd = make_socket (root, "/docker.sock");

  if (getuid () != 0)
    g_test_skip ("only root gives a file to another group");
  else
    {
      g_assert_cmpint (g_chmod (root, 0755), ==, 0);
      g_assert_cmpint (chown (path, 0, 4711), ==, 0);
      g_assert_cmpint (g_chmod (path, 0660), ==, 0);
      pp_engine_names_init (&names, path);
      g_autofree char *known = hint_of_a_stranger (path, &names);
      g_assert_nonnull (strstr (known, "usermod -aG dockers"));
      /* The socket did not exist at the start. */
      g_autofree char *unknown = hint_of_a_stranger (path, &none);
      g_assert_nonnull (strstr (unknown, "add the user to group 4711"));
      pp_engine_names_clear (&names);
    }
  close (fd);
  g_assert_cmpint (g_unlink (path), ==, 0);
  g_assert_cmpint (g_rmdir (root), ==, 0);
}

static void
add_tests (void)
{
  g_test_add_func ("/infrastructure/find/addresses", test_addresses);
  g_test_add_func ("/infrastructure/find/password-is-not-shown", test_password_is_not_shown);
  g_test_add_func ("/infrastructure/find/long-socket-path", test_long_socket_path);
  g_test_add_func ("/infrastructure/find/hints", test_hints);
  g_test_add_func ("/infrastructure/find/names", test_names);
  g_test_add_func ("/infrastructure/find/sockets", test_sockets);
  g_test_add_func ("/infrastructure/find/given", test_given);
  g_test_add_func ("/infrastructure/find/schemes", test_schemes);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add_tests);
}
