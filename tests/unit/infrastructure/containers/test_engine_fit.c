/* SPDX-License-Identifier: Apache-2.0 */
/* Tests which settings each engine supports, ignores, or needs in another form. */
#include "infrastructure/containers/engine_api-private.h"

#include "tests/unit/infrastructure/containers/spec_test.h"

#define KWARGS(members) "{\"container_create_kwargs\": {" members "}}"

#define NETWORK(endpoint)                                                                          \
  "{\"networks\": [\"n\"], \"container_create_kwargs\": {\"networking_config\": {\"n\": "          \
  "{" endpoint "}}}}"

/* Expects that ENGINE refuses MEMBERS. ENGINE has no AppArmor and only the runtime runc. */
static void
assert_refused (const char *members, const PpEngineInfo *engine, const char *words)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (PpContainerSpec) spec = make_spec (members, engine, &error);

  if (spec != NULL || error == NULL || strstr (error->message, words) == NULL)
    {
      g_test_message ("%s: %s, wanted ...%s...", members,
                      error != NULL ? error->message : "(no error)", words);
      g_test_fail ();
      return;
    }
  g_assert_error (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_INVALID);
}

static PpEngineInfo
docker_of (const char *version)
{
  PpEngineInfo info = docker;

  info.version = (char *)version;
  return info;
}

static void
test_dropped (void)
{
  static const struct
  {
    const char *members;
    const char *key;
    gboolean podman, docker; /* expected to refuse */
  } table[] = {
    { KWARGS ("\"network_disabled\": true"), "network_disabled", TRUE, FALSE },
    { KWARGS ("\"network_disabled\": false"), NULL, FALSE, FALSE },
    { KWARGS ("\"mac_address\": \"02:42:ac:11:00:99\""), "mac_address", TRUE, FALSE },
    { KWARGS ("\"device_cgroup_rules\": [\"c 1:11 rwm\"]"), "device_cgroup_rules", TRUE, FALSE },
    { KWARGS ("\"runtime\": \"nvidia\""), "runtime", TRUE, FALSE },
    { KWARGS ("\"runtime\": \"runc\""), NULL, FALSE, FALSE },
    { KWARGS ("\"isolation\": \"hyperv\""), "isolation", TRUE, FALSE },
    { KWARGS ("\"isolation\": \"default\""), NULL, FALSE, FALSE },
    { KWARGS ("\"kernel_memory\": \"64m\""), "kernel_memory", TRUE, TRUE },
    { KWARGS ("\"kernel_memory\": 0"), NULL, FALSE, FALSE },
    { NETWORK ("\"MacAddress\": \"02:42:ac:11:00:99\""), "networking_config", FALSE, TRUE },
    { NETWORK ("\"GwPriority\": 1"), "networking_config", TRUE, TRUE },
    { NETWORK ("\"driveropts\": {\"a\": \"b\"}"), "networking_config", TRUE, FALSE },
    { NETWORK ("\"Links\": [\"a\"]"), "networking_config", TRUE, FALSE },
    { NETWORK ("\"Aliases\": [\"a\"], \"DriverOpts\": null"), NULL, FALSE, FALSE },
    { KWARGS ("\"cpu_count\": 2"), "cpu_count", TRUE, TRUE },
    { KWARGS ("\"cpu_percent\": 50"), "cpu_percent", TRUE, TRUE },
    { KWARGS ("\"lxc_conf\": {\"a\": \"b\"}"), "lxc_conf", TRUE, TRUE },
    { KWARGS ("\"volume_driver\": \"nfs\""), "volume_driver", TRUE, FALSE },
    { KWARGS ("\"volume_driver\": \"local\""), NULL, FALSE, FALSE },
    { KWARGS ("\"mounts\": [{\"Type\": \"volume\", \"Target\": \"/m\", \"Source\": \"v\","
              " \"VolumeOptions\": {\"DriverConfig\": {\"Name\": \"nfs\"}}}]"),
      "mounts", TRUE, FALSE },
    { KWARGS ("\"mounts\": [{\"Type\": \"volume\", \"Target\": \"/m\", \"Source\": \"v\"}]"), NULL,
      FALSE, FALSE },
    { KWARGS ("\"userns_mode\": \"keep-id\""), "userns_mode", FALSE, TRUE },
    { "{\"userns\": \"auto\"}", "userns_mode", FALSE, TRUE },
    { "{\"userns\": \"host\"}", NULL, FALSE, FALSE },
    { "{\"security_opt\": [\"apparmor=mine\"]}", "security_opt", FALSE, TRUE },
    { "{\"security_opt\": [\"apparmor=unconfined\", \"label=disable\"]}", NULL, FALSE, FALSE },
    { KWARGS ("\"device_requests\": [{\"driver\": \"tpu\", \"count\": 1}]"), "device_requests",
      TRUE, FALSE },
  };
  char runc[] = "runc";
  PpEngineInfo podman = old_podman, other = docker;

  podman.default_runtime = other.default_runtime = runc;
  for (gsize i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_autofree char *on_podman = g_strdup_printf ("%s: Podman 4.3.1 ", table[i].key);
      g_autofree char *on_docker
          = g_strdup_printf ("%s: Docker 24.0.7 silently ignores this setting", table[i].key);
      if (table[i].podman)
        assert_refused (table[i].members, &podman, on_podman);
      else
        pp_container_spec_free (good_spec (table[i].members, &podman));
      if (table[i].docker)
        assert_refused (table[i].members, &other, on_docker);
      else
        pp_container_spec_free (good_spec (table[i].members, &other));
      /* Offline, the engine is unknown. */
      pp_container_spec_free (good_spec (table[i].members, NULL));
    }
}

