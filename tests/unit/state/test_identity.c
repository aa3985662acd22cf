/* SPDX-License-Identifier: Apache-2.0 */
/* Tests that a worker keeps its identity across restarts. */
#include "prefect-podman/state/identity_list.h"
#include "prefect-podman/state/state_dir.h"
#include "prefect-podman/state/state_fallback.h"
#include "tests/unit/state_test.h"
#include "prefect-podman/state/state_look.h"
#include "tests/unit/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void
test_find (void)
{
  static const struct
  {
    const char *option, *variable;
    gboolean root;
    const char *xdg, *wanted;
  } cases[] = {
    { "/a", "/b", FALSE, "/x", "/a" },
    { NULL, "/b", FALSE, "/x", "/b" },
    { "", "/b", TRUE, "/x", "/b" },
    { NULL, NULL, TRUE, "/x", "/var/lib/prefect-podman" },
    { NULL, "", FALSE, "/x", "/x/prefect-podman" },
    { NULL, NULL, FALSE, "relative", "/home/me/.local/state/prefect-podman" },
    { NULL, NULL, FALSE, "", "/home/me/.local/state/prefect-podman" },
  };
  g_autofree char *no_home = pp_state_dir_find (NULL, NULL, FALSE, NULL, "");

  g_assert_cmpstr (no_home, ==, "/.local/state/prefect-podman");

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *path = pp_state_dir_find (cases[i].option, cases[i].variable, cases[i].root,
                                                 cases[i].xdg, "/home/me");
      g_assert_cmpstr (path, ==, cases[i].wanted);
    }
  g_autofree char *relative = pp_state_dir_find ("here", NULL, FALSE, NULL, "/home/me");
  g_assert_true (g_path_is_absolute (relative) && g_str_has_suffix (relative, "/here"));
}

static PpIdentity *
take (const char *state_dir)
{
  g_autoptr (GError) error = NULL;
  PpIdentity *identity = pp_identity_take (state_dir, &state_test_key, &error);

  g_assert_no_error (error);
  return identity;
}

static guint
mode_of (const char *path)
{
  struct stat status;

  g_assert_cmpint (g_stat (path, &status), ==, 0);
  return status.st_mode & 0777;
}

static void
test_directory (void)
{
  g_autofree char *root = state_test_folder (FALSE);
  g_autofree char *path = g_build_filename (root, "deep", "er", NULL);
  g_autoptr (GError) error = NULL;

  umask (0);
  g_assert_true (pp_state_dir_prepare (path, &error));
  g_assert_cmpuint (mode_of (path), ==, 0700);

  g_chmod (path, 0755);
  g_assert_true (pp_state_dir_prepare (path, &error));
  g_test_expect_message ("prefect.worker.podman", G_LOG_LEVEL_WARNING, "*may read it*");
  pp_state_dir_warn_of_readers (path);
  g_test_assert_expected_messages ();

  g_chmod (path, 0770);
  g_assert_false (pp_state_dir_prepare (path, &error));
  g_assert_error (error, PP_STATE_ERROR, PP_STATE_ERROR_UNSAFE);
  g_assert_nonnull (strstr (error->message, "chmod go-w"));
  g_clear_error (&error);
  umask (022);

  g_assert_false (pp_state_dir_prepare ("/etc", &error));
  g_assert_error (error, PP_STATE_ERROR, PP_STATE_ERROR_UNSAFE);
  g_assert_nonnull (strstr (error->message, "belongs to user 0"));
  g_clear_error (&error);

  g_assert_false (pp_state_dir_prepare ("/proc/nothing", &error));
  g_assert_nonnull (strstr (error->message, "--state-dir"));
  state_test_remove (root);
}

/* Each of these may stand in the place of the file with the directory's id. */
static void
make_fifo (const char *path)
{
  g_assert_cmpint (mkfifo (path, 0600), ==, 0);
}

static void
make_link (const char *path)
{
  g_assert_cmpint (symlink ("/dev/null", path), ==, 0);
}

static void
make_folder (const char *path)
{
  g_assert_cmpint (g_mkdir (path, 0700), ==, 0);
}

static void
test_id_is_no_file (void)
{
  static void (*const makers[]) (const char *path) = { make_fifo, make_link, make_folder };

  for (guint i = 0; i < G_N_ELEMENTS (makers); i++)
    {
      g_autofree char *root = state_test_folder (FALSE);
      g_autofree char *path = g_build_filename (root, PP_STATE_DIR_ID_FILE, NULL);
      g_autoptr (GError) error = NULL;

      makers[i](path);
      g_assert_null (pp_state_dir_id (root, &error));
      g_assert_nonnull (strstr (error->message, "/id: is not a regular file. Remove it"));
      state_test_remove (root);
    }
}

