/* SPDX-License-Identifier: Apache-2.0 */
/* A worker's identity across restarts: a folder in the state directory, and a lock on it. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Identifies what a worker serves: a work pool of an API, with an engine, on a host. Workers with
 * different keys never touch each other's runs. */
typedef struct
{
  const char *api_url; /* without credentials */
  const char *work_pool;
  const char *host; /* NULL: this host's name */
  const char *engine_url;
} PpIdentityKey;

typedef struct PpIdentity PpIdentity;

/* Takes the first free identity of KEY in STATE_DIR. A restarted worker thus gets its earlier
 * identity, and a second worker gets another one. Creates STATE_DIR if it does not exist.
 *
 * The identity's name is also the name of its folder: POOL.HOST.HASH.SLOT. POOL and HOST are cut
 * to 40 characters, and "-" replaces other characters than letters and digits. HASH is 8 digits of
 * the SHA-256 of the API's URL, the pool, the host, the engine's URL and the state directory's id;
 * the URLs are without trailing slashes. SLOT is 0, 1, 2, ...
 *
 * An open-file-description lock holds the identity. The lock ends with the process, however the
 * process ends, and it works on NFS. An existing identity can also be taken from a read-only file
 * system; on NFS, more than one worker can then take it. Blocks while it reads and writes a few
 * small files. Returns NULL with ERROR (PP_STATE_ERROR). */
PpIdentity *pp_identity_take (const char *state_dir, const PpIdentityKey *key, GError **error);

/* Returns a new reference to IDENTITY. An identity is immutable, so any thread may read it. */
PpIdentity *pp_identity_ref (const PpIdentity *identity);

/* Drops a reference. The last one releases the lock; the folder stays. NULL is ignored. */
void pp_identity_free (PpIdentity *identity);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpIdentity, pp_identity_free)

/* Shows other processes that the worker with IDENTITY is stopping. The worker keeps the identity
 * until pp_identity_free(). Writes nothing to the disk. */
void pp_identity_say_stopping (const PpIdentity *identity);

/* True if a stopping worker holds an identity of KEY in STATE_DIR: that identity will be free
 * soon. */
gboolean pp_identity_is_stopping (const char *state_dir, const PpIdentityKey *key);

const char *pp_identity_name (const PpIdentity *identity);
const char *pp_identity_path (const PpIdentity *identity);
const char *pp_identity_state_dir (const PpIdentity *identity);
guint pp_identity_slot (const PpIdentity *identity);

/* Returns the name that an earlier worker with this identity generated for itself; borrowed.
 * Returns NULL if its user gave the name, or if there was no earlier worker. */
const char *pp_identity_earlier_name (const PpIdentity *identity);

/* True if an earlier worker with this identity has served its pool: it reached the API and the
 * engine at these URLs. */
gboolean pp_identity_has_served (const PpIdentity *identity);

/* Writes identity.json, for the next worker with this identity and for `worker status`.
 * NAME_IS_MADE_UP is TRUE if WORKER_NAME was generated: a restarted worker then uses the same name.
 * HAS_SERVED is what pp_identity_has_served() returns to the next worker with this identity.
 * Blocks. Returns FALSE with ERROR; the worker can continue without the file. */
gboolean pp_identity_write (const PpIdentity *identity, const char *worker_name,
                            gboolean name_is_made_up, gboolean has_served, GError **error);

typedef enum
{
  PP_IDENTITY_UNKNOWN, /* no such folder here, or it cannot be read */
  PP_IDENTITY_FREE,    /* no worker holds its lock */
  PP_IDENTITY_LIVING,
} PpIdentityState;

/* Returns whether a worker holds the identity NAME. NAME is any string, for example from a
 * container's label. Does not take the lock. */
PpIdentityState pp_identity_state (const char *state_dir, const char *name);

/* Returns the names of the other identities of our key that are free; new array of strings, perhaps
 * empty. Check again some time later before adopting one: its worker may be about to restart. */
GPtrArray *pp_identity_find_free (const PpIdentity *identity);

/* Warns about free identities of our pool that have runs but another key than ours. Such an
 * identity has our host name but another API or engine, or it has our API but another host name.
 * This worker does not take over its runs, which would stay Running forever. The cause is a changed
 * URL (another name of the same server, https for http) or a changed host name (a container that
 * was created again). Blocks while it reads a few small files. */
void pp_identity_warn_of_others (const PpIdentity *identity);

/* True if NAME is our identity, or another identity of our key. NAME is any string, for example
 * from a container's label. May read a small file, identity.json: an earlier version may have made
 * NAME, and then NAME alone does not show the key. */
gboolean pp_identity_is_of_our_key (const PpIdentity *identity, const char *name);

/* True if the journal of the identity NAME has entries of runs. */
gboolean pp_identity_has_runs (const PpIdentity *identity, const char *name);

/* True if another identity of our key, free or not, has the run FLOW_RUN_ID (a UUID) in its
 * journal. No other worker can get one of our runs, because taking it over needs our lock. */
gboolean pp_identity_sibling_has_run (const PpIdentity *identity, const char *flow_run_id);

/* Returns the name of the worker that was last started with the identity NAME, as `worker status`
 * shows it; new string. Returns NULL if NAME is of another pool or its file cannot be read. */
char *pp_identity_worker_name (const PpIdentity *identity, const char *name);

/* Locks the identity NAME if it is of our key and free. Returns a descriptor, or -1. Closing the
 * descriptor releases the lock. */
int pp_identity_hold (const PpIdentity *identity, const char *name);

/* Names of the files that an adoption has moved into our folder. Each call adds names. */
typedef struct
{
  GPtrArray *entries; /* of entries, for pp_journal_load_moved() */
  GPtrArray *notes;   /* of notes, for pp_journal_load_moved_late() */
} PpIdentityMoved;

/* Moves the runs of the identity NAME to ours, durably, if it is of our key and free. Holds its
 * lock meanwhile. If both journals have the same run, our entry stays. The other entry becomes a
 * note (journal_late.h), or is set aside with a warning. Returns the number of runs moved (0 if
 * NAME is not free or has no runs), or -1 with ERROR. Adds to MOVED the files that were moved, also
 * if an error occurs. Blocks. */
gint pp_identity_try_adopt (const PpIdentity *identity, const char *name, PpIdentityMoved *moved,
                            GError **error);

G_END_DECLS
