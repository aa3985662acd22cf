/* SPDX-License-Identifier: Apache-2.0 */
/* The files in an identity's folder. Only for identity.c, identity_adopt.c, identity_list.c and the
 * journal. */
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

/* True if NAME can be the name of an identity's folder. */
gboolean pp_identity_is_name (const char *name);

/* Returns the normal form of URL, which is the URL of an API or engine: without user, password and
 * trailing slashes. New string. */
char *pp_identity_normal_url (const char *url);

/* Reads identity.json in FOLDER. Returns a new object, or NULL with ERROR. */
json_t *pp_identity_read (const PpFolder *folder, GError **error);

/* Locks the identity in FOLDER. If CREATE is TRUE, creates the lock file. Returns the descriptor
 * that holds the lock. If another process holds the lock, returns -1 without ERROR. After any other
 * failure, returns -1 with ERROR. */
int pp_identity_lock (const PpFolder *folder, gboolean create, GError **error);

/* journal_position.c: true if RUNS, the folder of ENTRY, has the position of the output of ENTRY's
 * container (see the field `is_followed` of PpJournalEntry). */
gboolean pp_position_is_there (const PpFolder *runs, const PpJournalEntry *entry);

/* True if NAME is the name of a run's file: a UUID and SUFFIX. */
gboolean pp_identity_is_run_file (const char *name, const char *suffix);

/* Moves the file NAME from the folder FROM to the set-aside folder in IDENTITY, the folder of an
 * identity, under a name that is free there. Returns the new path (new string), or NULL with
 * ERROR. */
char *pp_identity_set_aside (const PpFolder *identity, const PpFolder *from, const char *name,
                             GError **error);

G_END_DECLS