static void
test_restart (void)
{
  g_autofree char *root = state_test_folder (FALSE);
  g_autoptr (PpIdentity) first = take (root);
  g_autoptr (PpIdentity) second = take (root);
  g_autofree char *name = g_strdup (pp_identity_name (first));
  g_autofree char *file = state_test_path (first, "identity.json", NULL);
  g_autofree char *text = NULL;

  /* Two workers of one pool on one host: two identities. */
  g_assert_true (g_str_has_prefix (name, "pool.host-example."));
  g_assert_true (g_str_has_suffix (name, ".0"));
  g_assert_cmpuint (pp_identity_slot (second), ==, 1);
  g_assert_cmpint (pp_identity_state (root, name), ==, PP_IDENTITY_LIVING);
  g_assert_null (pp_identity_earlier_name (first));
  g_assert_true (pp_identity_write (first, "PodmanWorker 1", TRUE, FALSE, NULL));
  g_assert_true (pp_identity_write (second, "by hand", FALSE, FALSE, NULL));
  g_assert_cmpuint (mode_of (file), ==, 0600);
  g_assert_true (g_file_get_contents (file, &text, NULL, NULL));
  g_assert_null (strstr (text, "hunter2"));

  /* After a restart, the worker takes the same identity and the name that it had made up. */
  g_clear_pointer (&first, pp_identity_free);
  g_assert_cmpint (pp_identity_state (root, name), ==, PP_IDENTITY_FREE);
  first = take (root);
  g_assert_cmpstr (pp_identity_name (first), ==, name);
  g_assert_cmpstr (pp_identity_earlier_name (first), ==, "PodmanWorker 1");

  /* A name that the user gave is not taken over. */
  g_clear_pointer (&second, pp_identity_free);
  second = take (root);
  g_assert_cmpuint (pp_identity_slot (second), ==, 1);
  g_assert_null (pp_identity_earlier_name (second));
  state_test_remove (root);
}

static void
make_writable (const char *state_dir, const char *identity, gboolean writable)
{
  g_autofree char *id = g_build_filename (state_dir, "id", NULL);
  g_autofree char *lock = g_build_filename (identity, "lock", NULL);

  g_chmod (id, writable ? 0600 : 0400);
  g_chmod (lock, writable ? 0600 : 0400);
  g_chmod (identity, writable ? 0700 : 0500);
  g_chmod (state_dir, writable ? 0700 : 0500);
}

/* If nothing can be written, an existing identity is still taken, by one worker. */
static void
test_read_only (void)
{
  g_autofree char *root = state_test_folder (FALSE);
  g_autoptr (GError) error = NULL;
  PpIdentity *first = take (root);
  g_autofree char *name = g_strdup (pp_identity_name (first));
  g_autofree char *path = g_strdup (pp_identity_path (first));

  make_writable (root, path, FALSE);
  g_assert_null (pp_identity_take (root, &state_test_key, &error));
  g_assert_nonnull (strstr (error->message, "Permission denied"));
  g_clear_error (&error);
  pp_identity_free (first);
  g_autoptr (PpIdentity) again = take (root);
  g_assert_cmpstr (pp_identity_name (again), ==, name);
  g_assert_cmpint (pp_identity_state (root, name), ==, PP_IDENTITY_LIVING);
  g_assert_null (pp_identity_take (root, &state_test_key, &error));
  g_assert_nonnull (strstr (error->message, "Permission denied"));
  make_writable (root, path, TRUE);
  g_autoptr (PpIdentity) second = take (root);
  g_assert_cmpuint (pp_identity_slot (second), ==, 1);
  state_test_remove (root);
}

