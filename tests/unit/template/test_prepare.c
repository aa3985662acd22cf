/* SPDX-License-Identifier: Apache-2.0 */
/* What a run adds to a resolved configuration, and what values the configuration may have. */
#include "tests/unit/template/template_test.h"

static const char flow_run[]
    = "{'id': 'run-id', 'name': 'Brave Otter', 'flow_id': 'flow-id', 'deployment_id': 'dep-id',"
      " 'run_count': 2, 'tags': [], 'parameters': {'x': [1, true]}, 'total_run_time': 0,"
      " 'start_time': null, 'created': '2026-11-22T06:04:00.500000+00:00',"
      " 'job_variables': {'env': {'SECRET': 's'}, 'image': 'i'}}";
static const char deployment[] = "{'id': 'dep-id', 'name': 'prod', 'job_variables': {'env': {}},"
                                 " 'updated': '2026-11-22T06:04:00.123400+02:00'}";

/* Calls pp_template_prepare() with GIVEN for the run above. SETTINGS is PpSettings.environment. */
static json_t *
prepare_json (const json_t *given, const char *settings, gboolean podman_pool, GError **error)
{
  json_auto_t *environment = pp_test_json (settings);
  json_auto_t *run = pp_test_json (flow_run);
  json_auto_t *dep = pp_test_json (deployment);
  json_auto_t *flow = pp_test_json ("{'id': 'flow-id', 'name': 'etl', 'labels': {}}");
  json_auto_t *pool = pp_test_json ("{'id': 'pool-id', 'name': 'pool'}");
  const PpTemplateContext context = {
    .flow_run = run,
    .flow = flow,
    .deployment = dep,
    .work_pool = pool,
    .worker_name = "w",
    .worker_id = "worker-id",
    .environment = environment,
    .prefect_version = "3.8.8",
    .default_image = podman_pool ? NULL : "prefecthq/prefect:3",
    .podman_pool = podman_pool,
  };
  return pp_template_prepare (given, &context, error);
}

static json_t *
prepare (const char *configuration, const char *settings, gboolean podman_pool, GError **error)
{
  json_auto_t *given = pp_test_json (configuration);

  return prepare_json (given, settings, podman_pool, error);
}

static void
test_nothing_given (void)
{
  json_auto_t *prepared = prepare ("{}", "{}", FALSE, NULL);
  pp_test_assert_json (
      prepared,
      "{'command': 'prefect flow-run execute', 'env': {'PREFECT__FLOW_RUN_ID': 'run-id', "
      "'PREFECT__WORKER_ID': 'worker-id', 'PREFECT__WORKER_NAME': 'w', 'PREFECT__FLOW_ID': "
      "'flow-id', 'PREFECT__FLOW_NAME': 'etl', 'PREFECT__DEPLOYMENT_ID': 'dep-id', "
      "'PREFECT__DEPLOYMENT_NAME': 'prod'}, 'labels': {'io.prefect.flow-run-id': 'run-id', "
      "'io.prefect.flow-run-name': 'Brave Otter', 'io.prefect.version': '3.8.8', "
      "'io.prefect.work-pool-name': 'pool', 'io.prefect.work-pool-id': 'pool-id', "
      "'io.prefect.worker-name': 'w', 'io.prefect.flow-id': 'flow-id', 'io.prefect.flow-name': "
      "'etl', 'io.prefect.deployment-id': 'dep-id', 'io.prefect.deployment-name': 'prod', "
      "'io.prefect.deployment-updated': '2026-11-22T04:04:00.123400+00:00'}, 'name': "
      "'Brave-Otter', 'image': 'prefecthq/prefect:3', 'registry_credentials': null, "
      "'image_pull_policy': null, 'networks': [], 'network_mode': null, 'auto_remove': false, "
      "'volumes': [], 'stream_output': true, 'mem_limit': null, 'memswap_limit': null, "
      "'privileged': false, 'container_create_kwargs': null}");
}

