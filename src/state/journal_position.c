/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "prefect-podman/state/journal_position.h"

#include "prefect-podman/state/state_dir.h"

#include "journal-private.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* The format: "3 NUMBER... CONTAINER CHECK\n". The numbers are in the order of PpPosition. Blanks
 * before the newline pad it to PP_POSITION_BYTES. */
#define POSITION_VERSION "3"
#define NUMBERS 9
#define NUMBER_DIGITS 20
#define CONTAINER_CHARS 12
#define CHECK_DIGITS 16
#define NUMBERS_AT (sizeof POSITION_VERSION)
#define CONTAINER_AT (NUMBERS_AT + NUMBERS * (NUMBER_DIGITS + 1))
#define CHECK_AT (CONTAINER_AT + CONTAINER_CHARS + 1)
#define LINE_LENGTH (CHECK_AT + CHECK_DIGITS)

G_STATIC_ASSERT (LINE_LENGTH < PP_POSITION_BYTES);

struct PpPositionFile
{
  PpJournal *journal;
  PpJournalPut *put;      /* the write in progress, or NULL */
  gboolean nowhere;       /* the run's id is invalid, so there is no file */
  PpJournalPut *look_put; /* the read in progress, or NULL */
  PpPositionReadFunc read_done;
  gpointer user_data;
  gboolean failed; /* the last write failed, and a warning was logged */
  PpPosition last;
  char container_id[CONTAINER_CHARS + 1];
  char flow_run_id[PP_JOURNAL_UUID_LENGTH + 1];
};

/* The data of a read. The read runs in the journal's thread (pp_journal_work()). */
typedef struct
{
  PpIdentity *identity; /* a reference */
  PpPositionFile *file; /* used only by the main loop */
  gboolean nowhere;
  char container_id[CONTAINER_CHARS + 1];
  char flow_run_id[PP_JOURNAL_UUID_LENGTH + 1];
  PpPosition position; /* the result */
} Look;

/* FNV-1a: enough to detect a record that was written in part. */
static guint64
checksum (const char *text, gsize length)
{
  guint64 sum = G_GUINT64_CONSTANT (14695981039346656037);

  for (gsize i = 0; i < length; i++)
    sum = (sum ^ (guchar)text[i]) * G_GUINT64_CONSTANT (1099511628211);
  return sum;
}

void
pp_position_format (const PpPosition *position, const char *container_id,
                    char record[PP_POSITION_BYTES])
{
  const guint64 numbers[NUMBERS] = {
    position->records,
    (guint64)position->last_timestamp,
    (guint64)position->sent_until,
    position->stdout_bytes,
    (guint64)position->log_first,
    (guint64)position->log_time,
    (guint64)position->log_next,
    position->log_records,
    position->log_bytes,
  };
  char line[PP_POSITION_BYTES + 1] = POSITION_VERSION " ";
  gsize at = NUMBERS_AT;

  for (guint i = 0; i < NUMBERS; i++, at += NUMBER_DIGITS + 1)
    snprintf (line + at, sizeof line - at, "%0*" G_GUINT64_FORMAT " ", NUMBER_DIGITS, numbers[i]);
  snprintf (line + at, sizeof line - at, "%-*.*s ", CONTAINER_CHARS, CONTAINER_CHARS, container_id);
  snprintf (line + CHECK_AT, sizeof line - CHECK_AT, "%0*" G_GINT64_MODIFIER "x", CHECK_DIGITS,
            checksum (line, CHECK_AT));
  memset (line + LINE_LENGTH, ' ', PP_POSITION_BYTES - LINE_LENGTH);
  line[PP_POSITION_BYTES - 1] = '\n';
  memcpy (record, line, PP_POSITION_BYTES);
}

gboolean
pp_position_parse (const char *text, gsize length, const char *container_id, PpPosition *position,
                   gboolean *same_container)
{
  char line[PP_POSITION_BYTES + 1];
  char again[PP_POSITION_BYTES];
  char container[CONTAINER_CHARS + 1];
  guint64 numbers[NUMBERS];
  PpPosition read;

  if (length != PP_POSITION_BYTES)
    return FALSE;
  memcpy (line, text, length);
  line[length] = '\0';
  memcpy (container, line + CONTAINER_AT, CONTAINER_CHARS);
  container[CONTAINER_CHARS] = '\0';
  for (guint i = 0; i < NUMBERS; i++)
    numbers[i] = g_ascii_strtoull (line + NUMBERS_AT + i * (NUMBER_DIGITS + 1), NULL, 10);
  read = (PpPosition){
    .records = numbers[0],
    .last_timestamp = (gint64)numbers[1],
    .sent_until = (gint64)numbers[2],
    .stdout_bytes = numbers[3],
    .log_first = (gint64)numbers[4],
    .log_time = (gint64)numbers[5],
    .log_next = (gint64)numbers[6],
    .log_records = numbers[7],
    .log_bytes = numbers[8],
  };
  /* A record is complete if formatting its values gives the same text. */
  pp_position_format (&read, container, again);
  if (memcmp (text, again, PP_POSITION_BYTES) != 0)
    return FALSE;
  *position = read;
  /* The job id of another kind of infrastructure may be shorter. pp_position_format() pads it with
   * blanks. */
  *same_container = strncmp (g_strchomp (container), container_id, CONTAINER_CHARS) == 0;
  return TRUE;
}

