/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "log_file-private.h"

#include <string.h>

struct PpLogFile
{
  gboolean begins_late; /* the first file that was read was not the log's first */
  PpPayloadFunc on_output;
  gpointer user_data;
  PpLogPass pass;
  gint64 time;       /* of the record being delivered */
  gboolean new_file; /* the next piece is from another file */
  gboolean was_cut;  /* a file became shorter than the part already read */
  guint lost_files;
  guint64 lost_bytes;
  PpLogRecords *records;
};

PpLogFile *
pp_log_file_new (const PpLogPlace *place, gboolean begins_late, PpPayloadFunc on_output,
                 gpointer user_data)
{
  PpLogFile *log = g_new0 (PpLogFile, 1);

  log->begins_late = begins_late;
  log->records = pp_log_records_new ();
  pp_log_pass_init (&log->pass, place);
  log->on_output = on_output;
  log->user_data = user_data;
  return log;
}

void
pp_log_file_free (PpLogFile *log)
{
  if (log == NULL)
    return;
  pp_log_records_free (log->records);
  g_free (log);
}

gint64
pp_log_file_time (const PpLogFile *log)
{
  return log->time;
}

gboolean
pp_log_file_begins_late (const PpLogFile *log)
{
  return log->begins_late;
}

const PpLogDamage *
pp_log_file_damage (const PpLogFile *log)
{
  return pp_log_records_damage (log->records);
}

char *
pp_log_file_describe_loss (const PpLogFile *log)
{
  g_autofree char *size = g_format_size (log->lost_bytes);

  if (log->lost_files > 0)
    return g_strdup_printf (
        "its log has a size limit (log_size_max in containers.conf, or max-size in log_config), "
        "and the container wrote faster than the worker could read: %u log %s, about %s, %s "
        "replaced before the worker read %s. Raise the limit to keep all output",
        log->lost_files, log->lost_files == 1 ? "file" : "files", size,
        log->lost_files == 1 ? "was" : "were", log->lost_files == 1 ? "it" : "them");
  if (log->was_cut)
    return g_strdup (
        "its log was truncated while the worker read it, as logrotate does with copytruncate");
  if (pp_log_pass_has_gap (&log->pass))
    return g_strdup (
        "its log reached its size limit (log_size_max in containers.conf, or max-size in "
        "log_config) and was replaced while no worker read it. Raise the limit to keep all output");
  return NULL;
}

void
pp_log_file_take (PpLogFile *log, const PpLogPiece *piece)
{
  log->lost_files = MAX (log->lost_files, piece->lost_files);
  log->lost_bytes = MAX (log->lost_bytes, piece->lost_bytes);
  switch (piece->kind)
    {
    case PP_LOG_TAIL_DATA:
      pp_log_records_push (log->records, piece->data, piece->length);
      pp_log_records_skip (log->records, piece->hole_bytes);
      break;
    case PP_LOG_TAIL_NEW_FILE:
      /* An incomplete record at the end of a finished file stays incomplete. */
      pp_log_records_finish (log->records);
      log->new_file = TRUE;
      break;
    case PP_LOG_TAIL_CUT:
      pp_log_records_new_file (log->records);
      log->was_cut = TRUE;
      break;
    case PP_LOG_TAIL_END:
    case PP_LOG_TAIL_ERROR:
      break;
    }
}

void
pp_log_file_finish (PpLogFile *log)
{
  pp_log_records_finish (log->records);
}

gboolean
pp_log_file_deliver (PpLogFile *log)
{
  PpLogRecord record;

  while (pp_log_records_next (log->records, &record))
    {
      log->time = record.time;
      gsize passed = pp_log_pass_over (&log->pass, record.time, log->begins_late, record.length);

      if (record.length > passed
          && !log->on_output (record.stream, record.text + passed, record.length - passed,
                              log->user_data))
        return FALSE;
      pp_log_pass_done (&log->pass, passed);
      pp_log_records_take (log->records);
    }
  if (log->new_file)
    pp_log_records_new_file (log->records);
  log->new_file = FALSE;
  return TRUE;
}