static void
test_env (void)
{
  json_auto_t *prepared = prepare (
      "{'env': {'B': true, 'N': 1e22, 'I': 5, 'L': [true, null], 'PREFECT__WORKER_NAME': null, "
      "'PREFECT_LOGGING_LEVEL': 'INFO', 'GONE': null}}",
      "{'PREFECT_LOGGING_LEVEL': 'DEBUG', 'PREFECT_API_KEY': 'k'}", FALSE, NULL);
  json_t *env = json_object_get (prepared, "env");
  g_assert_cmpstr (pp_json_string (env, "B"), ==, "true");
  g_assert_cmpstr (pp_json_string (env, "N"), ==, "1e+22");
  g_assert_cmpstr (pp_json_string (env, "I"), ==, "5");
  g_assert_cmpstr (pp_json_string (env, "L"), ==, "[True, None]");
  g_assert_cmpstr (pp_json_string (env, "PREFECT_LOGGING_LEVEL"), ==, "INFO");
  g_assert_cmpstr (pp_json_string (env, "PREFECT_API_KEY"), ==, "k");
  g_assert_null (json_object_get (env, "PREFECT__WORKER_NAME"));
  g_assert_null (json_object_get (env, "GONE"));
}

static void
test_labels (void)
{
  json_auto_t *prepared = prepare (
      "{'labels': {'a.b.c/d/e': 1.5, 'plain': true, 'prefect.io/mine': 'mine', '/x': 'y'}}", "{}",
      FALSE, NULL);
  json_t *labels = json_object_get (prepared, "labels");
  g_assert_cmpstr (pp_json_string (labels, "c.b.a.d/e"), ==, "1.5");
  g_assert_cmpstr (pp_json_string (labels, "plain"), ==, "true");
  g_assert_cmpstr (pp_json_string (labels, "io.prefect.mine"), ==, "mine");
  g_assert_cmpstr (pp_json_string (labels, ".x"), ==, "y");
}

/* A job cannot set the labels that identify a container, whatever their spelling. */
static void
test_labels_of_the_worker (void)
{
  json_auto_t *plain = prepare ("{}", "{}", FALSE, NULL);
  json_auto_t *prepared = prepare (
      "{'labels': {'prefect.io/flow-run-id': 'other', 'io.prefect.flow-run-name': 'other',"
      "'prefect.io/work-pool-name': 'other', 'prefect.io/work-pool-id': 'other', "
      "'io.prefect/flow-id': 'kept',"
      "'prefect.io/version': 'other', 'io.prefect.worker-name': 'other',"
      "'prefect.io/flow-id': 'other', '.prefect.io/flow-name': 'kept',"
      "'prefect.io/deployment-id': 'other', 'prefect.io/deployment-name': 'other',"
      "'prefect.io/deployment-updated': 'other', 'io.prefect-podman.identity': 'other',"
      "'prefect-podman.io/claim': 'other', 'identity.prefect-podman.io/': 'other',"
      "'io.prefect-podman.anything': 'other', 'io.prefect.flow-run-id=other': 'other', "
      "'prefect.io/work-pool-name=': 'other', 'io.prefect.worker-name==': 'other'}}",
      "{}", FALSE, NULL);
  json_t *labels = json_object_get (prepared, "labels");
  const char *name;
  json_t *value;

  json_object_foreach (json_object_get (plain, "labels"), name, value)
  {
    g_assert_true (json_equal (json_object_get (labels, name), value));
  }
  json_object_foreach (labels, name, value)
  {
    g_assert_cmpstr (json_string_value (value), !=, "other");
    g_assert_false (g_str_has_prefix (name, "io.prefect-podman."));
  }
}

