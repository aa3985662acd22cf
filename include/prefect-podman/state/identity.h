/* SPDX-License-Identifier: Apache-2.0 */
/* Who a worker is across restarts: a folder of the state directory, and a lock on it. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* What a worker serves, and where. Workers of different keys never touch each other's runs. */
typedef struct
{
  const char *api_url; /* credentials in it are left out */
  const char *work_pool;
  const char *host; /* NULL: this host's name */
  const char *engine_url;
} PpIdentityKey;

typedef struct PpIdentity PpIdentity;

/* Takes the identity of KEY in STATE_DIR (made when it is not there) that is the first free one: a
 * restarted worker takes the one it had, a second worker another. Its name, the folder's, is
 * POOL.HOST.HASH.SLOT: POOL and HOST with "-" for what is not a letter or digit, HASH 8 digits of
 * SHA-256 over the API's URL, the pool, the host, the engine's URL (both without slashes at the
 * end) and the state directory's id, SLOT 0, 1, 2, ... It is held by an open-file-description lock,
 * which ends with the process however that ends, and works on NFS. An identity that is there can be
 * taken where nothing can be written (on NFS by more than one worker). Blocks for a few small
 * files. Returns NULL with ERROR (PP_STATE_ERROR). */
PpIdentity *pp_identity_take (const char *state_dir, const PpIdentityKey *key, GError **error);

/* Another holder of IDENTITY, which does not change: it may be read on any thread. */
PpIdentity *pp_identity_ref (const PpIdentity *identity);

/* The last holder gives the lock back; the folder stays. NULL is ignored. */
void pp_identity_free (PpIdentity *identity);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpIdentity, pp_identity_free)

/* Lets other processes see that the worker which holds IDENTITY is stopping; it keeps the identity
 * until pp_identity_free(). Writes nothing to the disk. */
void pp_identity_say_stopping (const PpIdentity *identity);

/* True if an identity that KEY would take in STATE_DIR is held by a worker that is stopping: it
 * will be free soon. */
gboolean pp_identity_is_stopping (const char *state_dir, const PpIdentityKey *key);

const char *pp_identity_name (const PpIdentity *identity);
const char *pp_identity_path (const PpIdentity *identity);
const char *pp_identity_state_dir (const PpIdentity *identity);
guint pp_identity_slot (const PpIdentity *identity);

/* The name that the worker that had this identity before made up for itself; NULL when its user
 * gave one, or there was none. */
const char *pp_identity_earlier_name (const PpIdentity *identity);

/* Whether a worker that had this identity before has served its pool: API and engine were there,
 * under these URLs. */
gboolean pp_identity_has_served (const PpIdentity *identity);

/* Writes who this worker is into identity.json, for the next one and for `worker status`.
 * NAME_IS_MADE_UP: the user gave none, so a restart is to have the same. HAS_SERVED: from now on,
 * pp_identity_has_served(). Blocks. FALSE with ERROR; the worker can do without. */
gboolean pp_identity_write (const PpIdentity *identity, const char *worker_name,
                            gboolean name_is_made_up, gboolean has_served, GError **error);

typedef enum
{
  PP_IDENTITY_UNKNOWN, /* no such folder here, or it cannot be looked at: not ours to judge */
  PP_IDENTITY_FREE,    /* nobody holds its lock */
  PP_IDENTITY_LIVING,
} PpIdentityState;

/* Whether a worker with the identity NAME (any string: a container's label, say) runs. Takes no
 * lock. */
PpIdentityState pp_identity_state (const char *state_dir, const char *name);

/* The names of the other identities of our key that are free; new array of strings, may be empty.
 * Look again some time later before adopting: their worker may be about to restart. */
GPtrArray *pp_identity_find_free (const PpIdentity *identity);

/* Warns of the identities of our pool that are free and have runs, but of another API or engine on
 * our host, or of our API under another host name: after a change of a URL (another name of the
 * same server, https for http) or of the host's name (a container that was made again) their runs
 * would stay Running for ever without a word. Blocks for a few small files. */
void pp_identity_warn_of_others (const PpIdentity *identity);

/* True if NAME (any string: a container's label, say) is our identity, or another of our key. Reads
 * a small file for a name that earlier versions may have made. */
gboolean pp_identity_is_of_our_key (const PpIdentity *identity, const char *name);

/* Whether runs are written down under the identity NAME. */
gboolean pp_identity_has_runs (const PpIdentity *identity, const char *name);

/* Whether another identity of our key, free or not, has the run FLOW_RUN_ID (a UUID) in its
 * journal. None can get a run of ours: taking it over needs our lock. */
gboolean pp_identity_sibling_has_run (const PpIdentity *identity, const char *flow_run_id);

/* Takes the lock of the identity NAME, if it is of our key and free. Returns a descriptor that
 * holds it until it is closed, or -1. */
int pp_identity_hold (const PpIdentity *identity, const char *name);

/* Names of files that were moved into our folder, to which those are added. */
typedef struct
{
  GPtrArray *entries; /* of the journal: for pp_journal_load_moved() */
  GPtrArray *notes;   /* for pp_journal_load_moved_late() */
} PpIdentityMoved;

/* Moves the runs of the identity NAME into ours, durably, if it is of our key and free; holds its
 * lock meanwhile. A run that both tell of stays ours; the other's word is set aside with a warning.
 * Returns how many were moved (0: not free, or none there), or -1 with ERROR; in either case MOVED
 * has all that are ours now. Blocks. */
gint pp_identity_try_adopt (const PpIdentity *identity, const char *name, PpIdentityMoved *moved,
                            GError **error);

G_END_DECLS
