/* SPDX-License-Identifier: Apache-2.0 */
/* prefect-podman worker start. Prefect's own command is in prefect/cli/worker.py. */
#include "config.h"

#include "cli/api_url-private.h"
#include "cli/commands-private.h"
#include "prefect-podman/files/files.h"
#include "prefect-podman/infrastructure/kinds.h"
#include "prefect-podman/settings/sources.h"
#include "prefect-podman/worker/worker.h"

#include <string.h>
#include <unistd.h>

#define MAX_TEMPLATE_BYTES (1024 * 1024)

typedef struct
{
  char *name;
  char *pool;
  char **queues;
  char *type;
  char *install_policy;
  char *template_path;
  char *engine_url;
  char *limit;
  char *prefetch;
  PpFlag run_once;
  PpFlag output_prefix;
  PpFlag with_healthcheck;
  PpFlag create_pool;
} Options;

static const char *const policies[] = { "always", "if-not-present", "never", "prompt", NULL };

static const PpOption options[] = {
  { "pool", 'p', PP_OPTION_TEXT, G_STRUCT_OFFSET (Options, pool),
    "The work pool to serve (required)", "NAME" },
  { "work-queue", 'q', PP_OPTION_TEXTS, G_STRUCT_OFFSET (Options, queues),
    "A work queue to take runs from; repeat the option for more queues (default: all)", "NAME" },
  { "name", 'n', PP_OPTION_TEXT, G_STRUCT_OFFSET (Options, name),
    "The worker's name (default: PodmanWorker and a UUID)", "NAME" },
  { "type", 't', PP_OPTION_TEXT, G_STRUCT_OFFSET (Options, type),
    "docker or podman (default: the pool's type, or docker for a new pool)", "TYPE" },
  { "limit", 'l', PP_OPTION_TEXT, G_STRUCT_OFFSET (Options, limit),
    "Run at most N flow runs at the same time (default: no limit)", "N",
    .no_empty = "give a number" },
  { "prefetch-seconds", 0, PP_OPTION_TEXT, G_STRUCT_OFFSET (Options, prefetch),
    "How far to look ahead for scheduled runs (default: PREFECT_WORKER_PREFETCH_SECONDS, 10)",
    "SECONDS", .no_empty = "give a number of seconds" },
  { "run-once", 0, PP_OPTION_FLAG, G_STRUCT_OFFSET (Options, run_once),
    "Poll once, wait until the runs that were found have ended, and exit" },
  { "with-healthcheck", 0, PP_OPTION_FLAG, G_STRUCT_OFFSET (Options, with_healthcheck),
    "Serve GET /health on PREFECT_WORKER_WEBSERVER_HOST and _PORT" },
  { "output-prefix", 0, PP_OPTION_FLAG, G_STRUCT_OFFSET (Options, output_prefix),
    "Put the flow run's name before each line of its output (default: on a terminal)",
    .no_summary = "Print output lines without the flow run's name" },
  { "base-job-template", 0, PP_OPTION_TEXT, G_STRUCT_OFFSET (Options, template_path),
    "JSON file with the base job template for a pool that the worker creates", "FILE",
    .no_empty = "name a file" },
  { "create-pool-if-not-found", 0, PP_OPTION_FLAG, G_STRUCT_OFFSET (Options, create_pool),
    "Create the pool when it does not exist (default)", .no_summary = "Do not create the pool" },
  { "install-policy", 0, PP_OPTION_TEXT, G_STRUCT_OFFSET (Options, install_policy),
    "No effect; accepted because the Python worker accepts it", "POLICY", .choices = policies },
  { "engine-url", 0, PP_OPTION_TEXT, G_STRUCT_OFFSET (Options, engine_url),
    "Where Podman or Docker listens: unix:///path or tcp://host:port (default: CONTAINER_HOST, "
    "DOCKER_HOST, Podman's sockets, Docker's)",
    "URL", .no_empty = "give the engine's URL" },
  { NULL },
};

