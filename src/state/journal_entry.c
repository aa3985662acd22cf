/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "prefect-podman/state/journal_entry.h"

#include "prefect-podman/json.h"
#include "prefect-podman/state/state_dir.h"

#include <stdlib.h>
#include <string.h>

/* The version of the format. A new version gets a higher number if this program could misread it.
 * New keys that may be ignored need no new number. */
#define ENTRY_VERSION 1

/* The longest strings, in bytes. The sum of all strings, with every byte escaped as \u00XX, is
 * below PP_JOURNAL_ENTRY_MAX_BYTES. */
#define MAX_NAME 4096
#define MAX_MESSAGE 65536
/* In seconds: longer than a human life. */
#define MAX_SECONDS 4e9

typedef enum
{
  FIELD_UUID,
  FIELD_NAME,
  FIELD_MESSAGE,
  FIELD_BOOLEAN,
  FIELD_INTEGER, /* a gint64, not negative */
  FIELD_SECONDS, /* a double, not negative */
} FieldType;

typedef struct
{
  const char *key;
  FieldType type;
  gsize offset;
  gboolean needed;
} Field;

static const Field fields[] = {
  { "flow_run_id", FIELD_UUID, G_STRUCT_OFFSET (PpJournalEntry, flow_run_id), TRUE },
  { "flow_run_name", FIELD_NAME, G_STRUCT_OFFSET (PpJournalEntry, flow_run_name) },
  { "deployment_id", FIELD_NAME, G_STRUCT_OFFSET (PpJournalEntry, deployment_id) },
  { "flow_id", FIELD_NAME, G_STRUCT_OFFSET (PpJournalEntry, flow_id) },
  { "claim_transition_id", FIELD_UUID, G_STRUCT_OFFSET (PpJournalEntry, claim_transition_id) },
  { "submitting_transition_id", FIELD_UUID,
    G_STRUCT_OFFSET (PpJournalEntry, submitting_transition_id) },
  { "running_transition_id", FIELD_UUID, G_STRUCT_OFFSET (PpJournalEntry, running_transition_id) },
  { "report_transition_id", FIELD_UUID, G_STRUCT_OFFSET (PpJournalEntry, report_transition_id) },
  { "report_type", FIELD_NAME, G_STRUCT_OFFSET (PpJournalEntry, report_type) },
  { "report_name", FIELD_NAME, G_STRUCT_OFFSET (PpJournalEntry, report_name) },
  { "report_message", FIELD_MESSAGE, G_STRUCT_OFFSET (PpJournalEntry, report_message) },
  { "report_force", FIELD_BOOLEAN, G_STRUCT_OFFSET (PpJournalEntry, report_force) },
  { "container_id", FIELD_NAME, G_STRUCT_OFFSET (PpJournalEntry, container_id) },
  { "container_name", FIELD_NAME, G_STRUCT_OFFSET (PpJournalEntry, container_name) },
  { "shown_name", FIELD_NAME, G_STRUCT_OFFSET (PpJournalEntry, shown_name) },
  { "replaced_container_id", FIELD_NAME, G_STRUCT_OFFSET (PpJournalEntry, replaced_container_id) },
  { "undescribed", FIELD_BOOLEAN, G_STRUCT_OFFSET (PpJournalEntry, undescribed) },
  { "worker_reported", FIELD_BOOLEAN, G_STRUCT_OFFSET (PpJournalEntry, worker_reported) },
  { "auto_remove", FIELD_BOOLEAN, G_STRUCT_OFFSET (PpJournalEntry, auto_remove) },
  { "timed_out", FIELD_BOOLEAN, G_STRUCT_OFFSET (PpJournalEntry, timed_out) },
  { "tty", FIELD_BOOLEAN, G_STRUCT_OFFSET (PpJournalEntry, tty) },
  { "stream_output", FIELD_BOOLEAN, G_STRUCT_OFFSET (PpJournalEntry, stream_output) },
  { "forward_output", FIELD_BOOLEAN, G_STRUCT_OFFSET (PpJournalEntry, forward_output) },
  { "stop_timeout", FIELD_INTEGER, G_STRUCT_OFFSET (PpJournalEntry, stop_timeout) },
  { "timeout_seconds", FIELD_SECONDS, G_STRUCT_OFFSET (PpJournalEntry, timeout_seconds) },
  { "startup_timeout_seconds", FIELD_SECONDS,
    G_STRUCT_OFFSET (PpJournalEntry, startup_timeout_seconds) },
  { "claimed_at", FIELD_INTEGER, G_STRUCT_OFFSET (PpJournalEntry, claimed_at), TRUE },
  { "started_at", FIELD_INTEGER, G_STRUCT_OFFSET (PpJournalEntry, started_at) },
  { "started_uptime", FIELD_INTEGER, G_STRUCT_OFFSET (PpJournalEntry, started_uptime) },
  { "seen_run_count", FIELD_INTEGER, G_STRUCT_OFFSET (PpJournalEntry, seen_run_count) },
  { "attempt", FIELD_INTEGER, G_STRUCT_OFFSET (PpJournalEntry, attempt) },
  { "scheduled_time", FIELD_INTEGER, G_STRUCT_OFFSET (PpJournalEntry, scheduled_time) },
  { "late_until_uptime", FIELD_INTEGER, G_STRUCT_OFFSET (PpJournalEntry, late_until_uptime) },
  { "lease_id", FIELD_NAME, G_STRUCT_OFFSET (PpJournalEntry, lease_id) },
  { "engine_name", FIELD_NAME, G_STRUCT_OFFSET (PpJournalEntry, engine_name) },
  { "engine_url", FIELD_NAME, G_STRUCT_OFFSET (PpJournalEntry, engine_url) },
  { "boot_id", FIELD_NAME, G_STRUCT_OFFSET (PpJournalEntry, boot_id) },
};

