/* SPDX-License-Identifier: Apache-2.0 */
/* Tests the removal of a container that never ran, and the renaming that protects a container which
 * has run from such a removal. The engine may carry out the removal late. */
#include "config.h"

#include "infrastructure/containers/engine_api-private.h"

#include "tests/unit/server.h"
#include "tests/unit/tap.h"

#include <string.h>

#define ID "7b6726c788a364d4381f22961d16bdd8391c53b05009d381c25c904408dbcf12"

typedef struct
{
  const char *name;
  gboolean keeps;     /* TRUE: keeps the container as "job"; FALSE: removes it */
  int rename_status;  /* of the first rename */
  const char *words;  /* the body of its error, or NULL */
  int delete_status;  /* 0: none is expected */
  gboolean is_by_id;  /* the removal names the id */
  const char *second; /* the end of a second rename, or NULL */
  gboolean fails;
} Case;

typedef struct
{
  GMainLoop *loop;
  GError *error;
} Result;

static gboolean
answer (Server *server G_GNUC_UNUSED, const Request *request, int fd, gpointer data)
{
  const Case *case_ = data;
  int status = g_str_equal (request->method, "DELETE") ? case_->delete_status
               : request->number == 0                  ? case_->rename_status
                                                       : 204;

  return server_reply (fd, status, "",
                       status < 400                                   ? ""
                       : case_->words != NULL && request->number == 0 ? case_->words
                       : status == 404 ? "{\"message\": \"No such container: x\"}"
                                       : "{\"message\": \"no\"}");
}

static void
on_done (const GError *error, gpointer user_data)
{
  Result *result = user_data;

  result->error = error != NULL ? g_error_copy (error) : NULL;
  g_main_loop_quit (result->loop);
}

static void
check_requests (const Case *case_, Server *server)
{
  const Request *rename = server_request (server, 0);
  guint count = case_->delete_status != 0 || case_->second != NULL ? 2 : 1;

  g_assert_cmpuint (server_requests (server), ==, count);
  g_assert_cmpstr (rename->method, ==, "POST");
  g_assert_nonnull (strstr (rename->target, "/containers/" ID "/rename?name="));
  const char *name = strchr (rename->target, '=') + 1;
  g_assert_true (g_str_has_prefix (name, case_->keeps ? "job" : "unstarted-7b6726c788a3-"));
  if (case_->delete_status != 0)
    {
      g_autofree char *path = g_strdup_printf ("/containers/%s?v=1", case_->is_by_id ? ID : name);
      g_assert_cmpstr (server_request (server, 1)->target, ==, path);
    }
  else if (case_->second != NULL)
    g_assert_true (g_str_has_suffix (server_request (server, 1)->target, case_->second));
}

static void
test_case (gconstpointer data)
{
  const Case *case_ = data;
  Result result = { .loop = g_main_loop_new (NULL, FALSE) };
  g_autoptr (Server) server = server_new (NULL, answer, (gpointer)case_);
  g_autoptr (PpHttp) http = pp_http_new ();
  g_autofree char *url = g_strdup_printf ("tcp://127.0.0.1:%d", server_port (server));
  g_autoptr (PpInfrastructure) infrastructure = pp_infrastructure_new (http, url, NULL);

  if (case_->keeps)
    pp_infrastructure_keep (infrastructure, ID, "job", on_done, &result);
  else
    pp_infrastructure_remove_unstarted (infrastructure, ID, on_done, &result);
  g_main_loop_run (result.loop);
  g_assert_true ((result.error != NULL) == case_->fails);
  check_requests (case_, server);
  g_clear_error (&result.error);
  g_main_loop_unref (result.loop);
}

static const Case cases[] = {
  { .name = "by-a-name-of-its-own", .rename_status = 204, .delete_status = 204 },
  { .name = "gone-meanwhile", .rename_status = 204, .delete_status = 404 },
  { .name = "runs-by-now", .rename_status = 204, .delete_status = 409, .fails = TRUE },
  { .name = "gone-already", .rename_status = 404 },
  { .name = "cannot-be-renamed", .rename_status = 500, .delete_status = 204, .is_by_id = TRUE },
  { .name = "renamed-perhaps",
    .rename_status = 502,
    .words = "<html>Bad Gateway</html>",
    .fails = TRUE },
  { .name = "engine-is-busy",
    .rename_status = 500,
    .words = "{\"cause\": \"database is locked\", \"message\": \"x: database is locked\"}",
    .fails = TRUE },
  { .name = "gateway-refuses",
    .rename_status = 403,
    .words = "<html>Forbidden</html>",
    .fails = TRUE },
  { .name = "no-rename-in-this-engine",
    .rename_status = 404,
    .words = "{\"message\": \"page not found\"}",
    .delete_status = 204,
    .is_by_id = TRUE },
  { .name = "named-back-perhaps",
    .keeps = TRUE,
    .rename_status = 503,
    .words = "<html>Service Unavailable</html>",
    .fails = TRUE },
  { .name = "named-back", .keeps = TRUE, .rename_status = 204 },
  { .name = "named-so-already", .keeps = TRUE, .rename_status = 400 },
  { .name = "name-is-in-use",
    .keeps = TRUE,
    .rename_status = 409,
    .second = "/rename?name=job-7b6726c788a3" },
};

static void
add_tests (void)
{
  pp_test_add_cases ("/engine-remove", cases, test_case);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add_tests);
}
