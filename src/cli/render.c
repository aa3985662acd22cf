/* SPDX-License-Identifier: Apache-2.0 */
/* prefect-podman render: prints what the worker would send to the engine for a flow run, with
 * secrets masked. */
#include "config.h"

#include "cli/commands-private.h"
#include "prefect-podman/files/files.h"
#include "prefect-podman/infrastructure/container_spec.h"
#include "prefect-podman/prefect/resources.h"
#include "prefect-podman/template/mask.h"
#include "prefect-podman/template/template.h"
#include "prefect-podman/text/visible.h"
#include "prefect-podman/resolve/resolve.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The largest file to read. A saved run has only a few kilobytes. */
#define MAX_SAVED_BYTES (16 * 1024 * 1024)

typedef struct
{
  char *file;
  char *save;
  char *format;
  char *name;
} Options;

static const char *const formats[] = { "json", "podman-run", NULL };

static const PpOption options[] = {
  { "file", 0, PP_OPTION_TEXT, G_STRUCT_OFFSET (Options, file),
    "Read the run from a file that --save wrote, without asking the API", "FILE",
    .no_empty = "name a file" },
  { "save", 0, PP_OPTION_TEXT, G_STRUCT_OFFSET (Options, save),
    "Also write the data that the run is built from to FILE, with secrets masked", "FILE",
    .no_empty = "name a file" },
  { "format", 0, PP_OPTION_TEXT, G_STRUCT_OFFSET (Options, format),
    "json (default), or podman-run (a command line)", "FORMAT", .choices = formats },
  { "name", 'n', PP_OPTION_TEXT, G_STRUCT_OFFSET (Options, name),
    "The worker's name for labels and environment (default: PodmanWorker)", "NAME" },
  { NULL },
};

static const PpArgument arguments[] = {
  { "FLOW_RUN_ID", "The flow run's id: the end of the address of its page in the UI" },
  { NULL },
};

static gboolean
check (const PpCommandLine *line, GError **error)
{
  const Options *given = line->options;
  const char *id = line->arguments[0];
  const char *what = NULL;

  if ((id == NULL) == (given->file == NULL))
    what = "give either one FLOW_RUN_ID or --file FILE";
  else if (id != NULL && !g_uuid_string_is_valid (id))
    what = "FLOW_RUN_ID must be a UUID: the end of the address of the run's page in the UI";
  if (what == NULL)
    return TRUE;
  g_set_error_literal (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, what);
  return FALSE;
}

/* ---- Read the parts of a run from the API ---- */

typedef struct
{
  PpSession *session;
  PpResolveParts *parts; /* the result */
} Fetching;

static json_t *
reference (json_t *json)
{
  return json != NULL ? json_incref (json) : NULL;
}

static void
on_parts (const PpResolveParts *parts, const GError *error, gpointer user_data)
{
  Fetching *fetching = user_data;

  if (parts != NULL)
    {
      fetching->parts = g_new0 (PpResolveParts, 1);
      fetching->parts->flow_run = reference (parts->flow_run);
      fetching->parts->work_pool = reference (parts->work_pool);
      fetching->parts->deployment = reference (parts->deployment);
      fetching->parts->flow = reference (parts->flow);
      fetching->parts->blocks = reference (parts->blocks);
      fetching->parts->block_ids = reference (parts->block_ids);
      fetching->parts->variables = reference (parts->variables);
      fetching->parts->server = reference (parts->server);
    }
  pp_session_done (NULL, error, fetching->session);
}

/* Reads the flow run ID and its work pool; new references. Returns FALSE with ERROR. */
static gboolean
read_run (PpSession *session, PpApi *api, const char *id, json_t **flow_run, json_t **work_pool,
          GError **error)
{
  pp_flow_run_read (api, id, PP_API_RETRY, pp_session_done, session);
  if (!pp_session_wait (session, flow_run, error))
    return FALSE;
  const char *pool = pp_json_string (*flow_run, "work_pool_name");
  if (pool == NULL)
    {
      g_set_error (error, PP_RESOLVE_ERROR, PP_RESOLVE_ERROR_FETCH,
                   "flow run %s has no work pool, so no worker runs it", id);
      return FALSE;
    }
  pp_work_pool_read (api, pool, PP_API_RETRY, pp_session_done, session);
  return pp_session_wait (session, work_pool, error);
}

