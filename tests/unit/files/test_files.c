/* SPDX-License-Identifier: Apache-2.0 */
/* Tests files that other users can create: those that must not be read are refused, and no open
 * waits. */
#include "prefect-podman/files/files.h"

#include "tests/unit/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

typedef struct
{
  char *path;
  int fd;
} Fixture;

static char *
path_of (const Fixture *fixture, const char *name)
{
  return g_build_filename (fixture->path, name, NULL);
}

static void
write_file (const Fixture *fixture, const char *name, const char *text)
{
  g_autofree char *path = path_of (fixture, name);

  g_assert_true (g_file_set_contents (path, text, -1, NULL));
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  (void)data;
  fixture->path = g_dir_make_tmp ("ppf-XXXXXX", NULL);
  fixture->fd = open (fixture->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  g_assert_cmpint (fixture->fd, >=, 0);
  write_file (fixture, "file", "text");
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GDir) folder = g_dir_open (fixture->path, 0, NULL);
  const char *name;

  (void)data;
  while ((name = g_dir_read_name (folder)) != NULL)
    {
      g_autofree char *path = path_of (fixture, name);
      g_autofree char *inner = g_build_filename (path, "inner", NULL);

      g_unlink (inner);
      g_assert_cmpint (g_remove (path), ==, 0);
    }
  g_assert_cmpint (g_rmdir (fixture->path), ==, 0);
  close (fixture->fd);
  g_free (fixture->path);
}

static void
assert_refused (const Fixture *fixture, const char *name, const char *words)
{
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (pp_foreign_file_open (fixture->fd, name, geteuid (), &error), ==, -1);
  g_assert_error (error, PP_FILE_ERROR, PP_FILE_ERROR_REFUSED);
  g_assert_nonnull (strstr (error->message, words));
}

static void
test_file (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  int fd = pp_foreign_file_open (fixture->fd, "file", geteuid (), &error);
  char text[5] = "";

  (void)data;
  g_assert_no_error (error);
  g_assert_cmpint (read (fd, text, 4), ==, 4);
  g_assert_cmpstr (text, ==, "text");
  g_assert_cmpint (fcntl (fd, F_GETFD) & FD_CLOEXEC, ==, FD_CLOEXEC);
  close (fd);
  g_assert_cmpint (pp_foreign_file_open (fixture->fd, "none", geteuid (), &error), ==, -1);
  g_assert_error (error, PP_FILE_ERROR, PP_FILE_ERROR_MISSING);
}

/* The FIFO has no writer: the open fails, and does not wait for one. */
static void
test_fifo (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = path_of (fixture, "fifo");
  g_autoptr (GError) error = NULL;
  gsize length;

  (void)data;
  g_assert_cmpint (mkfifo (path, 0600), ==, 0);
  assert_refused (fixture, "fifo", "is a FIFO");
  g_assert_null (pp_foreign_file_read (path, FALSE, 100, &length, &error));
  g_assert_error (error, PP_FILE_ERROR, PP_FILE_ERROR_REFUSED);
  /* The open of an own file does not wait for a reader either. */
  g_assert_cmpint (pp_own_open (fixture->fd, "fifo", O_WRONLY, 0), ==, -1);
  g_assert_cmpint (errno, ==, ENXIO);
}

static void
test_links (Fixture *fixture, gconstpointer data)
{
  g_autofree char *link = path_of (fixture, "link");
  g_autofree char *other_name = path_of (fixture, "other-name");
  g_autofree char *file = path_of (fixture, "file");

  (void)data;
  g_assert_cmpint (symlink ("file", link), ==, 0);
  assert_refused (fixture, "link", "symbolic link");
  g_assert_cmpint (g_unlink (link), ==, 0);
  /* A second hard link may point to a file that its owner keeps elsewhere. */
  g_assert_cmpint (linkat (AT_FDCWD, file, AT_FDCWD, other_name, 0), ==, 0);
  assert_refused (fixture, "other-name", "has a second name");
}

