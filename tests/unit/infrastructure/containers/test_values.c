/* SPDX-License-Identifier: Apache-2.0 */
/* Tests parsing values like docker-py. The tables have Python's results. */
#include "tests/unit/tap.h"

#include "infrastructure/containers/values-private.h"

#include <string.h>

static void
test_shlex (void)
{
  /* python3 -c 'import shlex; print(shlex.split(TEXT))'; words joined by "|"; NULL: ValueError */
  static const struct
  {
    const char *text;
    const char *words;
  } table[] = {
    { "", "" },
    { "  \t\n ", "" },
    { "prefect flow-run execute", "prefect|flow-run|execute" },
    { "a  b\tc\r\nd", "a|b|c|d" },
    { "sh -c 'echo \"hi\" && ls'", "sh|-c|echo \"hi\" && ls" },
    { "a#b #c # d", "a#b|#c|#|d" },
    { "'' \"\" x''y", "||xy" },
    { "\"a\\\"b\\\\c\\nd\\$e\"", "a\"b\\c\\nd\\$e" },
    { "'a\\'b", "a\\b" },
    { "a\\ b\\\nc\\'d", "a b\nc'd" },
    { "pre'fix 'post\"fix \"end", "prefix postfix end" },
    { "$HOME `x` *;|&()", "$HOME|`x`|*;|&()" },
    { "\xc3\xa9 '\xe4\xb8\xad'", "\xc3\xa9|\xe4\xb8\xad" },
    { "\v\f", "\v\f" },
    { "\"open", NULL },
    { "'open", NULL },
    { "a\\", NULL },
    { "\"a\\", NULL },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_autoptr (GError) error = NULL;
      g_auto (GStrv) words = pp_shlex_split (table[i].text, &error);
      if (table[i].words == NULL)
        {
          g_assert_error (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_INVALID);
          continue;
        }
      g_assert_no_error (error);
      /* "*;|&()" contains the separator; joining restores it. */
      g_autofree char *joined = g_strjoinv ("|", words);
      g_assert_cmpstr (joined, ==, table[i].words);
    }
}