static PpResolveParts *
fetch_parts (PpSession *session, const char *id, GError **error)
{
  PpApi *api = pp_session_api (session, error);
  json_auto_t *flow_run = NULL;
  json_auto_t *work_pool = NULL;
  Fetching fetching = { session, NULL };

  if (api == NULL || !read_run (session, api, id, &flow_run, &work_pool, error))
    return NULL;
  json_auto_t *process_environment = pp_resolve_process_environment ();
  g_autoptr (PpResolver) resolver = pp_resolver_new (api, process_environment);
  pp_resolver_fetch (resolver, flow_run, work_pool, on_parts, &fetching);
  pp_session_wait (session, NULL, error);
  return fetching.parts;
}

/* ---- Read and write the parts of a run in a file ---- */

static const char *const part_names[] = { "flow_run", "work_pool", "deployment", "flow",
                                          "blocks",   "block_ids", "variables",  "server" };

/* Sets LIST to the members of PARTS, in the order of part_names. */
static void
list_parts (PpResolveParts *parts, json_t ***list)
{
  json_t **members[] = { &parts->flow_run, &parts->work_pool, &parts->deployment, &parts->flow,
                         &parts->blocks,   &parts->block_ids, &parts->variables,  &parts->server };
  memcpy (list, members, sizeof members);
}

static PpResolveParts *
parts_from_json (const json_t *saved, const char *path, GError **error)
{
  g_autoptr (PpResolveParts) parts = g_new0 (PpResolveParts, 1);
  json_t **members[G_N_ELEMENTS (part_names)];

  list_parts (parts, members);
  for (size_t i = 0; i < G_N_ELEMENTS (part_names); i++)
    {
      json_t *part = json_object_get (saved, part_names[i]);
      gboolean needed = i < 2;
      if (json_is_object (part))
        *members[i] = json_incref (part);
      else if (needed || (part != NULL && !json_is_null (part)))
        {
          g_set_error (error, PP_SETTINGS_ERROR, PP_SETTINGS_ERROR_INVALID,
                       "%s:1: %s: must be an object, as --save writes it", path, part_names[i]);
          return NULL;
        }
      else if (i >= 4)
        *members[i] = json_object ();
    }
  return g_steal_pointer (&parts);
}

static PpResolveParts *
read_parts (const char *path, GError **error)
{
  g_autoptr (GError) local = NULL;
  json_error_t problem;
  gsize length = 0;
  g_autofree char *text = pp_foreign_file_read (path, TRUE, MAX_SAVED_BYTES, &length, &local);

  if (g_error_matches (local, PP_FILE_ERROR, PP_FILE_ERROR_TOO_LARGE))
    g_set_error (error, PP_SETTINGS_ERROR, PP_SETTINGS_ERROR_INVALID,
                 "%s: the file is larger than %d bytes, the limit for --file", path,
                 MAX_SAVED_BYTES);
  else if (text == NULL)
    g_set_error (error, PP_SETTINGS_ERROR, PP_SETTINGS_ERROR_READ, "%s: cannot be read: %s", path,
                 local->message);
  if (text == NULL)
    return NULL;
  json_auto_t *saved = pp_json_parse (text, length, 0, &problem);
  if (saved != NULL)
    return parts_from_json (saved, path, error);
  g_set_error (error, PP_SETTINGS_ERROR, PP_SETTINGS_ERROR_INVALID, "%s:%d: not JSON: %s", path,
               problem.line, problem.text);
  return NULL;
}

/* Users enter the data of blocks, so treat each string in it as a secret. */
static void
learn_blocks (PpMask *mask, const json_t *blocks)
{
  const char *key;
  json_t *block;

  json_object_foreach ((json_t *)blocks, key, block)
      pp_mask_add_values (mask, json_object_get (block, "data"));
}