/* Characters that the name of a pool or queue must not contain (BANNED_CHARACTERS in
 * prefect/types/names.py). The server answers 422, or reads "/" as part of the URL's path. */
#define BANNED "/%&<>"

/* True if NAME cannot be part of a URL's path: "." and ".." are steps in the path. */
static gboolean
is_path_step (const char *name)
{
  return g_str_equal (name, ".") || g_str_equal (name, "..");
}

static gboolean
has_control_character (const char *name)
{
  for (const char *p = name; *p != '\0'; p++)
    if (g_ascii_iscntrl (*p))
      return TRUE;
  return FALSE;
}

/* Returns what is wrong with NAME, the value of OPTION, or NULL if it is valid; new string. */
static char *
name_fault (const char *option, const char *name)
{
  g_autofree char *bare = NULL;
  const char *banned;

  if (!g_utf8_validate (name, -1, NULL))
    return g_strdup_printf ("%s must be UTF-8", option);
  bare = g_strdup (name);
  g_strdelimit (bare, " '\"\t\r\n", ' ');
  if (*g_strstrip (bare) == '\0')
    return g_strdup_printf ("%s: the name is empty", option);
  if (is_path_step (name))
    return g_strdup_printf ("%s '%s': this name means something else in the URLs of the Prefect "
                            "API; choose another name",
                            option, name);
  if (has_control_character (name))
    return g_strdup_printf ("%s: the name has a control character (such as a newline) in it",
                            option);
  banned = strpbrk (name, BANNED);
  if (banned != NULL)
    return g_strdup_printf ("%s '%s': the name contains \"%c\"; Prefect does not allow any of %s",
                            option, name, *banned, BANNED);
  return NULL;
}

/* The same for the name of a pool. Also logs a notice if the name begins with "prefect". Prefect
 * reserves such names: create_work_pool() in server/api/workers.py answers 403. */
static char *
pool_fault (const char *name)
{
  char *fault = name_fault ("--pool", name);

  if (fault == NULL && g_ascii_strncasecmp (name, "prefect", strlen ("prefect")) == 0)
    g_message (
        "Work pool '%s' must already exist: Prefect reserves names that begin with \"prefect\", "
        "so the server does not create such a pool",
        name);
  return fault;
}

static gboolean
check (const PpCommandLine *line, GError **error)
{
  const Options *given = line->options;
  g_autofree char *fault = NULL;
  const char *what = NULL;

  if (given->pool == NULL)
    what = "--pool NAME is missing: say which work pool to serve";
  else if ((fault = pool_fault (given->pool)) != NULL)
    what = fault;
  else if (given->name != NULL && !g_utf8_validate (given->name, -1, NULL))
    what = "--name must be UTF-8";
  else if (given->name != NULL && has_control_character (given->name))
    what = "--name: a worker's name cannot have a control character (such as a newline) in it";
  else if (given->name != NULL && strpbrk (given->name, "/%") != NULL)
    what = "--name: a worker's name cannot have \"/\" or \"%\" in it";
  else if (given->type != NULL && pp_kind_for_pool (given->type) == NULL)
    {
      g_autofree char *types = pp_kind_show_pool_types ();
      fault = g_strdup_printf ("--type: prefect-podman serves pools of type %s; the Python worker "
                               "(prefect worker start) serves the others",
                               types);
      what = fault;
    }
  for (char **queue = given->queues; what == NULL && queue != NULL && *queue != NULL; queue++)
    {
      fault = name_fault ("--work-queue", *queue);
      what = fault;
    }
  if (what == NULL)
    return TRUE;
  g_set_error_literal (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, what);
  return FALSE;
}

/* Sets the number options of WORKER. */
static gboolean
read_numbers (const Options *given, const PpSettings *settings, PpWorkerOptions *worker,
              GError **error)
{
  worker->prefetch_seconds = settings->worker_prefetch_seconds;
  return (given->limit == NULL
          || pp_option_read_count ("--limit", given->limit, 1, &worker->limit, error))
         && (given->prefetch == NULL
             || pp_option_read_seconds ("--prefetch-seconds", given->prefetch,
                                        &worker->prefetch_seconds, error));
}

