/* SPDX-License-Identifier: Apache-2.0 */
/* What a running worker reads and changes in the state directory. The functions pp_..._look()
 * block, so they run as works of the journal (pp_journal_work()): a disk that hangs blocks only the
 * journal's thread. When the work is done, the main loop may use the results. */
#pragma once

#include "prefect-podman/state/identity.h"
#include "prefect-podman/state/journal.h"

#include <jansson.h>

G_BEGIN_DECLS

/* Identities without a worker, and the runs they left. */

/* The result of taking over the runs of an identity that was free in two checks in a row. */
typedef struct
{
  char *name;        /* of the identity */
  char *worker_name; /* as in `worker status`; NULL if it is not known */
  gint count;        /* number of its runs moved to our journal; -1: failed */
  GError *error;     /* NULL if it did not fail */
} PpAdoption;

typedef struct
{
  char *id;
  PpJournalEntry *entry; /* NULL after the receiver has taken it */
} PpMovedNote;

typedef struct PpFreeIdentitiesLook PpFreeIdentitiesLook;
struct PpFreeIdentitiesLook
{
  PpIdentity *identity;  /* a reference */
  GPtrArray *before;     /* input: names that were free at the last check; NULL: none */
  GHashTable *adopted;   /* input: set of names that were taken over before */
  GPtrArray *free_names; /* result: names of identities without a worker */
  GPtrArray *adoptions;  /* result: of PpAdoption */
  GPtrArray *entries;    /* result: of PpJournalEntry, the moved entries */
  GPtrArray *notes;      /* result: of PpMovedNote */
};

/* Takes ownership of BEFORE (may be NULL) and copies ADOPTED. */
PpFreeIdentitiesLook *pp_free_identities_look_new (const PpIdentity *identity, GPtrArray *before,
                                                   GHashTable *adopted);

/* Finds the free identities. Takes over the runs of those that were also free at the last check
 * (BEFORE). */
void pp_free_identities_look (gpointer look);
void pp_free_identities_look_free (gpointer look);

/* The identities in the labels of containers. */

typedef struct PpLabelsLook PpLabelsLook;
struct PpLabelsLook
{
  PpIdentity *identity; /* a reference */
  GHashTable *states;   /* input: names; result: name -> PpIdentityState */
  GHashTable *ours;     /* result: set of the names that are of our key */
  GHashTable *locks;    /* input: names to lock; result: name -> descriptor with the lock, or -1 */
};

PpLabelsLook *pp_labels_look_new (const PpIdentity *identity);

/* Adds NAME to the check. If HOLD is TRUE, the check also locks it. */
void pp_labels_look_add (PpLabelsLook *look, const char *name, gboolean hold);
void pp_labels_look (gpointer look);

/* Releases the locks that are still in LOOK. */
void pp_labels_look_free (gpointer look);

/* A run without an entry in our journal. */

typedef struct
{
  PpIdentity *identity; /* a reference */
  char *flow_run_id;
  gboolean found; /* another identity of our key has it */
} PpRunLook;

PpRunLook *pp_run_look_new (const PpIdentity *identity, const char *flow_run_id);
void pp_run_look (gpointer look);
void pp_run_look_free (gpointer look);

G_END_DECLS
