/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "tests/unit/state_test.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glib/gstdio.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOBODY 65534

/* A mount point that only this process sees. */
#define SMALL_ROOT "/mnt"

static gboolean has_small;

const PpIdentityKey state_test_key = {
  .api_url = "http://user:hunter2@localhost:4200/api",
  .work_pool = "pool",
  .host = "host.example",
  .engine_url = "unix:///run/podman/podman.sock",
};

static gboolean
mount_small (void)
{
  gboolean root = geteuid () == 0;
  g_autofree char *options
      = root ? g_strdup_printf ("size=64k,mode=0700,uid=%d,gid=%d", NOBODY, NOBODY)
             : g_strdup ("size=64k,mode=0700");

  return unshare (CLONE_NEWNS | (root ? 0 : CLONE_NEWUSER)) == 0
         && mount (NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0
         && mount ("tmpfs", SMALL_ROOT, "tmpfs", 0, options) == 0;
}

void
state_test_init (void)
{
  has_small = mount_small ();
  if (geteuid () != 0)
    return;
  g_assert_cmpint (setresgid (NOBODY, NOBODY, NOBODY), ==, 0);
  g_assert_cmpint (setresuid (NOBODY, NOBODY, NOBODY), ==, 0);
  /* The leak checker attaches to this process like a debugger. */
  prctl (PR_SET_DUMPABLE, 1);
}

char *
state_test_folder (gboolean small)
{
  if (!small)
    return g_dir_make_tmp ("prefect-podman-state-XXXXXX", NULL);
  if (!has_small)
    return NULL;
  g_autofree char *template = g_strdup (SMALL_ROOT "/state-XXXXXX");
  return g_strdup (g_mkdtemp (template));
}

static int
remove_one (const char *path, const struct stat *status, int type, struct FTW *walk)
{
  (void)status;
  (void)type;
  (void)walk;
  return remove (path);
}

void
state_test_remove (const char *path)
{
  nftw (path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

char *
state_test_id (guint n)
{
  return g_strdup_printf ("11111111-2222-3333-4444-%012u", n);
}

char *
state_test_path (const PpIdentity *identity, const char *folder, const char *name)
{
  return g_build_filename (pp_identity_path (identity), folder, name, NULL);
}

void
state_test_write (const char *path, const char *text)
{
  g_assert_true (g_file_set_contents (path, text, -1, NULL));
}

guint
state_test_count (const char *path)
{
  g_autoptr (GDir) folder = g_dir_open (path, 0, NULL);
  guint count = 0;

  while (folder != NULL && g_dir_read_name (folder) != NULL)
    count++;
  return count;
}

typedef struct
{
  gboolean done;
  PpPosition position;
} Read;

static void
on_position (const PpPosition *position, gpointer user_data)
{
  Read *read = user_data;

  read->position = *position;
  read->done = TRUE;
}

PpPosition
state_test_position (PpJournal *journal, const char *flow_run_id, const char *container_id)
{
  g_autoptr (PpPositionFile) file = pp_position_open (journal, flow_run_id, container_id);
  Read read = { FALSE };

  pp_position_read (file, on_position, &read);
  g_assert_false (read.done);
  while (!read.done)
    g_main_context_iteration (NULL, TRUE);
  return read.position;
}