/* Reads --base-job-template. Returns a new object, or NULL with ERROR. */
static json_t *
read_template (const char *path, GError **error)
{
  gsize length = 0;
  json_error_t problem;
  g_autoptr (GError) local = NULL;
  g_autofree char *text = pp_foreign_file_read (path, TRUE, MAX_TEMPLATE_BYTES, &length, &local);

  if (text == NULL)
    {
      g_set_error (error, PP_SETTINGS_ERROR, PP_SETTINGS_ERROR_READ,
                   "%s: --base-job-template: cannot be read: %s", path, local->message);
      return NULL;
    }
  json_auto_t *template = json_loadb (text, length, JSON_REJECT_DUPLICATES, &problem);
  if (template == NULL)
    {
      g_set_error (error, PP_SETTINGS_ERROR, PP_SETTINGS_ERROR_INVALID,
                   "%s:%d: --base-job-template: not JSON: %s", path, problem.line, problem.text);
      return NULL;
    }
  if (json_is_object (template) && json_object_get (template, "job_configuration") != NULL)
    return g_steal_pointer (&template);
  g_set_error (error, PP_SETTINGS_ERROR, PP_SETTINGS_ERROR_INVALID,
               "%s:1: --base-job-template: must be an object with job_configuration and variables "
               "(`prefect work-pool get-default-base-job-template --type docker` prints one)",
               path);
  return NULL;
}

/* Sets the options that need no parsing. Strings are borrowed. */
static void
fill_in (const PpCommandLine *line, PpWorkerOptions *worker)
{
  const Options *given = line->options;
  gboolean is_terminal = isatty (STDOUT_FILENO) == 1;

  if (given->name != NULL && *given->name != '\0')
    worker->name = given->name;
  worker->work_pool = given->pool;
  worker->work_queues = (const char *const *)given->queues;
  worker->type = given->type;
  worker->run_once = given->run_once == PP_FLAG_ON;
  worker->with_healthcheck = given->with_healthcheck == PP_FLAG_ON;
  worker->create_pool_if_not_found = given->create_pool != PP_FLAG_OFF;
  worker->output_prefix = given->output_prefix == PP_FLAG_NOT_GIVEN
                              ? is_terminal
                              : given->output_prefix == PP_FLAG_ON;
  worker->engine_url = given->engine_url;
  worker->state_dir = line->shared.state_dir;
}

static int
run (const PpCommandLine *line, PpSession *session, GError **error)
{
  const Options *given = line->options;
  const PpSettings *settings = pp_session_settings (session);
  PpWorkerOptions worker = { 0 };
  json_auto_t *template = NULL;

  if (!read_numbers (given, settings, &worker, error)
      || !pp_command_check_api_url (settings, error))
    return PP_EXIT_USAGE;
  if (given->template_path != NULL)
    {
      template = read_template (given->template_path, error);
      if (template == NULL)
        return PP_EXIT_USAGE;
    }
  if (given->install_policy != NULL)
    g_info ("--install-policy %s: no effect, because this worker installs nothing",
            given->install_policy);
  fill_in (line, &worker);
  worker.base_job_template = template;
  return pp_worker_run (settings, &worker);
}

const PpCommand pp_command_worker_start = {
  .words = { "worker", "start" },
  .summary = "serve a work pool",
  .description
  = "Starts a worker that takes flow runs from a work pool and runs each in a container.",
  .exit_codes
  = "Exit codes: 0 stopped as asked, 1 failed while running, 2 wrong usage or settings.",
  .options = options,
  .options_size = sizeof (Options),
  .shared = PP_SHARE_STATE_DIR | PP_SHARE_LOG_LEVEL,
  .session = PP_SESSION_LOG,
  .check = check,
  .run = run,
};
