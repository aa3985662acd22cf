/* SPDX-License-Identifier: Apache-2.0 */
/* Tests features of container specs that Prefect's worker does not have, so that peer_create/run.py
 * cannot compare them. */
#include "tests/unit/infrastructure/containers/spec_test.h"

static void
test_podman_variables (void)
{
  g_autoptr (PpContainerSpec) spec = good_spec (
      "{\"userns\": \"keep-id:uid=5,gid=5\", \"devices\": [\"/dev/fuse\"], \"shm_size\": \"1m\","
      " \"user\": 1000, \"working_dir\": \"/w\", \"entrypoint\": \"/e 'x y'\","
      " \"ulimits\": [\"nofile=10:20\", \"nproc=5\", {\"name\": \"core\", \"soft\": 1}],"
      " \"security_opt\": [\"label=disable\"], \"extra_hosts\": {\"a\": \"10.0.0.1\"},"
      " \"stop_timeout\": 7, \"timeout_seconds\": 2.5, \"command\": [\"a b\", \"c\"],"
      " \"volumes\": [\"/a:/b:Z,U,idmap,rprivate,noexec\", \"data:/d:O\"], \"auto_remove\": true}",
      &new_podman);
  const json_t *host = json_object_get (spec->create_body, "HostConfig");

  assert_json (host, "UsernsMode", "\"keep-id:uid=5,gid=5\"");
  assert_json (host, "Devices",
               "[{\"PathOnHost\": \"/dev/fuse\", \"PathInContainer\": \"/dev/fuse\","
               " \"CgroupPermissions\": \"rwm\"}]");
  assert_json (host, "ShmSize", "1048576");
  assert_json (host, "Ulimits",
               "[{\"Name\": \"nofile\", \"Soft\": 10, \"Hard\": 20},"
               " {\"Name\": \"nproc\", \"Soft\": 5, \"Hard\": 5},"
               " {\"Name\": \"core\", \"Soft\": 1, \"Hard\": null}]");
  assert_json (host, "SecurityOpt", "[\"label=disable\"]");
  assert_json (host, "ExtraHosts", "[\"a:10.0.0.1\"]");
  assert_json (host, "Binds", "[\"/a:/b:Z,U,idmap,rprivate,noexec\", \"data:/d:O\"]");
  assert_json (host, "AutoRemove", NULL);
  assert_json (spec->create_body, "Volumes", "{\"/b\": {}, \"/d\": {}}");
  assert_json (spec->create_body, "User", "\"1000\"");
  assert_json (spec->create_body, "WorkingDir", "\"/w\"");
  assert_json (spec->create_body, "Entrypoint", "[\"/e\", \"x y\"]");
  assert_json (spec->create_body, "Cmd", "[\"a b\", \"c\"]");
  assert_json (spec->create_body, "StopTimeout", "7");
  g_assert_true (spec->policy.auto_remove);
  g_assert_true (spec->policy.stream_output);
  g_assert_cmpuint (spec->policy.stop_timeout, ==, 7);
  g_assert_cmpfloat (spec->policy.timeout_seconds, ==, 2.5);
  g_assert_cmpuint (spec->policy.infrastructure_retries, ==, 3);
  g_assert_null (spec->libpod_body);
}