/* A job cannot make Prefect inside its container execute another run, or no run. */
static void
test_flow_run_of_the_container (void)
{
  static const char *const given[]
      = { "{'env': {'PREFECT__FLOW_RUN_ID': 'other'}}", "{'env': {'PREFECT__FLOW_RUN_ID': null}}" };

  for (gsize i = 0; i < G_N_ELEMENTS (given); i++)
    {
      json_auto_t *prepared = prepare (given[i], "{}", FALSE, NULL);
      g_assert_cmpstr (pp_json_string (json_object_get (prepared, "env"), "PREFECT__FLOW_RUN_ID"),
                       ==, "run-id");
    }
}

static const struct
{
  const char *configuration;
  const char *api_url; /* in the settings */
  const char *network_mode;
  const char *env_api_url; /* in the container's environment */
} networks[] = {
  { "{}", "http://localhost:4200/api", "host", "http://localhost:4200/api" },
  { "{}", "http://127.0.0.1:4200/api", "host", "http://127.0.0.1:4200/api" },
  { "{}", "https://api.example/api", NULL, "https://api.example/api" },
  { "{'networks': ['n']}", "http://localhost:4200/api", NULL,
    "http://host.docker.internal:4200/api" },
  { "{'network_mode': 'bridge'}", "http://127.0.0.1:4200/api", "bridge",
    "http://host.docker.internal:4200/api" },
  { "{'network_mode': 'host'}", "https://api.example/api", "host", "https://api.example/api" },
  /* Values that the user sets are not changed. */
  { "{'network_mode': 'bridge', 'env': {'PREFECT_API_URL': 'http://localhost/x'}}",
    "https://api.example/api", "bridge", "http://localhost/x" },
  { "{'env': {'PREFECT_API_URL': 'http://localhost/x'}}", "https://api.example/api", "host",
    "http://localhost/x" },
  { "{'env': {'PREFECT_API_URL': 'http://u:p@localhost/x'}}", "http://localhost:4200/api", NULL,
    "http://u:p@localhost/x" },
  { "{'env': {'PREFECT_API_URL': null}}", "http://localhost:4200/api", "host", NULL },
};

static void
test_network_mode (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (networks); i++)
    {
      g_autofree char *settings
          = g_strdup_printf ("{'PREFECT_API_URL': '%s'}", networks[i].api_url);
      json_auto_t *prepared = prepare (networks[i].configuration, settings, FALSE, NULL);
      g_assert_cmpstr (pp_json_string (prepared, "network_mode"), ==, networks[i].network_mode);
      g_assert_cmpstr (pp_json_string (json_object_get (prepared, "env"), "PREFECT_API_URL"), ==,
                       networks[i].env_api_url);
    }
}

static const struct
{
  const char *name;
  const char *container_name;
} names[] = {
  { "", "Brave-Otter" },
  { "{{ ctx.flow.name }}/{{ ctx.flow_run.name }}", "etl-Brave-Otter" },
  { "{{ ctx.flow_run.name }}", "Brave-Otter" },
  { "n{{ ctx.flow_run.run_count }}", "n2" },
  { "p{{ ctx.flow_run.parameters }}", "p-x-1-True" },
  { "t{{ ctx.flow_run.total_run_time }}", "t0.0" },
  { "{{ ctx.flow_run.created }}", "2026-11-22T06-04-00.500000Z" },
  /* Not the worker's environment. */
  { "{{ $HOME }}", "HOME" },
  { "{{ $HOME }}-{{ $GONE }}-x", "HOME-GONE-x" },
  { "{{$PATH}}{{ ctx.flow.name }}", "PATH-etl" },
  { "{{ $$HOME }}", "HOME" },
  /* Without tags or start time, the run's name is used. If nothing is left, the text itself is
   * used. */
  { "{{ ctx.flow_run.tags }}", "Brave-Otter" },
  { "{{ ctx.flow_run.start_time }}", "Brave-Otter" },
  { "x{{ ctx.flow_run.start_time }}", "xNone" },
  { "{{ ctx.flow.nope }}", "ctx.flow.nope" },
  /* Prefect removes env from the flow run's variables when it merges them. */
  { "j{{ ctx.flow_run.job_variables }}", "j-image-i" },
  { "--a__b..c d--", "a__b..c-d" },
  { "_.-lead", "lead" },
  { "1,000,000 rows, it\\u0027s", "1000000-rows-it-s" },
  { "\\u00dcber Gr\\u00f6\\u00dfe \\u00d8l \\u0141\\u00f3d\\u017a", "Uber-Grosse-Ol-Lodz" },
  { "\\u041f\\u0440\\u0438\\u0432\\u0435\\u0442, \\u03ba\\u03cc\\u03c3\\u03bc\\u03b5",
    "Privet-kosme" },
  { "a\\u5317\\u4eacb \\u2713 \\ud83d\\ude42", "a-b" },
  { "\\u5317\\u4eac", NULL },
  { "&amp; &eacute;x &#65; &#x42;", "e-x-A-B" },
};

