/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the objects that a run's configuration refers to: block documents, variables, the server's
 * version. A job's author controls the number of references. So their number is limited, and only a
 * few are read at once, so that the calls of other runs do not wait behind them. */
#include "config.h"

#include "resolve-private.h"

#include "prefect-podman/prefect/resources.h"
#include "prefect-podman/template/template.h"

/* The most blocks and variables that one run can refer to. */
#define MAX_REFERENCES 1000
/* The most references to read at once. */
#define MAX_UNDER_WAY 4
/* How long a version is cached: a server may be upgraded, but not every minute. */
#define VERSION_SHARED_US (60 * G_USEC_PER_SEC)

typedef struct Fetch Fetch;

/* One read for one run: a block document, a variable, or the server's version. */
struct Fetch
{
  PpResolveCall *resolve;
  PpApiCall *(*start) (Fetch *fetch);
  json_t *into; /* the object in parts that gets the result; borrowed */
  char *key;
  gboolean may_be_missing; /* a 404 gives null */
  gboolean may_fail;       /* any error gives null */
  PpApiCall *call;         /* NULL before it is sent */
};

static void
fetch_free (gpointer data)
{
  Fetch *fetch = data;

  pp_api_call_cancel (fetch->call);
  g_free (fetch->key);
  g_free (fetch);
}

void
pp_resolve_drop_fetches (PpResolveCall *call)
{
  while (!g_queue_is_empty (&call->wanted))
    fetch_free (g_queue_pop_head (&call->wanted));
  g_list_free_full (g_steal_pointer (&call->fetches), fetch_free);
}

/* Sends queued reads, a few at once. */
static void
start_fetches (PpResolveCall *call)
{
  while (call->idle == 0 && g_list_length (call->fetches) < MAX_UNDER_WAY
         && !g_queue_is_empty (&call->wanted))
    {
      Fetch *fetch = g_queue_pop_head (&call->wanted);

      call->fetches = g_list_prepend (call->fetches, fetch);
      fetch->call = fetch->start (fetch);
    }
}

static void
on_fetched (json_t *body, const GError *error, gpointer user_data)
{
  Fetch *fetch = user_data;
  PpResolveCall *call = fetch->resolve;

  fetch->call = NULL;
  call->waiting--;
  if (error != NULL && !fetch->may_fail
      && !(fetch->may_be_missing && g_error_matches (error, PP_API_ERROR, 404)))
    pp_resolve_fail (call, PP_RESOLVE_ERROR_FETCH, "Reference", fetch->key, error);
  else if (error == NULL)
    json_object_set (fetch->into, fetch->key, body);
  call->fetches = g_list_remove (call->fetches, fetch);
  fetch_free (fetch);
  start_fetches (call);
  pp_resolve_advance (call);
}

/* Queues a read of KEY for INTO. Returns NULL if it was queued before. */
static Fetch *
want (PpResolveCall *call, json_t *into, const char *key, PpApiCall *(*start) (Fetch *fetch))
{
  Fetch *fetch;

  if (json_object_get (into, key) != NULL)
    return NULL;
  fetch = g_new0 (Fetch, 1);
  fetch->resolve = call;
  fetch->start = start;
  fetch->into = into;
  fetch->key = g_strdup (key);
  /* Marks it as queued. */
  json_object_set_new (into, key, json_null ());
  g_queue_push_tail (&call->wanted, fetch);
  call->waiting++;
  return fetch;
}

static PpApiCall *
read_block (Fetch *fetch)
{
  g_auto (GStrv) names = g_strsplit (fetch->key, "/", 2);

  return pp_block_document_read_by_name (fetch->resolve->resolver->api, names[0],
                                         names[1] != NULL ? names[1] : "", on_fetched, fetch);
}

static PpApiCall *
read_block_id (Fetch *fetch)
{
  return pp_block_document_read (fetch->resolve->resolver->api, fetch->key, on_fetched, fetch);
}

