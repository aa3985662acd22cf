/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "resolve-private.h"

#include "prefect-podman/prefect/resources.h"
#include "prefect-podman/text/cut.h"

#include <string.h>

/* How long the runs of one poll share a deployment. Runs of different polls never do: a run that
 * was created after a redeployment must get the new job variables, as with Prefect's own worker,
 * which reads the deployment for each run. */
#define DEPLOYMENT_SHARED_US (1 * G_USEC_PER_SEC)
/* How long runs share a flow. Only its name and id are used, and they do not change. */
#define FLOW_SHARED_US (60 * G_USEC_PER_SEC)

/* A cached deployment or flow, or one that is being read. */
typedef struct
{
  GHashTable *table; /* deployments or flows */
  gboolean is_deployment;
  char *id;  /* the object's id */
  char *key; /* in table */
  json_t *body;
  gint64 started;  /* monotonic microseconds */
  PpApiCall *call; /* NULL after the answer */
  GList *waiters;  /* of PpResolveCall */
} CacheEntry;

void
pp_resolve_parts_free (PpResolveParts *parts)
{
  if (parts == NULL)
    return;
  json_decref (parts->flow_run);
  json_decref (parts->work_pool);
  json_decref (parts->deployment);
  json_decref (parts->flow);
  json_decref (parts->blocks);
  json_decref (parts->block_ids);
  json_decref (parts->variables);
  json_decref (parts->server);
  json_decref (parts->populated);
  g_free (parts);
}

static void
cache_entry_free (gpointer data)
{
  CacheEntry *entry = data;

  pp_api_call_cancel (entry->call);
  g_list_free (entry->waiters);
  json_decref (entry->body);
  g_free (entry->key);
  g_free (entry->id);
  g_free (entry);
}

PpResolver *
pp_resolver_new (PpApi *api, const json_t *process_environment)
{
  PpResolver *resolver = g_new0 (PpResolver, 1);

  resolver->api = api;
  resolver->process_environment = process_environment;
  resolver->deployments = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, cache_entry_free);
  resolver->flows = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, cache_entry_free);
  resolver->calls = g_hash_table_new (NULL, NULL);
  return resolver;
}

void
pp_resolver_free (PpResolver *resolver)
{
  if (resolver == NULL)
    return;
  while (g_hash_table_size (resolver->calls) > 0)
    {
      GHashTableIter iter;
      gpointer call;

      g_hash_table_iter_init (&iter, resolver->calls);
      g_hash_table_iter_next (&iter, &call, NULL);
      pp_resolve_call_cancel (call);
    }
  g_hash_table_unref (resolver->calls);
  g_hash_table_unref (resolver->deployments);
  g_hash_table_unref (resolver->flows);
  json_decref (resolver->version);
  g_free (resolver);
}

static gboolean
remove_waiter (gpointer key, gpointer value, gpointer user_data)
{
  CacheEntry *entry = value;

  (void)key;
  entry->waiters = g_list_remove_all (entry->waiters, user_data);
  return FALSE;
}

void
pp_resolve_call_cancel (PpResolveCall *call)
{
  if (call == NULL)
    return;
  g_hash_table_foreach_remove (call->resolver->deployments, remove_waiter, call);
  g_hash_table_foreach_remove (call->resolver->flows, remove_waiter, call);
  g_hash_table_remove (call->resolver->calls, call);
  pp_resolve_drop_fetches (call);
  g_clear_handle_id (&call->idle, g_source_remove);
  pp_resolve_parts_free (call->parts);
  g_clear_error (&call->error);
  g_free (call);
}

static gboolean
on_idle (gpointer user_data)
{
  PpResolveCall *call = user_data;

  call->idle = 0;
  call->done (call->error == NULL ? call->parts : NULL, call->error, call->user_data);
  pp_resolve_call_cancel (call);
  return G_SOURCE_REMOVE;
}

void
pp_resolve_finish (PpResolveCall *call)
{
  if (call->idle == 0)
    call->idle = g_idle_add_full (G_PRIORITY_DEFAULT, on_idle, call, NULL);
}

void
pp_resolve_fail (PpResolveCall *call, PpResolveError code, const char *what, const char *key,
                 const GError *cause)
{
  g_autofree char *shown = pp_text_cut (key, strlen (key), PP_TEXT_MAX_NAME);

  if (call->error == NULL)
    g_set_error (&call->error, PP_RESOLVE_ERROR, (int)code, "%s %s: %s", what, shown,
                 cause->message);
  pp_resolve_finish (call);
}

static json_t **
part_for (PpResolveCall *call, const CacheEntry *entry)
{
  return entry->is_deployment ? &call->parts->deployment : &call->parts->flow;
}

