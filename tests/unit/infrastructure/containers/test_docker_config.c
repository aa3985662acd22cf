/* SPDX-License-Identifier: Apache-2.0 */
/* Tests Docker's client configuration: the file, and the credentials for a pull. The expected
 * values are those of docker-py 7.1, where it does not fail. */
#include "infrastructure/containers/docker_config-private.h"
#include "infrastructure/containers/docker_reader-private.h"
#include "infrastructure/containers/engine_api-private.h"

#include "tests/unit/server.h"
#include "tests/unit/tap.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

static char *home;

/* Writes TEXT to HOME/PATH, whose directory exists. */
static void
put (const char *path, const char *text)
{
  g_autofree char *full = g_build_filename (home, path, NULL);

  g_assert_true (g_file_set_contents (full, text, -1, NULL));
}

static void
take_away (const char *path)
{
  g_autofree char *full = g_build_filename (home, path, NULL);

  g_assert_cmpint (g_unlink (full), ==, 0);
}

static PpDockerConfig *
read_config (void)
{
  g_auto (GStrv) paths = pp_docker_config_paths ();

  return pp_docker_config_read ((const char *const *)paths);
}

/* Returns the decoded header for IMAGE, or NULL. */
static char *
decoded_auth (const PpDockerConfig *config, const char *image, char **trouble)
{
  g_autofree char *header = pp_docker_config_auth (config, image, trouble);
  gsize length;

  if (header == NULL)
    return NULL;
  g_strdelimit (g_strdelimit (header, "-", '+'), "_", '/');
  return (char *)g_base64_decode (header, &length);
}

static void
assert_auth (const char *json, const char *image, const char *wanted)
{
  g_autofree char *trouble = NULL;

  put (".docker/config.json", json);
  g_autoptr (PpDockerConfig) config = read_config ();
  g_assert_null (config->trouble);
  g_autofree char *found = decoded_auth (config, image, &trouble);
  g_assert_null (trouble);
  g_assert_cmpstr (found, ==, wanted);
}

#define ME "{\"auth\": \"bWU6cHc=\"}"
#define YOU "{\"auth\": \"eW91OnA6dw==\"}"
#define AUTHS(entries) "{\"auths\": {" entries "}}"
#define IS_ME(server) "{\"username\":\"me\",\"password\":\"pw\",\"serveraddress\":\"" server "\"}"
#define IS_YOU(server)                                                                             \
  "{\"username\":\"you\",\"password\":\"p:w\",\"serveraddress\":\"" server "\"}"
#define HUB "https://index.docker.io/v1/"

static void
test_registries (void)
{
  static const char *const hub[]
      = { "busybox", "team/tool:1", "docker.io/library/busybox", "index.docker.io/team/tool" };
  static const char hubs[] = AUTHS ("\"" HUB "\": " ME ", \"quay.io\": " YOU);

  for (guint i = 0; i < G_N_ELEMENTS (hub); i++)
    {
      assert_auth (hubs, hub[i], IS_ME (HUB));
      assert_auth (AUTHS ("\"docker.io\": " ME), hub[i], IS_ME ("docker.io"));
    }
  assert_auth (hubs, "quay.io/team/tool@sha256:00", IS_YOU ("quay.io"));
  assert_auth (hubs, "quay.io:5000/team/tool", NULL);
  assert_auth (hubs, "localhost/team/tool", NULL);
  /* Engines take "EVIL" for a host name. */
  assert_auth (hubs, "EVIL/tool", NULL);
  assert_auth (AUTHS ("\"quay.io:5000\": " ME ", \"quay.io\": " YOU), "quay.io:5000/a",
               IS_ME ("quay.io:5000"));
  assert_auth (AUTHS ("\"localhost\": " ME), "localhost/a:1", IS_ME ("localhost"));
  /* The exact name comes first, then the first entry of the same host. */
  assert_auth (AUTHS ("\"https://r.example/v2/team\": " ME ", \"r.example\": " YOU), "r.example/a",
               IS_YOU ("r.example"));
  assert_auth (AUTHS ("\"http://r.example/x\": " ME ", \"https://r.example\": " YOU), "r.example/a",
               IS_ME ("http://r.example/x"));
}

