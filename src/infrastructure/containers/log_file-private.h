/* SPDX-License-Identifier: Apache-2.0 */
/* Converts a container's log to output. The log consists of the files that conmon writes (log
 * driver k8s-file); log_tail.c reads them. Private to src/infrastructure/containers.
 *
 * Podman's own `logs?follow=1` loses lines if a container writes faster than the client reads.
 * After the container's end, Podman stops sending and skips the rest at random
 * (libpod/container_log.go StopAtEOF; seen with 4.3.1, still in the sources of 5.8). The file has
 * every byte, survives a restart of the engine, and costs the engine nothing. */
#pragma once

#include "prefect-podman/infrastructure/log_place.h"
#include "log_records-private.h"
#include "log_tail-private.h"

G_BEGIN_DECLS

typedef struct PpLogFile PpLogFile;

/* Continues reading at PLACE (NULL: at the log's beginning). BEGINS_LATE is the result of
 * pp_log_tail_begins_late(). */
PpLogFile *pp_log_file_new (const PpLogPlace *place, gboolean begins_late, PpPayloadFunc on_output,
                            gpointer user_data);
void pp_log_file_free (PpLogFile *log);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpLogFile, pp_log_file_free)

/* Takes the next piece that was read. Call this after pp_log_file_deliver() returned TRUE for the
 * pieces before. */
void pp_log_file_take (PpLogFile *log, const PpLogPiece *piece);

/* Call this when the container has ended and all pieces were taken. An incomplete last record is
 * then delivered, too. */
void pp_log_file_finish (PpLogFile *log);

/* Delivers what was taken. Returns FALSE if PpPayloadFunc refused; call it again when the user
 * resumes. */
gboolean pp_log_file_deliver (PpLogFile *log);

/* Returns the time of the record being delivered, in the unit of PpLogPlace. Valid during a call of
 * PpPayloadFunc. All data that conmon reads at once has the same time. */
gint64 pp_log_file_time (const PpLogFile *log);

/* Returns BEGINS_LATE of pp_log_file_new(). */
gboolean pp_log_file_begins_late (const PpLogFile *log);

/* Returns a part of a sentence about missing output and its cause; new string. The output is
 * missing because the log does not continue at PLACE, or because parts were lost after the log was
 * opened. Returns NULL if nothing is missing. Call this when everything was delivered. */
char *pp_log_file_describe_loss (const PpLogFile *log);

/* Returns what could not be read of the log so far; borrowed. */
const PpLogDamage *pp_log_file_damage (const PpLogFile *log);

G_END_DECLS
