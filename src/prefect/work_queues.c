/* SPDX-License-Identifier: Apache-2.0 */
/* Work queues: /work_pools/NAME/queues/. */
#include "config.h"

#include "path-private.h"
#include "api-private.h"

/* The most queues to read. Something that returns new queues forever is not a Prefect server. */
#define MAX_QUEUES 10000

struct PpWorkQueuesRead
{
  PpApi *api;
  char *path;
  json_t *filter;    /* the filter by names, or NULL */
  guint wanted;      /* number of names; 0: all queues */
  json_t *found;     /* array */
  GHashTable *names; /* set of the names in found, borrowed from it */
  gsize offset;      /* number of queues that the server has returned */
  PpApiCall *call;
  PpApiDoneFunc done;
  gpointer user_data;
};

static void read_page (PpWorkQueuesRead *read);

void
pp_work_queues_read_cancel (PpWorkQueuesRead *read)
{
  if (read == NULL)
    return;
  pp_api_call_cancel (read->call);
  g_hash_table_unref (read->names);
  json_decref (read->found);
  json_decref (read->filter);
  g_free (read->path);
  g_free (read);
}

/* Adds the new queues of PAGE. Returns TRUE if there is one. */
static gboolean
add_page (PpWorkQueuesRead *read, const json_t *page)
{
  const gsize before = json_array_size (read->found);
  json_t *queue;
  size_t index;

  json_array_foreach (page, index, queue)
  {
    const char *name = pp_json_string (queue, "name");

    if (name == NULL || g_hash_table_contains (read->names, name))
      continue;
    json_array_append (read->found, queue);
    g_hash_table_add (read->names, (gpointer)name);
  }
  read->offset += json_array_size (page);
  return json_array_size (read->found) > before;
}

static gboolean
is_complete (const PpWorkQueuesRead *read)
{
  gsize found = json_array_size (read->found);

  return found >= MAX_QUEUES || (read->wanted > 0 && found >= read->wanted);
}

static void
on_page (json_t *body, const GError *error, gpointer user_data)
{
  PpWorkQueuesRead *read = user_data;

  read->call = NULL;
  if (error == NULL && add_page (read, body) && !is_complete (read))
    {
      read_page (read);
      return;
    }
  read->done (error == NULL ? read->found : NULL, error, read->user_data);
  pp_work_queues_read_cancel (read);
}

static void
read_page (PpWorkQueuesRead *read)
{
  json_t *body = json_object ();

  if (read->filter != NULL)
    json_object_set (body, "work_queues", read->filter);
  if (read->offset > 0)
    json_object_set_new (body, "offset", json_integer ((json_int_t)read->offset));
  read->call
      = pp_api_expects (pp_api_is_array, pp_api_call_shared (read->api, "POST", read->path, body,
                                                             PP_API_RETRY, on_page, read));
}

PpWorkQueuesRead *
pp_work_queues_read (PpApi *api, const char *pool, const char *const *names, PpApiDoneFunc done,
                     gpointer user_data)
{
  PpWorkQueuesRead *read = g_new0 (PpWorkQueuesRead, 1);

  read->api = api;
  read->path = pp_api_path ("/work_pools", pool, "/queues/filter");
  read->found = json_array ();
  read->names = g_hash_table_new (g_str_hash, g_str_equal);
  read->done = done;
  read->user_data = user_data;
  if (names != NULL)
    {
      json_t *any = json_array ();

      for (; *names != NULL; names++)
        json_array_append_new (any, json_string (*names));
      read->wanted = (guint)json_array_size (any);
      read->filter = json_pack ("{s:{s:o}}", "name", "any_", any);
    }
  read_page (read);
  return read;
}
