/* SPDX-License-Identifier: Apache-2.0 */
/* The files of an identity's folder, for identity.c, identity_adopt.c, identity_list.c and the
 * journal only. */
#pragma once

#include "prefect-podman/json.h"
#include "prefect-podman/state/identity.h"
#include "prefect-podman/state/journal_entry.h"

#include "small_file-private.h"

G_BEGIN_DECLS

#define PP_IDENTITY_FILE "identity.json"
#define PP_IDENTITY_LOCK "lock"
#define PP_IDENTITY_RUNS "runs"
#define PP_IDENTITY_SET_ASIDE "set-aside"
#define PP_IDENTITY_LATE "late"
#define PP_ENTRY_SUFFIX ".json"
#define PP_POSITION_SUFFIX ".position"
#define PP_TEMPORARY_PREFIX ".tmp-"

struct PpIdentity
{
  gint holders; /* atomic */
  PpFolder state_dir;
  PpFolder folder;
  int lock_fd;
  char *name;
  guint slot;
  char *api_url;
  char *work_pool;
  char *host;
  char *engine_url;
  char *earlier_name;
  gboolean has_served;
};

/* Whether NAME is one a folder of an identity may have. */
gboolean pp_identity_is_name (const char *name);

/* What all spellings of URL, an API's or an engine's, have in common: no user, no password, no
 * slash at the end. New string. */
char *pp_identity_normal_url (const char *url);

/* Reads identity.json of FOLDER. New object, or NULL with ERROR. */
json_t *pp_identity_read (const PpFolder *folder, GError **error);

/* Takes the lock of the identity's FOLDER. CREATE: makes the file. Returns the descriptor that
 * holds it, -1 when somebody else does (no ERROR) or with ERROR. */
int pp_identity_lock (const PpFolder *folder, gboolean create, GError **error);

/* journal_position.c: whether RUNS, the folder of ENTRY, has the position of its container's output
 * (PpJournalEntry, is_followed). */
gboolean pp_position_is_there (const PpFolder *runs, const PpJournalEntry *entry);

/* Whether NAME is that of a file about a run: a UUID and SUFFIX. */
gboolean pp_identity_is_run_file (const char *name, const char *suffix);

/* Moves NAME of FROM to a free name in the set-aside folder of the identity whose folder is
 * IDENTITY. Returns where it is now (new string), or NULL with ERROR. */
char *pp_identity_set_aside (const PpFolder *identity, const PpFolder *from, const char *name,
                             GError **error);

G_END_DECLS