/* Runs in the journal's thread. */
static void
read_position (gpointer data)
{
  Look *look = data;
  g_auto (PpFolder) runs = { -1, NULL };
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL;
  gboolean same_container = FALSE;
  struct stat status;
  gsize length = 0;
  PpJournalName name;

  if (look->nowhere)
    return;
  pp_journal_name (name, "", look->flow_run_id, PP_POSITION_SUFFIX);
  if (pp_folder_open (&runs, &look->identity->folder, PP_IDENTITY_RUNS, FALSE, &error))
    text = pp_small_file_read (&runs, name, PP_POSITION_BYTES, &length, &error);
  if (text == NULL && g_error_matches (error, PP_STATE_ERROR, PP_STATE_ERROR_GONE))
    return;
  /* The file was created, but the worker was killed before writing it. */
  if (text != NULL && length == 0)
    return;
  if (text == NULL)
    {
      look->position.noted_at = PP_POSITION_DAMAGED;
      g_warning ("%s: output that was already delivered may be delivered again", error->message);
    }
  else if (!pp_position_parse (text, length, look->container_id, &look->position, &same_container))
    {
      look->position.noted_at = PP_POSITION_DAMAGED;
      g_warning ("%s/%s: damaged: output that was already delivered may be delivered again",
                 runs.path, name);
    }
  else if (!same_container)
    look->position = (PpPosition){ 0 };
  else if (fstatat (runs.fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0)
    look->position.noted_at
        = status.st_mtim.tv_sec * G_USEC_PER_SEC + status.st_mtim.tv_nsec / 1000;
}

static void
look_free (gpointer data)
{
  Look *look = data;

  pp_identity_free (look->identity);
  g_free (look);
}

static void
on_read (const GError *error G_GNUC_UNUSED, gpointer user_data)
{
  Look *look = user_data;
  PpPositionFile *file = look->file;

  file->look_put = NULL;
  file->last = look->position;
  file->read_done (&look->position, file->user_data);
}

PpPositionFile *
pp_position_open (PpJournal *journal, const char *flow_run_id, const char *container_id)
{
  PpPositionFile *file = g_new0 (PpPositionFile, 1);

  file->journal = journal;
  g_strlcpy (file->container_id, container_id, sizeof file->container_id);
  g_strlcpy (file->flow_run_id, flow_run_id, sizeof file->flow_run_id);
  file->nowhere = !g_uuid_string_is_valid (flow_run_id);
  return file;
}

void
pp_position_read (PpPositionFile *file, PpPositionReadFunc done, gpointer user_data)
{
  Look *look = g_new0 (Look, 1);

  look->identity = pp_identity_ref (file->journal->identity);
  look->file = file;
  look->nowhere = file->nowhere;
  memcpy (look->container_id, file->container_id, sizeof look->container_id);
  memcpy (look->flow_run_id, file->flow_run_id, sizeof look->flow_run_id);
  file->read_done = done;
  file->user_data = user_data;
  file->look_put = pp_journal_work (file->journal, read_position, look, look_free, on_read, look);
}

static void
on_written (const GError *error, gpointer user_data)
{
  PpPositionFile *file = user_data;

  file->put = NULL;
  if (error != NULL && !file->failed)
    g_warning ("%s: the next worker may deliver output of this run that was already delivered",
               error->message);
  file->failed = error != NULL;
}

void
pp_position_begin (PpPositionFile *file, const PpPosition *position)
{
  char record[PP_POSITION_BYTES];

  if (file->nowhere || file->look_put != NULL)
    return;
  file->last = *position;
  pp_position_format (position, file->container_id, record);
  if (file->put != NULL && pp_journal_put_amend (file->put, record))
    return;
  pp_journal_put_cancel (file->put);
  file->put = pp_journal_put_position (file->journal, file->flow_run_id, record, sizeof record,
                                       on_written, file);
}

void
pp_position_update (PpPositionFile *file, const PpPosition *position)
{
  if (file->failed || memcmp (position, &file->last, sizeof *position) != 0)
    pp_position_begin (file, position);
}

gboolean
pp_position_is_there (const PpFolder *runs, const PpJournalEntry *entry)
{
  g_autofree char *name = g_strconcat (entry->flow_run_id, PP_POSITION_SUFFIX, NULL);
  gboolean same_container = FALSE;
  PpPosition position;
  gsize length = 0;

  if (entry->container_id == NULL)
    return FALSE;
  g_autofree char *text = pp_small_file_read (runs, name, PP_POSITION_BYTES, &length, NULL);
  return text != NULL
         && pp_position_parse (text, length, entry->container_id, &position, &same_container)
         && same_container;
}

void
pp_position_close (PpPositionFile *file)
{
  if (file == NULL)
    return;
  pp_journal_put_cancel (file->put);
  pp_journal_put_cancel (file->look_put);
  g_free (file);
}