static void
on_cached (json_t *body, const GError *error, gpointer user_data)
{
  CacheEntry *entry = user_data;
  GList *waiters = g_steal_pointer (&entry->waiters);

  entry->call = NULL;
  entry->body = json_incref (body);
  for (GList *link = waiters; link != NULL; link = link->next)
    {
      PpResolveCall *call = link->data;

      call->waiting--;
      if (error == NULL)
        *part_for (call, entry) = json_incref (body);
      else if (entry->is_deployment && g_error_matches (error, PP_API_ERROR, 404))
        pp_resolve_fail (call, PP_RESOLVE_ERROR_DEPLOYMENT_GONE, "Deployment", entry->id, error);
      else
        pp_resolve_fail (call, PP_RESOLVE_ERROR_FETCH, entry->is_deployment ? "Deployment" : "Flow",
                         entry->id, error);
      pp_resolve_advance (call);
    }
  g_list_free (waiters);
  if (error != NULL)
    g_hash_table_remove (entry->table, entry->key);
}

/* True if nobody waits for the entry and it is old. Removing such entries limits the tables to
 * entries in use. */
static gboolean
is_stale (gpointer key, gpointer value, gpointer user_data)
{
  const CacheEntry *entry = value;
  const gint64 *oldest = user_data;

  (void)key;
  return entry->call == NULL && entry->started < *oldest;
}

/* Returns the key of the object ID in TABLE; new string. A deployment that was read for an earlier
 * poll has another key. */
static char *
cache_key (const PpResolver *resolver, const GHashTable *table, const char *id)
{
  return g_strdup_printf ("%s %u", id, table == resolver->deployments ? resolver->polls : 0);
}

static void
want_cached (PpResolveCall *call, GHashTable *table, const char *id, gint64 shared_us,
             PpApiCall *(*read) (PpApi *, const char *, PpApiDoneFunc, gpointer))
{
  gint64 oldest = g_get_monotonic_time () - shared_us;
  g_autofree char *key = cache_key (call->resolver, table, id);
  CacheEntry *entry;

  g_hash_table_foreach_remove (table, is_stale, &oldest);
  entry = g_hash_table_lookup (table, key);
  if (entry != NULL && entry->call == NULL)
    {
      *part_for (call, entry) = json_incref (entry->body);
      return;
    }
  if (entry == NULL)
    {
      entry = g_new0 (CacheEntry, 1);
      entry->table = table;
      entry->is_deployment = table == call->resolver->deployments;
      entry->id = g_strdup (id);
      entry->key = g_steal_pointer (&key);
      entry->started = g_get_monotonic_time ();
      g_hash_table_insert (table, entry->key, entry);
      entry->call = read (call->resolver->api, id, on_cached, entry);
    }
  entry->waiters = g_list_append (entry->waiters, call);
  call->waiting++;
}

/* Deployments of Prefect 2 have their job variables under another key. */
static void
modernise_deployment (json_t *deployment)
{
  json_t *overrides = json_object_get (deployment, "infra_overrides");

  if (overrides != NULL && json_object_get (deployment, "job_variables") == NULL)
    json_object_set (deployment, "job_variables", overrides);
}

void
pp_resolve_advance (PpResolveCall *call)
{
  PpResolveParts *parts = call->parts;

  if (call->idle != 0 || call->waiting > 0)
    return;
  if (!call->references_known)
    {
      g_autoptr (GError) error = NULL;

      call->references_known = TRUE;
      modernise_deployment (parts->deployment);
      parts->populated = pp_resolve_populate (parts, call->resolver->process_environment, &error);
      if (parts->populated == NULL)
        {
          call->error = g_error_new (PP_RESOLVE_ERROR, PP_RESOLVE_ERROR_CONFIGURATION, "%s",
                                     error->message);
          pp_resolve_finish (call);
          return;
        }
      pp_resolve_fetch_version (call);
      pp_resolve_fetch_references (call);
    }
  else
    pp_resolve_fetch_references_of_blocks (call);
  if (call->waiting == 0)
    pp_resolve_finish (call);
}

void
pp_resolver_note_poll (PpResolver *resolver)
{
  resolver->polls++;
}

PpResolveCall *
pp_resolver_fetch (PpResolver *resolver, json_t *flow_run, json_t *work_pool,
                   PpResolveDoneFunc done, gpointer user_data)
{
  PpResolveCall *call = g_new0 (PpResolveCall, 1);
  const char *deployment_id = pp_json_string (flow_run, "deployment_id");
  const char *flow_id = pp_json_string (flow_run, "flow_id");

  call->resolver = resolver;
  call->done = done;
  call->user_data = user_data;
  call->parts = g_new0 (PpResolveParts, 1);
  call->parts->flow_run = json_incref (flow_run);
  call->parts->work_pool = json_incref (work_pool);
  call->parts->blocks = json_object ();
  call->parts->block_ids = json_object ();
  call->parts->variables = json_object ();
  call->parts->server = json_object ();
  g_queue_init (&call->wanted);
  g_hash_table_add (resolver->calls, call);
  if (deployment_id != NULL)
    want_cached (call, resolver->deployments, deployment_id, DEPLOYMENT_SHARED_US,
                 pp_deployment_read);
  if (flow_id != NULL)
    want_cached (call, resolver->flows, flow_id, FLOW_SHARED_US, pp_flow_read);
  pp_resolve_advance (call);
  return call;
}
