/* SPDX-License-Identifier: Apache-2.0 */
/* prefect-podman worker start (the peer: prefect/cli/worker.py). */
#include "config.h"

#include "prefect-podman/cli/cli.h"
#include "prefect-podman/settings/sources.h"
#include "prefect-podman/worker/worker.h"

#include <string.h>
#include <unistd.h>

/* What the command line says. Strings are taken as file names: as they are, in any locale. */
typedef struct
{
  char *name;
  char *pool;
  char **queues;
  char *type;
  char *install_policy;
  char *template_path;
  char *engine_url;
  char *state_dir;
  char *log_level;
  char *limit;
  char *prefetch;
  gboolean run_once;
  gboolean output_prefix;
  gboolean with_healthcheck;
  gboolean create_pool;
} Arguments;

static void
arguments_clear (Arguments *arguments)
{
  g_free (arguments->name);
  g_free (arguments->pool);
  g_strfreev (arguments->queues);
  g_free (arguments->type);
  g_free (arguments->install_policy);
  g_free (arguments->template_path);
  g_free (arguments->engine_url);
  g_free (arguments->state_dir);
  g_free (arguments->log_level);
  g_free (arguments->limit);
  g_free (arguments->prefetch);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Arguments, arguments_clear)

/* --flag, --flag=true, --flag=false and --no-flag, as the peer's command line takes them. */
static gboolean
on_flag (const char *option, const char *value, gpointer data, GError **error)
{
  Arguments *arguments = data;
  gboolean on
      = value == NULL || g_ascii_strcasecmp (value, "true") == 0 || strcmp (value, "1") == 0;

  if (!on && g_ascii_strcasecmp (value, "false") != 0 && strcmp (value, "0") != 0)
    {
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                   "%s: \"%s\" is neither true nor false", option, value);
      return FALSE;
    }
  if (g_str_has_prefix (option, "--no-"))
    {
      on = !on;
      option += strlen ("--no-") - strlen ("--");
    }
  if (g_str_has_suffix (option, "run-once"))
    arguments->run_once = on;
  else if (g_str_has_suffix (option, "with-healthcheck"))
    arguments->with_healthcheck = on;
  else if (g_str_has_suffix (option, "output-prefix"))
    arguments->output_prefix = on;
  else
    arguments->create_pool = on;
  return TRUE;
}

static void
add_options (GOptionGroup *group, Arguments *arguments)
{
  const int flag = G_OPTION_FLAG_OPTIONAL_ARG;
  const int hidden = G_OPTION_FLAG_OPTIONAL_ARG | G_OPTION_FLAG_HIDDEN;
  const GOptionEntry entries[] = {
    { "pool", 'p', 0, G_OPTION_ARG_FILENAME, &arguments->pool, "The work pool to serve (required)",
      "NAME" },
    { "work-queue", 'q', 0, G_OPTION_ARG_FILENAME_ARRAY, &arguments->queues,
      "A work queue to take runs from; may be given again (default: all)", "NAME" },
    { "name", 'n', 0, G_OPTION_ARG_FILENAME, &arguments->name,
      "The worker's name (default: PodmanWorker and a UUID)", "NAME" },
    { "type", 't', 0, G_OPTION_ARG_FILENAME, &arguments->type,
      "docker or podman (default: the pool's type; a new pool: docker)", "TYPE" },
    { "limit", 'l', 0, G_OPTION_ARG_FILENAME, &arguments->limit,
      "The most flow runs to run at once (default: no limit)", "N" },
    { "prefetch-seconds", 0, 0, G_OPTION_ARG_FILENAME, &arguments->prefetch,
      "How far to look ahead for scheduled runs (default: PREFECT_WORKER_PREFETCH_SECONDS, 10)",
      "SECONDS" },
    { "run-once", 0, flag, G_OPTION_ARG_CALLBACK, on_flag, "Poll once, wait for those runs, exit",
      NULL },
    { "with-healthcheck", 0, flag, G_OPTION_ARG_CALLBACK, on_flag,
      "Serve GET /health on PREFECT_WORKER_WEBSERVER_HOST and _PORT", NULL },
    { "output-prefix", 0, flag, G_OPTION_ARG_CALLBACK, on_flag,
      "Put the flow run's name before each line of its output (default: on a terminal)", NULL },
    { "no-output-prefix", 0, flag, G_OPTION_ARG_CALLBACK, on_flag, "Leave the lines as they are",
      NULL },
    { "base-job-template", 0, 0, G_OPTION_ARG_FILENAME, &arguments->template_path,
      "JSON file with the base job template of a pool that is created", "FILE" },
    { "create-pool-if-not-found", 0, flag, G_OPTION_ARG_CALLBACK, on_flag,
      "Create the pool when it does not exist (default)", NULL },
    { "no-create-pool-if-not-found", 0, flag, G_OPTION_ARG_CALLBACK, on_flag,
      "Leave creating the pool to others", NULL },
    { "install-policy", 0, 0, G_OPTION_ARG_FILENAME, &arguments->install_policy,
      "Taken for the Python worker's sake; nothing needs installing", "POLICY" },
    { "engine-url", 0, 0, G_OPTION_ARG_FILENAME, &arguments->engine_url,
      "Where Podman or Docker listens: unix:///path or tcp://host:port (default: CONTAINER_HOST, "
      "DOCKER_HOST, Podman's sockets, Docker's)",
      "URL" },
    { "state-dir", 0, 0, G_OPTION_ARG_FILENAME, &arguments->state_dir,
      "Where the worker keeps what must outlive it (default: PREFECT_PODMAN_STATE_DIR, "
      "/var/lib/prefect-podman for root, else ~/.local/state/prefect-podman)",
      "DIR" },
    { "log-level", 0, 0, G_OPTION_ARG_FILENAME, &arguments->log_level,
      "DEBUG, INFO, WARNING, ERROR or CRITICAL (default: PREFECT_LOGGING_LEVEL, INFO)", "LEVEL" },
    { "no-run-once", 0, hidden, G_OPTION_ARG_CALLBACK, on_flag, NULL, NULL },
    { "no-with-healthcheck", 0, hidden, G_OPTION_ARG_CALLBACK, on_flag, NULL, NULL },
    { NULL },
  };

  g_option_group_add_entries (group, entries);
}