static void
test_bytes (void)
{
  /* docker.utils.parse_bytes(TEXT); -1: DockerException */
  static const struct
  {
    const char *text;
    json_int_t bytes;
  } table[] = {
    { "", 0 },
    { "0", 0 },
    { "1024", 1024 },
    { "100000b", 100000 },
    { "1000k", 1024000 },
    { "128m", 134217728 },
    { "128M", 134217728 },
    { "128mb", 134217728 },
    { "128MB", 134217728 },
    { "1g", 1073741824 },
    { "1.5g", 1610612736 },
    { "0.1k", 102 },
    { " 12 k", 12288 },
    { "1_000k", 1024000 },
    { "1e3", 1000 },
    { "-2k", -2048 },
    { ".5m", 524288 },
    { "5.m", 5242880 },
    { "8589934592g", -1 },
    { "128MiB", -1 },
    { "1t", -1 },
    { "b", -1 },
    { "mb", -1 },
    { "many", -1 },
    { "0x10", -1 },
    { "1__0k", -1 },
    { "nank", -1 },
    { "-", -1 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_autoptr (GError) error = NULL;
      json_int_t bytes = -1;
      if (table[i].bytes == -1)
        {
          g_assert_false (pp_parse_bytes (table[i].text, &bytes, &error));
          g_assert_error (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_INVALID);
          /* The text may be a secret, which is masked only where it is whole. */
          g_autofree char *quoted
              = g_strdup_printf ("'%s' is not an amount of memory", table[i].text);
          g_assert_true (g_str_has_prefix (error->message, quoted));
          g_assert_null (strchr (error->message + strlen (quoted), '\''));
          continue;
        }
      g_assert_true (pp_parse_bytes (table[i].text, &bytes, &error));
      g_assert_no_error (error);
      g_assert_cmpint (bytes, ==, table[i].bytes);
    }
}

static void
test_runs_prefect (void)
{
  static const struct
  {
    const char *command;
    gboolean runs;
  } table[] = {
    { "prefect flow-run execute", TRUE },
    { "/opt/venv/bin/prefect flow-run execute", TRUE },
    { "python -m prefect.engine", TRUE },
    { "python3 -m prefect flow-run execute", TRUE },
    { "python -m prefect.flow_engine", TRUE },
    { "uv run prefect flow-run execute", TRUE },
    { "sh -c 'prefect flow-run execute'", TRUE },
    { "bash -c 'source env.sh; exec prefect flow-run execute'", TRUE },
    { "bash -c 'pip install x && prefect flow-run execute'", TRUE },
    { "bash -c 'A=1 B=2 prefect flow-run execute'", TRUE },
    { "bash -c \"cd /app\npython -m prefect.engine\"", TRUE },
    { "bash -c 'poetry run prefect flow-run execute'", TRUE },
    { "bash -lc 'conda run -n e opentelemetry-instrument prefect flow-run execute'", TRUE },
    { "sh -c \"sh -c 'prefect flow-run execute'\"", TRUE },
    { "python job.py", FALSE },
    { "sh -c 'pip install prefect && python job.py'", FALSE },
    { "sh -c 'echo prefect'", FALSE },
    { "sh -c 'ls /opt/prefect/flows'", FALSE },
    { "python -m prefectual", FALSE },
    { "python /opt/prefect/flow.py", FALSE },
    { "ls /srv/prefect", FALSE },
    { "python job.py prefect", FALSE },
    { "tini -- prefect flow-run execute", TRUE },
    { "sh -c 'python -m job # prefect'", FALSE },
    { "", FALSE },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_auto (GStrv) argv = pp_shlex_split (table[i].command, NULL);
      g_test_message ("%s", table[i].command);
      g_assert_cmpint (pp_command_runs_prefect ((const char *const *)argv), ==, table[i].runs);
    }
}

static void
test_volumes (void)
{
  static const struct
  {
    const char *volume;
    const char *path;
    const char *resolved;
  } table[] = {
    { "/a:/b", "/b", "/a:/b" },
    { "/a:/b:ro", "/b", "/a:/b:ro" },
    { "/a:/b:Z,U", "/b", "/a:/b:Z,U" },
    { "/a:/b:rw,rprivate", "/b", "/a:/b:rw,rprivate" },
    { "data:/b:O", "/b", "data:/b:O" },
    { "/b", "/b", "/b" },
    { "/b:ro", "/b", "/b:ro" },
    { ".:/b", "/b", "/work/x:/b" },
    { "./c/../d//e/:/b:z", "/b", "/work/x/d/e:/b:z" },
    { "../../..:/b", "/b", "/:/b" },
    { ".hidden:/b", "/b", ".hidden:/b" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_autofree char *path = pp_volume_container_path (table[i].volume);
      g_autofree char *resolved = pp_volume_resolve (table[i].volume, "/work/x");
      g_assert_cmpstr (path, ==, table[i].path);
      g_assert_cmpstr (resolved, ==, table[i].resolved);
    }
}

static void
test_images (void)
{
  /* prefect.utilities.dockerutils.parse_image_tag */
  static const struct
  {
    const char *image;
    const char *name;
    const char *tag;
  } table[] = {
    { "busybox", "busybox", NULL },
    { "busybox:1.36", "busybox", "1.36" },
    { "prefecthq/prefect:latest", "prefecthq/prefect", "latest" },
    { "localhost:5000/team/x", "localhost:5000/team/x", NULL },
    { "localhost:5000/team/x:2", "localhost:5000/team/x", "2" },
    { "quay.io/a/b@sha256:ab", "quay.io/a/b", "sha256:ab" },
    { "quay.io/a/b:1@sha256:ab", "quay.io/a/b:1", "sha256:ab" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_autofree char *name = NULL;
      g_autofree char *tag = NULL;
      pp_image_split (table[i].image, &name, &tag);
      g_assert_cmpstr (name, ==, table[i].name);
      g_assert_cmpstr (tag, ==, table[i].tag);
    }
}

static void
test_cdi_and_versions (void)
{
  g_assert_true (pp_is_cdi_device ("nvidia.com/gpu=all"));
  g_assert_true (pp_is_cdi_device ("nvidia.com/gpu=0:1"));
  g_assert_false (pp_is_cdi_device ("/dev/fuse"));
  g_assert_false (pp_is_cdi_device ("/dev/a=b"));
  g_assert_false (pp_is_cdi_device ("nvidia.com/gpu"));

  g_assert_true (pp_version_at_least ("4.7.0-rc1", 4, 7));
  g_assert_true (pp_version_at_least ("20.10.24+dfsg1", 20, 10));
  g_assert_true (pp_version_at_least ("5", 4, 7));
  g_assert_false (pp_version_at_least ("4.3.1", 4, 7));
  g_assert_false (pp_version_at_least ("19.03.8-ce", 20, 10));
}

static void
add_tests (void)
{
  g_test_add_func ("/infrastructure/values/shlex", test_shlex);
  g_test_add_func ("/infrastructure/values/bytes", test_bytes);
  g_test_add_func ("/infrastructure/values/runs-prefect", test_runs_prefect);
  g_test_add_func ("/infrastructure/values/volumes", test_volumes);
  g_test_add_func ("/infrastructure/values/images", test_images);
  g_test_add_func ("/infrastructure/values/cdi-and-versions", test_cdi_and_versions);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add_tests);
}
