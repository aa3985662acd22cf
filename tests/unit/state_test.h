/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the tests of the state directory. They use a directory on a small file system and run
 * without root's rights, so that a full disk and a read-only directory behave as for a worker. */
#pragma once

#include "prefect-podman/state/journal.h"
#include "prefect-podman/state/journal_position.h"

/* Drops root's rights. Call it first in main(). */
void state_test_init (void);

/* Returns a new directory. SMALL limits it to 64 KiB in total; if no file system can be mounted for
 * that, returns NULL. */
char *state_test_folder (gboolean small);

/* Removes PATH and everything below it. */
void state_test_remove (const char *path);

/* A key for the pool "pool". */
extern const PpIdentityKey state_test_key;

/* Returns a UUID that ends in N; new string. */
char *state_test_id (guint n);

/* Returns PATH/IDENTITY/NAME...; new string. */
char *state_test_path (const PpIdentity *identity, const char *folder, const char *name);

/* Writes TEXT to the file PATH. */
void state_test_write (const char *path, const char *text);

/* Returns the number of entries in the directory PATH. */
guint state_test_count (const char *path);

/* Reads the position of FLOW_RUN_ID from JOURNAL and returns it. */
PpPosition state_test_position (PpJournal *journal, const char *flow_run_id,
                                const char *container_id);
