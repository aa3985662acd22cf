/* SPDX-License-Identifier: Apache-2.0 */
/* The objects behind {{ ctx.flow.* }} and {{ ctx.flow_run.* }}: Prefect's models Flow and FlowRun
 * as JSON (model_dump (mode="json")), made from the API's answers. */
#include "config.h"

#include "template-private.h"

#include <string.h>

typedef enum
{
  FIELD_ANY,
  FIELD_TIMESTAMP,
  FIELD_SECONDS
} FieldKind;

typedef struct
{
  const char *name;
  const char *missing; /* JSON: the model's default if the API has no such key */
  FieldKind kind;
} Field;

/* The fields of FlowRun (prefect/client/schemas/objects.py), in its order. Other fields of the
 * API's answer are not in the model. */
static const Field flow_run_fields[] = {
  { "id", "null" },
  { "created", "null", FIELD_TIMESTAMP },
  { "updated", "null", FIELD_TIMESTAMP },
  { "name", "null" },
  { "flow_id", "null" },
  { "state_id", "null" },
  { "deployment_id", "null" },
  { "deployment_version", "null" },
  { "work_queue_name", "null" },
  { "flow_version", "null" },
  { "parameters", "{}" },
  { "idempotency_key", "null" },
  { "context", "{}" },
  { "empirical_policy",
    "{\"max_retries\": 0, \"retry_delay_seconds\": 0.0, \"retries\": null, \"retry_delay\": null, "
    "\"pause_keys\": [], \"resuming\": false, \"retry_type\": null}" },
  { "tags", "[]" },
  { "labels", "{}" },
  { "parent_task_run_id", "null" },
  { "run_count", "0" },
  { "expected_start_time", "null", FIELD_TIMESTAMP },
  { "next_scheduled_start_time", "null", FIELD_TIMESTAMP },
  { "start_time", "null", FIELD_TIMESTAMP },
  { "end_time", "null", FIELD_TIMESTAMP },
  { "total_run_time", "0.0", FIELD_SECONDS },
  { "estimated_run_time", "0.0", FIELD_SECONDS },
  { "estimated_start_time_delta", "0.0", FIELD_SECONDS },
  { "auto_scheduled", "false" },
  { "infrastructure_document_id", "null" },
  { "infrastructure_pid", "null" },
  { "created_by", "null" },
  { "work_queue_id", "null" },
  { "work_pool_id", "null" },
  { "work_pool_name", "null" },
  { "state", "null" },
  { "job_variables", "null" },
  { "state_type", "null" },
  { "state_name", "null" },
};

static const Field flow_fields[] = {
  { "id", "null" },
  { "created", "null", FIELD_TIMESTAMP },
  { "updated", "null", FIELD_TIMESTAMP },
  { "name", "null" },
  { "tags", "[]" },
  { "labels", "{}" },
};

/* The parts of "2026-11-22T06:04:00[.123456]Z|+hh:mm". The fraction stays text, because GDateTime's
 * seconds are a double. */
typedef struct
{
  char seconds[20]; /* date and time up to the seconds */
  char fraction[8]; /* ".123456", or "" */
  const char *zone; /* borrowed */
} Timestamp;

static gboolean
parse_timestamp (const char *text, Timestamp *timestamp)
{
  if (strlen (text) < sizeof timestamp->seconds)
    return FALSE;
  g_strlcpy (timestamp->seconds, text, sizeof timestamp->seconds);
  const char *rest = text + sizeof timestamp->seconds - 1;
  gsize digits = rest[0] == '.' ? strspn (rest + 1, G_CSET_DIGITS) : 0;
  timestamp->zone = digits > 0 ? rest + 1 + digits : rest;

  g_strlcpy (timestamp->fraction, ".000000", sizeof timestamp->fraction);
  if (digits > 0)
    memcpy (timestamp->fraction, rest, 1 + MIN (digits, 6));
  if (strspn (timestamp->fraction, ".0") == strlen (timestamp->fraction))
    timestamp->fraction[0] = '\0';
  return TRUE;
}

char *
pp_timestamp_to_utc (const char *text)
{
  Timestamp timestamp;
  if (!parse_timestamp (text, &timestamp))
    return NULL;
  g_autofree char *whole = g_strconcat (timestamp.seconds, timestamp.zone, NULL);
  g_autoptr (GTimeZone) utc = g_time_zone_new_utc ();
  g_autoptr (GDateTime) parsed = g_date_time_new_from_iso8601 (whole, utc);
  if (parsed == NULL)
    return NULL;
  g_autoptr (GDateTime) in_utc = g_date_time_to_utc (parsed);
  g_autofree char *seconds = g_date_time_format (in_utc, "%Y-%m-%dT%H:%M:%S");
  return g_strconcat (seconds, timestamp.fraction, "+00:00", NULL);
}

/* Writes a datetime as pydantic does: with six digits of a second or none, and Z for UTC. */
static json_t *
model_timestamp (json_t *value)
{
  Timestamp timestamp;
  if (!json_is_string (value) || !parse_timestamp (json_string_value (value), &timestamp))
    return json_incref (value);
  const char *zone = strcmp (timestamp.zone, "+00:00") == 0 ? "Z" : timestamp.zone;
  g_autofree char *text = g_strconcat (timestamp.seconds, timestamp.fraction, zone, NULL);
  return json_string (text);
}

static json_t *
model_value (const Field *field, json_t *value)
{
  if (value == NULL)
    return json_loads (field->missing, JSON_DECODE_ANY, NULL);
  if (field->kind == FIELD_SECONDS && json_is_integer (value))
    return json_real ((double)json_integer_value (value));
  if (field->kind == FIELD_TIMESTAMP)
    return model_timestamp (value);
  return json_incref (value);
}

static json_t *
model_dump (const Field *fields, gsize count, const json_t *object)
{
  json_t *dump = json_object ();
  if (object == NULL)
    return dump;
  for (gsize i = 0; i < count; i++)
    json_object_set_new (dump, fields[i].name,
                         model_value (&fields[i], json_object_get (object, fields[i].name)));
  return dump;
}

/* Prefect removes `env` from the flow run's own job variables when it merges them. */
static void
drop_merged_env (json_t *flow_run, const json_t *deployment)
{
  const json_t *deployment_variables = json_object_get (deployment, "job_variables");
  const json_t *own = json_object_get (flow_run, "job_variables");
  if (!json_is_object (json_object_get (deployment_variables, "env"))
      || json_object_get (own, "env") == NULL)
    return;
  json_t *rest = pp_json_shallow_copy (own);
  json_object_del (rest, "env");
  json_object_set_new (flow_run, "job_variables", rest);
}

json_t *
pp_flow_context (const PpTemplateContext *context)
{
  json_t *flow = model_dump (flow_fields, G_N_ELEMENTS (flow_fields), context->flow);
  json_t *flow_run
      = model_dump (flow_run_fields, G_N_ELEMENTS (flow_run_fields), context->flow_run);
  drop_merged_env (flow_run, context->deployment);
  return json_pack ("{s:{s:o, s:o}}", "ctx", "flow", flow, "flow_run", flow_run);
}