static void
test_names (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autofree char *configuration = g_strdup_printf ("{'name': '%s'}", names[i].name);
      json_auto_t *prepared = prepare (configuration, "{}", FALSE, NULL);
      g_assert_cmpstr (pp_json_string (prepared, "name"), ==, names[i].container_name);
    }

  g_autofree char *long_name = g_strnfill (300, 'x');
  g_autofree char *configuration = g_strdup_printf ("{'name': '%s'}", long_name);
  json_auto_t *prepared = prepare (configuration, "{}", FALSE, NULL);
  g_assert_cmpuint (strlen (pp_json_string (prepared, "name")), ==, 250);
}

static void
test_shown_names (void)
{
  static const struct
  {
    const char *masked;
    const char *shown;
  } cases[] = {
    { "Box", "Box" },
    { "Box! x", "Box-x" },
    { "********", "********" },
    { "a ********!x", "a-********-x" },
    { "--********--", "********" },
    { "a********b********", "a********b********" },
    { "!", "********" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *shown = pp_template_shown_name (cases[i].masked);
      g_assert_cmpstr (shown, ==, cases[i].shown);
    }
}

static const struct
{
  const char *configuration;
  gboolean podman_pool;
  const char *error;
} refused[] = {
  { "{'command': ['echo', 'a']}", FALSE, "command: a string is needed, not a list" },
  { "{'command': ['echo', 1]}", TRUE, "command[1]: a string is needed, not a number" },
  { "{'env': null}", FALSE, "env: an object is needed, not null" },
  { "{'labels': {'a': null}}", FALSE, "labels.a: a string is needed, not null" },
  { "{'image': null}", FALSE, "image: a string is needed, not null" },
  { "{}", TRUE, "image: no image is given" },
  { "{'name': '{{ ctx.flow_run.run_count }}'}", FALSE,
    "name: the value of the placeholder is a number" },
  { "{'networks': 'n'}", FALSE, "networks: a list of strings is needed, not a string" },
  { "{'auto_remove': 'maybe'}", FALSE, "auto_remove: true or false is needed" },
  { "{'mem_limit': 512}", FALSE, "mem_limit: a string is needed, not a number" },
  { "{'image_pull_policy': 'Sometimes'}", FALSE,
    "IfNotPresent, Always, IfPossible or Never is needed, not Sometimes" },
  { "{'volumes': ['data:/x', '']}", FALSE, "volumes: a volume is an empty string" },
  { "{'volumes': ['data']}", FALSE, "'data' is not SOURCE:/path[:options] or /path" },
  { "{'volumes': ['/data:x']}", FALSE, "the path in the container has to begin with /" },
  { "{'volumes': ['$(pwd):/x']}", FALSE,
    "'$(pwd):/x': the part before the first ':' must be the name of a volume" },
  { "{'container_create_kwargs': []}", FALSE, "container_create_kwargs: an object is needed" },
  { "{'registry_credentials': {'username': 'u', 'password': 1}}", FALSE,
    "registry_credentials.password: a string is needed; it is a number" },
  { "{'registry_credentials': {'username': 'u', 'password': 'p'}}", FALSE,
    "registry_credentials.registry_url: a string is needed; it is missing" },
  { "{'state_reporting': 'both'}", FALSE, "one of auto, engine, worker is needed, not both" },
  { "{'state_reporting': 'a word before the S3cretS3cretS3cretS3cret'}", FALSE,
    "is needed, not a word before the..." },
  { "{'image_pull_policy': 'a word before the S3cretS3cretS3cretS3cret'}", FALSE,
    "is needed, not a word before the..." },
  { "{'forward_output': true}", FALSE, "one of auto, always, never is needed, not a boolean" },
  { "{'timeout_seconds': -1}", FALSE, "timeout_seconds: a number of seconds" },
  { "{'timeout_seconds': '30s'}", FALSE, "not \"30s\"" },
  { "{'stop_timeout': 'soon'}", FALSE,
    "stop_timeout: a whole number, 0 or more, is needed, not \"soon\"" },
  { "{'stop_timeout': ''}", FALSE, "not \"\"" },
  { "{'ulimits': 'nofile=1'}", FALSE, "ulimits: a list is needed, not \"nofile=1\"" },
  { "{'stop_timeout': '1.5'}", FALSE, "stop_timeout: a whole number" },
  { "{'infrastructure_retries': 1.5}", FALSE, "infrastructure_retries: a whole number" },
  { "{'devices': 'nvidia.com/gpu=all'}", FALSE, "devices: a list of strings" },
  { "{'ulimits': [1]}", FALSE, "ulimits[0]: " },
  { "{'extra_hosts': {'db': 1}}", FALSE, "extra_hosts.db: a string is needed" },
};

static void
test_refused (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (refused); i++)
    {
      g_autoptr (GError) error = NULL;
      g_assert_null (prepare (refused[i].configuration, "{}", refused[i].podman_pool, &error));
      pp_test_assert_error (error, refused[i].error);
    }
}