static void
test_versions_and_hosts (void)
{
  static const char rules[] = KWARGS ("\"device_cgroup_rules\": [\"c 1:11 rwm\"]");
  PpEngineInfo confined = docker, windows = docker;

  confined.has_apparmor = TRUE;
  windows.runs_windows = TRUE;
  PpEngineInfo old_docker = docker_of ("20.10.24"), newer_docker = docker_of ("25.0.1");
  pp_container_spec_free (good_spec (KWARGS ("\"kernel_memory\": 67108864"), &old_docker));
  pp_container_spec_free (
      good_spec (NETWORK ("\"MacAddress\": \"02:42:ac:11:00:99\""), &newer_docker));
  pp_container_spec_free (good_spec (rules, &new_podman));
  pp_container_spec_free (good_spec ("{\"security_opt\": [\"apparmor=mine\"]}", &confined));
  pp_container_spec_free (good_spec (KWARGS ("\"cpu_count\": 2"), &windows));
  assert_refused (KWARGS ("\"network_disabled\": true"), &new_podman,
                  "network_disabled: Podman 5.4.0 silently ignores this setting: the container "
                  "would have a network. Set the job variable network_mode to \"none\"");
}

#define MOUNT(members) KWARGS ("\"mounts\": [{\"Target\": \"/m\", " members "}]")
#define VOLUME(options)                                                                            \
  MOUNT ("\"Type\": \"volume\", \"Source\": \"v\", \"VolumeOptions\": {" options "}")
#define BIND(options)                                                                              \
  MOUNT ("\"Type\": \"bind\", \"Source\": \"/s\", \"BindOptions\": {" options "}")
#define TMPFS(options) MOUNT ("\"Type\": \"tmpfs\", \"TmpfsOptions\": {" options "}")

