/* SPDX-License-Identifier: Apache-2.0 */
/* The image of a run that names none follows the server, for the worker and `render` alike. */
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

/* What the scripted server says of its version; "" for 404. */
static gboolean
answer (Server *server G_GNUC_UNUSED, const Request *request, int fd, gpointer data)
{
  const char *version = data;

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

/* The image of a run with IMAGE (or NULL) resolved by RESOLVER; new. */
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

/* Runs with and without an image beside a server that answers ANSWER; the images, and how often it
 * was asked. */
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

static void
add_tests (void)
{
  g_test_add_func ("/resolve/default-image", test_default_image);
  g_test_add_func ("/resolve/image-of-a-run", test_image_of_a_run);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add_tests);
}
