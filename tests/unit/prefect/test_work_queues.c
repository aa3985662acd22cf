/* SPDX-License-Identifier: Apache-2.0 */
/* Tests a pool with more work queues than the server returns in one answer. */
#include "prefect-podman/http/http.h"
#include "prefect-podman/prefect/resources.h"

#include "tests/unit/server.h"
#include "tests/unit/tap.h"

#include <jansson.h>
#include <string.h>

typedef struct
{
  guint queues;       /* the pool's queues: "q0", "q1", ... */
  guint limit;        /* PREFECT_SERVER_API_DEFAULT_LIMIT */
  gboolean repeats;   /* the answer is the same for every offset */
  gboolean is_pinned; /* "q0" is on each page */
} Pool;

/* True if FILTER, which may be NULL, names NAME. */
static gboolean
is_named (const json_t *filter, const char *name)
{
  const json_t *names = json_object_get (json_object_get (filter, "name"), "any_");
  const json_t *item;
  size_t index;

  json_array_foreach (names, index, item)
  {
    if (g_str_equal (json_string_value (item), name))
      return TRUE;
  }
  return filter == NULL;
}

static gboolean
answer (Server *server G_GNUC_UNUSED, const Request *request, int fd, gpointer data)
{
  const Pool *pool = data;
  json_auto_t *body = json_loads (request->body->str, 0, NULL);
  json_auto_t *page = json_array ();
  json_int_t skip = json_integer_value (json_object_get (body, "offset"));

  g_assert_cmpstr (request->target, ==, "/api/work_pools/p/queues/filter");
  for (guint i = 0; i < pool->queues && json_array_size (page) < pool->limit; i++)
    {
      g_autofree char *name = g_strdup_printf ("q%u", i);

      if (is_named (json_object_get (body, "work_queues"), name)
          && (pool->repeats || (pool->is_pinned && i == 0) || skip-- <= 0))
        json_array_append_new (page, json_pack ("{s:s, s:b}", "name", name, "is_paused", 0));
    }
  char *text = json_dumps (page, JSON_COMPACT);
  gboolean open = server_reply (fd, 200, "", text);
  free (text);
  return open;
}

typedef struct
{
  gboolean done;
  gsize found;
} Result;

static void
on_queues (json_t *body, const GError *error, gpointer user_data)
{
  Result *result = user_data;

  g_assert_no_error (error);
  result->done = TRUE;
  result->found = json_array_size (body);
}

/* Reads queues of POOL: "q0" to "q(NAMED - 1)", or all of them if NAMED is 0. Expects FOUND queues
 * and so many REQUESTS. */
static void
check (Pool pool, guint named, guint found, guint requests)
{
  g_autoptr (Server) server = server_new (NULL, answer, &pool);
  g_autofree char *url = server_url (server, "/api");
  g_autoptr (PpHttp) http = pp_http_new ();
  PpSettings settings = { .api_url = url, .api_request_timeout = 10 };
  g_autoptr (PpApi) api = pp_api_new (http, &settings);
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  Result result = { FALSE, 0 };

  for (guint i = 0; i < named; i++)
    g_ptr_array_add (names, g_strdup_printf ("q%u", i));
  g_ptr_array_add (names, NULL);
  pp_work_queues_read (api, "p", named > 0 ? (const char *const *)names->pdata : NULL, on_queues,
                       &result);
  while (!result.done)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpuint (result.found, ==, found);
  g_assert_cmpuint (server_requests (server), ==, requests);
}

static void
test_all_queues (void)
{
  check ((Pool){ .queues = 0, .limit = 200 }, 0, 0, 1);
  check ((Pool){ .queues = 3, .limit = 200 }, 0, 3, 2);
  check ((Pool){ .queues = 450, .limit = 200 }, 0, 450, 4);
  check ((Pool){ .queues = 10, .limit = 4 }, 0, 10, 4);
  check ((Pool){ .queues = 10, .limit = 4, .repeats = TRUE }, 0, 4, 2);
  check ((Pool){ .queues = 10, .limit = 4, .is_pinned = TRUE }, 0, 8, 4);
}

static void
test_named_queues (void)
{
  check ((Pool){ .queues = 450, .limit = 200 }, 3, 3, 1);
  check ((Pool){ .queues = 450, .limit = 200 }, 250, 250, 2);
  check ((Pool){ .queues = 2, .limit = 200 }, 3, 2, 2);
}

static void
test_cancel (void)
{
  Pool pool = { .queues = 10, .limit = 4 };
  g_autoptr (Server) server = server_new (NULL, answer, &pool);
  g_autofree char *url = server_url (server, "/api");
  g_autoptr (PpHttp) http = pp_http_new ();
  PpSettings settings = { .api_url = url, .api_request_timeout = 10 };
  g_autoptr (PpApi) api = pp_api_new (http, &settings);
  Result result = { FALSE, 0 };
  PpWorkQueuesRead *read = pp_work_queues_read (api, "p", NULL, on_queues, &result);

  while (server_requests (server) < 2)
    g_main_context_iteration (NULL, TRUE);
  pp_work_queues_read_cancel (read);
  pp_work_queues_read_cancel (NULL);
  g_assert_false (result.done);
}

static void
add_tests (void)
{
  g_test_add_func ("/work-queues/all", test_all_queues);
  g_test_add_func ("/work-queues/named", test_named_queues);
  g_test_add_func ("/work-queues/cancel", test_cancel);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add_tests);
}