static void
test_mounts (void)
{
  static const struct
  {
    const char *members;
    const char *key; /* as in the message */
    const char
        *docker;     /* the first version that supports it; "" for every version, NULL for none */
    gboolean podman; /* Podman supports it */
  } table[] = {
    { VOLUME ("\"Subpath\": \"a\""), "VolumeOptions.Subpath", "26.1.4", FALSE },
    { VOLUME ("\"subPath\": \"a\""), "VolumeOptions.Subpath", "26.1.4", FALSE },
    { MOUNT ("\"type\": \"volume\", \"volumeoptions\": {\"nocopy\": true}"), "VolumeOptions.NoCopy",
      "", FALSE },
    { VOLUME ("\"DriverConfig\": {\"Name\": \"nfs\"}"), "VolumeOptions.DriverConfig", "", FALSE },
    { BIND ("\"ReadOnlyForceRecursive\": true"), "BindOptions.ReadOnlyForceRecursive", "25.0.0",
      FALSE },
    { BIND ("\"CreateMountpoint\": true"), "BindOptions.CreateMountpoint", "23.0.6", TRUE },
    { BIND ("\"NonRecursive\": true"), "BindOptions.NonRecursive", "20.10.24", TRUE },
    { BIND ("\"ReadOnlyNonRecursive\": true, \"Propagation\": \"rslave\""), NULL, "", TRUE },
    { TMPFS ("\"Options\": [[\"noexec\"]]"), "TmpfsOptions.Options", "27.0.1", FALSE },
    { TMPFS ("\"SizeBytes\": 4096, \"Mode\": 448"), NULL, "", TRUE },
    { MOUNT ("\"Type\": \"image\", \"Source\": \"i\", \"ImageOptions\": {\"Subpath\": \"a\"}"),
      "ImageOptions.Subpath", "", FALSE },
    { MOUNT ("\"Type\": \"volume\", \"TmpfsOptions\": {\"SizeBytes\": 4096}"), "TmpfsOptions",
      "23.0.6", FALSE },
    /* docker-py's own spelling, and misspelled keys. */
    { MOUNT ("\"Type\": \"volume\", \"read_only\": true"), "read_only", NULL, FALSE },
    { VOLUME ("\"Subpat\": \"a\""), "VolumeOptions.Subpat", NULL, FALSE },
    { BIND ("\"Recursive\": false"), "BindOptions.Recursive", NULL, FALSE },
    { TMPFS ("\"Size\": 4096"), "TmpfsOptions.Size", NULL, FALSE },
    { MOUNT ("\"Type\": \"volume\", \"readonly\": true"), NULL, "", TRUE },
    { VOLUME ("\"Subpath\": \"\", \"NoCopy\": false"), NULL, "", TRUE },
    /* Empty values as in an inspect answer, and docker-py's default driver: they ask for
     * nothing. */
    { MOUNT ("\"Type\": \"volume\", \"BindOptions\": {\"Propagation\": \"\"}"), NULL, "", TRUE },
    { MOUNT ("\"Type\": \"bind\", \"VolumeOptions\": {\"NoCopy\": false}"), NULL, "", TRUE },
    { VOLUME ("\"DriverConfig\": {\"Name\": \"local\", \"Options\": {}}"), NULL, "", TRUE },
    { VOLUME ("\"DriverConfig\": {\"Name\": \"local\", \"Options\": {\"o\": \"bind\"}}"),
      "VolumeOptions.DriverConfig", "", FALSE },
  };
  static const char *const versions[]
      = { "19.02.1", "20.10.24", "23.0.6", "25.0.0", "26.1.4", "27.0.1", "28.3.0" };

  for (gsize i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_autofree char *on_podman
          = g_strdup_printf ("mounts: Podman 5.4.0 silently ignores %s:", table[i].key);
      if (table[i].podman)
        pp_container_spec_free (good_spec (table[i].members, &new_podman));
      else
        assert_refused (table[i].members, &new_podman, on_podman);
      gboolean taken = table[i].docker != NULL && *table[i].docker == '\0';
      for (gsize j = 0; j < G_N_ELEMENTS (versions); j++)
        {
          PpEngineInfo info = docker_of (versions[j]);
          g_autofree char *on_docker = g_strdup_printf (
              "mounts: Docker %s silently ignores %s:", versions[j], table[i].key);
          taken = taken || g_strcmp0 (table[i].docker, versions[j]) == 0;
          if (taken)
            pp_container_spec_free (good_spec (table[i].members, &info));
          else
            assert_refused (table[i].members, &info, on_docker);
        }
      pp_container_spec_free (good_spec (table[i].members, NULL));
    }
}

/* The message about a wrong key lists the valid ones. Labels only cause a warning. */
static void
test_words_of_mounts (void)
{
  g_autoptr (PpContainerSpec) spec = good_spec (VOLUME ("\"Labels\": {\"a\": \"b\"}"), &old_podman);

  g_assert_cmpuint (spec->warnings->len, ==, 1);
  g_assert_true (g_str_has_prefix (g_ptr_array_index (spec->warnings, 0),
                                   "mounts: Podman 4.3.1 silently ignores"));
  assert_refused (VOLUME ("\"Subpat\": \"a\""), &docker,
                  "The possible keys here are: NoCopy, Labels, DriverConfig, Subpath");
  assert_refused (
      MOUNT ("\"read_only\": true"), &docker,
      "The possible keys here are: Type, Source, Target, ReadOnly, Consistency, BindOptions, ");
  /* The same with a CDI device, which needs Podman's own API. */
  assert_refused (
      "{\"devices\": [\"nvidia.com/gpu=all\"], \"container_create_kwargs\": {\"mounts\": "
      "[{\"Type\": \"volume\", \"Target\": \"/m\", \"VolumeOptions\": "
      "{\"Subpath\": \"a\"}}]}}",
      &old_podman, "mounts: Podman 4.3.1 silently ignores VolumeOptions.Subpath");
}

/* Podman's Docker API treats any BindOptions as NonRecursive, and a missing Mode as 000. */
static void
test_mounts_on_podman (void)
{
  g_autoptr (PpContainerSpec) spec = good_spec (
      KWARGS ("\"mounts\": ["
              "{\"Type\": \"bind\", \"Source\": \"/a\", \"Target\": \"/1\", \"ReadOnly\": true,"
              " \"BindOptions\": {\"Propagation\": \"rslave\"}},"
              "{\"Type\": \"bind\", \"Source\": \"/b\", \"Target\": \"/2\", \"BindOptions\": {}},"
              "{\"Type\": \"bind\", \"Source\": \"/c\", \"Target\": \"/3\","
              " \"BindOptions\": {\"NonRecursive\": true, \"Propagation\": \"slave\"}},"
              "{\"Type\": \"tmpfs\", \"Target\": \"/4\", \"TmpfsOptions\": {\"SizeBytes\": 1}}]"),
      &new_podman);
  const json_t *host_config = json_object_get (spec->create_body, "HostConfig");

  assert_json (host_config, "Binds", "[\"/a:/1:ro,rslave\"]");
  assert_json (host_config, "Mounts",
               "[{\"Type\": \"bind\", \"Source\": \"/b\", \"Target\": \"/2\"},"
               "{\"Type\": \"bind\", \"Source\": \"/c\", \"Target\": \"/3\","
               " \"BindOptions\": {\"NonRecursive\": true, \"Propagation\": \"slave\"}},"
               "{\"Type\": \"tmpfs\", \"Target\": \"/4\", \"TmpfsOptions\": {\"SizeBytes\": 1, "
               "\"Mode\": 1023}}]");
}

