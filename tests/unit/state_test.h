/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the state directory share: a folder of their own on a small file system, and no
 * root's rights, so that a full disk and a read-only folder are what they are for a worker. */
#pragma once

#include "prefect-podman/state/journal.h"
#include "prefect-podman/state/journal_position.h"

/* Takes root's rights away. Call first thing in main(). */
void state_test_init (void);

/* A new folder; NULL when SMALL (64 KiB in all) and no file system can be mounted here. */
char *state_test_folder (gboolean small);

/* Removes PATH and all below. */
void state_test_remove (const char *path);

/* A key of pool "pool". */
extern const PpIdentityKey state_test_key;

/* A UUID that ends in N. New string. */
char *state_test_id (guint n);

/* PATH/IDENTITY/NAME... New string. */
char *state_test_path (const PpIdentity *identity, const char *folder, const char *name);

/* Writes TEXT into the file PATH. */
void state_test_write (const char *path, const char *text);

/* How many names PATH has. */
guint state_test_count (const char *path);

/* The position of FLOW_RUN_ID that JOURNAL has, once it was read. */
PpPosition state_test_position (PpJournal *journal, const char *flow_run_id,
                                const char *container_id);