static void
test_errors (void)
{
  static const struct
  {
    const char *members;
    const char *message;
  } table[] = {
    { "{\"container_create_kwargs\": {\"log_config\": {\"type\": \"k8s-file\", \"config\":"
      " {\"path\": \"/var/x\"}}}}",
      "container_create_kwargs.log_config: with the option path, the engine would write to a file "
      "on the host. Remove this option. If the job needs a file, mount a volume" },
    /* A value is cut before its secrets are masked: no part of a secret is left. */
    { "{\"container_create_kwargs\": {\"dns\":"
      " \"01234567890123456789012345678901234567890123456789012345678901234567 S3cretS3cret\"}}",
      "container_create_kwargs.dns: a list of strings is needed, not "
      "\"01234567890123456789012345678901234567890123456789012345678901234567..." },
    { "{\"container_create_kwargs\": {\"dns\":"
      " \"01234567890123456789012345678901234567890123456789012345678901234567/S3cretS3cret\"}}",
      "container_create_kwargs.dns: a list of strings is needed, not "
      "\"012345678901234567890123456789012345678..." },
    { "{\"container_create_kwargs\": {\"cpus\": 2}}",
      "container_create_kwargs.cpus: docker-py's containers.create() has no such argument" },
    { "{\"container_create_kwargs\": {\"read_only\": \"yes\"}}",
      "container_create_kwargs.read_only: true or false is needed, not \"yes\"" },
    { "{\"container_create_kwargs\": {\"cpu_shares\": 1.5}}",
      "container_create_kwargs.cpu_shares: an integer is needed, not 1.5" },
    { "{\"container_create_kwargs\": {\"dns\": \"1.1.1.1\"}}",
      "container_create_kwargs.dns: a list of strings is needed, not \"1.1.1.1\"" },
    { "{\"container_create_kwargs\": {\"environment\": {}}}",
      "container_create_kwargs.environment: cannot be set here. Set the job variable 'env' "
      "instead" },
    { "{\"container_create_kwargs\": {\"ports\": {\"80\": {\"HostIp\": \"1.1.1.1\"}}}}",
      "container_create_kwargs.ports.80: a port, null, or an object {\"HostIp\", \"HostPort\"}, is "
      "needed, not {\"HostIp\":\"1.1.1.1\"}" },
    { "{\"container_create_kwargs\": {\"platform\": \"linux/i/o timeout\"}}",
      "container_create_kwargs.platform: OS/ARCHITECTURE[/VARIANT] is needed, not \"linux/i/o "
      "timeout\"" },
    { "{\"container_create_kwargs\": {\"platform\": \"status: 503\"}}",
      "container_create_kwargs.platform: OS/ARCHITECTURE[/VARIANT] is needed, not \"status: "
      "503\"" },
    { "{\"container_create_kwargs\": [1]}",
      "container_create_kwargs: an object is needed, not [1]" },
    { "{\"ulimits\": [\"nofile\"]}", "ulimits: a list of objects {\"name\", \"soft\", \"hard\"} or "
                                     "strings \"nofile=1024:2048\" is needed, not \"nofile\"" },
    { "{\"mem_limit\": \"lots\"}", "mem_limit: 'lots' is not an amount of memory. Write a number "
                                   "of bytes, or a number with b, k, m or g after it" },
    { "{\"command\": \"sh -c 'open\"}", "command: the closing ' is missing in 'sh -c 'open'" },
    { "{\"volumes\": [\"nocolon\"]}", "volumes: SOURCE:CONTAINER-PATH[:OPTIONS] or an absolute "
                                      "container path is needed, not \"nocolon\"" },
    { "{\"image\": \"\"}", "image: the name of an image is needed, not \"\"" },
    { "{\"image\": \" \\t\\n\"}", "image: the name of an image is needed, not \" \\t\\n\"" },
    { "{\"image\": \"Busybox:1\"}", "image: [REGISTRY/]NAME[:TAG][@DIGEST] with NAME in small "
                                    "letters is needed, not \"Busybox:1\"" },
    { "{\"image\": \"a b\"}",
      "image: [REGISTRY/]NAME[:TAG][@DIGEST] with NAME in small letters is needed, not \"a b\"" },
    { "{\"image\": \"quay.io/x:\"}", "image: [REGISTRY/]NAME[:TAG][@DIGEST] with NAME in small "
                                     "letters is needed, not \"quay.io/x:\"" },
    { "{\"timeout_seconds\": \"30s\"}",
      "timeout_seconds: a number of seconds, 0 or more, is needed, not \"30s\"" },
    { "{\"timeout_seconds\": \"nan\"}",
      "timeout_seconds: a number of seconds, 0 or more, is needed, not \"nan\"" },
    { "{\"timeout_seconds\": true}",
      "timeout_seconds: a number of seconds, 0 or more, is needed, not true" },
    { "{\"stop_timeout\": \"2.5\"}",
      "stop_timeout: an integer, 0 or more, is needed, not \"2.5\"" },
    { "{\"infrastructure_retries\": \"\"}",
      "infrastructure_retries: an integer, 0 or more, is needed, not \"\"" },
    { "{\"state_reporting\": \"me\"}",
      "state_reporting: one of auto, engine, worker is needed, not \"me\"" },
    { "{\"timeout_seconds\": -1}",
      "timeout_seconds: a number of seconds, 0 or more, is needed, not -1" },
    { "{\"env\": {\"A\": {\"secret\": 1}}}", "env.A: a string is needed" },
    { "{\"networks\": \"one\"}", "networks: a list of strings is needed, not \"one\"" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_autoptr (GError) error = NULL;
      g_assert_null (make_spec (table[i].members, &docker, &error));
      g_assert_error (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_INVALID);
      g_assert_cmpstr (error->message, ==, table[i].message);
    }
}

/* Like pydantic, accepts numbers in strings: a placeholder in text makes a string. */
static void
test_numbers_may_be_strings (void)
{
  g_autoptr (PpContainerSpec) spec
      = good_spec ("{\"timeout_seconds\": \"2.5\", \"startup_timeout_seconds\": \" 30 \", "
                   "\"stop_timeout\": \"7\","
                   " \"infrastructure_retries\": \"1.0\"}",
                   &docker);

  g_assert_cmpfloat (spec->policy.timeout_seconds, ==, 2.5);
  g_assert_cmpfloat (spec->policy.startup_timeout_seconds, ==, 30);
  g_assert_cmpuint (spec->policy.stop_timeout, ==, 7);
  g_assert_cmpuint (spec->policy.infrastructure_retries, ==, 1);
  assert_json (spec->create_body, "StopTimeout", "7");
}

static void
test_image_is_trimmed (void)
{
  static const char *const images[] = { "busybox",
                                        "quay.io/a/b_c:1.0-x",
                                        "localhost:5000/a--b/c@sha256:0123456789abcdef",
                                        "[::1]:5000/x:t",
                                        "docker://busybox:1",
                                        "0123456789abcdef",
                                        "Registry.Example/a/b" };

  for (gsize i = 0; i < G_N_ELEMENTS (images); i++)
    {
      g_autofree char *members = g_strdup_printf ("{\"image\": \" %s\\n\"}", images[i]);
      g_autoptr (PpContainerSpec) spec = good_spec (members, &docker);
      g_assert_cmpstr (spec->image, ==, images[i]);
      g_assert_cmpstr (pp_json_string (spec->create_body, "Image"), ==, images[i]);
    }
}

/* Engines get variables as NAME=VALUE. A name with "=" in it would set another variable, for
 * example PREFECT__FLOW_RUN_ID. */
static void
test_variable_names (void)
{
  static const struct
  {
    const char *name;  /* in JSON */
    const char *shown; /* as shown in the message; NULL: the name is valid */
  } cases[] = {
    { "PREFECT__FLOW_RUN_ID=1111", "PREFECT__FLOW_RUN_ID=1111" },
    { "A\\nPREFECT__FLOW_RUN_ID", "A\\x0aPREFECT__FLOW_RUN_ID" },
    { "", "" },
    { "=", "=" },
    { "A=", "A=" },
    { " PREFECT__FLOW_RUN_ID", " PREFECT__FLOW_RUN_ID" },
    { "\\tPREFECT__FLOW_RUN_ID", "\\x09PREFECT__FLOW_RUN_ID" },
    { "A\\u007f", "A\\x7f" },
    { "A\\u0085B", "A\\x85B" },
    { "A.B-C d", NULL },
    { "\xc3\x9c", NULL },
    { "1", NULL },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *members = g_strdup_printf ("{\"env\": {\"%s\": \"x\"}}", cases[i].name);
      g_autoptr (GError) error = NULL;
      g_autoptr (PpContainerSpec) spec = make_spec (members, &docker, &error);
      g_autofree char *wanted
          = g_strdup_printf ("env: '%s' cannot be the name of a variable", cases[i].shown);

      g_test_message ("%s", members);
      g_assert_true ((spec == NULL) == (cases[i].shown != NULL));
      if (spec == NULL)
        g_assert_true (g_str_has_prefix (error->message, wanted));
    }
}

static void
test_long_value_is_cut_at_a_character (void)
{
  g_autofree char *start = g_strnfill (36, 'x');
  g_autofree char *rest = g_strnfill (60, 'y');
  g_autofree char *members = g_strdup_printf (
      "{\"container_create_kwargs\": {\"init\": \"%s\xc3\xa9\xc3\xa9%s\"}}", start, rest);
  g_autoptr (GError) error = NULL;

  g_assert_null (make_spec (members, &docker, &error));
  g_assert_true (g_utf8_validate (error->message, -1, NULL));
  g_assert_true (g_str_has_suffix (error->message, "x\xc3\xa9..."));
}

static void
test_ignored_kwargs_are_told (void)
{
  g_autoptr (PpContainerSpec) spec
      = good_spec ("{\"container_create_kwargs\": {\"volumes\": [\"/a:/b\"], \"mem_limit\": \"1g\","
                   " \"privileged\": null}}",
                   &docker);

  g_assert_cmpuint (spec->warnings->len, ==, 2);
  g_assert_true (g_str_has_prefix (g_ptr_array_index (spec->warnings, 0),
                                   "container_create_kwargs.volumes is ignored"));
  g_assert_cmpstr (g_ptr_array_index (spec->warnings, 1), ==,
                   "container_create_kwargs.mem_limit is ignored: set the job variable mem_limit");
  assert_json (json_object_get (spec->create_body, "HostConfig"), "Binds", NULL);
}

/* The engine never gets a restart policy. A policy that would have an effect causes a warning. */
static void
test_restarts_are_left_out (void)
{
  static const struct
  {
    const char *policy;
    const char *warned_of;
  } cases[] = {
    { "{\"Name\": \"always\"}", "'always'" },
    { "{\"Name\": \"unless-stopped\"}", "'unless-stopped'" },
    { "{\"Name\": \"on-failure\", \"MaximumRetryCount\": 5}", "'on-failure'" },
    { "{\"name\": \"always\", \"maximumRetryCount\": 5}", "'always'" },
    { "{\"NAME\": \"always\"}", "'always'" },
    { "{\"Name\": \"no\"}", NULL },
    { "{\"Name\": \"\"}", NULL },
    { "{\"MaximumRetryCount\": 5}", NULL },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *members = g_strdup_printf (
          "{\"container_create_kwargs\": {\"restart_policy\": %s}}", cases[i].policy);
      g_autoptr (PpContainerSpec) spec = good_spec (members, &docker);

      assert_json (json_object_get (spec->create_body, "HostConfig"), "RestartPolicy", NULL);
      g_assert_cmpuint (spec->warnings->len, ==, cases[i].warned_of != NULL ? 1 : 0);
      if (cases[i].warned_of != NULL)
        {
          const char *warning = g_ptr_array_index (spec->warnings, 0);
          g_assert_nonnull (strstr (warning, cases[i].warned_of));
          g_assert_nonnull (strstr (warning, "restart_policy"));
          g_assert_nonnull (strstr (warning, "retries"));
        }
    }
}

/* If only the image's tag asks for a pull, a local image is enough. */
static void
test_pull_policy (void)
{
  static const struct
  {
    const char *image;
    const char *policy; /* JSON */
    PpPullPolicy wanted;
    gboolean implied;
  } cases[] = {
    { "prefect-with-docker:latest", "null", PP_PULL_ALWAYS, TRUE },
    { "prefect-with-docker", "null", PP_PULL_ALWAYS, TRUE },
    { "localhost:5000/team/tool", "\"\"", PP_PULL_ALWAYS, TRUE },
    { "localhost:5000/team/tool:latest", "null", PP_PULL_ALWAYS, TRUE },
    { "prefect-with-docker:latest", "\"Always\"", PP_PULL_ALWAYS, FALSE },
    { "prefect-with-docker:latest", "\"IfPossible\"", PP_PULL_IF_POSSIBLE, FALSE },
    { "prefect-with-docker:latest", "\"IfNotPresent\"", PP_PULL_IF_NOT_PRESENT, FALSE },
    { "prefect-with-docker:latest", "\"Never\"", PP_PULL_NEVER, FALSE },
    { "prefect-with-docker:7", "null", PP_PULL_IF_NOT_PRESENT, FALSE },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *members = g_strdup_printf ("{\"image\": \"%s\", \"image_pull_policy\": %s}",
                                                  cases[i].image, cases[i].policy);
      g_autoptr (PpContainerSpec) spec = good_spec (members, &docker);

      g_assert_cmpint (spec->pull_policy, ==, cases[i].wanted);
      g_assert_cmpint (spec->pull_is_implied, ==, cases[i].implied);
    }
}

static void
check_hosts (const char *members, const PpEngineInfo *engine, const char *wanted)
{
  g_autoptr (PpContainerSpec) spec = good_spec (members, engine);
  assert_json (json_object_get (spec->create_body, "HostConfig"), "ExtraHosts", wanted);
}

static void
test_host_gateway (void)
{
  static const char local[] = "{\"env\": {\"PREFECT_API_URL\": \"http://localhost:4200/api\"}}";
  PpEngineInfo nowhere = old_podman;
  PpEngineInfo rootless = old_podman;

  check_hosts (local, NULL, "[\"host.docker.internal:host-gateway\"]");
  check_hosts (local, &docker, "[\"host.docker.internal:host-gateway\"]");
  check_hosts (local, &new_podman, "[\"host.docker.internal:host-gateway\"]");
  check_hosts (local, &old_podman, "[\"host.docker.internal:10.88.0.1\"]");
  check_hosts ("{}", &old_podman, NULL);
  check_hosts ("{\"extra_hosts\": [\"me:host-gateway\"]}", &old_podman, "[\"me:10.88.0.1\"]");
  check_hosts ("{\"extra_hosts\": [\"me:host-gateway\"], \"network_mode\": \"host\"}", &old_podman,
               "[\"me:127.0.0.1\"]");
  /* The network's gateway is requested when the container is created. */
  check_hosts ("{\"extra_hosts\": [\"me:host-gateway\"], \"networks\": [\"mine\"]}", &old_podman,
               "[\"me:host-gateway\"]");
  rootless.rootless = TRUE;
  check_hosts ("{\"extra_hosts\": [\"me:host-gateway\"], \"networks\": [\"mine\"]}", &rootless,
               "[\"me:10.88.0.1\"]");

  nowhere.gateway = NULL;
  g_autoptr (PpContainerSpec) spec = good_spec (local, &nowhere);
  assert_json (json_object_get (spec->create_body, "HostConfig"), "ExtraHosts", "[]");
  g_assert_cmpuint (spec->warnings->len, ==, 1);
}

static void
test_cdi (void)
{
  static const char members[]
      = "{\"devices\": [\"nvidia.com/gpu=all\", \"/dev/fuse:/dev/f:r\"], \"command\": \"x y\","
        " \"env\": {\"A\": \"b=c\"}, \"labels\": {\"l\": \"m\"}, \"networks\": [\"mine\"],"
        " \"mem_limit\": \"1k\", \"userns\": \"keep-id:uid=5\", \"ulimits\": [\"nofile=1:2\"],"
        " \"volumes\": [\"/a:/b:ro,Z\", \"data:/d\", \"/anon\", \"/e:/f:O\"],"
        " \"security_opt\": [\"label=type:t\", \"no-new-privileges\"]}";
  static const char requests[] = "[{\"Driver\": \"cdi\", \"Count\": 0, \"Capabilities\": [],"
                                 " \"DeviceIDs\": [\"nvidia.com/gpu=all\"], \"Options\": {}}]";
  g_autoptr (PpContainerSpec) fresh = good_spec (members, &new_podman);
  g_autoptr (PpContainerSpec) old = good_spec (members, &old_podman);

  assert_json (json_object_get (fresh->create_body, "HostConfig"), "DeviceRequests", requests);
  g_assert_null (fresh->libpod_body);
  assert_json (old->libpod_body, "devices",
               "[{\"path\": \"/dev/fuse:/dev/f:r\"}, {\"path\": \"nvidia.com/gpu=all\"}]");
  assert_json (old->libpod_body, "command", "[\"x\", \"y\"]");
  assert_json (old->libpod_body, "env", "{\"A\": \"b=c\"}");
  assert_json (old->libpod_body, "labels", "{\"l\": \"m\"}");
  assert_json (old->libpod_body, "Networks", "{\"mine\": {}}");
  assert_json (old->libpod_body, "netns", "{\"nsmode\": \"bridge\"}");
  assert_json (old->libpod_body, "userns", "{\"nsmode\": \"keep-id\", \"value\": \"uid=5\"}");
  assert_json (old->libpod_body, "resource_limits", "{\"memory\": {\"limit\": 1024}}");
  assert_json (old->libpod_body, "r_limits", "[{\"type\": \"nofile\", \"soft\": 1, \"hard\": 2}]");
  assert_json (old->libpod_body, "mounts",
               "[{\"type\": \"bind\", \"source\": \"/a\", \"destination\": \"/b\","
               " \"options\": [\"rbind\", \"ro\", \"Z\"]}]");
  assert_json (old->libpod_body, "volumes",
               "[{\"Name\": \"data\", \"Dest\": \"/d\", \"Options\": []}, {\"Dest\": \"/anon\"}]");
  assert_json (old->libpod_body, "overlay_volumes",
               "[{\"source\": \"/e\", \"destination\": \"/f\", \"options\": [\"O\"]}]");
  assert_json (old->libpod_body, "selinux_opts", "[\"type:t\"]");
  assert_json (old->libpod_body, "no_new_privileges", "true");

  g_autoptr (GError) error = NULL;
  g_assert_null (make_spec ("{\"container_create_kwargs\": {\"links\": {\"a\": \"b\"}, \"devices\":"
                            " [\"nvidia.com/gpu=0\"]}}",
                            &old_podman, &error));
  g_assert_error (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_INVALID);
  g_assert_nonnull (strstr (error->message, "Podman 4.3.1"));
  g_assert_nonnull (strstr (error->message, "Links"));
}

static void
check_reporting (const char *members, PpStateReporting wanted, gboolean forwards)
{
  g_autoptr (PpContainerSpec) spec = good_spec (members, &docker);

  g_assert_cmpint (spec->policy.state_reporting, ==, wanted);
  g_assert_cmpint (pp_run_policy_forwards_output (&spec->policy), ==, forwards);
}

static void
test_state_reporting (void)
{
  check_reporting ("{\"command\": \"prefect flow-run execute\"}", PP_REPORT_PREFECT, FALSE);
  check_reporting ("{\"command\": \"echo hi\"}", PP_REPORT_WORKER, TRUE);
  check_reporting ("{}", PP_REPORT_WORKER, TRUE);
  check_reporting ("{\"entrypoint\": \"prefect flow-run execute\"}", PP_REPORT_PREFECT, FALSE);
  check_reporting ("{\"entrypoint\": \"sh -c\", \"command\": [\"exec prefect flow-run execute\"]}",
                   PP_REPORT_PREFECT, FALSE);
  check_reporting ("{\"command\": \"echo hi\", \"state_reporting\": \"engine\"}", PP_REPORT_PREFECT,
                   FALSE);
  check_reporting ("{\"command\": \"prefect flow-run execute\", \"state_reporting\": \"worker\","
                   " \"forward_output\": \"never\"}",
                   PP_REPORT_WORKER, FALSE);
  check_reporting ("{\"command\": \"prefect flow-run execute\", \"forward_output\": \"always\"}",
                   PP_REPORT_PREFECT, TRUE);
}

static void
test_podman_run (void)
{
  g_autoptr (PpContainerSpec) spec = good_spec (
      "{\"name\": \"n\", \"command\": \"sh -c 'a b'\", \"auto_remove\": true,"
      " \"env\": {\"SECRET\": \"hunter2\"}, \"labels\": {\"l\": \"m\"}, \"mem_limit\": \"1m\","
      " \"networks\": [\"one\", \"two\"], \"volumes\": [\"/a:/b:Z\"], \"privileged\": true,"
      " \"devices\": [\"nvidia.com/gpu=all\"], \"extra_hosts\": [\"a:10.0.0.1\"],"
      " \"timeout_seconds\": 60, \"entrypoint\": [\"/e\", \"x\"],"
      " \"container_create_kwargs\": {\"ports\": {\"80\": 8080, \"81\": null}, \"nano_cpus\":"
      " 1500000000, \"platform\": \"linux/amd64\"}}",
      NULL);
  guint image_at = 0;
  g_autofree char *warning = NULL;
  g_auto (GStrv) argv = pp_container_spec_to_podman_run (spec, &image_at, &warning);
  g_autofree char *line = g_strjoinv (" ", argv);

  g_assert_cmpstr (argv[image_at], ==, spec->image);
  g_assert_cmpstr (
      line, ==,
      "podman run --rm --name n --pull missing --platform linux/amd64 --timeout 60 --label l=m "
      "--env SECRET --entrypoint [\"/e\",\"x\"] --volume /a:/b:Z --network one "
      "--add-host a:10.0.0.1 --publish 8080:80/tcp --publish 81/tcp --memory 1048576b --cpus 1.5 "
      "--privileged "
      "--device nvidia.com/gpu=all --network two busybox:1 sh -c a b");
  g_assert_nonnull (strstr (warning, ": --add-host host.docker.internal:host-gateway ("));
}

/* Podman before 4.7 refuses host-gateway. */
static void
test_podman_run_takes_no_host_gateway (void)
{
  static const struct
  {
    const char *members;
    const char *hosts;    /* expected in the options */
    const char *left_out; /* expected in the warning; NULL: no warning */
  } table[] = {
    { "{\"env\": {}, \"network_mode\": \"host\"}", " --add-host host.docker.internal:127.0.0.1 ",
      NULL },
    { "{\"env\": {}, \"network_mode\": \"host\", \"extra_hosts\": {\"me\": \"host-gateway\"}}",
      " --add-host me:127.0.0.1 ", NULL },
    { "{\"env\": {}, \"network_mode\": \"bridge\"}", NULL,
      " --add-host host.docker.internal:host-gateway " },
    { "{\"env\": {}, \"extra_hosts\": [\"me:host-gateway\", \"you:10.0.0.1\"]}",
      " --add-host you:10.0.0.1 ", " --add-host me:host-gateway " },
    { "{\"env\": {\"PREFECT_API_URL\": \"https://api.example/api\"}}", NULL, NULL },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_autofree char *warning = NULL;
      g_autoptr (PpContainerSpec) spec = good_spec (table[i].members, NULL);
      g_auto (GStrv) argv = pp_container_spec_to_podman_run (spec, NULL, &warning);
      g_autofree char *line = g_strjoinv (" ", argv);

      g_assert_null (strstr (line, "host-gateway"));
      if (table[i].hosts != NULL)
        g_assert_nonnull (strstr (line, table[i].hosts));
      else
        g_assert_null (strstr (line, "--add-host"));
      if (table[i].left_out != NULL)
        g_assert_nonnull (strstr (warning, table[i].left_out));
      else
        g_assert_null (warning);
    }
}

static void
test_credentials_stay_with_their_registry (void)
{
  static const struct
  {
    const char *image;
    const char *url;
    gboolean sent;
  } table[] = {
    { "quay.io/a/b", "quay.io", TRUE },
    { "quay.io/a/b", "https://quay.io/v2/", TRUE },
    { "busybox", "https://index.docker.io/v1/", TRUE },
    { "docker.io/a/b", "docker.io", TRUE },
    { "localhost:5000/b:1", "localhost:5000", TRUE },
    { "a/b", "quay.io", FALSE },
    { "quay.io/a/b", "quay.io.evil.example", FALSE },
    { "evil.example/quay.io/b", "quay.io", FALSE },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_autofree char *members = g_strdup_printf (
          "{\"image\": \"%s\", \"registry_credentials\": {\"username\": \"u\", \"password\":"
          " \"p\", \"registry_url\": \"%s\"}}",
          table[i].image, table[i].url);
      g_autoptr (PpContainerSpec) spec = good_spec (members, &docker);
      g_test_message ("%s at %s", table[i].image, table[i].url);
      g_assert_cmpint (spec->registry_auth != NULL, ==, table[i].sent);
    }
}

/* The command line has all settings, too. */
static void
test_podman_run_of_kwargs (void)
{
  g_autoptr (PpContainerSpec) spec = good_spec (
      "{\"container_create_kwargs\": {\"healthcheck\": {\"test\": [\"CMD\", \"a\", \"b\"],"
      " \"interval\": 5000000000, \"retries\": 2},"
      " \"mounts\": [{\"Type\": \"bind\", \"Source\": \"/s\", \"Target\": \"/m\","
      " \"ReadOnly\": true, \"BindOptions\": {\"Propagation\": \"rslave\"}},"
      " {\"Type\": \"tmpfs\", \"Target\": \"/x\", \"TmpfsOptions\": {\"SizeBytes\": 1024,"
      " \"Mode\": 448}}], \"storage_opt\": {\"size\": \"1G\"},"
      " \"log_config\": {\"type\": \"k8s-file\", \"config\": {\"max-size\": \"1m\"}},"
      " \"device_read_bps\": [{\"Path\": \"/dev/sda\", \"Rate\": 7}],"
      " \"blkio_weight_device\": [{\"Path\": \"/dev/sda\", \"Weight\": 9}]}}",
      NULL);
  g_auto (GStrv) argv = pp_container_spec_to_podman_run (spec, NULL, NULL);
  g_autofree char *line = g_strjoinv (" ", argv);

  g_assert_cmpstr (line, ==,
                   "podman run --pull missing --env PREFECT_API_URL --health-cmd [\"a\",\"b\"] "
                   "--health-interval "
                   "5000000000ns --health-retries 2 --mount "
                   "type=bind,source=/s,target=/m,ro=true,bind-propagation=rslave --mount "
                   "type=tmpfs,target=/x,tmpfs-size=1024,tmpfs-mode=700 --storage-opt size=1G "
                   "--log-driver k8s-file --log-opt max-size=1m --blkio-weight-device /dev/sda:9 "
                   "--device-read-bps /dev/sda:7 busybox:1");
}

/* Returns a configuration with TEXT, repeated to BYTES bytes, in the string that FORMAT has at %s.
 */
static char *
filled (const char *format, const char *text, gsize bytes)
{
  g_autoptr (GString) long_text = g_string_new (NULL);
  g_auto (GStrv) parts = g_strsplit (format, "%s", 2);

  while (long_text->len < bytes)
    g_string_append (long_text, text);
  return g_strconcat (parts[0], long_text->str, parts[1], NULL);
}

#define KIB ((gsize)1024)

/* If a container were larger, the worker could not inspect it, and could not list the engine's
 * containers. */
static void
test_sizes (void)
{
  static const struct
  {
    const char *format;
    const char *text;
    gsize fits, too_much; /* KiB of the configuration's text */
    const char *message;
  } table[] = {
    { "{\"labels\": {\"a\": \"%s\"}}", "x", 1000, 1025, "labels: their size is 1" },
    { "{\"labels\": {\"a\": \"%s\"}}", "\\u0001", 1000, 1025, "labels: their size is 1" },
    { "{\"labels\": {\"a\": \"%s\"}}", "<", 160, 180, "labels: their size is 1" },
    { "{\"labels\": {\"%s\": \"a\"}}", "x", 1000, 1025, "labels: their size is 1" },
    { "{\"labels\": {\"a\": [\"%s\"]}}", "x", 1000, 1025, "labels: their size is 1" },
    { "{\"env\": {\"A\": \"%s\"}}", "x", 4000, 4100, "env: its size is 4" },
    { "{\"env\": {\"A\": \"%s\"}}", "\\u0001", 4000, 4100, "env: its size is " },
    { "{\"env\": {\"%s\": null}}", "x", 4000, 4100, "env: its size is " },
    { "{\"command\": [\"true\", \"%s\"]}", "&", 660, 700, "command: its size is " },
    { "{\"command\": \"true %s\"}", "x ", 400, 4100, "command: its size is " },
    /* Many small values, which take much memory. */
    { "{\"command\": [%s\"x\"]}", "\"x\",", 800, 900, "command: its size is " },
    { "{\"labels\": {\"a\": [%s1]}}", "1,", 80, 100, "labels: their size is 1" },
    { "{\"entrypoint\": [\"%s\"]}", "\xe2\x80\xa8", 2000, 4100, "entrypoint: its size is " },
    { "{\"volumes\": [\"v:/%s\"]}", "x", 2000, 4100, "volumes: its size is " },
    { "{\"extra_hosts\": {\"%s\": \"10.0.0.1\"}}", "x", 4000, 4100, "extra_hosts: its size is " },
    { "{\"container_create_kwargs\": {\"hostname\": \"%s\"}}", "x", 4000, 4100,
      "container_create_kwargs: its size is " },
    { "{\"container_create_kwargs\": {\"sysctls\": {\"a\": \"%s\"}}}", "x", 4000, 4100,
      "container_create_kwargs: its size is " },
  };
  const PpEngineInfo *const engines[] = { &old_podman, &new_podman, &docker, NULL };

  for (gsize i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_autofree char *small = filled (table[i].format, table[i].text, table[i].fits * KIB);
      g_autofree char *large = filled (table[i].format, table[i].text, table[i].too_much * KIB);
      const PpEngineInfo *engine = engines[i % G_N_ELEMENTS (engines)];
      g_autoptr (PpContainerSpec) spec = good_spec (small, engine);
      g_autoptr (GError) error = NULL;

      g_test_message ("%s", table[i].format);
      g_assert_nonnull (spec);
      g_assert_null (make_spec (large, engine, &error));
      g_assert_error (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_INVALID);
      g_assert_true (g_str_has_prefix (error->message, table[i].message));
    }
}

static void
add_tests (void)
{
  g_test_add_func ("/container-spec/numbers-may-be-strings", test_numbers_may_be_strings);
  g_test_add_func ("/container-spec/image-is-trimmed", test_image_is_trimmed);
  g_test_add_func ("/container-spec/podman-variables", test_podman_variables);
  g_test_add_func ("/container-spec/errors", test_errors);
  g_test_add_func ("/container-spec/sizes", test_sizes);
  g_test_add_func ("/container-spec/long-value", test_long_value_is_cut_at_a_character);
  g_test_add_func ("/container-spec/variable-names", test_variable_names);
  g_test_add_func ("/container-spec/ignored-kwargs", test_ignored_kwargs_are_told);
  g_test_add_func ("/container-spec/pull-policy", test_pull_policy);
  g_test_add_func ("/container-spec/restarts-are-left-out", test_restarts_are_left_out);
  g_test_add_func ("/container-spec/host-gateway", test_host_gateway);
  g_test_add_func ("/container-spec/cdi", test_cdi);
  g_test_add_func ("/container-spec/state-reporting", test_state_reporting);
  g_test_add_func ("/container-spec/podman-run", test_podman_run);
  g_test_add_func ("/container-spec/podman-run/host-gateway",
                   test_podman_run_takes_no_host_gateway);
  g_test_add_func ("/container-spec/podman-run-of-kwargs", test_podman_run_of_kwargs);
  g_test_add_func ("/container-spec/credentials", test_credentials_stay_with_their_registry);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add_tests);
}