static void
test_entries (void)
{
  assert_auth (AUTHS ("\"r.example\": {\"auth\": \"bWU6cHc=\", \"identitytoken\": \"t\"}"),
               "r.example/a", "{\"identitytoken\":\"t\"}");
  /* A helper has the credentials. */
  assert_auth ("{\"credsStore\": \"pass\", \"auths\": {\"r.example\": {}}}", "r.example/a", NULL);
  assert_auth ("{\"credsStore\": \"pass\"}", "r.example/a", NULL);
  assert_auth (AUTHS ("\"r.example\": {\"auth\": \"\"}"), "r.example/a", NULL);
  assert_auth (AUTHS ("\"r.example\": {\"auth\": \"bWU6cHcAAA==\"}"), "r.example/a",
               IS_ME ("r.example"));
  assert_auth (AUTHS ("\"r.example\": {\"auth\": \"bWU6\"}"), "r.example/a",
               "{\"username\":\"me\",\"password\":\"\",\"serveraddress\":\"r.example\"}");
  /* Old formats: a file that has only the registries, and one with a value on each line. */
  assert_auth ("{\"r.example\": " ME "}", "r.example/a", IS_ME ("r.example"));
  assert_auth ("{\"HttpHeaders\": {\"a\": \"b\"}}", "r.example/a", NULL);
  assert_auth ("auth = bWU6cHc=\nemail = me@example.org\n", "busybox", IS_ME (HUB));
  assert_auth ("{}", "busybox", NULL);
}

/* A malformed entry does not affect the others. */
static void
test_bad_entries (void)
{
  static const char *const bad[]
      = { "{\"auth\": \"no-colon\"}", "{\"auth\": 1}", "\"secret\"", "{\"auth\": \"/zo6\"}" };

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autofree char *trouble = NULL;
      g_autofree char *none = NULL;
      g_autofree char *json
          = g_strdup_printf (AUTHS ("\"r.example\": %s, \"quay.io\": " ME), bad[i]);
      put (".docker/config.json", json);
      g_autoptr (PpDockerConfig) config = read_config ();
      g_autofree char *found = decoded_auth (config, "r.example/a", &trouble);
      g_assert_null (found);
      g_assert_nonnull (strstr (trouble, "r.example"));
      g_assert_nonnull (strstr (trouble, config->path));
      g_assert_null (strstr (trouble, "secret"));
      found = decoded_auth (config, "quay.io/a", &none);
      g_assert_cmpstr (found, ==, IS_ME ("quay.io"));
      g_assert_null (none);
    }
}

/* The message about a bad file has its name but not its content. */
static void
test_bad_files (void)
{
  static const struct
  {
    const char *text;
    const char *words;
  } table[] = { { "{\"auths\": \"secret\"", "not JSON (line 1" },
                { "[\"secret\"]", "not a JSON object" },
                { "secret", "not JSON" },
                { "", "not JSON" } };

  for (guint i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_autofree char *trouble = NULL;
      put (".docker/config.json", table[i].text);
      g_autoptr (PpDockerConfig) config = read_config ();
      g_assert_nonnull (strstr (config->trouble, "/.docker/config.json is not used: "));
      g_assert_nonnull (strstr (config->trouble, table[i].words));
      g_assert_null (strstr (config->trouble, "secret"));
      g_assert_null (pp_docker_config_auth (config, "busybox", &trouble));
      g_assert_null (trouble);
    }
  take_away (".docker/config.json");
  g_autofree char *full = g_build_filename (home, ".docker/config.json", NULL);
  g_assert_cmpint (g_mkdir (full, 0700), ==, 0);
  g_autoptr (PpDockerConfig) config = read_config ();
  g_assert_nonnull (strstr (config->trouble, "is not a regular file"));
  g_assert_cmpint (g_rmdir (full), ==, 0);

  g_autofree char *large = g_strnfill (600 * 1000, ' ');
  put (".docker/config.json", large);
  g_autoptr (PpDockerConfig) too_large = read_config ();
  g_assert_nonnull (too_large->trouble);
  g_assert_null (too_large->json);
}

static void
assert_path (const char *path, gboolean is_named)
{
  g_autofree char *full = path != NULL ? g_build_filename (home, path, NULL) : NULL;
  g_autoptr (PpDockerConfig) config = read_config ();

  g_assert_cmpstr (config->path, ==, full);
  g_assert_cmpint (config->is_named, ==, is_named);
}