static void
test_other_keys (void)
{
  g_autofree char *root = state_test_folder (FALSE);
  g_autofree char *elsewhere = state_test_folder (FALSE);
  g_autoptr (PpIdentity) identity = take (root);
  PpIdentityKey keys[] = { state_test_key, state_test_key, state_test_key, state_test_key };

  keys[0].api_url = "http://localhost:4201/api";
  keys[1].work_pool = "POOL";
  keys[2].engine_url = "unix:///run/docker.sock";
  keys[3].host = "host-example";
  for (gsize i = 0; i < G_N_ELEMENTS (keys); i++)
    {
      g_autoptr (PpIdentity) other = pp_identity_take (root, &keys[i], NULL);
      g_assert_cmpuint (pp_identity_slot (other), ==, 0);
      g_assert_cmpstr (pp_identity_name (other), !=, pp_identity_name (identity));
    }
  /* A worker with another state directory has another identity, even if all else is the same.
   * Otherwise each would take the other's containers for its own. */
  g_autoptr (PpIdentity) other = take (elsewhere);
  g_assert_cmpstr (pp_identity_name (other), !=, pp_identity_name (identity));
  g_assert_cmpint (pp_identity_state (root, pp_identity_name (other)), ==, PP_IDENTITY_UNKNOWN);

  /* Credentials do not change the identity, and a moved directory keeps its identities. */
  g_autofree char *name = g_strdup (pp_identity_name (identity));
  g_autofree char *moved = g_strconcat (root, "-moved", NULL);
  g_clear_pointer (&identity, pp_identity_free);
  g_assert_cmpint (g_rename (root, moved), ==, 0);
  keys[0].api_url = "http://localhost:4200/api";
  identity = pp_identity_take (moved, &keys[0], NULL);
  g_assert_cmpstr (pp_identity_name (identity), ==, name);
  state_test_remove (moved);
  state_test_remove (elsewhere);
}

static void
test_names_from_outside (void)
{
  static const char *const names[] = { "", "..", "../x", "/etc", ".hidden", "a/b", "a\nb" };
  g_autofree char *root = state_test_folder (FALSE);
  g_autofree char *lock = g_build_filename (root, "lock", NULL);
  g_autofree char *inside = g_build_filename (root, "inside", NULL);

  state_test_write (lock, "");
  g_assert_cmpint (g_mkdir (inside, 0700), ==, 0);
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    g_assert_cmpint (pp_identity_state (inside, names[i]), ==, PP_IDENTITY_UNKNOWN);
  g_assert_cmpint (pp_identity_state (inside, NULL), ==, PP_IDENTITY_UNKNOWN);
  state_test_remove (root);
}

/* Starts another process that holds the first free identity until it is killed. */
static pid_t
start_worker (const char *state_dir)
{
  int pipe_fds[2];
  char byte;

  g_assert_cmpint (pipe (pipe_fds), ==, 0);
  pid_t pid = fork ();
  if (pid == 0)
    {
      PpIdentity *identity = pp_identity_take (state_dir, &state_test_key, NULL);
      if (identity != NULL && pp_identity_write (identity, "w1", FALSE, TRUE, NULL)
          && write (pipe_fds[1], "x", 1) == 1)
        pause ();
      _exit (1);
    }
  close (pipe_fds[1]);
  g_assert_cmpint (read (pipe_fds[0], &byte, 1), ==, 1);
  close (pipe_fds[0]);
  return pid;
}

static void
put_entry (const char *state_dir, const char *identity, guint n, const char *suffix,
           const char *text)
{
  g_autofree char *folder = g_build_filename (state_dir, identity, "runs", NULL);
  g_autofree char *id = state_test_id (n);
  g_autofree char *name = g_strconcat (id, suffix, NULL);
  g_autofree char *path = g_build_filename (folder, name, NULL);

  g_mkdir (folder, 0700);
  state_test_write (path, text);
}

