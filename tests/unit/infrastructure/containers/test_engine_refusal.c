/* SPDX-License-Identifier: Apache-2.0 */
/* Tests what an engine's refusal means. The answers are those of Podman 4.3.1 and 5.4.2, which are
 * the same, and of Docker 20.10 to 28. They quote words that a job's author has chosen. */
#include "config.h"

#include "infrastructure/containers/engine_api-private.h"

#include "tests/unit/server.h"
#include "tests/unit/tap.h"

#include <string.h>

typedef enum
{
  CREATE,
  START,
  REMOVE
} Call;

#define FINE (-1)
#define ID "d4af7146b7fc63d99ef626b9404b9bc7ee7bc8040e6622020e32f77fdeb4a52d"
#define DEVICES "nvidia-ctk cdi generate"

typedef struct
{
  Call call;
  int status;
  const char *body;
  int code; /* a PpInfrastructureError, or FINE */
} Case;

typedef struct
{
  GMainLoop *loop;
  GError *error;
} Outcome;

static gboolean
refuse (Server *server G_GNUC_UNUSED, const Request *request G_GNUC_UNUSED, int fd, gpointer data)
{
  const Case *case_ = data;

  return server_reply (fd, case_->status, "", case_->body);
}

static void
on_done (const GError *error, gpointer user_data)
{
  Outcome *outcome = user_data;

  outcome->error = error != NULL ? g_error_copy (error) : NULL;
  g_main_loop_quit (outcome->loop);
}

static void
on_created (const char *id G_GNUC_UNUSED, const GPtrArray *warnings G_GNUC_UNUSED,
            const GError *error, gpointer user_data)
{
  on_done (error, user_data);
}

/* Returns the error of CASE, or NULL; owned. */
static GError *
ask (const Case *case_)
{
  PpHttp *http = pp_http_new ();
  Server *server = server_new (NULL, refuse, (gpointer)case_);
  g_autofree char *url = g_strdup_printf ("tcp://127.0.0.1:%d", server_port (server));
  PpInfrastructure *infrastructure = pp_infrastructure_new (http, url, NULL);
  json_auto_t *configuration = json_pack ("{s:s}", "image", "quay.io/a/b:1");
  g_autoptr (PpContainerSpec) spec = pp_container_spec_new (configuration, NULL, NULL);
  Outcome outcome = { g_main_loop_new (NULL, FALSE), NULL };

  g_assert_nonnull (spec);
  if (case_->call == CREATE)
    pp_engine_create (infrastructure, spec, "n1", on_created, &outcome);
  else if (case_->call == START)
    pp_infrastructure_start (infrastructure, ID, on_done, &outcome);
  else
    pp_infrastructure_remove (infrastructure, ID, on_done, &outcome);
  g_main_loop_run (outcome.loop);
  pp_infrastructure_free (infrastructure);
  pp_http_free (http);
  server_free (server);
  g_main_loop_unref (outcome.loop);
  return outcome.error;
}

static void
check (const Case *cases, gsize n)
{
  for (gsize i = 0; i < n; i++)
    {
      g_autoptr (GError) error = ask (&cases[i]);

      g_test_message ("%s", cases[i].body);
      if (cases[i].code == FINE)
        g_assert_no_error (error);
      else
        g_assert_error (error, PP_INFRASTRUCTURE_ERROR, cases[i].code);
    }
}

#define NAME_TAKEN                                                                                 \
  "creating container storage: the container name \\\"n1\\\" is already in use by " ID             \
  ". You have "                                                                                    \
  "to remove that container to be able to reuse that name: that name is already in use"

