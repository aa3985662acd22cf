/* SPDX-License-Identifier: Apache-2.0 */
/* The workers of this host, read from the state directory without any lock. */
#pragma once

#include "prefect-podman/state/identity.h"

G_BEGIN_DECLS

typedef struct
{
  char *name;
  PpIdentityState state;

  /* From identity.json; NULL or 0 for what it does not say. */
  char *worker_name;
  char *work_pool;
  char *api_url;
  char *host;
  char *engine_url;
  gint64 pid;
  gint64 started_at; /* UNIX microseconds */

  GPtrArray *entries;  /* of PpJournalEntry, the longest claimed first */
  GPtrArray *problems; /* of strings: files that could not be read, and why */
  guint set_aside;     /* files in its set-aside folder */
} PpIdentityInfo;

/* All identities in STATE_DIR, by name; new array of PpIdentityInfo. Other folders in it are passed
 * over. Changes nothing. NULL with ERROR (PP_STATE_ERROR_GONE: there is no such directory;
 * PP_STATE_ERROR_FOREIGN: it has things in it, and none that a worker has made). */
GPtrArray *pp_identity_list (const char *state_dir, GError **error);

/* Where the jobs were of the worker that last served WORK_POOL of API_URL on this host (the
 * engine_url of its key); new string, or NULL if there was none. Blocks for a few small files. */
char *pp_identity_last_place (const char *state_dir, const char *api_url, const char *work_pool);

G_END_DECLS