static void
assert_kept (const char *configuration, gboolean podman_pool, const char *key, const char *expected)
{
  g_autoptr (GError) error = NULL;
  json_auto_t *prepared = prepare (configuration, "{}", podman_pool, &error);
  g_assert_no_error (error);
  pp_test_assert_json (json_object_get (prepared, key), expected);
}

static void
test_taken (void)
{
  assert_kept ("{'volumes': [' /a:/b:Z ', './x:/y:ro,z', 'v:/d:U', '/anonymous', '.:/o:O']}", FALSE,
               "volumes", "['/a:/b:Z', './x:/y:ro,z', 'v:/d:U', '/anonymous', '.:/o:O']");
  assert_kept ("{'auto_remove': 'Yes'}", FALSE, "auto_remove", "true");
  assert_kept ("{'stream_output': 0.0}", FALSE, "stream_output", "false");
  assert_kept ("{'registry_credentials': {'registry_url': 'r', 'username': 'u', 'password': 'p', "
               "'reauth': 'no', 'more': 1}}",
               FALSE, "registry_credentials",
               "{'username': 'u', 'password': 'p', 'registry_url': 'r', 'reauth': false}");
  assert_kept ("{'command': ''}", FALSE, "command", "'prefect flow-run execute'");
  assert_kept ("{'command': '', 'image': 'i'}", TRUE, "command", "null");
  assert_kept ("{'command': ['a', 'b c'], 'image': 'i'}", TRUE, "command", "['a', 'b c']");
  assert_kept ("{'entrypoint': ['sh', '-c']}", FALSE, "entrypoint", "['sh', '-c']");
  assert_kept ("{'ulimits': ['nofile=1:2', {'Name': 'core'}]}", FALSE, "ulimits",
               "['nofile=1:2', {'Name': 'core'}]");
  assert_kept ("{'extra_hosts': ['db:10.0.0.5']}", FALSE, "extra_hosts", "['db:10.0.0.5']");
  assert_kept ("{'stop_timeout': 5, 'userns': null}", FALSE, "stop_timeout", "5");
}

