/* SPDX-License-Identifier: Apache-2.0 */
/* What the worker asks the state directory while it runs. The functions that look block, and are
 * works of the journal (pp_journal_work()): a disk that hangs holds up its thread and nobody else.
 * What is found is the main loop's, once the work is done. */
#pragma once

#include "prefect-podman/state/identity.h"
#include "prefect-podman/state/journal.h"

#include <jansson.h>

G_BEGIN_DECLS

/* Identities whose worker is gone, and what they have left. */

/* An identity that was looked at twice. */
typedef struct
{
  char *name;
  gint count;    /* of its runs that were moved into our journal; -1: failed */
  GError *error; /* why; NULL: it did not fail */
} PpAdoption;

typedef struct
{
  char *id;
  PpJournalEntry *entry; /* NULL once it was taken */
} PpMovedNote;

typedef struct PpFreeIdentitiesLook PpFreeIdentitiesLook;
struct PpFreeIdentitiesLook
{
  PpIdentity *identity;  /* held */
  GPtrArray *before;     /* asked: names that were free the last time; NULL: none */
  GHashTable *adopted;   /* asked: set of names that were taken over before */
  GPtrArray *free_names; /* found: names of identities without a worker */
  GPtrArray *adoptions;  /* done: of PpAdoption */
  GPtrArray *entries;    /* done: of PpJournalEntry, those that were moved */
  GPtrArray *notes;      /* done: of PpMovedNote */
};

/* Takes BEFORE over (may be NULL) and copies ADOPTED. */
PpFreeIdentitiesLook *pp_free_identities_look_new (const PpIdentity *identity, GPtrArray *before,
                                                   GHashTable *adopted);

/* Finds who is free, and moves what they have left of those that were free BEFORE, too. */
void pp_free_identities_look (gpointer look);
void pp_free_identities_look_free (gpointer look);

/* The identities that containers are labelled with. */

typedef struct PpLabelsLook PpLabelsLook;
struct PpLabelsLook
{
  PpIdentity *identity; /* held */
  GHashTable *states;   /* asked: names; found: -> PpIdentityState */
  GHashTable *ours;     /* found: set of those names that are of our key */
  GHashTable *locks;    /* asked: names to hold; found: -> descriptor that does, or -1 */
};

PpLabelsLook *pp_labels_look_new (const PpIdentity *identity);

/* Asks for NAME; HOLD: its lock is to be taken. */
void pp_labels_look_add (PpLabelsLook *look, const char *name, gboolean hold);
void pp_labels_look (gpointer look);

/* Gives back the locks that are left in it. */
void pp_labels_look_free (gpointer look);

/* A run that nothing was written down of here. */

typedef struct
{
  PpIdentity *identity; /* held */
  char *flow_run_id;
  gboolean found; /* another identity of our key has it */
} PpRunLook;

PpRunLook *pp_run_look_new (const PpIdentity *identity, const char *flow_run_id);
void pp_run_look (gpointer look);
void pp_run_look_free (gpointer look);

G_END_DECLS