static gboolean
parse_arguments (int argc, char **argv, Arguments *arguments, GError **error)
{
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  GOptionGroup *group = g_option_group_new ("", "", "", arguments, NULL);

  add_options (group, arguments);
  g_option_context_set_main_group (context, group);
  g_option_context_set_summary (
      context,
      "Starts a worker that takes flow runs from a work pool and runs each in a container.");
  g_option_context_set_description (context,
                                    "Exit codes: 0 stopped as asked, 1 failed while running, 2 "
                                    "wrong usage or settings.\nSee also prefect-podman(1).\n");
  if (!g_option_context_parse (context, &argc, &argv, error))
    return FALSE;
  if (argc <= 1)
    return TRUE;
  g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_UNKNOWN_OPTION,
               "\"%s\" is no option: worker start takes options only", argv[1]);
  return FALSE;
}

/* The characters that the name of a pool or a queue cannot have (BANNED_CHARACTERS of
 * prefect/types/names.py; the server answers 422, or takes "/" for a part of another address). */
#define BANNED "/%&<>"

/* What is wrong with NAME, of which OPTION tells, or NULL; new string. */
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
  banned = strpbrk (name, BANNED);
  if (banned != NULL)
    return g_strdup_printf ("%s '%s': Prefect takes no name with \"%c\" in it (nor any of %s)",
                            option, name, *banned, BANNED);
  return NULL;
}

/* "Prefect..." is Prefect's own (create_work_pool() of server/api/workers.py answers 403). */
static char *
pool_fault (const char *name)
{
  char *fault = name_fault ("--pool", name);

  if (fault == NULL && g_ascii_strncasecmp (name, "prefect", strlen ("prefect")) == 0)
    g_message (
        "Work pools whose names begin with \"prefect\" are Prefect's own: '%s' must be there "
        "already, since the server lets nobody create it",
        name);
  return fault;
}

static gboolean
check_words (const Arguments *arguments, GError **error)
{
  static const char *const policies[] = { "always", "if-not-present", "never", "prompt", NULL };
  static const char *const types[] = { "docker", "podman", NULL };
  g_autofree char *fault = NULL;
  const char *what = NULL;

  if (arguments->pool == NULL || *arguments->pool == '\0')
    what = "--pool NAME is missing: say which work pool to serve";
  else if ((fault = pool_fault (arguments->pool)) != NULL)
    what = fault;
  else if (arguments->name != NULL && !g_utf8_validate (arguments->name, -1, NULL))
    what = "--name must be UTF-8";
  else if (arguments->name != NULL && strpbrk (arguments->name, "/%") != NULL)
    what = "--name: a worker's name cannot have \"/\" or \"%\" in it";
  else if (arguments->state_dir != NULL && *arguments->state_dir == '\0')
    what = PP_COMMAND_EMPTY_STATE_DIR;
  else if (arguments->install_policy != NULL
           && !g_strv_contains (policies, arguments->install_policy))
    what = "--install-policy: use always, if-not-present, never or prompt";
  else if (arguments->type != NULL && !g_strv_contains (types, arguments->type))
    what = "--type: prefect-podman serves pools of type docker and podman; the Python worker "
           "(prefect worker start) serves the others";
  for (char **queue = arguments->queues; what == NULL && queue != NULL && *queue != NULL; queue++)
    {
      fault = name_fault ("--work-queue", *queue);
      what = fault;
    }
  if (what == NULL)
    return TRUE;
  g_set_error_literal (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, what);
  return FALSE;
}