static PpMask *
learn_secrets (const PpResolveParts *parts, const PpSettings *settings,
               const json_t *process_environment)
{
  PpMask *mask = pp_mask_new ();

  learn_blocks (mask, parts->blocks);
  learn_blocks (mask, parts->block_ids);
  pp_mask_add_named (mask, parts->flow_run);
  pp_mask_add_named (mask, parts->deployment);
  pp_mask_add_named (mask, parts->work_pool);
  pp_mask_add_named (mask, settings->environment);
  pp_mask_add_named (mask, process_environment);
  pp_mask_add_values (mask, settings->client_custom_headers);
  return mask;
}

static gboolean
save_parts (PpResolveParts *parts, const PpMask *mask, const char *path, GError **error)
{
  json_auto_t *saved = json_object ();
  json_t **members[G_N_ELEMENTS (part_names)];

  list_parts (parts, members);
  for (size_t i = 0; i < G_N_ELEMENTS (part_names); i++)
    json_object_set_new (saved, part_names[i],
                         *members[i] != NULL ? pp_mask_json (mask, *members[i]) : json_null ());
  g_autofree char *text = json_dumps (saved, JSON_INDENT (2));
  return pp_own_file_write (path, text, error);
}

/* ---- Print the result ---- */

static json_t *
spec_to_json (const PpContainerSpec *spec)
{
  static const char *const pull_policies[] = { "IfNotPresent", "Always", "IfPossible", "Never" };
  static const char *const forwards[] = { "auto", "always", "never" };
  json_t *networks = json_array ();

  for (guint i = 0; i < spec->networks->len; i++)
    json_array_append_new (networks, json_string (g_ptr_array_index (spec->networks, i)));
  return json_pack (
      "{s:s?, s:s?, s:s, s:s?, s:o, s:O?, s:s?, s:O?, s:{s:s, s:s, s:b, s:b, s:i, s:f, s:f}}",
      "name", spec->name, "image", spec->image, "pull_policy", pull_policies[spec->pull_policy],
      "registry_auth", spec->registry_auth != NULL ? PP_MASKED : NULL, "networks", networks,
      "create", spec->create_body, "platform", spec->platform, "libpod_create", spec->libpod_body,
      "worker", "state_reporting",
      spec->policy.state_reporting == PP_REPORT_WORKER ? "worker" : "engine", "forward_output",
      forwards[spec->policy.forward_output], "auto_remove", spec->policy.auto_remove,
      "stream_output", spec->policy.stream_output, "stop_timeout", (int)spec->policy.stop_timeout,
      "timeout_seconds", spec->policy.timeout_seconds, "startup_timeout_seconds",
      spec->policy.startup_timeout_seconds);
}

/* Returns "NAME=value" with the value from the create body. If the value is a secret, returns only
 * NAME: podman then takes the value from its own environment. New string. */
static char *
environment_argument (const PpContainerSpec *spec, const PpMask *mask, const char *name)
{
  g_autofree char *start = g_strconcat (name, "=", NULL);
  size_t index;
  const json_t *entry;

  json_array_foreach (json_object_get (spec->create_body, "Env"), index, entry)
  {
    if (!g_str_has_prefix (json_string_value (entry), start))
      continue;
    g_autofree char *masked = pp_mask_text (mask, json_string_value (entry));
    if (strstr (masked, PP_MASKED) == NULL)
      return g_steal_pointer (&masked);
  }
  return g_strdup (name);
}

static char *
spec_to_command_line (const PpContainerSpec *spec, const PpMask *mask)
{
  guint image_at = 0;
  g_autofree char *left_out = NULL;
  g_auto (GStrv) words = pp_container_spec_to_podman_run (spec, &image_at, &left_out);
  GString *line = g_string_new (NULL);
  gboolean options = TRUE; /* TRUE until the image: the words before it are options */

  if (left_out != NULL)
    {
      g_autofree char *warning = pp_mask_text (mask, left_out);
      g_warning ("%s", warning);
    }
  for (char **word = words; *word != NULL; word++)
    {
      gboolean is_environment = options && word > words && strcmp (word[-1], "--env") == 0;
      g_autofree char *masked
          = is_environment ? environment_argument (spec, mask, *word) : pp_mask_text (mask, *word);
      g_autofree char *quoted = pp_text_shell_quote (masked);
      gboolean is_image = word == words + image_at;
      gboolean new_line = is_image || (options && g_str_has_prefix (*word, "--"));
      g_string_append_printf (line, "%s%s",
                              word == words ? ""
                              : new_line    ? " \\\n  "
                                            : " ",
                              quoted);
      options = options && !is_image;
    }
  g_string_append_c (line, '\n');
  return g_string_free (line, FALSE);
}