static void
test_adoption (void)
{
  g_autoptr (GPtrArray) entries = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GPtrArray) notes = g_ptr_array_new_with_free_func (g_free);
  PpIdentityMoved moved = { entries, notes };
  g_autofree char *root = state_test_folder (FALSE);
  pid_t pid = start_worker (root);
  g_autoptr (PpIdentity) identity = take (root);
  g_autofree char *other = g_strdup (pp_identity_name (identity));
  g_autoptr (GError) error = NULL;

  other[strlen (other) - 1] = '0';
  put_entry (root, other, 1, ".json", "one");
  put_entry (root, other, 1, ".position", "where");
  put_entry (root, other, 2, ".json", "theirs");
  put_entry (root, pp_identity_name (identity), 2, ".json", "ours");

  /* Runs of a living worker are never taken over. */
  g_autoptr (GPtrArray) none = pp_identity_find_free (identity);
  g_assert_cmpuint (none->len, ==, 0);
  g_assert_cmpint (pp_identity_try_adopt (identity, other, &moved, &error), ==, 0);
  g_assert_cmpint (pp_identity_hold (identity, other), ==, -1);

  /* When the process is killed, its lock ends. */
  kill (pid, SIGKILL);
  waitpid (pid, NULL, 0);
  g_autoptr (GPtrArray) free_names = pp_identity_find_free (identity);
  g_assert_cmpuint (free_names->len, ==, 1);
  g_assert_cmpstr (g_ptr_array_index (free_names, 0), ==, other);
  g_assert_cmpint (pp_identity_try_adopt (identity, other, &moved, &error), ==, 1);
  g_assert_no_error (error);
  g_autofree char *id = state_test_id (1);
  g_assert_cmpuint (entries->len, ==, 1);
  g_assert_true (g_str_has_prefix (g_ptr_array_index (entries, 0), id));
  g_assert_cmpuint (notes->len, ==, 1);

  g_autofree char *runs = state_test_path (identity, "runs", NULL);
  g_autofree char *aside = state_test_path (identity, "set-aside", NULL);
  g_autofree char *late = state_test_path (identity, "late", NULL);
  g_autofree char *left = g_build_filename (root, other, "runs", NULL);
  g_assert_cmpuint (state_test_count (runs), ==, 3);
  /* Both workers have an entry of run 2. The other worker's entry is not set aside. It becomes a
   * note, so that the other worker's late requests are watched. */
  g_assert_cmpuint (state_test_count (aside), ==, 0);
  g_assert_cmpuint (state_test_count (late), ==, 1);
  g_assert_cmpuint (state_test_count (left), ==, 0);
  g_assert_false (pp_identity_has_runs (identity, other));
  /* The identity's lock is free again, because its worker may come back. */
  g_assert_cmpint (pp_identity_state (root, other), ==, PP_IDENTITY_FREE);
  int held = pp_identity_hold (identity, other);
  g_assert_cmpint (held, >=, 0);
  g_assert_cmpint (pp_identity_state (root, other), ==, PP_IDENTITY_LIVING);
  close (held);
  g_assert_cmpint (pp_identity_state (root, other), ==, PP_IDENTITY_FREE);

  /* Not ours to take: our own identity, one of another pool, a path. */
  g_assert_cmpint (pp_identity_try_adopt (identity, pp_identity_name (identity), &moved, &error),
                   ==, 0);
  g_assert_cmpint (
      pp_identity_try_adopt (identity, "other.host-example.01234567.0", &moved, &error), ==, 0);
  g_assert_cmpint (pp_identity_try_adopt (identity, "../x", &moved, &error), ==, 0);
  state_test_remove (root);
}

/* If a worker's identity is free at two looks, its runs are taken over and read at once. */
static void
test_two_looks (void)
{
  g_autofree char *root = state_test_folder (FALSE);
  pid_t pid = start_worker (root);
  g_autoptr (PpIdentity) identity = take (root);
  g_autoptr (GHashTable) adopted = g_hash_table_new (g_str_hash, g_str_equal);
  g_autofree char *other = g_strdup (pp_identity_name (identity));
  g_autofree char *id = state_test_id (1);
  const PpJournalEntry entry = { .flow_run_id = id, .phase = PP_JOURNAL_CLAIMED, .claimed_at = 1 };
  g_autofree char *text = pp_journal_entry_to_text (&entry);

  other[strlen (other) - 1] = '0';
  put_entry (root, other, 1, ".json", text);
  kill (pid, SIGKILL);
  waitpid (pid, NULL, 0);
  PpFreeIdentitiesLook *first = pp_free_identities_look_new (identity, NULL, adopted);
  pp_free_identities_look (first);
  g_assert_cmpuint (first->free_names->len, ==, 1);
  g_assert_cmpuint (first->adoptions->len, ==, 0);
  PpFreeIdentitiesLook *second
      = pp_free_identities_look_new (identity, g_steal_pointer (&first->free_names), adopted);
  pp_free_identities_look_free (first);
  pp_free_identities_look (second);
  g_assert_cmpuint (second->adoptions->len, ==, 1);
  const PpAdoption *adoption = g_ptr_array_index (second->adoptions, 0);
  g_assert_cmpstr (adoption->name, ==, other);
  g_assert_cmpstr (adoption->worker_name, ==, "w1");
  g_assert_cmpint (adoption->count, ==, 1);
  g_assert_no_error (adoption->error);
  g_assert_cmpuint (second->entries->len, ==, 1);
  g_assert_cmpstr (((PpJournalEntry *)g_ptr_array_index (second->entries, 0))->flow_run_id, ==, id);
  pp_free_identities_look_free (second);
  state_test_remove (root);
}

/* Different spellings of a URL give the same identity. Identities that an earlier version made for
 * such spellings are taken over. */
