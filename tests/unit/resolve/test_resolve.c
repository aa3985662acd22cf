/* SPDX-License-Identifier: Apache-2.0 */
/* Tests what the resolver reads for a run, for the worker and for `render`: a run without an image
 * gets the image of the server's version, and the number of references is bounded. */
#include "prefect-podman/http/http.h"
#include "prefect-podman/resolve/resolve.h"

#include "tests/unit/server.h"
#include "tests/unit/tap.h"

#include <jansson.h>
#include <string.h>

static void
test_default_image (void)
{
  static const struct
  {
    const char *version;
    const char *image;
  } cases[] = {
    { "3.8.8", "docker.io/prefecthq/prefect:3.8.8-python3.12" },
    { "2.20.25", "docker.io/prefecthq/prefect:2.20.25-python3.11" },
    { "3.0.0rc19", "docker.io/prefecthq/prefect:3.0.0rc19-python3.12" },
    { "3.4.6.post1", "docker.io/prefecthq/prefect:3.4.6.post1-python3.12" },
    { "3.8.8+12.gabcdef0", "docker.io/prefecthq/prefect:3-latest" },
    { "3.8.9.dev4", "docker.io/prefecthq/prefect:3-latest" },
    { "3.8.8+0.g1.dirty", "docker.io/prefecthq/prefect:3-latest" },
    { "0+unknown", "docker.io/prefecthq/prefect:3-latest" },
    { "3.8.8\n", "docker.io/prefecthq/prefect:3-latest" },
    { "3.8.8 --privileged", "docker.io/prefecthq/prefect:3-latest" },
    { "", "docker.io/prefecthq/prefect:3-latest" },
    { NULL, "docker.io/prefecthq/prefect:3-latest" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *image = pp_resolve_default_image (cases[i].version);

      g_assert_cmpstr (image, ==, cases[i].image);
    }
}

/* Answers requests for variables, blocks and the server's version. DATA is the answer about the
 * version; "" for 404. */
static gboolean
answer (Server *server G_GNUC_UNUSED, const Request *request, int fd, gpointer data)
{
  const char *version = data;

  if (strstr (request->target, "/variables/name/nosuch") != NULL)
    return server_reply (fd, 404, "", "{\"detail\": \"Variable not found\"}");
  if (strstr (request->target, "/variables/name/empty") != NULL)
    return server_reply (fd, 200, "", "{\"id\": \"v\", \"name\": \"empty\", \"value\": \"\"}");
  if (strstr (request->target, "/variables/name/mine") != NULL)
    return server_reply (fd, 200, "", "{\"id\": \"v\", \"name\": \"mine\", \"value\": \"mine:2\"}");
  if (strstr (request->target, "/block_documents/") != NULL)
    return server_reply (
        fd, 200, "",
        "{\"id\": \"b\", \"block_type\": {\"slug\": \"json\"}, \"data\": {\"value\": "
        "{\"none\": \"\", \"var\": \"{{ prefect.variables.nosuch }}\"}}}");
  g_assert_cmpstr (request->target, ==, "/api/admin/version");
  if (*version == '\0')
    return server_reply (fd, 404, "", "{\"detail\": \"Not Found\"}");
  return server_reply (fd, 200, "", version);
}

typedef struct
{
  GMainLoop *loop;
  char *image;
} Resolved;

static void
on_parts (const PpResolveParts *parts, const GError *error, gpointer user_data)
{
  Resolved *resolved = user_data;
  json_auto_t *environment = json_object ();
  PpResolveIdentity identity
      = { .worker_name = "w", .environment = environment, .process_environment = environment };
  g_autoptr (GError) local = NULL;

  g_assert_no_error (error);
  json_auto_t *configuration = pp_resolve_configuration (parts, &identity, &local);
  g_assert_no_error (local);
  resolved->image = g_strdup (pp_json_string (configuration, "image"));
  g_main_loop_quit (resolved->loop);
}

/* Returns the image of a run with IMAGE (or NULL), resolved by RESOLVER; new string. */
static char *
resolve_image (PpResolver *resolver, const char *image)
{
  json_auto_t *flow_run
      = json_pack ("{s:s, s:s, s:{}, s:{s:s*}}", "id", "8a3c4d5e-0000-4000-8000-000000000001",
                   "name", "run", "parameters", "job_variables", "image", image);
  json_auto_t *pool = json_pack ("{s:s, s:s, s:o}", "name", "p", "type", "docker",
                                 "base_job_template", pp_template_default ("docker"));
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  Resolved resolved = { loop, NULL };

  pp_resolver_fetch (resolver, flow_run, pool, on_parts, &resolved);
  g_main_loop_run (loop);
  return resolved.image;
}

/* Resolves runs with and without an image, with a server that answers VERSION. Checks their images
 * and how often the server was asked. */
static void
check (const char *version, gboolean cloud, const char *expected, guint asked)
{
  g_autoptr (Server) server = server_new (NULL, answer, (gpointer)version);
  g_autofree char *url = server_url (server, "/api");
  g_autoptr (PpHttp) http = pp_http_new ();
  PpSettings settings = { .api_url = url, .api_request_timeout = 10, .connected_to_cloud = cloud };
  g_autoptr (PpApi) api = pp_api_new (http, &settings);
  json_auto_t *environment = json_object ();
  g_autoptr (PpResolver) resolver = pp_resolver_new (api, environment);
  g_autofree char *own = resolve_image (resolver, "mine:1");
  g_autofree char *image = resolve_image (resolver, NULL);
  g_autofree char *again = resolve_image (resolver, NULL);

  g_assert_cmpstr (own, ==, "mine:1");
  g_assert_cmpstr (image, ==, expected);
  g_assert_cmpstr (again, ==, expected);
  g_assert_cmpuint (server_requests (server), ==, asked);
}

static void
test_image_of_a_run (void)
{
  check ("\"3.8.8\"", FALSE, "docker.io/prefecthq/prefect:3.8.8-python3.12", 1);
  check ("\"2.20.25\"", FALSE, "docker.io/prefecthq/prefect:2.20.25-python3.11", 1);
  check ("\"3.8.8+12.gabc\"", FALSE, "docker.io/prefecthq/prefect:3-latest", 1);
  check ("\"3.8.8\"", TRUE, "docker.io/prefecthq/prefect:3-latest", 0);
  check ("", FALSE, "docker.io/prefecthq/prefect:3-latest", 2);
  check ("{\"a\": 1}", FALSE, "docker.io/prefecthq/prefect:3-latest", 2);
}

/* An image that is rendered as nothing counts as no image. */
static void
test_image_of_nothing (void)
{
  static const struct
  {
    const char *given;
    const char *image;
  } cases[] = {
    { "", "docker.io/prefecthq/prefect:3.8.8-python3.12" },
    { "{{ prefect.variables.nosuch }}", "docker.io/prefecthq/prefect:3.8.8-python3.12" },
    { "{{ prefect.variables.empty }}", "docker.io/prefecthq/prefect:3.8.8-python3.12" },
    { "{{ prefect.variables.nosuch }}{{ prefect.variables.empty }}",
      "docker.io/prefecthq/prefect:3.8.8-python3.12" },
    { "{{ prefect.blocks.json.b.value.none }}", "docker.io/prefecthq/prefect:3.8.8-python3.12" },
    { "{{ prefect.blocks.json.b.value.var }}", "docker.io/prefecthq/prefect:3.8.8-python3.12" },
    { "{{ prefect.variables.mine }}", "mine:2" },
    { "mine{{ prefect.variables.nosuch }}", "mine" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (Server) server = server_new (NULL, answer, (gpointer) "\"3.8.8\"");
      g_autofree char *url = server_url (server, "/api");
      g_autoptr (PpHttp) http = pp_http_new ();
      PpSettings settings = { .api_url = url, .api_request_timeout = 10 };
      g_autoptr (PpApi) api = pp_api_new (http, &settings);
      json_auto_t *environment = json_object ();
      g_autoptr (PpResolver) resolver = pp_resolver_new (api, environment);
      g_autofree char *image = resolve_image (resolver, cases[i].given);

      g_test_message ("%s", cases[i].given);
      g_assert_cmpstr (image, ==, cases[i].image);
    }
}

/* ---- how much a run refers to ---- */

#define MAX_REFERENCES 1000
#define MAX_AT_ONCE 4

typedef enum
{
  REFER_VARIABLES,
  REFER_BLOCKS,
  REFER_BLOCK_IDS,
  REFER_MIXED, /* a third of each */
  REFER_KINDS,
} Refer;

/* A server of blocks and variables. It is slow enough for calls to overlap. The block "many" refers
 * to more variables than a run may. */
static gboolean
answer_references (Server *server G_GNUC_UNUSED, const Request *request, int fd,
                   gpointer data G_GNUC_UNUSED)
{
  g_usleep (1000);
  if (g_str_has_prefix (request->target, "/api/variables/"))
    return server_reply (fd, 200, "", "{\"id\": \"v\", \"name\": \"v\", \"value\": \"value\"}");
  if (strstr (request->target, "/name/many?") == NULL)
    {
      /* If a block is requested by its id, the answer has that id. */
      const char *id = strstr (request->target, "/block_documents/8a3c");
      g_autofree char *block
          = g_strdup_printf ("{\"id\": \"%.36s\", \"data\": {\"value\": \"secret\"},"
                             " \"block_type\": {\"slug\": \"secret\"}}",
                             id != NULL ? id + strlen ("/block_documents/") : "b");
      return server_reply (fd, 200, "", block);
    }

  g_autoptr (GString) body = g_string_new (
      "{\"id\": \"b\", \"block_type\": {\"slug\": \"json\"}, \"data\": {\"value\": \"x\"");
  for (guint i = 0; i < MAX_REFERENCES; i++)
    g_string_append_printf (body, ", \"a%u\": \"{{ prefect.variables.v%u }}\"", i, i);
  g_string_append (body, "}}");
  return server_reply (fd, 200, "", body->str);
}

/* Returns a flow run whose job variables refer to COUNT different objects. */
static json_t *
run_that_refers (Refer refer, guint count)
{
  json_t *env = json_object ();

  for (guint i = 0; i < count; i++)
    {
      Refer kind = refer == REFER_MIXED ? (Refer)(i % REFER_MIXED) : refer;
      g_autofree char *key = g_strdup_printf ("V%u", i);
      g_autofree char *id = g_strdup_printf ("8a3c4d5e-0000-4000-8000-%012u", i);
      json_t *value;

      if (kind == REFER_VARIABLES)
        value = json_sprintf ("{{ prefect.variables.v%u }}", i);
      else if (kind == REFER_BLOCKS)
        value = json_sprintf ("{{ prefect.blocks.secret.b%u }}", i);
      else
        value = json_pack ("{s:{s:s}}", "$ref", "block_document_id", id);
      json_object_set_new (env, key, value);
    }
  return json_pack ("{s:s, s:s, s:{}, s:{s:s, s:o}}", "id", "8a3c4d5e-0000-4000-8000-000000000001",
                    "name", "run", "parameters", "job_variables", "image", "mine:1", "env", env);
}

typedef struct
{
  Server *server;
  PpHttp *http;
  PpSettings settings;
  PpApi *api;
  json_t *environment;
  PpResolver *resolver;
  json_t *pool;
} Site;

static void
site_start_with (Site *site, Handler handler, gpointer data)
{
  *site = (Site){ .server = server_new (NULL, handler, data) };
  site->http = pp_http_new ();
  site->settings.api_url = server_url (site->server, "/api");
  site->settings.api_request_timeout = 10;
  site->api = pp_api_new (site->http, &site->settings);
  site->environment = json_object ();
  site->resolver = pp_resolver_new (site->api, site->environment);
  site->pool = json_pack ("{s:s, s:s, s:o}", "name", "p", "type", "docker", "base_job_template",
                          pp_template_default ("docker"));
}

static void
site_start (Site *site)
{
  site_start_with (site, answer_references, NULL);
}

static void
site_end (Site *site)
{
  pp_resolver_free (site->resolver);
  pp_api_free (site->api);
  pp_http_free (site->http);
  server_free (site->server);
  json_decref (site->pool);
  json_decref (site->environment);
  g_free (site->settings.api_url);
}

typedef struct
{
  gboolean done;
  char *error; /* or NULL */
} Outcome;

static void
on_outcome (const PpResolveParts *parts, const GError *error, gpointer user_data)
{
  Outcome *outcome = user_data;

  g_assert_true ((parts == NULL) == (error != NULL));
  outcome->done = TRUE;
  outcome->error = error != NULL ? g_strdup (error->message) : NULL;
}

/* Resolves FLOW_RUN, which is taken. Returns its error, a new string, or NULL. */
static char *
resolve_at (Site *site, json_t *flow_run)
{
  Outcome outcome = { FALSE, NULL };

  pp_resolver_fetch (site->resolver, flow_run, site->pool, on_outcome, &outcome);
  json_decref (flow_run);
  while (!outcome.done)
    g_main_context_iteration (NULL, TRUE);
  return outcome.error;
}

/* A run with too many references fails before anything is read. */
static void
test_too_many_references (void)
{
  for (guint refer = 0; refer < REFER_KINDS; refer++)
    {
      Site site;

      site_start (&site);
      g_autofree char *error = resolve_at (&site, run_that_refers (refer, MAX_REFERENCES + 1));
      g_assert_cmpstr (error, ==,
                       "The job configuration refers to 1001 blocks and variables; a flow run can "
                       "refer to 1000 at most");
      g_assert_cmpuint (server_requests (site.server), ==, 0);
      site_end (&site);
    }
}

static void
test_too_many_references_of_a_block (void)
{
  Site site;

  site_start (&site);
  json_t *flow_run = json_pack ("{s:s, s:s, s:{}, s:{s:s, s:{s:s}}}", "id", "x", "name", "run",
                                "parameters", "job_variables", "image", "mine:1", "env", "A",
                                "{{ prefect.blocks.json.many }}");
  g_autofree char *error = resolve_at (&site, flow_run);
  g_assert_nonnull (error);
  g_test_message ("%s", error);
  g_assert_nonnull (strstr (error, "1001 blocks and variables"));
  g_assert_cmpuint (server_requests (site.server), ==, 1);
  site_end (&site);
}

/* Only a few references are requested at once, so that another run's calls come between them. */
static void
test_references_leave_room (void)
{
  for (guint refer = 0; refer < REFER_KINDS; refer++)
    {
      Site site;
      Outcome large = { FALSE, NULL };
      json_auto_t *flow_run = run_that_refers (refer, MAX_REFERENCES);

      site_start (&site);
      pp_resolver_fetch (site.resolver, flow_run, site.pool, on_outcome, &large);
      g_autofree char *error = resolve_at (&site, run_that_refers (refer, 3));
      g_assert_null (error);
      g_assert_false (large.done);
      g_assert_cmpuint (server_requests (site.server), <, 50);
      while (!large.done)
        g_main_context_iteration (NULL, TRUE);
      g_assert_null (large.error);
      g_assert_cmpuint (server_requests (site.server), ==, MAX_REFERENCES + 3);
      site_end (&site);

      site_start (&site);
      g_autofree char *alone = resolve_at (&site, run_that_refers (refer, 100));
      g_assert_null (alone);
      g_assert_cmpuint (server_most_at_once (site.server), <=, MAX_AT_ONCE);
      site_end (&site);
    }
}

/* Each read of the deployment finds another image: "mine:0", "mine:1". The first answer waits for
 * the second request if HOLD is TRUE. */
static gboolean
answer_deployment (Server *server, const Request *request, int fd, gpointer hold)
{
  g_autofree char *body = g_strdup_printf (
      "{\"id\": \"d\", \"name\": \"d\", \"job_variables\": {\"image\": \"mine:%u\"}}",
      request->number);

  g_assert_cmpstr (request->target, ==, "/api/deployments/d");
  while (GPOINTER_TO_INT (hold) && request->number == 0 && server_requests (server) < 2)
    g_usleep (1000);
  return server_reply (fd, 200, "", body);
}

typedef struct
{
  guint left;
  char *images[3];
} Deployed;

typedef struct
{
  Deployed *deployed;
  guint number;
} DeployedRun;

static void
on_deployed (const PpResolveParts *parts, const GError *error, gpointer user_data)
{
  g_autofree DeployedRun *run = user_data;
  json_t *variables;

  g_assert_no_error (error);
  variables = json_object_get (parts->deployment, "job_variables");
  run->deployed->images[run->number]
      = g_strdup (json_string_value (json_object_get (variables, "image")));
  run->deployed->left--;
}

/* Begins to resolve run NUMBER of deployment "d". */
static void
begin_deployed (Site *site, Deployed *deployed, guint number)
{
  DeployedRun *run = g_new (DeployedRun, 1);
  json_auto_t *flow_run = json_pack ("{s:s, s:s, s:s, s:{}, s:{}}", "id", "x", "name", "run",
                                     "deployment_id", "d", "parameters", "job_variables");

  *run = (DeployedRun){ deployed, number };
  deployed->left++;
  pp_resolver_fetch (site->resolver, flow_run, site->pool, on_deployed, run);
}

/* Waits for all runs, and checks which image each got. IMAGES has three entries. */
static void
assert_deployed (Deployed *deployed, const char *const *images)
{
  while (deployed->left > 0)
    g_main_context_iteration (NULL, TRUE);
  for (guint i = 0; i < G_N_ELEMENTS (deployed->images); i++)
    {
      g_assert_cmpstr (deployed->images[i], ==, images[i]);
      g_clear_pointer (&deployed->images[i], g_free);
    }
}

/* Runs of one poll share a deployment. A run of the next poll may have been created after a
 * redeployment: it never gets job variables that were read, or requested, before that poll. */
static void
test_redeployment (void)
{
  static const char *const shared[] = { "mine:0", "mine:0", NULL };
  static const char *const next[] = { "mine:0", "mine:1", "mine:1" };
  Deployed deployed = { 0 };
  Site site;

  site_start_with (&site, answer_deployment, GINT_TO_POINTER (FALSE));
  pp_resolver_note_poll (site.resolver);
  begin_deployed (&site, &deployed, 0);
  begin_deployed (&site, &deployed, 1);
  assert_deployed (&deployed, shared);
  begin_deployed (&site, &deployed, 0);
  pp_resolver_note_poll (site.resolver);
  begin_deployed (&site, &deployed, 1);
  begin_deployed (&site, &deployed, 2);
  assert_deployed (&deployed, next);
  g_assert_cmpuint (server_requests (site.server), ==, 2);
  site_end (&site);

  site_start_with (&site, answer_deployment, GINT_TO_POINTER (TRUE));
  begin_deployed (&site, &deployed, 0);
  while (server_requests (site.server) == 0)
    g_main_context_iteration (NULL, FALSE);
  pp_resolver_note_poll (site.resolver);
  begin_deployed (&site, &deployed, 1);
  begin_deployed (&site, &deployed, 2);
  assert_deployed (&deployed, next);
  g_assert_cmpuint (server_requests (site.server), ==, 2);
  site_end (&site);
}

static void
add_tests (void)
{
  g_test_add_func ("/resolve/default-image", test_default_image);
  g_test_add_func ("/resolve/image-of-a-run", test_image_of_a_run);
  g_test_add_func ("/resolve/image-of-nothing", test_image_of_nothing);
  g_test_add_func ("/resolve/redeployment", test_redeployment);
  g_test_add_func ("/resolve/too-many-references", test_too_many_references);
  g_test_add_func ("/resolve/too-many-references-of-a-block", test_too_many_references_of_a_block);
  g_test_add_func ("/resolve/references-leave-room", test_references_leave_room);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add_tests);
}
