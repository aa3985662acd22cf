/* SPDX-License-Identifier: Apache-2.0 */
/* One run being resolved: resolve.c has its life, references.c what it refers to. */
#pragma once

#include "prefect-podman/resolve/resolve.h"

G_BEGIN_DECLS

struct PpResolver
{
  PpApi *api;
  const json_t *process_environment;
  GHashTable *deployments; /* id -> CacheEntry */
  GHashTable *flows;
  GHashTable *calls;   /* set of PpResolveCall */
  json_t *version;     /* the server's, or NULL */
  gint64 version_read; /* monotonic microseconds */
};

struct PpResolveCall
{
  PpResolver *resolver;
  PpResolveParts *parts;
  PpResolveDoneFunc done;
  gpointer user_data;
  guint waiting;    /* answers still to come */
  guint references; /* blocks and variables that were wanted so far */
  GQueue wanted;    /* of Fetch, not asked for yet */
  GList *fetches;   /* of Fetch, under way */
  gboolean references_known;
  GError *error;
  guint idle;
};

/* Looks what CALL still needs once an answer is in. */
void pp_resolve_advance (PpResolveCall *call);
/* Ends CALL on the next turn of the loop; answers still under way are dropped then. */
void pp_resolve_finish (PpResolveCall *call);
/* The same with an error: WHAT KEY, and the words of CAUSE. The first one counts. */
void pp_resolve_fail (PpResolveCall *call, PpResolveError code, const char *what, const char *key,
                      const GError *cause);

/* Reads the server's version, where it says which image to run. Prefect Cloud has none. */
void pp_resolve_fetch_version (PpResolveCall *call);
/* Reads what the configuration refers to, as populated. What a run refers to in all, blocks and
 * their variables included, has a limit; a run that is above it fails. */
void pp_resolve_fetch_references (PpResolveCall *call);
/* Reads the variables that the data of blocks refers to: variables are put in after blocks (the
 * peer's from_template_and_values). */
void pp_resolve_fetch_references_of_blocks (PpResolveCall *call);
/* Drops all that is wanted or under way. */
void pp_resolve_drop_fetches (PpResolveCall *call);

G_END_DECLS