static PpApiCall *
read_variable (Fetch *fetch)
{
  return pp_variable_read (fetch->resolve->resolver->api, fetch->key, on_fetched, fetch);
}

/* Queues a read of each of NAMES, an array. START sends one read. */
static void
want_references (PpResolveCall *call, const json_t *names, json_t *into,
                 PpApiCall *(*start) (Fetch *fetch))
{
  const json_t *item;
  size_t index;

  json_array_foreach (names, index, item)
  {
    Fetch *fetch = want (call, into, json_string_value (item), start);

    if (fetch == NULL)
      continue;
    fetch->may_be_missing = start == read_variable;
    call->references++;
  }
}

/* Sends queued reads, or ends CALL with an error if it has too many references. */
static void
start_wanted (PpResolveCall *call)
{
  if (call->references > MAX_REFERENCES && call->error == NULL)
    {
      call->error = g_error_new (PP_RESOLVE_ERROR, PP_RESOLVE_ERROR_CONFIGURATION,
                                 "The job configuration refers to %u blocks and variables; a flow "
                                 "run can refer to %d at most",
                                 call->references, MAX_REFERENCES);
      pp_resolve_finish (call);
    }
  start_fetches (call);
}

static void
on_version (json_t *body, const GError *error, gpointer user_data)
{
  Fetch *fetch = user_data;
  PpResolver *resolver = fetch->resolve->resolver;

  if (error == NULL)
    {
      json_decref (resolver->version);
      resolver->version = json_incref (body);
      resolver->version_read = g_get_monotonic_time ();
    }
  /* If the read failed, an older version is better than none. */
  on_fetched (error == NULL ? body : resolver->version, resolver->version == NULL ? error : NULL,
              user_data);
}

static PpApiCall *
read_version (Fetch *fetch)
{
  return pp_server_version_read (fetch->resolve->resolver->api, on_version, fetch);
}

/* True if CONFIGURATION certainly names an image. A reference may be rendered as nothing. */
static gboolean
has_image (const json_t *configuration)
{
  const char *kind;
  json_t *names;
  json_t *image = json_object_get (configuration, "image");

  if (!pp_json_truthy (image))
    return FALSE;
  json_auto_t *references = pp_template_references (image);
  json_object_foreach (references, kind, names)
  {
    if (json_array_size (names) > 0)
      return FALSE;
  }
  return TRUE;
}

void
pp_resolve_fetch_version (PpResolveCall *call)
{
  PpResolver *resolver = call->resolver;

  if (has_image (call->parts->populated) || pp_api_is_cloud (resolver->api))
    return;
  if (resolver->version != NULL
      && g_get_monotonic_time () - resolver->version_read < VERSION_SHARED_US)
    {
      json_object_set (call->parts->server, "version", resolver->version);
      return;
    }
  want (call, call->parts->server, "version", read_version)->may_fail = TRUE;
}

void
pp_resolve_fetch_references (PpResolveCall *call)
{
  json_auto_t *references = pp_template_references (call->parts->populated);

  want_references (call, json_object_get (references, "blocks"), call->parts->blocks, read_block);
  want_references (call, json_object_get (references, "block_ids"), call->parts->block_ids,
                   read_block_id);
  want_references (call, json_object_get (references, "variables"), call->parts->variables,
                   read_variable);
  start_wanted (call);
}

static void
want_variables_of_blocks (PpResolveCall *call, json_t *blocks)
{
  const char *key;
  const json_t *block;

  json_object_foreach (blocks, key, block)
  {
    json_auto_t *references = pp_template_references (json_object_get (block, "data"));

    want_references (call, json_object_get (references, "variables"), call->parts->variables,
                     read_variable);
  }
}

void
pp_resolve_fetch_references_of_blocks (PpResolveCall *call)
{
  want_variables_of_blocks (call, call->parts->blocks);
  want_variables_of_blocks (call, call->parts->block_ids);
  start_wanted (call);
}