static void
test_places (void)
{
  g_autofree char *other = g_build_filename (home, "other", NULL);

  take_away (".docker/config.json");
  assert_path (NULL, FALSE);
  put (".dockercfg", "{}");
  assert_path (".dockercfg", FALSE);
  put (".docker/config.json", "{}");
  assert_path (".docker/config.json", FALSE);
  g_setenv ("DOCKER_CONFIG", other, TRUE);
  assert_path (".docker/config.json", FALSE);
  g_assert_cmpint (g_mkdir (other, 0700), ==, 0);
  put ("other/config.json", "{}");
  assert_path ("other/config.json", TRUE);
  take_away ("other/config.json");
  g_assert_cmpint (g_rmdir (other), ==, 0);
  g_unsetenv ("DOCKER_CONFIG");
  take_away (".dockercfg");
}

typedef struct
{
  GMainLoop *loop;
  Server *server;
  PpHttp *http;
  PpInfrastructure *infrastructure;
  GPtrArray *warnings;
} Fixture;

static void
on_done (const GError *error, gpointer user_data)
{
  Fixture *fixture = user_data;

  g_assert_no_error (error);
  g_main_loop_quit (fixture->loop);
}

static void
on_created (const char *id, const GPtrArray *warnings, const GError *error, gpointer user_data)
{
  g_assert_cmpstr (id, ==, "1");
  g_assert_cmpuint (warnings->len, ==, 0);
  on_done (error, user_data);
}

static void
on_line (gboolean is_warning, const char *line, gpointer user_data)
{
  Fixture *fixture = user_data;

  if (is_warning)
    g_ptr_array_add (fixture->warnings, g_strdup (line));
}

static gboolean
answer (Server *server, const Request *request, int fd, gpointer data)
{
  (void)server;
  if (strstr (request->target, "/version") != NULL)
    return server_reply (fd, 200, "", data);
  int status = strstr (request->target, "/containers/create") != NULL ? 201 : 200;
  return server_reply (fd, status, "", "{\"Id\": \"1\"}\n");
}

/* Starts an engine that reports VERSION, at a socket, or with OVER_TCP at an address. */
static void
start (Fixture *fixture, const char *version, gboolean over_tcp)
{
  g_autofree char *path = g_build_filename (home, "engine.sock", NULL);

  fixture->loop = g_main_loop_new (NULL, FALSE);
  fixture->http = pp_http_new ();
  fixture->server = server_new (over_tcp ? NULL : path, answer, (gpointer)version);
  g_autofree char *url = over_tcp
                             ? g_strdup_printf ("tcp://127.0.0.1:%d", server_port (fixture->server))
                             : g_strconcat ("unix://", path, NULL);
  fixture->infrastructure = pp_infrastructure_new (fixture->http, url, NULL);
  fixture->warnings = g_ptr_array_new_with_free_func (g_free);
  pp_infrastructure_connect (fixture->infrastructure, on_done, fixture);
  g_main_loop_run (fixture->loop);
}

static void
stop (Fixture *fixture)
{
  pp_infrastructure_free (fixture->infrastructure);
  pp_http_free (fixture->http);
  server_free (fixture->server);
  g_autofree char *path = g_build_filename (home, "engine.sock", NULL);
  g_unlink (path);
  g_ptr_array_unref (fixture->warnings);
  g_main_loop_unref (fixture->loop);
}

/* Returns the header that a pull of r.example/a sends if the job has the header GIVEN; borrowed. */
static const char *
pulled_with (Fixture *fixture, const char *given)
{
  guint number = server_requests (fixture->server);

  g_ptr_array_set_size (fixture->warnings, 0);
  pp_engine_pull (fixture->infrastructure, "r.example/a", NULL, given, on_line, on_done, fixture);
  g_main_loop_run (fixture->loop);
  return g_hash_table_lookup (server_request (fixture->server, number)->headers, "x-registry-auth");
}

static const char docker[] = "{\"Version\": \"27.0\", \"ApiVersion\": \"1.45\"}";
static const char podman[]
    = "{\"Version\": \"5.4.2\", \"ApiVersion\": \"1.41\", \"Components\": [{\"Name\": "
      "\"Podman Engine\", \"Version\": \"5.4.2\"}]}";