/* Mounts that cannot be converted to binds without loss are sent unchanged. */
static void
test_mounts_that_are_no_plain_binds (void)
{
  static const char *const members[] = {
    "\"Type\": \"bind\", \"ReadOnly\": 1, \"BindOptions\": {\"Propagation\": \"rslave\"}",
    "\"Type\": \"bind\", \"ReadOnly\": \"true\", \"BindOptions\": {\"Propagation\": \"shared\"}",
    "\"Type\": \"bind\", \"BindOptions\": {\"Propagation\": \"rprivate,U\"}",
    "\"Type\": \"bind\", \"BindOptions\": {\"Propagation\": \"slave\", \"NonRecursive\": 1}",
    "\"BindOptions\": {\"Propagation\": \"rslave\"}"
  };

  for (gsize i = 0; i < G_N_ELEMENTS (members); i++)
    {
      g_autofree char *text = g_strdup_printf (
          KWARGS ("\"mounts\": [{\"Source\": \"/s\", \"Target\": \"/m\", %s}]"), members[i]);
      g_autoptr (PpContainerSpec) spec = good_spec (text, &new_podman);
      const json_t *host_config = json_object_get (spec->create_body, "HostConfig");

      assert_json (host_config, "Binds", NULL);
      g_assert_cmpuint (json_array_size (json_object_get (host_config, "Mounts")), ==, 1);
    }
}

/* Podman's Docker API ignores an empty entrypoint, and sets a variable without a value to its own
 * service's value. */
static void
test_nothing_on_podman (void)
{
  static const char entrypoint[] = KWARGS ("\"entrypoint\": []");
  static const char *const env[] = { "{\"env\": {\"A\": \"1\", \"B\": null, \"C*\": null}}",
                                     "{\"env\": {\"B\": null, \"C*\": null}}",
                                     "{\"devices\": [\"nvidia.com/gpu=all\"],"
                                     " \"env\": {\"A\": \"1\", \"B\": null, \"C*\": null}}" };
  g_autoptr (PpContainerSpec) podman = good_spec (entrypoint, &old_podman);
  g_autoptr (PpContainerSpec) newer = good_spec (KWARGS ("\"entrypoint\": \"\""), &new_podman);
  g_autoptr (PpContainerSpec) other = good_spec (entrypoint, &docker);

  assert_json (podman->create_body, "Entrypoint", "[\"\"]");
  assert_json (newer->create_body, "Entrypoint", "[\"\"]");
  assert_json (other->create_body, "Entrypoint", "[]");
  for (gsize i = 0; i < G_N_ELEMENTS (env); i++)
    {
      g_autoptr (PpContainerSpec) on_podman = good_spec (env[i], &old_podman);
      g_autoptr (PpContainerSpec) on_docker = good_spec (env[i], &docker);
      assert_json (on_podman->create_body, "Env", i == 1 ? NULL : "[\"A=1\"]");
      assert_json (on_podman->create_body, "UnsetEnv", "[\"B\", \"C*\"]");
      if (on_podman->libpod_body != NULL)
        assert_json (on_podman->libpod_body, "unsetenv", "[\"B\", \"C*\"]");
      assert_json (on_docker->create_body, "Env",
                   i == 1 ? "[\"B\", \"C*\"]" : "[\"A=1\", \"B\", \"C*\"]");
      assert_json (on_docker->create_body, "UnsetEnv", NULL);
    }
}

static void
test_passed_over (void)
{
  g_autoptr (PpContainerSpec) spec = good_spec (
      KWARGS ("\"domainname\": \"d.example\", \"log_config\": {\"type\": \"json-file\","
              " \"config\": {\"max-size\": \"1m\", \"max-file\": \"3\"}}"),
      &old_podman);
  g_autoptr (PpContainerSpec) none
      = good_spec (KWARGS ("\"log_config\": {\"config\": {\"max-size\": \"1m\"}}"), &old_podman);

  g_assert_cmpuint (spec->warnings->len, ==, 2);
  g_assert_true (g_str_has_prefix (g_ptr_array_index (spec->warnings, 0), "domainname: Podman"));
  g_assert_true (g_str_has_prefix (g_ptr_array_index (spec->warnings, 1), "log_config: Podman"));
  g_assert_cmpuint (none->warnings->len, ==, 0);

  g_autoptr (PpContainerSpec) shared
      = good_spec (KWARGS ("\"shm_size\": \"1g\", \"ipc_mode\": \"host\""), &docker);
  g_assert_cmpuint (shared->warnings->len, ==, 1);
  g_assert_true (g_str_has_prefix (g_ptr_array_index (shared->warnings, 0),
                                   "shm_size: Docker 24.0.7 silently ignores"));
}