static void
test_spellings (void)
{
  g_autoptr (GPtrArray) entries = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GPtrArray) notes = g_ptr_array_new_with_free_func (g_free);
  PpIdentityMoved moved = { entries, notes };
  g_autofree char *root = state_test_folder (FALSE);
  g_autoptr (PpIdentity) identity = take (root);
  g_autofree char *name = g_strdup (pp_identity_name (identity));
  PpIdentityKey key = state_test_key;
  const char *earlier = "pool.host-example.01234567.0";
  g_autoptr (GError) error = NULL;

  g_clear_pointer (&identity, pp_identity_free);
  key.api_url = "http://localhost:4200/api//";
  key.engine_url = "http+unix:///run/podman/podman.sock";
  identity = pp_identity_take (root, &key, NULL);
  g_assert_cmpstr (pp_identity_name (identity), ==, name);

  g_autofree char *folder = g_build_filename (root, earlier, NULL);
  g_autofree char *lock = g_build_filename (folder, "lock", NULL);
  g_autofree char *file = g_build_filename (folder, "identity.json", NULL);
  g_assert_cmpint (g_mkdir (folder, 0700), ==, 0);
  state_test_write (lock, "");
  state_test_write (file, "{\"work_pool\": \"pool\", \"host\": \"host.example\", \"api_url\": "
                          "\"http://localhost:4200/api/\", \"engine_url\": "
                          "\"unix:///run/podman/podman.sock\"}");
  put_entry (root, earlier, 1, ".json", "one");
  pp_identity_warn_of_others (identity);
  g_autoptr (GPtrArray) free_names = pp_identity_find_free (identity);
  g_assert_cmpuint (free_names->len, ==, 1);
  g_assert_cmpint (pp_identity_try_adopt (identity, earlier, &moved, &error), ==, 1);
  g_assert_no_error (error);
  state_test_remove (root);
}

/* Runs of a worker with another URL are named in a warning, and not taken over. */
static void
test_other_urls (void)
{
  g_autofree char *root = state_test_folder (FALSE);
  PpIdentityKey keys[] = { state_test_key, state_test_key, state_test_key };
  g_autoptr (PpIdentity) identity = take (root);

  keys[0].api_url = "https://me:secret@localhost:4200/api";
  keys[1].engine_url = "unix:///run/docker.sock";
  keys[2].work_pool = "other";
  for (gsize i = 0; i < G_N_ELEMENTS (keys); i++)
    {
      g_autoptr (PpIdentity) other = pp_identity_take (root, &keys[i], NULL);
      g_autofree char *name = g_strdup (pp_identity_name (other));

      g_assert_true (pp_identity_write (other, "other", FALSE, FALSE, NULL));
      pp_identity_warn_of_others (identity);
      put_entry (root, name, 1, ".json", "one");
      pp_identity_warn_of_others (identity);
      g_clear_pointer (&other, pp_identity_free);
      if (i < 2)
        g_test_expect_message (
            "prefect.worker.podman", G_LOG_LEVEL_WARNING,
            i == 0 ? "1 flow run of this work pool has *used the API https://localhost:4200/api *"
                   : "1 flow run of this work pool has *the engine unix:///run/docker.sock. *");
      pp_identity_warn_of_others (identity);
      g_test_assert_expected_messages ();
      g_autoptr (GPtrArray) free_names = pp_identity_find_free (identity);
      g_assert_cmpuint (free_names->len, ==, 0);
      g_autofree char *folder = g_build_filename (root, name, NULL);
      state_test_remove (folder);
    }
  state_test_remove (root);
}

