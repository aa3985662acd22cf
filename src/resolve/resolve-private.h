/* SPDX-License-Identifier: Apache-2.0 */
/* Resolves one run. resolve.c has the steps of a call, references.c the reads of references. */
#pragma once

#include "prefect-podman/resolve/resolve.h"

G_BEGIN_DECLS

struct PpResolver
{
  PpApi *api;
  const json_t *process_environment;
  GHashTable *deployments; /* cache_key() -> CacheEntry */
  GHashTable *flows;
  guint polls;         /* number of polls whose answers were taken */
  GHashTable *calls;   /* set of PpResolveCall */
  json_t *version;     /* the server's version, or NULL */
  gint64 version_read; /* monotonic microseconds */
};

struct PpResolveCall
{
  PpResolver *resolver;
  PpResolveParts *parts;
  PpResolveDoneFunc done;
  gpointer user_data;
  guint waiting;    /* number of answers still to come */
  guint references; /* number of blocks and variables queued so far */
  GQueue wanted;    /* of Fetch, not sent yet */
  GList *fetches;   /* of Fetch, in flight */
  gboolean references_known;
  GError *error;
  guint idle;
};

/* Continues CALL after an answer: queues the next reads, or ends it. */
void pp_resolve_advance (PpResolveCall *call);
/* Ends CALL in the next iteration of the main loop, and then drops its reads in flight. */
void pp_resolve_finish (PpResolveCall *call);
/* Ends CALL in the same way with an error: the message has WHAT, KEY and the text of CAUSE. If CALL
 * already has an error, keeps that one. */
void pp_resolve_fail (PpResolveCall *call, PpResolveError code, const char *what, const char *key,
                      const GError *cause);

/* Reads the server's version, if the image may depend on it. Prefect Cloud has no version. */
void pp_resolve_fetch_version (PpResolveCall *call);
/* Reads the blocks and variables that the populated configuration refers to. A run fails if the
 * number of its references exceeds the limit. The variables that its blocks refer to count too. */
void pp_resolve_fetch_references (PpResolveCall *call);
/* Reads the variables that the data of blocks refers to. Blocks are filled in before variables, as
 * in from_template_and_values() of Prefect. */
void pp_resolve_fetch_references_of_blocks (PpResolveCall *call);
/* Drops all queued reads and those in flight. */
void pp_resolve_drop_fetches (PpResolveCall *call);

G_END_DECLS