static void
test_ports (void)
{
  static const char *const modes[] = { "host", "none", "container:x" };
  static const PpEngineInfo *const engines[] = { &old_podman, &new_podman, &docker, NULL };

  for (gsize i = 0; i < G_N_ELEMENTS (modes); i++)
    for (gsize j = 0; j < G_N_ELEMENTS (engines); j++)
      {
        g_autofree char *members = g_strdup_printf ("{\"network_mode\": \"%s\","
                                                    " \"container_create_kwargs\":"
                                                    " {\"ports\": {\"80/tcp\": 8080}}}",
                                                    modes[i]);
        g_autofree char *words
            = g_strdup_printf ("\"%s\" network_mode is incompatible with port_bindings", modes[i]);
        assert_refused (members, engines[j], words);
      }
  pp_container_spec_free (
      good_spec ("{\"network_mode\": \"bridge\","
                 " \"container_create_kwargs\": {\"ports\": {\"80/tcp\": 8080}}}",
                 &docker));
  pp_container_spec_free (good_spec (
      "{\"network_mode\": \"host\", \"container_create_kwargs\": {\"ports\": {}}}", &docker));
}

static void
test_gpus (void)
{
  static const struct
  {
    const char *request;
    const char *names; /* expected CDI devices; NULL: refused */
  } table[] = {
    { "{\"count\": -1, \"capabilities\": [[\"gpu\"]]}", "[\"nvidia.com/gpu=all\"]" },
    { "{\"count\": 2, \"capabilities\": [[\"compute\", \"gpu\"]]}",
      "[\"nvidia.com/gpu=0\", \"nvidia.com/gpu=1\"]" },
    { "{\"Driver\": \"nvidia\", \"DeviceIDs\": [\"1\", \"GPU-6e5a-f0\"]}",
      "[\"nvidia.com/gpu=1\", \"nvidia.com/gpu=GPU-6e5a-f0\"]" },
    { "{\"driver\": \"cdi\", \"device_ids\": [\"amd.com/gpu=0\"]}", "[\"amd.com/gpu=0\"]" },
    { "{\"capabilities\": [[\"gpu\"]]}", NULL },
    { "{\"count\": 1000000000, \"capabilities\": [[\"gpu\"]]}", NULL },
    { "{\"count\": 1, \"device_ids\": [\"0\"], \"driver\": \"nvidia\"}", NULL },
    { "{\"driver\": \"nvidia\", \"device_ids\": [\"a b\"]}", NULL },
    { "{\"driver\": \"amd\", \"count\": -1, \"capabilities\": [[\"gpu\"]]}", NULL },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_autofree char *members = g_strdup_printf (
          "{\"container_create_kwargs\": {\"device_requests\": [%s]}}", table[i].request);
      if (table[i].names == NULL)
        {
          assert_refused (members, &old_podman,
                          "device_requests: Podman 4.3.1 would silently ignore");
          assert_refused (members, &new_podman,
                          "device_requests: Podman 5.4.0 would silently ignore");
          continue;
        }
      g_autoptr (PpContainerSpec) old = good_spec (members, &old_podman);
      g_autoptr (PpContainerSpec) fresh = good_spec (members, &new_podman);
      json_auto_t *names = json_loads (table[i].names, 0, NULL);
      const json_t *devices = json_object_get (old->libpod_body, "devices");
      const json_t *requests
          = json_object_get (json_object_get (fresh->create_body, "HostConfig"), "DeviceRequests");
      g_assert_cmpuint (json_array_size (devices), ==, json_array_size (names));
      for (gsize j = 0; j < json_array_size (names); j++)
        g_assert_cmpstr (pp_json_string (json_array_get (devices, j), "path"), ==,
                         json_string_value (json_array_get (names, j)));
      g_assert_cmpuint (json_array_size (requests), ==, 1);
      g_assert_cmpstr (pp_json_string (json_array_get (requests, 0), "Driver"), ==, "cdi");
      assert_json (json_array_get (requests, 0), "DeviceIDs", table[i].names);
    }
  /* Docker has its own drivers and reports a missing one. */
  g_autoptr (PpContainerSpec) own = good_spec (
      KWARGS ("\"device_requests\": [{\"count\": -1, \"capabilities\": [[\"gpu\"]]}]"), &docker);
  assert_json (
      json_object_get (own->create_body, "HostConfig"), "DeviceRequests",
      "[{\"Driver\": \"\", \"Count\": -1, \"DeviceIDs\": [], \"Capabilities\": [[\"gpu\"]],"
      " \"Options\": {}}]");
}

