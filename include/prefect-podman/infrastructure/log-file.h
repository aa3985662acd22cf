/* A container's log as conmon writes it (log driver k8s-file), read from the file itself. Used
 * inside the room only.
 *
 * Podman's own `logs?follow=1` drops lines at the end of a container that wrote faster than they
 * were read: once the container has died its reader stops sending and skips what is left at random
 * (libpod/container_log.go StopAtEOF, seen with 4.3.1 and still in 5.8's sources). The file has
 * every byte, survives the engine's restart, and costs the engine nothing.
 *
 * With a limit of size (log_size_max of containers.conf, max-size of log_config) conmon begins a
 * new file when it is reached and moves it over the old one (src/ctr_logging.c, reopen_k8s_file;
 * with its --log-rotate, the old one is moved away before). The old one is complete by then, and
 * can be read to its end by who has it open. */
#pragma once

#include "prefect-podman/infrastructure/log-place.h"
#include "prefect-podman/infrastructure/log-records.h"

G_BEGIN_DECLS

typedef struct PpLogFile PpLogFile;

typedef enum
{
  PP_LOG_FILE_END,        /* all that is in the file was delivered; there may be more later */
  PP_LOG_FILE_MORE,       /* there is more: call again, on another turn of the loop */
  PP_LOG_FILE_NOT_NOW,    /* PpOutputFunc said "not now": call again when it has resumed */
  PP_LOG_FILE_UNREADABLE, /* the system refused to read on; errno says why */
} PpLogFileResult;

/* Opens the log at PATH, to be read on from PLACE (NULL: from its beginning). Returns NULL, errno
 * set, where there is none to read. */
PpLogFile *pp_log_file_open (const char *path, const PpLogPlace *place, PpOutputFunc on_output,
                             gpointer user_data);
void pp_log_file_free (PpLogFile *log);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpLogFile, pp_log_file_free)

/* Delivers what has been written, up to a bound; goes on with the file that has taken the log's
 * place, if one has. */
PpLogFileResult pp_log_file_read (PpLogFile *log);

/* To be called each time that another file was moved to the log's place. */
void pp_log_file_replaced (PpLogFile *log);

/* While PpOutputFunc is called: the time of the record that is delivered, as PpLogPlace has it. All
 * that conmon has read at once has one time. */
gint64 pp_log_file_time (const PpLogFile *log);

/* Whether the file that was opened was not the log's first. FALSE also where the file system does
 * not tell. */
gboolean pp_log_file_begins_late (const PpLogFile *log);

/* Whether output was written and replaced since it was opened, or since PLACE, before it was read,
 * or a file was cut in place, as far as can be told once pp_log_file_read() has come to the end. */
gboolean pp_log_file_has_gaps (const PpLogFile *log);

/* What of the log could not be read, until now; borrowed. */
const PpLogDamage *pp_log_file_damage (const PpLogFile *log);

/* No more will be written: the next pp_log_file_read() also delivers half a record that the log
 * ends with. */
void pp_log_file_finish (PpLogFile *log);

G_END_DECLS