/* Runs of a worker with another host name are named in a warning, and not taken over. */
static void
test_other_hosts (void)
{
  static const struct
  {
    const char *host;
    const char *api_url; /* NULL: ours */
    const char *engine_url;
    const char *work_pool;
    const char *warning; /* NULL: none */
  } rows[] = {
    { "4f2a", NULL, NULL, NULL,
      "1 flow run of this work pool has *host name 4f2a *has the host name host.example, "
      "*hostname:*" },
    { "4f2a", "http://localhost:4200/api/", NULL, NULL,
      "1 flow run of this work pool has *host name 4f2a *" },
    { "old", NULL, "unix:///run/docker.sock", NULL, "*name old and *unix:///run/docker.sock. *" },
    { "4f2a", "http://elsewhere/api", NULL, NULL, NULL },
    { "4f2a", NULL, NULL, "other", NULL },
  };
  g_autofree char *root = state_test_folder (FALSE);
  g_autoptr (PpIdentity) identity = take (root);

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      const PpIdentityKey key = {
        .api_url = rows[i].api_url != NULL ? rows[i].api_url : state_test_key.api_url,
        .work_pool = rows[i].work_pool != NULL ? rows[i].work_pool : state_test_key.work_pool,
        .host = rows[i].host,
        .engine_url = rows[i].engine_url != NULL ? rows[i].engine_url : state_test_key.engine_url,
      };
      g_autoptr (PpIdentity) other = pp_identity_take (root, &key, NULL);
      g_autofree char *name = g_strdup (pp_identity_name (other));
      g_autofree char *folder = g_build_filename (root, name, NULL);

      g_assert_true (pp_identity_write (other, "other", FALSE, FALSE, NULL));
      put_entry (root, name, 1, ".json", "one");
      /* There is no warning while the other worker is alive. */
      pp_identity_warn_of_others (identity);
      g_clear_pointer (&other, pp_identity_free);
      if (rows[i].warning != NULL)
        g_test_expect_message ("prefect.worker.podman", G_LOG_LEVEL_WARNING, rows[i].warning);
      pp_identity_warn_of_others (identity);
      g_test_assert_expected_messages ();
      g_autoptr (GPtrArray) free_names = pp_identity_find_free (identity);
      g_assert_cmpuint (free_names->len, ==, 0);
      state_test_remove (folder);
    }
  state_test_remove (root);
}

