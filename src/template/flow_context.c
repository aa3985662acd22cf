/* The objects that {{ ctx.flow.* }} and {{ ctx.flow_run.* }} look into: the peer's Flow and FlowRun
 * models as JSON (model_dump (mode="json")), made from the API's answers. */
#include "internal.h"

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
  const char *missing; /* JSON: what the model has where the API says nothing */
  FieldKind kind;
} Field;

/* prefect/client/schemas/objects.py FlowRun, in its order; the API's other fields are not there. */
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

/* TIMESTAMP ("2026-11-22T06:04:00.123456Z", "...+02:00") in UTC, with SUFFIX for the zone.
 * GDateTime does the calendar; the fraction stays text, which no rounding can change. */
static char *
timestamp_in_utc (const char *timestamp, const char *suffix)
{
  const char *dot = strchr (timestamp, '.');
  gsize digits = dot != NULL ? strspn (dot + 1, G_CSET_DIGITS) : 0;
  g_autofree char *whole = dot == NULL ? g_strdup (timestamp)
                                       : g_strdup_printf ("%.*s%s", (int)(dot - timestamp),
                                                          timestamp, dot + 1 + digits);

  g_autoptr (GTimeZone) utc = g_time_zone_new_utc ();
  g_autoptr (GDateTime) parsed = g_date_time_new_from_iso8601 (whole, utc);
  if (parsed == NULL)
    return NULL;
  g_autoptr (GDateTime) in_utc = g_date_time_to_utc (parsed);
  g_autofree char *seconds = g_date_time_format (in_utc, "%Y-%m-%dT%H:%M:%S");
  if (strspn (dot != NULL ? dot + 1 : "", "0") == digits)
    return g_strconcat (seconds, suffix, NULL);

  char fraction[] = "000000";
  memcpy (fraction, dot + 1, MIN (digits, 6));
  return g_strconcat (seconds, ".", fraction, suffix, NULL);
}

char *
pp_timestamp_to_utc (const char *timestamp)
{
  return timestamp_in_utc (timestamp, "+00:00");
}

static json_t *
model_value (const Field *field, json_t *value)
{
  if (value == NULL)
    return json_loads (field->missing, JSON_DECODE_ANY, NULL);
  if (field->kind == FIELD_SECONDS && json_is_integer (value))
    return json_real ((double)json_integer_value (value));
  if (field->kind == FIELD_TIMESTAMP && json_is_string (value))
    {
      g_autofree char *timestamp = timestamp_in_utc (json_string_value (value), "Z");
      if (timestamp != NULL)
        return json_string (timestamp);
    }
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

/* Merging the job variables, the peer takes `env` out of the flow run's own. */
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