static const char *const phases[] = { "CLAIMED", "STARTING", "REPORTING" };

const char *
pp_journal_phase_name (PpJournalPhase phase)
{
  return phases[phase];
}

const char *
pp_journal_phase_word (PpJournalPhase phase, gboolean has_started)
{
  return has_started && phase == PP_JOURNAL_STARTING ? "RUNNING" : phases[phase];
}

const char *
pp_journal_entry_shown_name (const PpJournalEntry *entry)
{
  return entry->shown_name != NULL ? entry->shown_name : entry->container_name;
}

static gboolean
is_string (FieldType type)
{
  return type == FIELD_UUID || type == FIELD_NAME || type == FIELD_MESSAGE;
}

/* Returns TEXT as valid UTF-8, cut between two characters to the length that can be read back. */
static json_t *
string_to_json (const char *text, gsize max)
{
  g_autofree char *valid = g_utf8_make_valid (text, (gssize)strnlen (text, max));
  gsize length = strlen (valid);

  /* A repaired byte becomes three bytes. */
  if (length > max)
    length = (gsize)(g_utf8_find_prev_char (valid, valid + max + 1) - valid);
  return json_stringn (valid, length);
}

static json_t *
field_to_json (const Field *field, const PpJournalEntry *entry)
{
  const char *text = NULL;

  switch (field->type)
    {
    case FIELD_BOOLEAN:
      return json_boolean (G_STRUCT_MEMBER (gboolean, entry, field->offset));
    case FIELD_INTEGER:
      return json_integer (MAX (G_STRUCT_MEMBER (gint64, entry, field->offset), 0));
    case FIELD_SECONDS:
      return json_real (CLAMP (G_STRUCT_MEMBER (double, entry, field->offset), 0, MAX_SECONDS));
    case FIELD_UUID:
    case FIELD_NAME:
    case FIELD_MESSAGE:
      text = G_STRUCT_MEMBER (char *, entry, field->offset);
      break;
    }
  if (text == NULL)
    return NULL;
  return string_to_json (text, field->type == FIELD_MESSAGE ? MAX_MESSAGE : MAX_NAME);
}

char *
pp_journal_entry_to_text (const PpJournalEntry *entry)
{
  json_auto_t *json = json_object ();

  json_object_set_new (json, "version", json_integer (ENTRY_VERSION));
  json_object_set_new (json, "phase", json_string (phases[entry->phase]));
  for (gsize i = 0; i < G_N_ELEMENTS (fields); i++)
    {
      json_t *value = field_to_json (&fields[i], entry);
      if (value != NULL)
        json_object_set_new (json, fields[i].key, value);
    }
  char *dumped = json_dumps (json, JSON_INDENT (1));
  char *text = g_strconcat (dumped, "\n", NULL);
  free (dumped);
  return text;
}

static gboolean
damaged (GError **error, const char *key, const char *what)
{
  g_set_error (error, PP_STATE_ERROR, PP_STATE_ERROR_DAMAGED, "key \"%s\": %s", key, what);
  return FALSE;
}

static gboolean
read_string (const Field *field, const json_t *value, char **string, GError **error)
{
  gsize max = field->type == FIELD_MESSAGE ? MAX_MESSAGE : MAX_NAME;
  const char *text = json_string_value (value);

  if (text == NULL)
    return damaged (error, field->key, "must be a string");
  if (json_string_length (value) > max)
    return damaged (error, field->key, "is too long");
  if (field->type == FIELD_UUID && !g_uuid_string_is_valid (text))
    return damaged (error, field->key, "must be a UUID");
  *string = g_strdup (text);
  return TRUE;
}