static void
test_pull (void)
{
  Fixture fixture = { 0 };
  g_autofree char *wanted = NULL;
  g_autofree char *trouble = NULL;

  put (".docker/config.json", AUTHS ("\"r.example\": " ME));
  g_autoptr (PpDockerConfig) config = read_config ();
  wanted = pp_docker_config_auth (config, "r.example/a", &trouble);
  start (&fixture, docker, FALSE);
  g_assert_cmpstr (pulled_with (&fixture, NULL), ==, wanted);
  g_assert_cmpuint (fixture.warnings->len, ==, 0);
  g_assert_cmpstr (pulled_with (&fixture, "e30="), ==, "e30=");
  /* The file is read again for each pull. */
  put (".docker/config.json", "{\"auths\": ");
  g_assert_null (pulled_with (&fixture, NULL));
  g_assert_cmpuint (fixture.warnings->len, ==, 1);
  g_assert_nonnull (strstr (g_ptr_array_index (fixture.warnings, 0), config->path));
  take_away (".docker/config.json");
  g_assert_null (pulled_with (&fixture, NULL));
  g_assert_cmpuint (fixture.warnings->len, ==, 0);
  stop (&fixture);
}

/* Podman's service reads Docker's file itself, after its own file. It does not if it runs as
 * another user or on another host, or if the file is in a place that it does not know. */
static void
test_pull_by_podman (void)
{
  Fixture fixture = { 0 };
  g_autofree char *folder = g_build_filename (home, ".docker", NULL);

  put (".docker/config.json", AUTHS ("\"r.example\": " ME));
  start (&fixture, podman, FALSE);
  g_assert_null (pulled_with (&fixture, NULL));
  g_setenv ("DOCKER_CONFIG", folder, TRUE);
  g_assert_nonnull (pulled_with (&fixture, NULL));
  g_unsetenv ("DOCKER_CONFIG");
  stop (&fixture);
  start (&fixture, podman, TRUE);
  g_assert_nonnull (pulled_with (&fixture, NULL));
  stop (&fixture);
}

/* Cancels a pull, and frees an infrastructure, while the file is read. */
static void
test_cancel (void)
{
  Fixture fixture = { 0 };

  start (&fixture, docker, FALSE);
  guint requests = server_requests (fixture.server);
  PpInfrastructureCall *call
      = pp_engine_pull (fixture.infrastructure, "r.example/a", NULL, NULL, NULL, on_done, &fixture);
  pp_infrastructure_call_cancel (call);
  g_assert_nonnull (pulled_with (&fixture, NULL));
  g_assert_cmpuint (server_requests (fixture.server), ==, requests + 1);
  pp_engine_pull (fixture.infrastructure, "r.example/a", NULL, NULL, NULL, on_done, &fixture);
  stop (&fixture);
  for (int i = 0; i < 10; i++)
    {
      g_usleep (2000);
      while (g_main_context_iteration (NULL, FALSE))
        ;
    }
}

static void
assert_helper (const char *json, const char *image, const char *wanted, const char *registry)
{
  g_autofree char *found = NULL;
  gboolean is_store;

  put (".docker/config.json", json);
  g_autoptr (PpDockerConfig) config = read_config ();
  const char *name = pp_docker_config_helper (config, image, &found, &is_store);
  g_assert_cmpstr (name, ==, wanted);
  g_assert_cmpstr (found, ==, registry);
  if (name != NULL)
    g_assert_cmpint (is_store, ==, g_str_equal (name, "pass"));
}

static void
test_which_helper (void)
{
  static const char both[] = "{\"credsStore\": \"pass\", \"credHelpers\": {\"r.example\": \"ecr\", "
                             "\"" HUB "\": \"hub\"}}";

  assert_helper (both, "r.example/a", "ecr", "r.example");
  assert_helper (both, "busybox", "hub", HUB);
  assert_helper (both, "r.example:5000/a", "pass", "r.example:5000");
  assert_helper ("{\"credHelpers\": {\"docker.io\": \"hub\"}}", "busybox", "hub", HUB);
  assert_helper ("{\"credHelpers\": {\"r.example\": \"ecr\"}}", "busybox", NULL, NULL);
  assert_helper ("{\"credsStore\": \"\", \"credHelpers\": []}", "busybox", NULL, NULL);
}