/* All settings together with a CDI device, on a Podman whose Docker API does not support CDI. */
static void
test_cdi_beside_all_others (void)
{
  static const struct
  {
    const char *kwarg;
    const char *field; /* in Podman's own create body */
    const char *value;
  } table[] = {
    { "\"tmpfs\": {\"/t\": \"size=1m,mode=700\", \"/u\": \"\"}", "mounts",
      "[{\"type\": \"tmpfs\", \"source\": \"tmpfs\", \"destination\": \"/t\","
      " \"options\": [\"size=1m\", \"mode=700\"]}, {\"type\": \"tmpfs\", \"source\": \"tmpfs\","
      " \"destination\": \"/u\", \"options\": []}]" },
    { "\"mounts\": [{\"Type\": \"bind\", \"Source\": \"/s\", \"Target\": \"/m\", \"ReadOnly\": "
      "true,"
      " \"BindOptions\": {\"Propagation\": \"rslave\"}}, {\"Type\": \"tmpfs\", \"Target\": \"/x\","
      " \"TmpfsOptions\": {\"SizeBytes\": 1024, \"Mode\": 448}}]",
      "mounts",
      "[{\"type\": \"bind\", \"source\": \"/s\", \"destination\": \"/m\","
      " \"options\": [\"ro\", \"rbind\", \"rslave\"]}, {\"type\": \"tmpfs\", \"source\": \"tmpfs\","
      " \"destination\": \"/x\", \"options\": [\"size=1024\", \"mode=700\"]}]" },
    { "\"mounts\": [{\"Type\": \"volume\", \"Source\": \"v\", \"Target\": \"/m\"}]", "volumes",
      "[{\"Name\": \"v\", \"Dest\": \"/m\", \"Options\": []}]" },
    { "\"ports\": {\"53/udp\": {\"HostPort\": 5353, \"HostIp\": \"127.0.0.1\"}, \"80\": null}",
      "portmappings",
      "[{\"container_port\": 53, \"host_port\": 5353, \"protocol\": \"udp\","
      " \"host_ip\": \"127.0.0.1\"}, {\"container_port\": 80, \"host_port\": 0,"
      " \"protocol\": \"tcp\"}]" },
    { "\"publish_all_ports\": true", "publish_image_ports", "true" },
    { "\"healthcheck\": {\"test\": \"true\", \"interval\": 5000000000}", "healthconfig",
      "{\"Test\": [\"CMD-SHELL\", \"true\"], \"Interval\": 5000000000, \"Timeout\": 30000000000,"
      " \"StartPeriod\": 0, \"Retries\": 3}" },
    { "\"log_config\": {\"type\": \"k8s-file\", \"config\": {\"max-size\": \"10m\", \"tag\": "
      "\"t\"}}",
      "log_configuration",
      "{\"driver\": \"k8s-file\", \"size\": 10485760, \"options\": {\"tag\": \"t\"}}" },
    { "\"stop_signal\": \"SIGUSR1\"", "stop_signal", "10" },
    { "\"stop_signal\": \"15\"", "stop_signal", "15" },
    { "\"storage_opt\": {\"size\": \"1G\"}", "storage_opts", "{\"size\": \"1G\"}" },
    { "\"blkio_weight\": 300", "resource_limits", "{\"blockIO\": {\"weight\": 300}}" },
    { "\"mem_swappiness\": 10", "resource_limits", "{\"memory\": {\"swappiness\": 10}}" },
    { "\"oom_kill_disable\": true", "resource_limits",
      "{\"memory\": {\"disableOOMKiller\": true}}" },
    { "\"cpu_rt_runtime\": 1000", "resource_limits", "{\"cpu\": {\"realtimeRuntime\": 1000}}" },
    { "\"device_read_bps\": [{\"Path\": \"/dev/sda\", \"Rate\": 1024}]", "throttleReadBpsDevice",
      "{\"/dev/sda\": {\"rate\": 1024}}" },
    { "\"device_write_iops\": [{\"Path\": \"/dev/sda\", \"Rate\": 7}]", "throttleWriteIOPSDevice",
      "{\"/dev/sda\": {\"rate\": 7}}" },
    { "\"blkio_weight_device\": [{\"Path\": \"/dev/sda\", \"Weight\": 7}]", "weightDevice",
      "{\"/dev/sda\": {\"weight\": 7}}" },
    { "\"security_opt\": [\"mask=/a:/b\", \"proc-opts=hidepid=2\"]", "mask", "[\"/a\", \"/b\"]" },
    { "\"security_opt\": [\"systempaths=unconfined\"]", "unmask", "[\"ALL\"]" },
    { "\"ulimits\": [{\"name\": \"core\", \"soft\": 1}]", "r_limits",
      "[{\"type\": \"core\", \"soft\": 1, \"hard\": 0}]" },
    { "\"platform\": \"linux/amd64\"", NULL, NULL },
    { "\"isolation\": \"default\"", NULL, NULL },
    { "\"domainname\": \"d\"", NULL, NULL },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_autofree char *members
          = g_strdup_printf ("{\"devices\": [\"nvidia.com/gpu=all\"], \"network_mode\": \"bridge\","
                             " \"container_create_kwargs\": {%s}}",
                             table[i].kwarg);
      g_autoptr (PpContainerSpec) spec = good_spec (members, &old_podman);
      g_assert_nonnull (spec->libpod_body);
      if (table[i].field != NULL)
        assert_json (spec->libpod_body, table[i].field, table[i].value);
    }
}