static void
test_no_files (Fixture *fixture, gconstpointer data)
{
  g_autofree char *folder = path_of (fixture, "folder");
  g_autofree char *path = path_of (fixture, "socket");
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int device = open ("/dev", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  g_autoptr (GError) error = NULL;

  (void)data;
  g_assert_cmpint (g_mkdir (folder, 0700), ==, 0);
  assert_refused (fixture, "folder", "is a folder");
  g_strlcpy (address.sun_path, path, sizeof address.sun_path);
  g_assert_cmpint (bind (fd, (const struct sockaddr *)&address, sizeof address), ==, 0);
  assert_refused (fixture, "socket", "is not a regular file");
  g_assert_cmpint (pp_foreign_file_open (device, "zero", 0, &error), ==, -1);
  g_assert_error (error, PP_FILE_ERROR, PP_FILE_ERROR_REFUSED);
  close (fd);
  close (device);
}

static void
test_other_user (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  (void)data;
  g_assert_cmpint (pp_foreign_file_open (fixture->fd, "file", geteuid () + 1, &error), ==, -1);
  g_assert_error (error, PP_FILE_ERROR, PP_FILE_ERROR_REFUSED);
  g_assert_nonnull (strstr (error->message, "does not belong to the owner"));
}

/* Links in a path and ".." are refused. */
static void
test_folders (Fixture *fixture, gconstpointer data)
{
  g_autofree char *folder = path_of (fixture, "folder");
  g_autofree char *inner = path_of (fixture, "folder/inner");
  g_autofree char *link = path_of (fixture, "link");
  g_autoptr (GError) error = NULL;
  int fd;

  (void)data;
  g_assert_cmpint (g_mkdir (folder, 0700), ==, 0);
  g_assert_true (g_file_set_contents (inner, "", 0, NULL));
  g_assert_cmpint (symlink ("folder", link), ==, 0);
  fd = pp_foreign_folder_open (fixture->fd, "folder", &error);
  g_assert_no_error (error);
  close (fd);
  g_assert_cmpint (pp_foreign_folder_open (fixture->fd, "link", &error), ==, -1);
  g_assert_error (error, PP_FILE_ERROR, PP_FILE_ERROR_REFUSED);
  g_clear_error (&error);
  g_assert_cmpint (pp_foreign_folder_open (fixture->fd, "link/inner", &error), ==, -1);
  g_assert_error (error, PP_FILE_ERROR, PP_FILE_ERROR_REFUSED);
  g_clear_error (&error);
  g_assert_cmpint (pp_foreign_folder_open (fixture->fd, "..", &error), ==, -1);
  g_assert_error (error, PP_FILE_ERROR, PP_FILE_ERROR_REFUSED);
  g_clear_error (&error);
  g_assert_cmpint (pp_foreign_folder_open (fixture->fd, "none/folder", &error), ==, -1);
  g_assert_error (error, PP_FILE_ERROR, PP_FILE_ERROR_MISSING);
}

static void
test_read (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = path_of (fixture, "file");
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL;
  g_autofree char *system = NULL;
  gsize length = 0;

  (void)data;
  text = pp_foreign_file_read (path, FALSE, 4, &length, &error);
  g_assert_no_error (error);
  g_assert_cmpmem (text, length, "text", 4);
  g_assert_null (pp_foreign_file_read (path, FALSE, 3, &length, &error));
  g_assert_error (error, PP_FILE_ERROR, PP_FILE_ERROR_TOO_LARGE);
  /* The kernel gives files in /proc the size 0. */
  system = pp_foreign_file_read ("/proc/self/status", FALSE, 65536, &length, NULL);
  g_assert_nonnull (system);
  g_assert_cmpuint (length, >, 0);
}

/* The output of render --save is for its user only: nobody else may read it, whatever the mode of
 * the file before. */
static void
test_own_write (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = path_of (fixture, "file");
  struct stat status;

  (void)data;
  for (guint i = 0; i < 2; i++)
    {
      g_assert_true (pp_own_file_write (path, "text", NULL));
      g_assert_cmpint (stat (path, &status), ==, 0);
      g_assert_cmpuint (status.st_mode & 07777, ==, 0600);
    }
}

/* Makes a link to descriptor FD, as /dev/stdout is one. Returns its path; new string. */
static char *
link_to_descriptor (const Fixture *fixture, const char *name, int fd)
{
  g_autofree char *target = g_strdup_printf ("/proc/self/fd/%d", fd);
  char *path = path_of (fixture, name);

  g_assert_cmpint (symlink (target, path), ==, 0);
  return path;
}

/* /dev/stdout and /dev/fd/N stay what they are if a pipe, a device or a deleted file is behind
 * them. */
static void
test_own_write_to_descriptor (Fixture *fixture, gconstpointer data)
{
  g_autofree char *file = path_of (fixture, "deleted");
  int ends[2], deleted = open (file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  char text[8] = "";

  (void)data;
  g_assert_cmpint (pipe (ends), ==, 0);
  g_assert_cmpint (fcntl (ends[0], F_SETFL, O_NONBLOCK), ==, 0);
  g_assert_cmpint (unlink (file), ==, 0);
  g_autofree char *to_pipe = link_to_descriptor (fixture, "pipe", ends[1]);
  g_autofree char *to_deleted = link_to_descriptor (fixture, "link", deleted);
  g_autofree char *to_nothing = link_to_descriptor (fixture, "closed", 9999);
  g_assert_true (pp_own_file_write (to_pipe, "text", NULL));
  g_assert_cmpint (read (ends[0], text, sizeof text), ==, 4);
  g_assert_cmpstr (text, ==, "text");
  g_assert_true (pp_own_file_write (to_deleted, "more", NULL));
  g_assert_cmpint (pread (deleted, text, sizeof text, 0), ==, 4);
  g_assert_cmpstr (text, ==, "more");
  g_assert_false (pp_own_file_write (to_nothing, "text", NULL));
  g_assert_true (g_file_test (to_pipe, G_FILE_TEST_IS_SYMLINK));
  g_assert_true (g_file_test (to_deleted, G_FILE_TEST_IS_SYMLINK));
  g_assert_true (g_file_test (to_nothing, G_FILE_TEST_IS_SYMLINK));
  close (ends[0]);
  close (ends[1]);
  close (deleted);
}

/* A file that the shell has opened for /dev/stdout ("> FILE", ">> FILE") is not replaced, and what
 * was written before stays. */
static void
test_own_write_to_open_file (Fixture *fixture, gconstpointer data)
{
  g_autofree char *path = path_of (fixture, "output");
  g_autofree char *chain = path_of (fixture, "chain");
  int fd = open (path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  g_autofree char *link = link_to_descriptor (fixture, "stdout", fd);
  g_autofree char *direct = g_strdup_printf ("/dev/fd/%d", fd);
  g_autofree char *content = NULL;

  (void)data;
  g_assert_cmpint (symlink ("stdout", chain), ==, 0);
  g_assert_cmpint (write (fd, "before ", 7), ==, 7);
  g_assert_true (pp_own_file_write (link, "one ", NULL));
  g_assert_true (pp_own_file_write (direct, "two ", NULL));
  g_assert_true (pp_own_file_write (chain, "three ", NULL));
  g_assert_cmpint (write (fd, "after", 5), ==, 5);
  g_assert_true (g_file_get_contents (path, &content, NULL, NULL));
  g_assert_cmpstr (content, ==, "before one two three after");
  close (fd);
}

/* A link to a file that does not exist yet stays a link. */
static void
test_own_write_through_link (Fixture *fixture, gconstpointer data)
{
  g_autofree char *target = path_of (fixture, "target");
  g_autofree char *link = path_of (fixture, "dangling");
  struct stat status;

  (void)data;
  g_assert_cmpint (symlink ("target", link), ==, 0);
  for (guint i = 0; i < 2; i++)
    {
      g_autofree char *content = NULL;

      g_assert_true (pp_own_file_write (link, "text", NULL));
      g_assert_true (g_file_get_contents (target, &content, NULL, NULL));
      g_assert_cmpstr (content, ==, "text");
      g_assert_true (g_file_test (link, G_FILE_TEST_IS_SYMLINK));
      g_assert_cmpint (stat (target, &status), ==, 0);
      g_assert_cmpuint (status.st_mode & 07777, ==, 0600);
    }
}

/* A message names the path that was given, and no temporary file. */
static void
test_own_write_fails (Fixture *fixture, gconstpointer data)
{
  g_autofree char *folder = path_of (fixture, "");
  g_autofree char *inside = path_of (fixture, "nowhere/x");
  const char *const paths[] = { folder, inside, "/dev/full", "" };

  (void)data;
  for (guint i = 0; i < G_N_ELEMENTS (paths); i++)
    {
      g_autofree char *start = g_strdup_printf ("%s: cannot be written: ", paths[i]);
      g_autoptr (GError) error = NULL;

      g_assert_false (pp_own_file_write (paths[i], "text", &error));
      g_test_message ("%s", error->message);
      g_assert_true (g_str_has_prefix (error->message, start));
      g_assert_null (strchr (error->message + strlen (start), '/'));
    }
}

static void
add_tests (void)
{
  static const struct
  {
    const char *path;
    void (*test) (Fixture *, gconstpointer);
  } tests[] = {
    { "/files/file", test_file },
    { "/files/fifo", test_fifo },
    { "/files/links", test_links },
    { "/files/no-files", test_no_files },
    { "/files/other-user", test_other_user },
    { "/files/folders", test_folders },
    { "/files/read", test_read },
    { "/files/own-write", test_own_write },
    { "/files/own-write-to-descriptor", test_own_write_to_descriptor },
    { "/files/own-write-to-open-file", test_own_write_to_open_file },
    { "/files/own-write-through-link", test_own_write_through_link },
    { "/files/own-write-fails", test_own_write_fails },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (tests); i++)
    g_test_add (tests[i].path, Fixture, NULL, set_up, tests[i].test, tear_down);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add_tests);
}