/* A stock pool of either type can be rendered without a deployment, and has no unknown keys. */
static void
test_defaults (gconstpointer type)
{
  g_autoptr (GError) error = NULL;
  json_auto_t *template = pp_template_default (type);
  json_auto_t *variables = pp_test_json ("{'image': 'busybox'}");
  json_auto_t *extra = NULL;
  json_auto_t *populated = pp_template_populate (template, variables, NULL, &extra, &error);
  g_autofree char *text = json_dumps (populated, 0);
  g_autofree char *quoted = g_strdelimit (g_strdup (text), "\"", '\'');
  json_auto_t *prepared = prepare (quoted, "{}", g_str_equal (type, "podman"), &error);

  g_assert_no_error (error);
  pp_test_assert_json (extra, "{}");
  g_assert_cmpstr (pp_json_string (prepared, "name"), ==, "Brave-Otter");
}

static void
test_podman_knows_docker (void)
{
  json_auto_t *docker = pp_template_default ("docker");
  json_auto_t *podman = pp_template_default ("podman");
  json_t *known = json_object_get (json_object_get (podman, "variables"), "properties");
  json_t *configuration = json_object_get (podman, "job_configuration");
  const char *key;
  json_t *value;

  json_object_foreach (json_object_get (json_object_get (docker, "variables"), "properties"), key,
                       value)
  {
    g_assert_nonnull (json_object_get (known, key));
  }
  /* The server refuses a placeholder that names no variable. */
  g_assert_cmpuint (json_object_size (known), ==, json_object_size (configuration));
  json_object_foreach (configuration, key, value)
  {
    g_autofree char *placeholder = g_strdup_printf ("{{ %s }}", key);
    g_assert_cmpstr (json_string_value (value), ==, placeholder);
    g_assert_nonnull (json_object_get (known, key));
  }
  g_assert_null (pp_template_default ("kubernetes"));
}

/* Returns the alternative of SCHEMA that has TYPE, or NULL. */
static const json_t *
alternative (const json_t *schema, const char *type)
{
  size_t i;
  const json_t *option;

  json_array_foreach (json_object_get (schema, "anyOf"), i, option)
  {
    if (g_strcmp0 (pp_json_string (option, "type"), type) == 0)
      return option;
  }
  return NULL;
}

/* True if the worker accepts the string TEXT for the number KEY. */
static gboolean
worker_takes (const char *key, const char *text)
{
  g_autofree char *configuration = g_strdup_printf ("{'image': 'i', '%s': '%s'}", key, text);
  json_auto_t *prepared = prepare (configuration, "{}", TRUE, NULL);

  return prepared != NULL;
}

/* A placeholder inside text turns a number into a string. The server must accept the number and
 * a string with a placeholder. For all other strings, server and worker must agree. */
static void
test_podman_numbers_may_be_strings (void)
{
  static const char *const texts[] = { "30", " 7 ", "+2", "1.0", "1e2", "30s", "-1", "", "all" };
  json_auto_t *podman = pp_template_default ("podman");
  const json_t *known = json_object_get (json_object_get (podman, "variables"), "properties");
  guint numbers = 0;
  const char *key;
  json_t *schema;

  json_object_foreach ((json_t *)known, key, schema)
  {
    const char *type = pp_json_string (schema, "type");
    const json_t *string = alternative (schema, "string");

    g_assert_cmpstr (type, !=, "number");
    g_assert_cmpstr (type, !=, "integer");
    if (alternative (schema, "number") == NULL && alternative (schema, "integer") == NULL)
      continue;
    g_assert_nonnull (string);
    const char *pattern = pp_json_string (string, "pattern");
    /* A size or a user may be any string. */
    if (pattern == NULL)
      {
        g_assert_true (g_str_equal (key, "shm_size") || g_str_equal (key, "user"));
        continue;
      }
    numbers++;
    g_assert_true (g_regex_match_simple (pattern, "{{ prefect.variables.t }}", 0, 0));
    for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
      g_assert_cmpint (g_regex_match_simple (pattern, texts[i], 0, 0), ==,
                       worker_takes (key, texts[i]));
  }
  g_assert_cmpuint (numbers, ==, 4);
}