static void
test_cdi_beside_networks (void)
{
  g_autoptr (PpContainerSpec) spec = good_spec (
      "{\"devices\": [\"nvidia.com/gpu=all\"], \"networks\": [\"mine\"],"
      " \"container_create_kwargs\": {\"networking_config\": {\"mine\": {\"Aliases\": [\"a\"],"
      " \"IPAMConfig\": {\"IPv4Address\": \"10.1.0.9\"}, \"MacAddress\": \"02:00:00:00:00:01\"}}}}",
      &old_podman);
  g_autoptr (PpContainerSpec) slirp
      = good_spec ("{\"devices\": [\"nvidia.com/gpu=all\"],"
                   " \"network_mode\": \"slirp4netns:mtu=1300,port_handler=slirp4netns\"}",
                   &old_podman);

  assert_json (spec->libpod_body, "Networks",
               "{\"mine\": {\"aliases\": [\"a\"], \"static_mac\": \"02:00:00:00:00:01\","
               " \"static_ips\": [\"10.1.0.9\"]}}");
  assert_json (spec->libpod_body, "netns", "{\"nsmode\": \"bridge\"}");
  assert_json (slirp->libpod_body, "netns", "{\"nsmode\": \"slirp4netns\"}");
  assert_json (slirp->libpod_body, "network_options",
               "{\"slirp4netns\": [\"mtu=1300\", \"port_handler=slirp4netns\"]}");
}

/* Checks a container of MEMBERS for which ENGINE shows HOST_CONFIG. KEYS are the limits expected in
 * the error; NULL if there is no error. */
static void
check_created (const char *members, const char *host_config, gboolean was_warned,
               const PpEngineInfo *engine, const char *keys)
{
  g_autofree char *text = g_strdup_printf ("{\"HostConfig\": %s}", host_config);
  json_auto_t *container = json_loads (text, 0, NULL);
  g_autoptr (PpContainerSpec) spec = good_spec (members, engine);
  g_autoptr (GError) error = NULL;
  g_autofree char *warning = NULL;
  g_autofree char *words
      = keys != NULL ? g_strdup_printf ("without %s. The job asks for", keys) : NULL;

  g_assert_nonnull (container);
  g_assert_true (pp_container_spec_has_limits (spec));
  g_assert_cmpint (
      pp_container_spec_check_created (spec, container, was_warned, engine, &warning, &error), ==,
      keys == NULL);
  if (keys == NULL)
    g_assert_no_error (error);
  else
    g_assert_nonnull (strstr (error->message, words));
}

static void
test_created (void)
{
  static const char many[] = "{\"mem_limit\": \"64m\", \"ulimits\": [\"nofile=100:200\"],"
                             " \"container_create_kwargs\": {\"nano_cpus\": 500000000,"
                             " \"pids_limit\": 50, \"cpuset_cpus\": \"0\"}}";
  PpEngineInfo rootless = old_podman;

  rootless.rootless = TRUE;
  check_created (many, "{\"Memory\": 0, \"NanoCpus\": 0, \"PidsLimit\": 0, \"CpusetCpus\": \"\"}",
                 FALSE, &rootless, "mem_limit, nano_cpus, cpuset_cpus, pids_limit, ulimits");
  check_created (many,
                 "{\"Memory\": 67108864, \"NanoCpus\": 500000000, \"PidsLimit\": 50,"
                 " \"CpusetCpus\": \"0\", \"Ulimits\": [{\"Name\": \"RLIMIT_NOFILE\"}]}",
                 FALSE, &rootless, NULL);
  /* An ignored preference, without and with the engine's own warning. */
  check_created (KWARGS ("\"blkio_weight\": 300"), "{\"BlkioWeight\": 0}", FALSE, &old_podman,
                 "blkio_weight");
  check_created (KWARGS ("\"blkio_weight\": 300"), "{\"BlkioWeight\": 0}", TRUE, &docker, NULL);
  check_created ("{\"mem_limit\": \"64m\"}", "{\"Memory\": 0}", TRUE, &docker, "mem_limit");
  check_created (KWARGS ("\"pids_limit\": -1"), "{\"PidsLimit\": 0}", FALSE, &docker, NULL);
  check_created (KWARGS ("\"cgroupns\": \"private\""), "{\"CgroupMode\": \"host\"}", FALSE,
                 &old_podman, "cgroupns");
  check_created (KWARGS ("\"cgroupns\": \"private\""), "{\"CgroupnsMode\": \"private\"}", FALSE,
                 &docker, NULL);
  check_created (KWARGS ("\"device_read_bps\": [{\"Path\": \"/dev/sda\", \"Rate\": 1}]"),
                 "{\"BlkioDeviceReadBps\": null}", FALSE, &old_podman, "device_read_bps");

  g_autoptr (PpContainerSpec) plain = good_spec ("{\"command\": \"true\"}", &docker);
  g_assert_false (pp_container_spec_has_limits (plain));
}