static void
test_list (void)
{
  g_autofree char *root = state_test_folder (FALSE);
  g_autofree char *nowhere = g_build_filename (root, "nowhere", NULL);
  g_autoptr (PpIdentity) identity = take (root);
  g_autoptr (PpIdentity) stopped = take (root);
  g_autofree char *stopped_name = g_strdup (pp_identity_name (stopped));
  g_autoptr (GError) error = NULL;
  g_autofree char *id = state_test_id (7);
  PpJournalEntry entry = { .flow_run_id = id, .claimed_at = 5 };
  g_autofree char *text = pp_journal_entry_to_text (&entry);

  g_assert_true (pp_identity_write (identity, "one", FALSE, FALSE, NULL));
  put_entry (root, pp_identity_name (identity), 7, ".json", text);
  put_entry (root, pp_identity_name (identity), 8, ".json", "{");
  g_clear_pointer (&stopped, pp_identity_free);

  g_autoptr (GPtrArray) infos = pp_identity_list (root, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (infos->len, ==, 2);
  const PpIdentityInfo *info = g_ptr_array_index (infos, 0);
  g_assert_cmpstr (info->name, ==, pp_identity_name (identity));
  g_assert_cmpint (info->state, ==, PP_IDENTITY_LIVING);
  g_assert_cmpstr (info->worker_name, ==, "one");
  g_assert_cmpstr (info->api_url, ==, "http://localhost:4200/api");
  g_assert_cmpint (info->pid, ==, getpid ());
  g_assert_cmpuint (info->entries->len, ==, 1);
  g_assert_cmpuint (info->problems->len, ==, 1);
  g_assert_nonnull (strstr (g_ptr_array_index (info->problems, 0), ".json: line 1, column 1"));
  info = g_ptr_array_index (infos, 1);
  g_assert_cmpstr (info->name, ==, stopped_name);
  g_assert_cmpint (info->state, ==, PP_IDENTITY_FREE);

  g_assert_null (pp_identity_list (nowhere, &error));
  g_assert_error (error, PP_STATE_ERROR, PP_STATE_ERROR_GONE);
  state_test_remove (root);
}

static void
test_list_of_other_folders (void)
{
  g_autofree char *root = state_test_folder (FALSE);
  g_autofree char *above = state_test_folder (FALSE);
  g_autofree char *child = g_build_filename (root, "other", NULL);
  g_autofree char *lost = g_build_filename (root, "lost", NULL);
  g_autofree char *lock = g_build_filename (lost, "lock", NULL);
  g_autofree char *inner = g_build_filename (above, "prefect-podman", NULL);
  g_autoptr (GPtrArray) empty = pp_identity_list (above, NULL);
  g_autoptr (PpIdentity) identity = take (root);
  g_autoptr (GError) error = NULL;
  g_autoptr (GError) inside = NULL;
  g_autofree char *folder = g_build_filename (root, pp_identity_name (identity), NULL);

  g_assert_cmpuint (empty->len, ==, 0);
  g_assert_true (pp_identity_write (identity, "one", FALSE, FALSE, NULL));
  g_mkdir (child, 0700);
  g_mkdir_with_parents (lock, 0700);
  g_mkdir (inner, 0700);
  g_autoptr (GPtrArray) infos = pp_identity_list (root, NULL);
  g_assert_cmpuint (infos->len, ==, 1);
  g_clear_pointer (&identity, pp_identity_free);
  g_assert_null (pp_identity_list (above, &error));
  g_assert_error (error, PP_STATE_ERROR, PP_STATE_ERROR_FOREIGN);
  g_assert_null (pp_identity_list (folder, &inside));
  g_assert_error (inside, PP_STATE_ERROR, PP_STATE_ERROR_FOREIGN);
  g_autofree char *advice
      = g_strdup_printf ("inside a state directory. Name the state directory: %s", root);
  g_assert_nonnull (strstr (inside->message, advice));
  g_autofree char *runs = g_build_filename (folder, "runs", NULL);
  g_autoptr (GError) deep = NULL;
  g_mkdir (runs, 0700);
  g_assert_null (pp_identity_list (runs, &deep));
  g_assert_nonnull (strstr (deep->message, advice));
  state_test_remove (folder);
  g_autoptr (GPtrArray) none = pp_identity_list (root, NULL);
  g_assert_cmpuint (none->len, ==, 0);
  state_test_remove (root);
  state_test_remove (above);
}

/* Others can see that a worker is stopping. Until it has ended, nobody else gets its identity. */
static void
test_stopping (void)
{
  g_autofree char *root = state_test_folder (FALSE);
  g_autoptr (PpIdentity) first = take (root);
  g_autofree char *name = g_strdup (pp_identity_name (first));

  g_assert_false (pp_identity_is_stopping (root, &state_test_key));
  pp_identity_say_stopping (first);
  g_assert_true (pp_identity_is_stopping (root, &state_test_key));
  g_assert_cmpint (pp_identity_state (root, name), ==, PP_IDENTITY_LIVING);

  g_autoptr (PpIdentity) second = take (root);
  g_assert_cmpuint (pp_identity_slot (second), ==, 1);
  g_clear_pointer (&second, pp_identity_free);

  g_clear_pointer (&first, pp_identity_free);
  g_assert_false (pp_identity_is_stopping (root, &state_test_key));
  second = take (root);
  g_assert_cmpstr (pp_identity_name (second), ==, name);
  g_assert_false (pp_identity_is_stopping (root, &state_test_key));
  state_test_remove (root);
}

static void
set_runtime_dir (const char *path)
{
  if (path != NULL)
    g_setenv ("XDG_RUNTIME_DIR", path, TRUE);
  else
    g_unsetenv ("XDG_RUNTIME_DIR");
}

/* Returns the fallback directory at the Nth place, or NULL. */
static char *
fallback_path (guint n, gboolean create)
{
  gboolean exists;
  g_autoptr (PpStateFallback) fallback = pp_state_fallback_new (n, create, &exists, NULL);

  g_assert_true (exists);
  return fallback != NULL ? g_strdup (fallback->path) : NULL;
}

/* The fallback directory is below the user's own XDG_RUNTIME_DIR. */
static void
test_fallback_runtime_dir (void)
{
  g_autofree char *root = state_test_folder (FALSE);
  g_autofree char *wanted = g_build_filename (root, "prefect-podman", NULL);
  gboolean exists;

  set_runtime_dir (root);
  g_autofree char *before = fallback_path (0, FALSE);
  g_assert_null (before);
  g_autoptr (PpStateFallback) fallback = pp_state_fallback_new (0, TRUE, &exists, NULL);
  g_assert_cmpstr (fallback->path, ==, wanted);
  g_assert_cmpuint (mode_of (wanted), ==, 0700);
  g_assert_nonnull (strstr (fallback->forgets, "enable-linger"));
  /* Another worker can share the directory. systemd-tmpfiles cannot, because it wants an exclusive
   * lock. */
  g_autofree char *shared = fallback_path (0, TRUE);
  g_assert_cmpstr (shared, ==, wanted);
  int fd = open (wanted, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  g_assert_cmpint (flock (fd, LOCK_EX | LOCK_NB), ==, -1);
  g_assert_cmpint (errno, ==, EWOULDBLOCK);
  g_clear_pointer (&fallback, pp_state_fallback_free);
  g_assert_cmpint (flock (fd, LOCK_EX | LOCK_NB), ==, 0);
  close (fd);

  /* The directory is refused if others may rename what is in its parent. */
  g_assert_cmpint (g_chmod (root, 0777), ==, 0);
  g_autofree char *unsafe = fallback_path (0, TRUE);
  g_assert_null (unsafe);
  set_runtime_dir (NULL);
  state_test_remove (root);
}

/* The fallback directory is below a directory that all users share. Anything there that another
 * user may have made is refused. The test's own user makes what no worker makes: a link, a file, a
 * directory that others may write to. */
static void
test_fallback_shared_dir (void)
{
  static const char *const tricks[] = { "link", "file", "open" };
  g_autofree char *root = state_test_folder (FALSE);
  g_autofree char *elsewhere = state_test_folder (FALSE);
  g_autofree char *name = g_strdup_printf ("prefect-podman-%u", (unsigned)geteuid ());
  g_autofree char *plain = g_build_filename (root, name, NULL);
  g_autofree char *suffixed = g_strconcat (plain, ".", NULL);
  const guint tmpdir = 2; /* after /run/user/UID and /tmp */

  set_runtime_dir (NULL);
  g_setenv ("TMPDIR", root, TRUE);
  g_assert_cmpint (g_chmod (root, 01777), ==, 0);
  g_autofree char *path = fallback_path (tmpdir, TRUE);
  g_assert_cmpstr (path, ==, plain);
  g_assert_cmpint (g_rmdir (plain), ==, 0);
  for (gsize i = 0; i < G_N_ELEMENTS (tricks); i++)
    {
      if (i == 0)
        g_assert_cmpint (symlink (elsewhere, plain), ==, 0);
      else if (i == 1)
        state_test_write (plain, "");
      else
        {
          g_assert_cmpint (g_mkdir (plain, 0777), ==, 0);
          g_assert_cmpint (g_chmod (plain, 0777), ==, 0);
        }
      g_autofree char *made = fallback_path (tmpdir, TRUE);
      g_assert_true (g_str_has_prefix (made, suffixed));
      g_assert_cmpuint (mode_of (made), ==, 0700);
      /* The next worker finds the directory, and so does `worker status`. */
      g_autofree char *again = fallback_path (tmpdir, TRUE);
      g_autofree char *found = fallback_path (tmpdir, FALSE);
      g_assert_cmpstr (again, ==, made);
      g_assert_cmpstr (found, ==, made);
      g_assert_cmpint (i == 2 ? g_rmdir (plain) : g_unlink (plain), ==, 0);
      /* The directory holds what is needed to recover this user's runs, so it is still used when
       * the plain name is free again. */
      g_autofree char *later = fallback_path (tmpdir, TRUE);
      g_assert_cmpstr (later, ==, made);
      g_assert_cmpint (g_rmdir (made), ==, 0);
    }
  g_assert_cmpuint (state_test_count (elsewhere), ==, 0);
  /* Without the sticky bit, anybody could replace the directory. */
  g_assert_cmpint (g_chmod (root, 0777), ==, 0);
  g_autofree char *unsafe = fallback_path (tmpdir, TRUE);
  g_assert_null (unsafe);
  g_unsetenv ("TMPDIR");
  state_test_remove (elsewhere);
  state_test_remove (root);
}

static void
add_tests (void)
{
  g_test_add_func ("/identity/stopping", test_stopping);
  g_test_add_func ("/identity/fallback-runtime-dir", test_fallback_runtime_dir);
  g_test_add_func ("/identity/fallback-shared-dir", test_fallback_shared_dir);
  g_test_add_func ("/identity/find", test_find);
  g_test_add_func ("/identity/directory", test_directory);
  g_test_add_func ("/identity/id-is-no-file", test_id_is_no_file);
  g_test_add_func ("/identity/restart", test_restart);
  g_test_add_func ("/identity/read-only", test_read_only);
  g_test_add_func ("/identity/other-keys", test_other_keys);
  g_test_add_func ("/identity/names-from-outside", test_names_from_outside);
  g_test_add_func ("/identity/adoption", test_adoption);
  g_test_add_func ("/identity/two-looks", test_two_looks);
  g_test_add_func ("/identity/spellings", test_spellings);
  g_test_add_func ("/identity/other-urls", test_other_urls);
  g_test_add_func ("/identity/other-hosts", test_other_hosts);
  g_test_add_func ("/identity/list", test_list);
  g_test_add_func ("/identity/list-of-other-folders", test_list_of_other_folders);
}

int
main (int argc, char **argv)
{
  state_test_init ();
  return pp_test_main (argc, argv, add_tests);
}