/* The helper comes before the file's own entry, which is used if the helper has no credentials. */
static void
test_pull_with_helper (void)
{
  Fixture fixture = { 0 };
  g_autofree char *program = g_build_filename (home, "docker-credential-pass", NULL);
  g_autofree char *trouble = NULL;

  put (".docker/config.json", "{\"credsStore\": \"pass\", \"auths\": {\"r.example\": " ME "}}");
  put ("docker-credential-pass", "#!/bin/sh\necho '{\"Username\": \"a\", \"Secret\": \"b\"}'\n");
  g_assert_cmpint (g_chmod (program, 0700), ==, 0);
  g_autoptr (PpDockerConfig) config = read_config ();
  g_autofree char *own = pp_docker_config_auth (config, "r.example/a", &trouble);
  start (&fixture, docker, FALSE);
  g_autofree char *helped = g_strdup (pulled_with (&fixture, NULL));
  g_assert_nonnull (helped);
  g_assert_cmpstr (helped, !=, own);
  g_assert_cmpuint (fixture.warnings->len, ==, 0);
  put ("docker-credential-pass", "#!/bin/sh\nexit 1\n");
  g_assert_cmpint (g_chmod (program, 0700), ==, 0);
  g_assert_cmpstr (pulled_with (&fixture, NULL), ==, own);
  g_assert_cmpuint (fixture.warnings->len, ==, 1);
  /* Cancelled during the request to the helper. */
  put ("docker-credential-pass", "#!/bin/sh\nsleep 1\n");
  g_assert_cmpint (g_chmod (program, 0700), ==, 0);
  pp_engine_pull (fixture.infrastructure, "r.example/a", NULL, NULL, NULL, on_done, &fixture);
  for (int i = 0; i < 100; i++)
    {
      g_usleep (2000);
      while (g_main_context_iteration (NULL, FALSE))
        ;
    }
  stop (&fixture);
  /* Podman itself does not ask a credsStore. */
  put ("docker-credential-pass", "#!/bin/sh\necho '{\"Username\": \"a\", \"Secret\": \"b\"}'\n");
  g_assert_cmpint (g_chmod (program, 0700), ==, 0);
  start (&fixture, podman, FALSE);
  g_assert_cmpstr (pulled_with (&fixture, NULL), ==, helped);
  put (".docker/config.json", "{\"credHelpers\": {\"r.example\": \"pass\"}}");
  g_assert_null (pulled_with (&fixture, NULL));
  stop (&fixture);
  take_away ("docker-credential-pass");
}

#define PROXIES                                                                                    \
  "{\"proxies\": {\"default\": {\"httpProxy\": \"http://u:p@a:1\", \"noProxy\": \"x,y\", "         \
  "\"ftpProxy\": \"\", \"other\": \"z\"}, \"tcp://e:2375\": {\"httpsProxy\": \"b\"}}}"

static void
assert_proxies (const char *url, const char *env, const char *wanted)
{
  g_autoptr (PpDockerConfig) config = read_config ();
  json_auto_t *names = json_loads (env, 0, NULL);
  json_auto_t *expected = json_loads (wanted, 0, NULL);
  json_auto_t *found = pp_docker_config_proxies (config, url, names);

  g_assert_nonnull (expected);
  g_assert_true (json_equal (found, expected));
}

static void
test_proxies (void)
{
  put (".docker/config.json", PROXIES);
  assert_proxies ("unix:///x", "[]",
                  "{\"HTTP_PROXY\": \"http://u:p@a:1\", \"http_proxy\": \"http://u:p@a:1\", "
                  "\"NO_PROXY\": \"x,y\", \"no_proxy\": \"x,y\"}");
  assert_proxies ("tcp://e:2375", "[]", "{\"HTTPS_PROXY\": \"b\", \"https_proxy\": \"b\"}");
  /* Variables that the job sets or removes stay that way. */
  assert_proxies ("unix:///x", "[\"HTTP_PROXY=mine\", \"NO_PROXY\", \"no_proxy_=a\"]",
                  "{\"http_proxy\": \"http://u:p@a:1\", \"no_proxy\": \"x,y\"}");
  put (".docker/config.json", "{\"proxies\": [\"default\"]}");
  assert_proxies ("unix:///x", "[]", "{}");
  put (".docker/config.json", "{\"proxies\": {\"default\": {\"httpProxy\": 1}}}");
  assert_proxies ("unix:///x", "[]", "{}");
  take_away (".docker/config.json");
  assert_proxies ("unix:///x", "[]", "{}");
}

/* Returns FIELD of the body that a container is created with; new reference, or NULL. */
static json_t *
created_with (Fixture *fixture, const char *configuration, const PpEngineInfo *engine,
              const char *field)
{
  json_auto_t *json = json_loads (configuration, 0, NULL);
  guint number = server_requests (fixture->server);
  g_autoptr (GError) error = NULL;
  g_autoptr (PpContainerSpec) spec = pp_container_spec_new (json, engine, &error);

  g_assert_no_error (error);
  pp_engine_create (fixture->infrastructure, spec, "name", on_created, fixture);
  g_main_loop_run (fixture->loop);
  const Request *request = server_request (fixture->server, number);
  g_assert_nonnull (strstr (request->target, "/containers/create"));
  json_auto_t *body = json_loads (request->body->str, 0, NULL);
  return json_incref (json_object_get (body, field));
}