/* Sets the numbers of OPTIONS. */
static gboolean
read_numbers (const Arguments *arguments, const PpSettings *settings, PpWorkerOptions *options,
              GError **error)
{
  guint64 limit = 0;
  char *end = NULL;

  if (arguments->limit != NULL
      && !g_ascii_string_to_unsigned (arguments->limit, 10, 1, G_MAXINT, &limit, NULL))
    {
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                   "--limit %s: must be a whole number, at least 1", arguments->limit);
      return FALSE;
    }
  options->limit = (int)limit;
  options->prefetch_seconds = settings->worker_prefetch_seconds;
  if (arguments->prefetch == NULL)
    return TRUE;
  options->prefetch_seconds = g_ascii_strtod (arguments->prefetch, &end);
  if (end != arguments->prefetch && *end == '\0' && options->prefetch_seconds >= 0
      && options->prefetch_seconds <= 1e9)
    return TRUE;
  g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
               "--prefetch-seconds %s: must be a number of seconds, at least 0",
               arguments->prefetch);
  return FALSE;
}

/* Reads --base-job-template. Returns a new object, or NULL with ERROR. */
static json_t *
read_template (const char *path, GError **error)
{
  gsize length = 0;
  json_error_t problem;
  g_autoptr (GError) local = NULL;
  g_autofree char *text = pp_settings_read_file (path, &length, &local);

  if (local != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return NULL;
    }
  if (text == NULL)
    {
      g_set_error (error, PP_SETTINGS_ERROR, PP_SETTINGS_ERROR_READ,
                   "%s: --base-job-template: there is no such file", path);
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

/* The log's level: what the command line says, else what the settings say. */
static gboolean
init_console (const Arguments *arguments, const PpSettings *settings, GError **error)
{
  const char *level
      = settings != NULL ? settings->logging_level : g_getenv ("PREFECT_LOGGING_LEVEL");
  gboolean colors = settings == NULL || settings->logging_colors;

  if (arguments->log_level != NULL)
    return pp_console_init (arguments->log_level, colors && pp_console_is_colored (STDERR_FILENO),
                            error);
  /* Before the settings are read a wrong level is not this function's to report. */
  return pp_console_init (level != NULL ? level : "INFO",
                          colors && pp_console_is_colored (STDERR_FILENO),
                          settings != NULL ? error : NULL)
         || settings == NULL;
}

static int
start (Arguments *arguments, const PpSettings *settings, GError **error)
{
  json_auto_t *template = NULL;
  PpWorkerOptions options = { 0 };

  if (!read_numbers (arguments, settings, &options, error)
      || !pp_command_check_api_url (settings, error))
    return 2;
  if (arguments->template_path != NULL)
    {
      template = read_template (arguments->template_path, error);
      if (template == NULL)
        return 2;
    }
  if (arguments->install_policy != NULL)
    g_info ("--install-policy %s: nothing needs installing", arguments->install_policy);
  if (arguments->name != NULL && *arguments->name != '\0')
    options.name = arguments->name;
  options.work_pool = arguments->pool;
  options.work_queues = (const char *const *)arguments->queues;
  options.type = arguments->type;
  options.run_once = arguments->run_once;
  options.with_healthcheck = arguments->with_healthcheck;
  options.create_pool_if_not_found = arguments->create_pool;
  options.base_job_template = template;
  options.engine_url = arguments->engine_url;
  options.state_dir = arguments->state_dir;
  options.output_prefix = arguments->output_prefix;
  return pp_worker_run (settings, &options);
}

int
pp_command_worker_start (int argc, char **argv, const char *profile)
{
  g_auto (Arguments) arguments
      = { .create_pool = TRUE, .output_prefix = isatty (STDOUT_FILENO) == 1 };
  g_autoptr (PpSettings) settings = NULL;
  g_autoptr (GError) error = NULL;

  if (!parse_arguments (argc, argv, &arguments, &error) || !check_words (&arguments, &error))
    return pp_command_fail ("worker start: %s (see worker start --help)", error->message);
  if (!init_console (&arguments, NULL, &error))
    return pp_command_fail ("--log-level: %s", error->message);
  settings = pp_settings_load (profile, &error);
  if (settings == NULL)
    return pp_command_fail ("%s", error->message);
  if (!init_console (&arguments, settings, &error))
    return pp_command_fail ("%s", error->message);
  int code = start (&arguments, settings, &error);
  return error != NULL ? pp_command_fail ("%s", error->message) : code;
}
