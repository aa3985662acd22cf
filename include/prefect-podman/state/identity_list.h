/* SPDX-License-Identifier: Apache-2.0 */
/* Lists the workers of this host. Reads the state directory and takes no locks. */
#pragma once

#include "prefect-podman/state/identity.h"

G_BEGIN_DECLS

typedef struct
{
  char *name;
  PpIdentityState state;

  /* From identity.json; NULL or 0 if the file does not have it. */
  char *worker_name;
  char *work_pool;
  char *api_url;
  char *host;
  char *engine_url;
  gint64 pid;
  gint64 started_at; /* UNIX microseconds */

  GPtrArray *entries;  /* of PpJournalEntry, earliest claim first */
  GPtrArray *problems; /* of strings: files that could not be read, with the reasons */
  guint set_aside;     /* number of files in its set-aside folder */
} PpIdentityInfo;

/* Returns all identities in STATE_DIR, sorted by name; new array of PpIdentityInfo. Ignores other
 * folders. Changes nothing. Returns NULL with ERROR: PP_STATE_ERROR_GONE if the directory does not
 * exist, PP_STATE_ERROR_FOREIGN if it is not empty but no worker has created anything in it, or if
 * it is inside another state directory. */
GPtrArray *pp_identity_list (const char *state_dir, GError **error);

/* Finds the worker that was started last for WORK_POOL of API_URL on this host. Returns the
 * place where its jobs run (the key's engine_url); new string. Returns NULL if there was no such
 * worker. Blocks while it reads a few small files. */
char *pp_identity_last_place (const char *state_dir, const char *api_url, const char *work_pool);

G_END_DECLS