static gboolean
read_field (const Field *field, const json_t *value, PpJournalEntry *entry, GError **error)
{
  double seconds;

  if (is_string (field->type))
    return read_string (field, value, &G_STRUCT_MEMBER (char *, entry, field->offset), error);
  if (field->type == FIELD_BOOLEAN)
    {
      if (!json_is_boolean (value))
        return damaged (error, field->key, "must be true or false");
      G_STRUCT_MEMBER (gboolean, entry, field->offset) = json_is_true (value);
      return TRUE;
    }
  if (field->type == FIELD_INTEGER)
    {
      if (!json_is_integer (value) || json_integer_value (value) < 0)
        return damaged (error, field->key, "must be a whole number, at least 0");
      G_STRUCT_MEMBER (gint64, entry, field->offset) = json_integer_value (value);
      return TRUE;
    }
  seconds = json_number_value (value);
  if (!json_is_number (value) || seconds < 0 || seconds > MAX_SECONDS)
    return damaged (error, field->key, "must be a number of seconds, at least 0");
  G_STRUCT_MEMBER (double, entry, field->offset) = seconds;
  return TRUE;
}

static gboolean
read_fields (const json_t *json, PpJournalEntry *entry, GError **error)
{
  for (gsize i = 0; i < G_N_ELEMENTS (fields); i++)
    {
      const json_t *value = json_object_get (json, fields[i].key);

      if (value == NULL && fields[i].needed)
        return damaged (error, fields[i].key, "is missing");
      if (value != NULL && !read_field (&fields[i], value, entry, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
read_phase (const json_t *json, PpJournalEntry *entry, GError **error)
{
  const char *name = pp_json_string (json, "phase");

  for (guint i = 0; i < G_N_ELEMENTS (phases); i++)
    if (g_strcmp0 (name, phases[i]) == 0)
      {
        entry->phase = (PpJournalPhase)i;
        return TRUE;
      }
  return damaged (error, "phase", "must be CLAIMED, STARTING or REPORTING");
}

static gboolean
check_version (const json_t *json, GError **error)
{
  const json_t *version = json_object_get (json, "version");

  if (!json_is_integer (version) || json_integer_value (version) < 1)
    return damaged (error, "version", "must be a whole number, at least 1");
  if (json_integer_value (version) <= ENTRY_VERSION)
    return TRUE;
  g_set_error (error, PP_STATE_ERROR, PP_STATE_ERROR_NEWER,
               "key \"version\": is %" JSON_INTEGER_FORMAT
               ", written by a newer prefect-podman; this one reads versions up to %d",
               json_integer_value (version), ENTRY_VERSION);
  return FALSE;
}

/* Parses TEXT as a JSON object. Returns a new object, or NULL with ERROR. */
static json_t *
parse_object (const char *text, gsize length, GError **error)
{
  json_error_t problem = { 0 };
  json_t *json = NULL;

  if (length > PP_JOURNAL_ENTRY_MAX_BYTES)
    {
      g_set_error_literal (error, PP_STATE_ERROR, PP_STATE_ERROR_DAMAGED, "is too large");
      return NULL;
    }
  json = json_loadb (text, length, JSON_REJECT_DUPLICATES, &problem);
  if (json_is_object (json))
    return json;
  g_set_error (error, PP_STATE_ERROR, PP_STATE_ERROR_DAMAGED,
               "line %d, column %d: not a JSON object: %s", json == NULL ? problem.line : 1,
               json == NULL ? problem.column : 1,
               json == NULL ? problem.text : "it is another JSON value");
  json_decref (json);
  return NULL;
}

static gboolean
read_entry (const json_t *json, PpJournalEntry *entry, GError **error)
{
  if (!check_version (json, error) || !read_phase (json, entry, error)
      || !read_fields (json, entry, error))
    return FALSE;
  if (entry->phase == PP_JOURNAL_REPORTING && entry->report_type == NULL)
    return damaged (error, "report_type", "is missing");
  return TRUE;
}

PpJournalEntry *
pp_journal_entry_parse (const char *text, gsize length, GError **error)
{
  json_auto_t *json = parse_object (text, length, error);
  PpJournalEntry *entry = NULL;

  if (json == NULL)
    return NULL;
  entry = g_new0 (PpJournalEntry, 1);
  if (read_entry (json, entry, error))
    return entry;
  pp_journal_entry_free (entry);
  return NULL;
}

void
pp_journal_entry_free (PpJournalEntry *entry)
{
  if (entry == NULL)
    return;
  for (gsize i = 0; i < G_N_ELEMENTS (fields); i++)
    if (is_string (fields[i].type))
      g_free (G_STRUCT_MEMBER (char *, entry, fields[i].offset));
  g_free (entry);
}
