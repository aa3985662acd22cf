/* SPDX-License-Identifier: Apache-2.0 */
/* Tests the creation of a container: the Id in the engine's answer counts only if that container
 * has the labels of the run's claim. */
#include "config.h"

#include "infrastructure/containers/container_job-private.h"
#include "infrastructure/containers/engine_api-private.h"

#include "tests/unit/server.h"
#include "tests/unit/tap.h"

#include <string.h>

#define ID "7b6726c788a364d4381f22961d16bdd8391c53b05009d381c25c904408dbcf12"
#define RUN "11111111-1111-4111-8111-111111111111"
#define CLAIM "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
#define OTHER_RUN "22222222-2222-4222-8222-222222222222"
#define LABELS(identity, run, claim)                                                               \
  "{\"Id\": \"" ID "\", \"Config\": {\"Labels\": {\"" PP_IDENTITY_LABEL "\": \"" identity          \
  "\", \"" PP_FLOW_RUN_LABEL "\": \"" run "\", \"" PP_CLAIM_LABEL "\": \"" claim "\"}}}"

typedef struct
{
  const char *name;
  gboolean has_owner; /* the description has the worker's labels */
  int status;         /* of the inspect answer */
  const char *inspect;
  PpInfrastructureError code;
  const char *words; /* of the error; NULL: the container is created */
} Case;

typedef struct
{
  const Case *case_;
  GMainLoop *loop;
  char *id;
  GError *error;
} Result;

static gboolean
answer (Server *server G_GNUC_UNUSED, const Request *request, int fd, gpointer data)
{
  const Case *case_ = data;

  if (g_str_equal (request->method, "POST"))
    return server_reply (fd, 201, "", "{\"Id\": \"" ID "\", \"Warnings\": []}");
  g_assert_nonnull (strstr (request->target, "/containers/" ID "/json"));
  return server_reply (fd, case_->status, "", case_->inspect);
}

static void
on_created (const char *id, const GPtrArray *warnings G_GNUC_UNUSED, const GError *error,
            gpointer user_data)
{
  Result *result = user_data;

  result->id = g_strdup (id);
  result->error = error != NULL ? g_error_copy (error) : NULL;
  g_main_loop_quit (result->loop);
}

static void
test_case (gconstpointer data)
{
  const Case *case_ = data;
  Result result = { .case_ = case_, .loop = g_main_loop_new (NULL, FALSE) };
  const PpJobRef owner = { .identity = (char *)"host.1",
                           .flow_run_id = (char *)RUN,
                           .claim = (char *)CLAIM,
                           .work_pool = (char *)"pool" };
  g_autoptr (Server) server = server_new (NULL, answer, (gpointer)case_);
  g_autoptr (PpHttp) http = pp_http_new ();
  g_autofree char *url = g_strdup_printf ("tcp://127.0.0.1:%d", server_port (server));
  g_autoptr (PpInfrastructure) infrastructure = pp_infrastructure_new (http, url, NULL);
  json_auto_t *configuration = json_pack ("{s:s, s:s}", "image", "busybox:1", "command", "true");
  g_autoptr (PpContainerSpec) spec = pp_container_spec_new (configuration, NULL, NULL);

  g_assert_nonnull (spec);
  if (case_->has_owner)
    pp_container_spec_set_owner (spec, &owner);
  pp_engine_create (infrastructure, spec, "box", on_created, &result);
  g_main_loop_run (result.loop);
  g_assert_cmpuint (server_requests (server), ==, case_->has_owner ? 2 : 1);
  if (case_->words == NULL)
    {
      g_assert_no_error (result.error);
      g_assert_cmpstr (result.id, ==, ID);
    }
  else
    {
      g_assert_error (result.error, PP_INFRASTRUCTURE_ERROR, (int)case_->code);
      g_assert_nonnull (strstr (result.error->message, case_->words));
      g_assert_null (result.id);
    }
  g_clear_error (&result.error);
  g_free (result.id);
  g_main_loop_unref (result.loop);
}

#define ANOTHER PP_INFRASTRUCTURE_ERROR_UNAVAILABLE, "Id of another container (7b6726c788a3)"

static const Case cases[] = {
  { "own", TRUE, 200, LABELS ("host.1", RUN, CLAIM), 0, NULL },
  { "without-owner", FALSE, 200, "", 0, NULL },
  { "without-labels", TRUE, 200, "{\"Id\": \"" ID "\"}", ANOTHER },
  { "without-id", TRUE, 200, "{\"Config\": {}}", ANOTHER },
  { "empty", TRUE, 200, "{}", ANOTHER },
  { "id-of-another-type", TRUE, 200, "{\"Id\": 7}", ANOTHER },
  { "another-worker", TRUE, 200, LABELS ("host.2", RUN, CLAIM), ANOTHER },
  { "another-run", TRUE, 200, LABELS ("host.1", OTHER_RUN, CLAIM), ANOTHER },
  { "another-claim", TRUE, 200, LABELS ("host.1", RUN, OTHER_RUN), ANOTHER },
  { "gone", TRUE, 404, "{\"message\": \"No such container: x\"}",
    PP_INFRASTRUCTURE_ERROR_UNAVAILABLE, "No such container" },
  { "unanswered", TRUE, 503, "", 0, NULL },
  { "gateway", TRUE, 403, "<html>Forbidden</html>", 0, NULL },
};

static void
add_tests (void)
{
  pp_test_add_cases ("/engine-create", cases, test_case);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add_tests);
}
