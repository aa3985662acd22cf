/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "events-private.h"

#include "prefect-podman/prefect/resources.h"
#include "prefect-podman/prefect/version.h"
#include "prefect-podman/text/timestamp.h"

#define INTERVAL_MS 2000
/* Limits the memory for events while the server does not accept them. */
#define MAX_QUEUED 500

struct PpEvents
{
  PpApi *api;
  char *worker_name;
  char *worker_type;
  char *work_pool_id;
  char *work_pool_name;
  json_t *queue; /* array of event objects */
  json_t *sent;  /* array of the events in flight, or NULL */
  GQueue parts;  /* of json_t: halves of a batch that the server refused; sent next */
  guint timer;
  PpApiCall *call;
};

PpEvents *
pp_events_new (PpApi *api, const char *worker_name, const char *worker_type)
{
  PpEvents *events = g_new0 (PpEvents, 1);

  events->api = api;
  events->worker_name = g_strdup (worker_name);
  events->worker_type = g_strdup (worker_type);
  events->queue = json_array ();
  return events;
}

void
pp_events_free (PpEvents *events)
{
  if (events == NULL)
    return;
  g_clear_handle_id (&events->timer, g_source_remove);
  pp_api_call_cancel (events->call);
  json_decref (events->queue);
  json_decref (events->sent);
  while (!g_queue_is_empty (&events->parts))
    json_decref (g_queue_pop_head (&events->parts));
  g_free (events->worker_name);
  g_free (events->worker_type);
  g_free (events->work_pool_id);
  g_free (events->work_pool_name);
  g_free (events);
}

void
pp_events_set_work_pool (PpEvents *events, const json_t *work_pool)
{
  g_free (events->work_pool_id);
  g_free (events->work_pool_name);
  g_free (events->worker_type);
  events->worker_type = g_strdup (pp_json_string (work_pool, "type"));
  events->work_pool_id = g_strdup (pp_json_string (work_pool, "id"));
  events->work_pool_name = g_strdup (pp_json_string (work_pool, "name"));
}

json_t *
pp_events_related (const char *kind, const char *id, const char *name)
{
  g_autofree char *resource_id = g_strdup_printf ("prefect.%s.%s", kind, id);

  return json_pack ("{s:s, s:s, s:s*}", "prefect.resource.id", resource_id, "prefect.resource.role",
                    kind, "prefect.resource.name", name);
}

/* True if a single bad event may have caused ERROR. The batch is then sent again in halves. */
static gboolean
is_about_events (const GError *error)
{
  static const int codes[] = { 400, 413, 422, 500 };

  for (gsize i = 0; i < G_N_ELEMENTS (codes); i++)
    if (g_error_matches (error, PP_API_ERROR, codes[i]))
      return TRUE;
  return FALSE;
}

/* Returns the elements of ARRAY before index AT, or from AT on; new array. */
static json_t *
part_of (const json_t *array, size_t at, gboolean before)
{
  json_t *part = json_array ();
  size_t end = before ? at : json_array_size (array);

  for (size_t i = before ? 0 : at; i < end; i++)
    json_array_append (part, json_array_get (array, i));
  return part;
}

static void
on_sent (json_t *body, const GError *error, gpointer user_data)
{
  PpEvents *events = user_data;

  json_auto_t *sent = g_steal_pointer (&events->sent);

  (void)body;
  events->call = NULL;
  if (error == NULL)
    {
      if (!g_queue_is_empty (&events->parts))
        pp_events_flush (events);
      return;
    }
  g_debug ("Could not send events: %s", error->message);
  if (is_about_events (error) && json_array_size (sent) > 1)
    {
      g_queue_push_head (&events->parts, part_of (sent, json_array_size (sent) / 2, FALSE));
      g_queue_push_head (&events->parts, part_of (sent, json_array_size (sent) / 2, TRUE));
    }
  if (!g_queue_is_empty (&events->parts))
    pp_events_flush (events);
}

static gboolean
on_interval (gpointer user_data)
{
  PpEvents *events = user_data;

  events->timer = 0;
  pp_events_flush (events);
  return G_SOURCE_REMOVE;
}

void
pp_events_flush (PpEvents *events)
{
  g_clear_handle_id (&events->timer, g_source_remove);
  events->timer = 0;
  if (json_array_size (events->queue) == 0 && g_queue_is_empty (&events->parts))
    return;
  if (events->call != NULL)
    {
      events->timer = g_timeout_add (INTERVAL_MS, on_interval, events);
      return;
    }
  events->sent = g_queue_pop_head (&events->parts);
  if (events->sent == NULL)
    {
      events->sent = events->queue;
      events->queue = json_array ();
    }
  events->call = pp_events_create (events->api, json_incref (events->sent), on_sent, events);
}

/* Returns the worker as an event resource (BaseWorker._event_resource); new object. */
static json_t *
worker_resource (const PpEvents *events)
{
  g_autofree char *slug = g_ascii_strdown (events->worker_name, -1);
  g_autofree char *id = NULL;

  g_strcanon (slug, "abcdefghijklmnopqrstuvwxyz0123456789-", '-');
  id = g_strdup_printf ("prefect.worker.%s.%s", events->worker_type, slug);
  return json_pack ("{s:s, s:s, s:s, s:s}", "prefect.resource.id", id, "prefect.resource.name",
                    events->worker_name, "prefect.version", PP_PREFECT_VERSION,
                    "prefect.worker-type", events->worker_type);
}

static void
emit (PpEvents *events, const char *name, json_t *resource, json_t *related)
{
  g_autofree char *id = g_uuid_string_random ();
  g_autofree char *occurred = pp_timestamp_text (g_get_real_time ());

  if (related == NULL)
    related = json_array ();
  if (events->work_pool_id != NULL)
    json_array_append_new (
        related, pp_events_related ("work-pool", events->work_pool_id, events->work_pool_name));
  if (json_array_size (events->queue) >= MAX_QUEUED)
    json_array_remove (events->queue, 0);
  json_array_append_new (events->queue, json_pack ("{s:s, s:s, s:s, s:o, s:o, s:{}}", "id", id,
                                                   "occurred", occurred, "event", name, "resource",
                                                   resource, "related", related, "payload"));
  if (events->timer == 0)
    events->timer = g_timeout_add (INTERVAL_MS, on_interval, events);
}

void
pp_events_emit_worker (PpEvents *events, const char *event, json_t *related)
{
  emit (events, event, worker_resource (events), related);
}

void
pp_events_emit_job (PpEvents *events, const char *event, const char *kind, const char *job_id,
                    const char *job_name, json_t *related)
{
  g_autofree char *id = g_strconcat (kind, ".", job_id, NULL);
  json_t *worker = worker_resource (events);

  if (related == NULL)
    related = json_array ();
  json_object_set_new (worker, "prefect.resource.role", json_string ("worker"));
  json_array_append_new (related, worker);
  emit (events, event,
        json_pack ("{s:s, s:s*}", "prefect.resource.id", id, "prefect.resource.name", job_name),
        related);
}