static char *
print_spec (const PpContainerSpec *spec, const PpMask *mask, const char *format)
{
  if (g_strcmp0 (format, "podman-run") == 0)
    return spec_to_command_line (spec, mask);
  json_auto_t *json = spec_to_json (spec);
  json_auto_t *masked = pp_mask_json (mask, json);
  json_object_set (masked, "registry_auth", json_object_get (json, "registry_auth"));
  g_autofree char *text = json_dumps (masked, JSON_INDENT (2));
  g_autofree char *visible = pp_text_visible_json (text);
  return g_strconcat (visible, "\n", NULL);
}

/* Masks the secrets in the container's name. Engines do not allow all characters in a name, and a
 * secret with a replaced character would not be found. So this function masks the name as it was
 * before the replacement, and makes the container's name again from the result. In a file of
 * --save, the secrets are masked already. */
static void
mask_name (PpContainerSpec *spec, const json_t *configuration, const PpMask *mask)
{
  const char *name = pp_json_string (configuration, PP_NAME_TEXT_KEY);
  g_autofree char *masked = name != NULL ? pp_mask_text (mask, name) : NULL;

  if (masked == NULL || strstr (masked, PP_MASKED) == NULL)
    return;
  g_free (spec->name);
  spec->name = pp_template_shown_name (masked);
}

static gboolean
render_masked (const Options *given, const PpResolveIdentity *identity, PpResolveParts *parts,
               const PpMask *mask, GError **error)
{
  if (given->save != NULL && !save_parts (parts, mask, given->save, error))
    return FALSE;
  json_auto_t *configuration = pp_resolve_configuration (parts, identity, error);
  if (configuration == NULL)
    return FALSE;
  g_autoptr (PpContainerSpec) spec = pp_container_spec_new (configuration, NULL, error);
  if (spec == NULL)
    return FALSE;
  mask_name (spec, configuration, mask);
  for (guint i = 0; i < spec->warnings->len; i++)
    {
      g_autofree char *warning = pp_mask_text (mask, g_ptr_array_index (spec->warnings, i));
      g_warning ("%s", warning);
    }
  g_autofree char *text = print_spec (spec, mask, given->format);
  if (fputs (text, stdout) >= 0 && fflush (stdout) == 0)
    return TRUE;
  g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (errno),
               "cannot write to standard output: %s", g_strerror (errno));
  return FALSE;
}

static gboolean
render (const Options *given, const PpSettings *settings, PpResolveParts *parts, GError **error)
{
  json_auto_t *process_environment = pp_resolve_process_environment ();
  g_autoptr (PpMask) mask = learn_secrets (parts, settings, process_environment);
  PpResolveIdentity identity = { given->name != NULL ? given->name : "PodmanWorker", NULL,
                                 settings->environment, process_environment };
  g_autoptr (GError) cause = NULL;

  if (render_masked (given, &identity, parts, mask, &cause))
    return TRUE;
  g_autofree char *message = pp_mask_text (mask, cause->message);
  g_set_error_literal (error, cause->domain, cause->code, message);
  return FALSE;
}

static int
run (const PpCommandLine *line, PpSession *session, GError **error)
{
  const Options *given = line->options;
  g_autoptr (PpResolveParts) parts = given->file != NULL
                                         ? read_parts (given->file, error)
                                         : fetch_parts (session, line->arguments[0], error);

  if (parts != NULL && render (given, pp_session_settings (session), parts, error))
    return PP_EXIT_DONE;
  return PP_EXIT_FAILED;
}

const PpCommand pp_command_render = {
  .words = { "render" },
  .summary = "show what would be sent to the engine for a flow run",
  .description = "Prints what would be sent to the engine for a flow run, with secrets masked.",
  .exit_codes = "Exit codes: 0 done, 1 failed, 2 wrong usage or settings.",
  .arguments = arguments,
  .options = options,
  .options_size = sizeof (Options),
  .session = PP_SESSION_QUIET,
  .check = check,
  .run = run,
};