static void
test_engines_words (void)
{
  static const Case cases[] = {
    { CREATE, 500,
      "{\"cause\":\"that name is already in use\",\"message\":\"" NAME_TAKEN "\",\"response\":500}",
      PP_INFRASTRUCTURE_ERROR_NAME_IN_USE },
    { CREATE, 500,
      "{\"cause\":\"pod already exists\",\"message\":\"container create: name \\\"n1\\\" is in "
      "use: pod already exists\",\"response\":500}",
      PP_INFRASTRUCTURE_ERROR_NAME_IN_USE },
    { CREATE, 500,
      "{\"cause\":\"container already exists\",\"message\":\"name \\\"n1\\\" is in use: container "
      "already exists\",\"response\":500}",
      PP_INFRASTRUCTURE_ERROR_NAME_IN_USE },
    { CREATE, 409,
      "{\"message\":\"Conflict. The container name \\\"/n1\\\" is already in use by container "
      "\\\"" ID "\\\". You have to remove (or rename) that container to be able to reuse that "
      "name.\"}",
      PP_INFRASTRUCTURE_ERROR_NAME_IN_USE },
    { CREATE, 500,
      "{\"cause\":\"database is locked\",\"message\":\"beginning transaction: database is "
      "locked\",\"response\":500}",
      PP_INFRASTRUCTURE_ERROR_UNAVAILABLE },
    { START, 500,
      "{\"cause\":\"no such container\",\"message\":\"no container with ID " ID
      " found in database: no such container\",\"response\":500}",
      PP_INFRASTRUCTURE_ERROR_NOT_FOUND },
    { REMOVE, 404, "{\"message\":\"No such container: " ID "\"}", FINE },
    { REMOVE, 409, "{\"message\":\"removal of container " ID " is already in progress\"}", FINE },
  };

  check (cases, G_N_ELEMENTS (cases));
}

/* Words that the job's author wrote decide nothing, wherever the engine quotes them. */
static void
test_words_of_a_job (void)
{
  static const Case cases[] = {
    /* A device, a mount, options of a volume and of namespaces. */
    { CREATE, 500,
      "{\"cause\":\"no such file or directory\",\"message\":\"stat /dev/name in use: no such file "
      "or directory\",\"response\":500}",
      PP_INFRASTRUCTURE_ERROR_FAILED },
    { CREATE, 500,
      "{\"cause\":\"no such file or directory\",\"message\":\"container create: statfs /that name "
      "is already in use: no such file or directory\",\"response\":500}",
      PP_INFRASTRUCTURE_ERROR_FAILED },
    { CREATE, 500,
      "{\"cause\":\"invalid option type \\\"name in use\\\"\",\"message\":\"fill out specgen: "
      "invalid option type \\\"name in use\\\"\",\"response\":500}",
      PP_INFRASTRUCTURE_ERROR_FAILED },
    { CREATE, 500,
      "{\"cause\":\"invalid --security-opt 1: \\\"database is locked\\\"\",\"message\":\"fill out "
      "specgen: invalid --security-opt 1: \\\"database is locked\\\"\",\"response\":500}",
      PP_INFRASTRUCTURE_ERROR_FAILED },
    { CREATE, 500,
      "{\"cause\":\"unrecognized namespace mode no such container passed\",\"message\":\"fill out "
      "specgen: unrecognized namespace mode no such container passed\",\"response\":500}",
      PP_INFRASTRUCTURE_ERROR_FAILED },
    { CREATE, 409,
      "{\"message\":\"create name-in-use: conflict: volume name must be unique, in use\"}",
      PP_INFRASTRUCTURE_ERROR_FAILED },
    { CREATE, 500,
      "{\"message\":\"error gathering device information while adding custom device \\\"/dev/name "
      "in use\\\": no such file or directory\"}",
      PP_INFRASTRUCTURE_ERROR_FAILED },
    /* An entrypoint, a user, a group, a working directory. */
    { START, 500,
      "{\"cause\":\"OCI runtime attempted to invoke a command that was not found\",\"message\":"
      "\"runc: runc create failed: unable to start container process: exec: \\\"/database is "
      "locked\\\": stat /database is locked: no such file or directory: OCI runtime attempted to "
      "invoke a command that was not found\",\"response\":500}",
      PP_INFRASTRUCTURE_ERROR_FAILED },
    { START, 500,
      "{\"cause\":\"no matching entries in passwd file\",\"message\":\"unable to find user no such "
      "container: no matching entries in passwd file\",\"response\":500}",
      PP_INFRASTRUCTURE_ERROR_FAILED },
    { START, 500,
      "{\"cause\":\"no matching entries in group file\",\"message\":\"looking up supplemental "
      "groups for container " ID ": Unable to find group database is locked: no matching entries "
      "in group file\",\"response\":500}",
      PP_INFRASTRUCTURE_ERROR_FAILED },
    { START, 500,
      "{\"cause\":\"workdir \\\"/a: database is locked\\\" does not exist on container " ID
      "\",\"message\":\"workdir \\\"/a: database is locked\\\" does not exist on container " ID
      "\",\"response\":500}",
      PP_INFRASTRUCTURE_ERROR_FAILED },
    { START, 400,
      "{\"message\":\"failed to create shim task: OCI runtime create failed: runc create failed: "
      "unable to start container process: exec: \\\"no such container\\\": executable file not "
      "found in $PATH: unknown\"}",
      PP_INFRASTRUCTURE_ERROR_FAILED },
    { START, 500,
      "{\"message\":\"unable to find user database is locked: no matching entries in passwd "
      "file\"}",
      PP_INFRASTRUCTURE_ERROR_FAILED },
  };

  check (cases, G_N_ELEMENTS (cases));
}