static void
test_swap_without_a_limit (void)
{
  g_autoptr (PpContainerSpec) spec
      = good_spec ("{\"mem_limit\": \"64m\", \"memswap_limit\": \"-1\"}", &old_podman);
  json_auto_t *container
      = json_pack ("{s:{s:i, s:i}}", "HostConfig", "Memory", 64 << 20, "MemorySwap", 128 << 20);
  g_autofree char *warning = NULL;

  g_assert_true (
      pp_container_spec_check_created (spec, container, FALSE, &old_podman, &warning, NULL));
  g_assert_nonnull (strstr (warning, "memswap_limit: Podman 4.3.1 does not accept -1"));
}

static void
test_platform (void)
{
  static const struct
  {
    const char *asked;
    const char *image; /* os/arch/variant */
    gboolean same;
  } table[] = {
    { "linux/arm64", "linux/amd64/", FALSE },   { "linux/amd64", "linux/amd64/", TRUE },
    { "linux/x86_64", "linux/amd64/", TRUE },   { "arm64", "linux/amd64/", FALSE },
    { "amd64", "linux/amd64/", TRUE },          { "linux", "linux/amd64/", TRUE },
    { "windows", "linux/amd64/", FALSE },       { "linux/aarch64", "linux/arm64/v8", TRUE },
    { "linux/arm64/v8", "linux/arm64/", TRUE }, { "linux/arm/v6", "linux/arm/v7", FALSE },
    { "Linux/ARM/v7", "linux/arm/v7", TRUE },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_autofree char *members = g_strdup_printf (
          "{\"container_create_kwargs\": {\"platform\": \"%s\"}}", table[i].asked);
      g_autoptr (PpContainerSpec) spec = good_spec (members, &old_podman);
      g_auto (GStrv) parts = g_strsplit (table[i].image, "/", 3);
      json_auto_t *image = json_pack ("{s:s, s:s, s:s}", "Os", parts[0], "Architecture", parts[1],
                                      "Variant", parts[2]);
      g_autoptr (GError) error = NULL;
      g_assert_cmpint (pp_container_spec_check_image (spec, image, &old_podman, &error), ==,
                       table[i].same);
      if (!table[i].same)
        g_assert_nonnull (
            strstr (error->message, "image 'busybox:1' on Podman 4.3.1 is for 'linux/"));
    }
}

static void
add_tests (void)
{
  g_test_add_func ("/engine-fit/dropped", test_dropped);
  g_test_add_func ("/engine-fit/versions-and-hosts", test_versions_and_hosts);
  g_test_add_func ("/engine-fit/passed-over", test_passed_over);
  g_test_add_func ("/engine-fit/mounts", test_mounts);
  g_test_add_func ("/engine-fit/words-of-mounts", test_words_of_mounts);
  g_test_add_func ("/engine-fit/mounts-on-podman", test_mounts_on_podman);
  g_test_add_func ("/engine-fit/no-plain-binds", test_mounts_that_are_no_plain_binds);
  g_test_add_func ("/engine-fit/nothing-on-podman", test_nothing_on_podman);
  g_test_add_func ("/engine-fit/ports", test_ports);
  g_test_add_func ("/engine-fit/gpus", test_gpus);
  g_test_add_func ("/engine-fit/cdi-beside-all-others", test_cdi_beside_all_others);
  g_test_add_func ("/engine-fit/cdi-beside-networks", test_cdi_beside_networks);
  g_test_add_func ("/engine-fit/created", test_created);
  g_test_add_func ("/engine-fit/swap-without-a-limit", test_swap_without_a_limit);
  g_test_add_func ("/engine-fit/platform", test_platform);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add_tests);
}