/* Returns a configuration in which all members of KEY (a0, a1, ...) are the same VALUE; new object.
 */
static json_t *
sharing (const char *key, const json_t *value, guint members)
{
  json_t *configuration = json_pack ("{s:{}}", key);

  for (guint i = 0; i < members; i++)
    {
      g_autofree char *name = g_strdup_printf ("a%u", i);
      json_object_set (json_object_get (configuration, key), name, (json_t *)value);
    }
  return configuration;
}

/* Many placeholders that name the same large value cause an error, and do not exhaust the memory.
 */
static void
test_shared_values (void)
{
  g_autofree char *text = g_strnfill (4000, 'x');
  g_autofree char *escaped = g_strnfill (4000, 1); /* four times as long in Python */
  const struct
  {
    const char *key;
    json_t *value;
    guint fine, too_many;
  } cases[] = {
    { "env", json_pack ("[s]", text), 1000, 15000 },
    { "env", json_pack ("[[s], {s:s}]", text, "a", text), 1000, 15000 },
    { "env", json_pack ("{s:n}", text), 1000, 15000 },
    { "env", json_pack ("[s]", escaped), 500, 3000 },
    { "env", json_string (text), 1000, 15000 },
    { "labels", json_string (text), 1000, 15000 },
    { "container_create_kwargs", json_pack ("{s:[s]}", "a", text), 1000, 15000 },
    { "container_create_kwargs", json_pack ("{s:n}", text), 1000, 15000 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;
      json_auto_t *value = cases[i].value;
      json_auto_t *few = sharing (cases[i].key, value, cases[i].fine);
      json_auto_t *many = sharing (cases[i].key, value, cases[i].too_many);
      json_auto_t *prepared = prepare_json (few, "{}", FALSE, &error);

      g_assert_no_error (error);
      g_assert_nonnull (prepared);
      g_assert_null (prepare_json (many, "{}", FALSE, &error));
      pp_test_assert_error (error, "larger than 16 MiB");
    }
}

static void
add_tests (void)
{
  g_test_add_func ("/template/prepare/nothing given", test_nothing_given);
  g_test_add_func ("/template/prepare/env", test_env);
  g_test_add_func ("/template/prepare/labels", test_labels);
  g_test_add_func ("/template/prepare/labels-of-the-worker", test_labels_of_the_worker);
  g_test_add_func ("/template/prepare/flow-run-of-the-container", test_flow_run_of_the_container);
  g_test_add_func ("/template/prepare/network mode", test_network_mode);
  g_test_add_func ("/template/prepare/names", test_names);
  g_test_add_func ("/template/prepare/shown-names", test_shown_names);
  g_test_add_func ("/template/prepare/refused", test_refused);
  g_test_add_func ("/template/prepare/taken", test_taken);
  g_test_add_func ("/template/prepare/shared-values", test_shared_values);
  g_test_add_func ("/template/defaults/podman-numbers", test_podman_numbers_may_be_strings);
  g_test_add_data_func ("/template/defaults/docker", "docker", test_defaults);
  g_test_add_data_func ("/template/defaults/podman", "podman", test_defaults);
  g_test_add_func ("/template/defaults/podman knows docker", test_podman_knows_docker);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add_tests);
}