/* Only the engine's own words bring the advice about a missing CDI file. */
static void
test_advice (void)
{
  static const struct
  {
    Case case_;
    gboolean advised;
  } cases[] = {
    { { START, 500,
        "{\"cause\":\"unresolvable CDI devices nvidia.com/gpu=all\",\"message\":\"setting up CDI "
        "devices: unresolvable CDI devices nvidia.com/gpu=all\",\"response\":500}",
        PP_INFRASTRUCTURE_ERROR_FAILED },
      TRUE },
    { { START, 500,
        "{\"message\":\"CDI device injection failed: unresolvable CDI devices "
        "nvidia.com/gpu=all\"}",
        PP_INFRASTRUCTURE_ERROR_FAILED },
      TRUE },
    { { START, 500,
        "{\"cause\":\"no such file or directory\",\"message\":\"stat /unresolvable CDI devices: no "
        "such file or directory\",\"response\":500}",
        PP_INFRASTRUCTURE_ERROR_FAILED },
      FALSE },
    { { START, 500,
        "{\"message\":\"unable to find user unresolvable CDI devices: no matching entries\"}",
        PP_INFRASTRUCTURE_ERROR_FAILED },
      FALSE },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = ask (&cases[i].case_);

      g_assert_error (error, PP_INFRASTRUCTURE_ERROR, cases[i].case_.code);
      g_assert_cmpint (strstr (error->message, DEVICES) != NULL, ==, cases[i].advised);
    }
}

/* The engine's words are cut before the job's secrets can be masked: no part of a secret is left.
 */
static void
test_secrets_are_not_cut (void)
{
  static const char *const edges[] = { " ", "/", "\\n" };

  for (gsize i = 0; i < G_N_ELEMENTS (edges); i++)
    for (guint length = 4070; length < 4100; length += 3)
      {
        g_autofree char *filler = g_strnfill (length, 'x');
        g_autofree char *body
            = g_strdup_printf ("{\"message\":\"%s%sS3cretS3cret%s\"}", filler, edges[i], filler);
        const Case case_ = { START, 500, body, PP_INFRASTRUCTURE_ERROR_FAILED };
        g_autoptr (GError) error = ask (&case_);

        g_assert_error (error, PP_INFRASTRUCTURE_ERROR, case_.code);
        g_assert_null (strstr (error->message, "S3c"));
        g_assert_nonnull (strstr (error->message, "x... ("));
      }
}

static void
add (void)
{
  g_test_add_func ("/engine-refusal/engines-words", test_engines_words);
  g_test_add_func ("/engine-refusal/words-of-a-job", test_words_of_a_job);
  g_test_add_func ("/engine-refusal/advice", test_advice);
  g_test_add_func ("/engine-refusal/secrets-are-not-cut", test_secrets_are_not_cut);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add);
}