static void
assert_created (Fixture *fixture, const char *configuration, const PpEngineInfo *engine,
                const char *field, const char *wanted)
{
  json_auto_t *env = created_with (fixture, configuration, engine, field);
  json_auto_t *expected = wanted != NULL ? json_loads (wanted, 0, NULL) : NULL;

  g_assert_true (env == expected || json_equal (env, expected));
}

/* The bodies of both APIs get the proxies, whether the job has an environment or not. */
static void
test_create (void)
{
  static const char devices[] = "{\"image\": \"i:1\", \"env\": {\"A\": \"1\"}, "
                                "\"devices\": [\"nvidia.com/gpu=all\"]}";
  PpEngineInfo old = { .kind = PP_ENGINE_PODMAN, .name = "Podman", .version = "4.3.1" };
  Fixture fixture = { 0 };

  put (".docker/config.json", "{\"proxies\": {\"default\": {\"httpsProxy\": \"b\"}}}");
  start (&fixture, podman, FALSE);
  assert_created (&fixture, "{\"image\": \"i:1\", \"env\": {\"A\": \"1\"}}", NULL, "Env",
                  "[\"A=1\", \"HTTPS_PROXY=b\", \"https_proxy=b\"]");
  assert_created (&fixture, "{\"image\": \"i:1\"}", NULL, "Env",
                  "[\"HTTPS_PROXY=b\", \"https_proxy=b\"]");
  assert_created (&fixture,
                  "{\"image\": \"i:1\", \"container_create_kwargs\": {\"use_config_proxy\": "
                  "false}}",
                  NULL, "Env", NULL);
  assert_created (&fixture, devices, &old, "env",
                  "{\"A\": \"1\", \"HTTPS_PROXY\": \"b\", \"https_proxy\": \"b\"}");
  /* Variables that the job removes stay removed; Podman has a separate list for them. */
  assert_created (&fixture, "{\"image\": \"i:1\", \"env\": {\"HTTPS_PROXY\": null}}", &old, "Env",
                  "[\"https_proxy=b\"]");
  /* A bad file blocks no run and is reported once. */
  put (".docker/config.json", "secret");
  g_test_expect_message ("prefect.worker.podman", G_LOG_LEVEL_WARNING,
                         "*/.docker/config.json is not used*proxies*");
  assert_created (&fixture, "{\"image\": \"i:1\"}", NULL, "Env", NULL);
  g_test_assert_expected_messages ();
  assert_created (&fixture, "{\"image\": \"i:1\"}", NULL, "Env", NULL);
  stop (&fixture);
}

static void
add (void)
{
  g_test_add_func ("/docker-config/registries", test_registries);
  g_test_add_func ("/docker-config/entries", test_entries);
  g_test_add_func ("/docker-config/bad-entries", test_bad_entries);
  g_test_add_func ("/docker-config/bad-files", test_bad_files);
  g_test_add_func ("/docker-config/places", test_places);
  g_test_add_func ("/docker-config/pull", test_pull);
  g_test_add_func ("/docker-config/proxies", test_proxies);
  g_test_add_func ("/docker-config/create", test_create);
  g_test_add_func ("/docker-config/which-helper", test_which_helper);
  g_test_add_func ("/docker-config/pull-with-helper", test_pull_with_helper);
  g_test_add_func ("/docker-config/pull-by-podman", test_pull_by_podman);
  g_test_add_func ("/docker-config/cancel", test_cancel);
}

int
main (int argc, char **argv)
{
  home = g_dir_make_tmp ("ppd-XXXXXX", NULL);
  g_autofree char *folder = g_build_filename (home, ".docker", NULL);

  g_assert_cmpint (g_mkdir (folder, 0700), ==, 0);
  g_setenv ("HOME", home, TRUE);
  g_autofree char *places = g_strconcat (home, ":", g_getenv ("PATH"), NULL);
  g_setenv ("PATH", places, TRUE);
  g_unsetenv ("DOCKER_CONFIG");
  int result = pp_test_main (argc, argv, add);
  take_away (".docker/config.json");
  g_rmdir (folder);
  g_assert_cmpint (g_rmdir (home), ==, 0);
  g_free (home);
  return result;
}
