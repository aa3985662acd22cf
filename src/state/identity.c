/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "identity-private.h"

#include "prefect-podman/files/files.h"
#include "prefect-podman/state/state_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define FORMAT_VERSION 1
/* The most workers of one key on one host. */
#define MAX_SLOTS 1000u
/* The most characters of a pool's or a host's name in the folder's name. */
#define MAX_SLUG 40
#define HASH_DIGITS 8
#define MAX_FILE_BYTES (64 * 1024)
/* The most set-aside files with one name. */
#define MAX_SET_ASIDE 10000u

gboolean
pp_identity_is_name (const char *name)
{
  return name != NULL && g_ascii_isalnum (*name) && strlen (name) < 200
         && strspn (name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_")
                == strlen (name);
}

gboolean
pp_identity_is_run_file (const char *name, const char *suffix)
{
  if (!g_str_has_suffix (name, suffix))
    return FALSE;
  g_autofree char *stem = g_strndup (name, strlen (name) - strlen (suffix));
  return g_uuid_string_is_valid (stem);
}

/* Returns NAME for use in a folder's name: letters, digits and "-", never empty. New string. */
static char *
make_slug (const char *name)
{
  GString *slug = g_string_new (NULL);

  for (; *name != '\0' && slug->len < MAX_SLUG; name++)
    if (g_ascii_isalnum (*name))
      g_string_append_c (slug, *name);
    else if (slug->len > 0 && slug->str[slug->len - 1] != '-')
      g_string_append_c (slug, '-');
  if (slug->len == 0)
    g_string_append_c (slug, 'x');
  return g_string_free (slug, FALSE);
}

/* Returns URL without user and password. New string. */
static char *
without_credentials (const char *url)
{
  const char *authority = strstr (url, "://");

  if (authority == NULL)
    return g_strdup (url);
  authority += strlen ("://");
  gsize length = strcspn (authority, "/?#");
  const char *at = g_strrstr_len (authority, (gssize)length, "@");
  if (at == NULL)
    return g_strdup (url);
  return g_strdup_printf ("%.*s%s", (int)(authority - url), url, at + 1);
}

char *
pp_identity_normal_url (const char *url)
{
  char *normal
      = without_credentials (g_str_has_prefix (url, "http+unix://") ? url + strlen ("http+") : url);

  for (gsize length = strlen (normal); length > 0 && normal[length - 1] == '/'; length--)
    normal[length - 1] = '\0';
  return normal;
}

/* Returns the identity's name without its slot. New string. */
static char *
make_key_name (const PpIdentity *identity, const char *state_dir_id)
{
  g_autofree char *pool = make_slug (identity->work_pool);
  g_autofree char *host = make_slug (identity->host);
  g_autofree char *hashed = g_strjoin ("\n", identity->api_url, identity->work_pool, identity->host,
                                       identity->engine_url, state_dir_id, NULL);
  g_autofree char *hash = g_compute_checksum_for_string (G_CHECKSUM_SHA256, hashed, -1);

  return g_strdup_printf ("%s.%s.%.*s", pool, host, HASH_DIGITS, hash);
}

int
pp_identity_lock (const PpFolder *folder, gboolean create, GError **error)
{
  gboolean read_only;
  int fd = pp_small_file_open (folder, PP_IDENTITY_LOCK, create, &read_only);
  /* Use an open file description lock. flock() alone would not do: it cannot be tested without
   * locking, and NFS replaces it with a byte-range lock. A descriptor that is open only for reading
   * can get only a read lock, which excludes writers but not other readers. So such a descriptor
   * also takes a flock(), which excludes readers, too. */
  struct flock lock = { .l_type = read_only ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET };

  /* On NFS, flock() becomes a write lock, which this descriptor cannot get: EBADF. */
  if (fd >= 0 && fcntl (fd, F_OFD_SETLK, &lock) == 0
      && (!read_only || flock (fd, LOCK_EX | LOCK_NB) == 0 || errno == EBADF))
    return fd;
  if (fd < 0 || (errno != EAGAIN && errno != EACCES))
    pp_folder_error (error, folder, PP_IDENTITY_LOCK, "cannot be locked", errno);
  if (fd >= 0)
    close (fd);
  return -1;
}

json_t *
pp_identity_read (const PpFolder *folder, GError **error)
{
  gsize length = 0;
  json_error_t problem;
  g_autofree char *text
      = pp_small_file_read (folder, PP_IDENTITY_FILE, MAX_FILE_BYTES, &length, error);

  if (text == NULL)
    return NULL;
  json_auto_t *json = json_loadb (text, length, JSON_REJECT_DUPLICATES, &problem);
  if (json_is_object (json))
    return g_steal_pointer (&json);
  g_set_error (error, PP_STATE_ERROR, PP_STATE_ERROR_DAMAGED, "%s/" PP_IDENTITY_FILE ":%d: %s",
               folder->path, json == NULL ? problem.line : 1,
               json == NULL ? problem.text : "is not a JSON object");
  return NULL;
}

/* Reads what the earlier worker with this identity recorded. */
static void
read_earlier (PpIdentity *identity)
{
  g_autoptr (GError) error = NULL;
  json_auto_t *json = pp_identity_read (&identity->folder, &error);

  if (json == NULL && !g_error_matches (error, PP_STATE_ERROR, PP_STATE_ERROR_GONE))
    g_warning ("%s: the worker's earlier name is unknown", error->message);
  if (json_is_true (json_object_get (json, "worker_name_is_made_up")))
    identity->earlier_name = g_strdup (pp_json_string (json, "worker_name"));
  identity->has_served = json_is_true (json_object_get (json, "has_served"));
}

/* Tries to take the identity NAME. Returns TRUE if it is ours now, FALSE without ERROR if another
 * worker has it, or FALSE with ERROR. */
static gboolean
try_slot (PpIdentity *identity, const char *name, GError **error)
{
  g_auto (PpFolder) folder = { -1, NULL };

  if (!pp_folder_open (&folder, &identity->state_dir, name, TRUE, error)
      || !pp_folder_check_owner (&folder, error))
    return FALSE;
  identity->lock_fd = pp_identity_lock (&folder, TRUE, error);
  if (identity->lock_fd < 0)
    return FALSE;
  identity->name = g_strdup (name);
  identity->folder = folder;
  folder = (PpFolder){ -1, NULL };
  return TRUE;
}

static gboolean
take_slot (PpIdentity *identity, const char *state_dir_id, GError **error)
{
  g_autofree char *key_name = make_key_name (identity, state_dir_id);
  g_autoptr (GError) local = NULL;

  for (guint slot = 0; slot < MAX_SLOTS && local == NULL; slot++)
    {
      g_autofree char *name = g_strdup_printf ("%s.%u", key_name, slot);

      if (try_slot (identity, name, &local))
        {
          identity->slot = slot;
          fsync (identity->folder.fd);
          fsync (identity->state_dir.fd);
          return TRUE;
        }
    }
  if (local == NULL)
    g_set_error (&local, PP_STATE_ERROR, PP_STATE_ERROR_SYSTEM,
                 "%s: %u workers of this pool already run on this host; more are not possible",
                 identity->state_dir.path, MAX_SLOTS);
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

static gboolean
take (PpIdentity *identity, const char *state_dir, GError **error)
{
  g_autofree char *id = NULL;

  if (!pp_state_dir_prepare (state_dir, error)
      || !pp_folder_open (&identity->state_dir, NULL, state_dir, FALSE, error))
    return FALSE;
  id = pp_state_dir_id (state_dir, error);
  return id != NULL && take_slot (identity, id, error);
}

/* Returns a new identity with the fields of KEY, not locked. */
static PpIdentity *
new_from_key (const PpIdentityKey *key)
{
  PpIdentity *identity = g_new0 (PpIdentity, 1);

  identity->holders = 1;
  identity->lock_fd = -1;
  identity->api_url = pp_identity_normal_url (key->api_url);
  identity->work_pool = g_strdup (key->work_pool);
  identity->host = g_strdup (key->host != NULL ? key->host : g_get_host_name ());
  identity->engine_url = pp_identity_normal_url (key->engine_url);
  return identity;
}

PpIdentity *
pp_identity_take (const char *state_dir, const PpIdentityKey *key, GError **error)
{
  PpIdentity *identity = new_from_key (key);

  if (!take (identity, state_dir, error))
    {
      pp_identity_free (identity);
      return NULL;
    }
  read_earlier (identity);
  return identity;
}

PpIdentity *
pp_identity_ref (const PpIdentity *identity)
{
  PpIdentity *held = (PpIdentity *)identity;

  g_atomic_int_inc (&held->holders);
  return held;
}

void
pp_identity_free (PpIdentity *identity)
{
  if (identity == NULL || !g_atomic_int_dec_and_test (&identity->holders))
    return;
  if (identity->lock_fd >= 0)
    close (identity->lock_fd);
  pp_folder_close (&identity->folder);
  pp_folder_close (&identity->state_dir);
  g_free (identity->name);
  g_free (identity->api_url);
  g_free (identity->work_pool);
  g_free (identity->host);
  g_free (identity->engine_url);
  g_free (identity->earlier_name);
  g_free (identity);
}

const char *
pp_identity_name (const PpIdentity *identity)
{
  return identity->name;
}

const char *
pp_identity_path (const PpIdentity *identity)
{
  return identity->folder.path;
}

const char *
pp_identity_state_dir (const PpIdentity *identity)
{
  return identity->state_dir.path;
}

guint
pp_identity_slot (const PpIdentity *identity)
{
  return identity->slot;
}

const char *
pp_identity_earlier_name (const PpIdentity *identity)
{
  return identity->earlier_name;
}

gboolean
pp_identity_has_served (const PpIdentity *identity)
{
  return identity->has_served;
}

gboolean
pp_identity_write (const PpIdentity *identity, const char *worker_name, gboolean name_is_made_up,
                   gboolean has_served, GError **error)
{
  json_auto_t *json = json_pack (
      "{s:i, s:s, s:b, s:b, s:s, s:s, s:s, s:s, s:i, s:i, s:I}", "version", FORMAT_VERSION,
      "worker_name", worker_name, "worker_name_is_made_up", name_is_made_up, "has_served",
      has_served, "work_pool", identity->work_pool, "api_url", identity->api_url, "host",
      identity->host, "engine_url", identity->engine_url, "slot", (int)identity->slot, "pid",
      (int)getpid (), "started_at", (json_int_t)g_get_real_time ());
  char *text = json != NULL ? json_dumps (json, JSON_INDENT (1)) : NULL;

  if (text == NULL)
    {
      g_set_error (error, PP_STATE_ERROR, PP_STATE_ERROR_SYSTEM,
                   "%s/" PP_IDENTITY_FILE ": cannot be written: a name in it is not UTF-8",
                   identity->folder.path);
      return FALSE;
    }
  gboolean written = pp_small_file_write (&identity->folder, PP_IDENTITY_FILE, text, error);
  free (text);
  return written;
}

/* Returns the state of the lock on the identity's lock file, from byte START on. */
static PpIdentityState
lock_state (const char *state_dir, const char *name, off_t start)
{
  struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = start };
  PpIdentityState state = PP_IDENTITY_UNKNOWN;

  if (!pp_identity_is_name (name))
    return state;
  g_autofree char *path = g_build_filename (state_dir, name, PP_IDENTITY_LOCK, NULL);
  int fd = pp_own_open (AT_FDCWD, path, O_RDONLY | O_NOFOLLOW, 0);
  if (fd < 0)
    return state;
  if (fcntl (fd, F_OFD_GETLK, &lock) == 0)
    state = lock.l_type == F_UNLCK ? PP_IDENTITY_FREE : PP_IDENTITY_LIVING;
  close (fd);
  return state;
}

PpIdentityState
pp_identity_state (const char *state_dir, const char *name)
{
  return lock_state (state_dir, name, 0);
}

/* A stopping worker keeps only the lock on the first byte. */

void
pp_identity_say_stopping (const PpIdentity *identity)
{
  struct flock rest = { .l_type = F_UNLCK, .l_whence = SEEK_SET, .l_start = 1 };

  if (fcntl (identity->lock_fd, F_OFD_SETLK, &rest) != 0)
    g_debug ("%s: other workers cannot see that this worker is stopping: %s", identity->folder.path,
             g_strerror (errno));
}

gboolean
pp_identity_is_stopping (const char *state_dir, const PpIdentityKey *key)
{
  PpIdentity *identity = new_from_key (key);
  g_autofree char *id = pp_state_dir_id (state_dir, NULL);
  g_autofree char *key_name = id != NULL ? make_key_name (identity, id) : NULL;

  pp_identity_free (identity);
  for (guint slot = 0; slot < MAX_SLOTS && key_name != NULL; slot++)
    {
      g_autofree char *name = g_strdup_printf ("%s.%u", key_name, slot);

      if (lock_state (state_dir, name, 0) != PP_IDENTITY_LIVING)
        return FALSE;
      if (lock_state (state_dir, name, 1) == PP_IDENTITY_FREE)
        return TRUE;
    }
  return FALSE;
}

char *
pp_identity_set_aside (const PpFolder *identity, const PpFolder *from, const char *name,
                       GError **error)
{
  g_auto (PpFolder) aside = { -1, NULL };

  if (!pp_folder_open (&aside, identity, PP_IDENTITY_SET_ASIDE, TRUE, error))
    return NULL;
  for (guint i = 1; i < MAX_SET_ASIDE; i++)
    {
      g_autofree char *free_name = g_strdup_printf ("%s.%u", name, i);
      struct stat status;

      if (fstatat (aside.fd, free_name, &status, AT_SYMLINK_NOFOLLOW) == 0)
        continue;
      if (errno == ENOENT && renameat (from->fd, name, aside.fd, free_name) == 0)
        return g_build_filename (aside.path, free_name, NULL);
      break;
    }
  pp_folder_error (error, from, name, "cannot be set aside", errno);
  return NULL;
}
