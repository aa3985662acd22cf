/* SPDX-License-Identifier: Apache-2.0 */
/* What comes of a container's log as conmon writes it (log driver k8s-file), read from its files.
 * Used inside the room only.
 *
 * Podman's own `logs?follow=1` drops lines at the end of a container that wrote faster than they
 * were read: once the container has died its reader stops sending and skips what is left at random
 * (libpod/container_log.go StopAtEOF, seen with 4.3.1 and still in 5.8's sources). The file has
 * every byte, survives the engine's restart, and costs the engine nothing. */
#pragma once

#include "prefect-podman/infrastructure/log_place.h"
#include "log_records-private.h"
#include "log_tail-private.h"

G_BEGIN_DECLS

typedef struct PpLogFile PpLogFile;

/* Reads on from PLACE (NULL: from the log's beginning). BEGINS_LATE: as pp_log_tail_begins_late().
 */
PpLogFile *pp_log_file_new (const PpLogPlace *place, gboolean begins_late, PpOutputFunc on_output,
                            gpointer user_data);
void pp_log_file_free (PpLogFile *log);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpLogFile, pp_log_file_free)

/* Takes what was read next, once pp_log_file_deliver() has said TRUE of what was before. */
void pp_log_file_take (PpLogFile *log, const PpLogPiece *piece);

/* The container has ended, and all was taken: half a record that the log ends with is delivered
 * too.
 */
void pp_log_file_finish (PpLogFile *log);

/* Delivers what was taken. FALSE: PpOutputFunc said "not now"; call again when it has resumed. */
gboolean pp_log_file_deliver (PpLogFile *log);

/* While PpOutputFunc is called: the time of the record that is delivered, as PpLogPlace has it. All
 * that conmon has read at once has one time. */
gint64 pp_log_file_time (const PpLogFile *log);

/* As it was told. */
gboolean pp_log_file_begins_late (const PpLogFile *log);

/* Once all was delivered: what is missing of the log since it was opened, or since PLACE, in a
 * sentence that says why; new string, NULL where nothing is. */
char *pp_log_file_describe_loss (const PpLogFile *log);

/* What of the log could not be read, until now; borrowed. */
const PpLogDamage *pp_log_file_damage (const PpLogFile *log);

G_END_DECLS
