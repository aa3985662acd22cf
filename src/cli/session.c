/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "cli/api_url-private.h"
#include "cli/console-private.h"
#include "cli/print-private.h"
#include "cli/session-private.h"

#include <unistd.h>

struct PpSession
{
  PpSettings *settings;
  PpHttp *http; /* http, api and loop are NULL until pp_session_api() is called */
  PpApi *api;
  GMainLoop *loop;

  /* The answer that pp_session_wait() waits for. */
  gboolean is_done;
  json_t *body;
  GError *error;
};

/* Sets the console's log level. Uses colours if COLORS is TRUE and the terminal supports them. */
static gboolean
set_level (const char *level, gboolean colors, GError **error)
{
  return pp_console_init (level, colors && pp_color_is_wanted (STDERR_FILENO), error);
}

/* Sets the log level before the settings are loaded, because loading them may also log. */
static gboolean
init_console_early (PpSessionKind kind, const char *log_level, GError **error)
{
  const char *level = g_getenv ("PREFECT_LOGGING_LEVEL");

  if (kind == PP_SESSION_QUIET)
    return set_level ("WARNING", TRUE, error);
  if (log_level != NULL)
    {
      gboolean is_set = set_level (log_level, TRUE, error);

      if (!is_set)
        g_prefix_error (error, "--log-level: ");
      return is_set;
    }
  /* A wrong PREFECT_LOGGING_LEVEL is reported when the settings are read. */
  if (level == NULL || !set_level (level, TRUE, NULL))
    set_level ("INFO", TRUE, NULL);
  return TRUE;
}

static gboolean
init_console (const PpSettings *settings, const char *log_level, GError **error)
{
  g_autoptr (GError) local = NULL;
  const char *level = log_level != NULL ? log_level : settings->logging_level;

  if (set_level (level, settings->logging_colors, &local))
    return TRUE;
  g_set_error (error, PP_SETTINGS_ERROR, PP_SETTINGS_ERROR_INVALID, "PREFECT_LOGGING_LEVEL: %s",
               local->message);
  return FALSE;
}

static gboolean
load_settings (PpSession *session, PpSessionKind kind, const char *profile, const char *log_level,
               GError **error)
{
  if (!init_console_early (kind, log_level, error))
    return FALSE;
  session->settings = pp_settings_load (profile, error);
  return session->settings != NULL
         && (kind != PP_SESSION_LOG || init_console (session->settings, log_level, error));
}

PpSession *
pp_session_new (PpSessionKind kind, const char *profile, const char *log_level, GError **error)
{
  PpSession *session = g_new0 (PpSession, 1);

  if (load_settings (session, kind, profile, log_level, error))
    return session;
  pp_session_free (session);
  return NULL;
}

static void
drop_answer (PpSession *session)
{
  session->is_done = FALSE;
  g_clear_pointer (&session->body, json_decref);
  g_clear_error (&session->error);
}

void
pp_session_free (PpSession *session)
{
  if (session == NULL)
    return;
  pp_api_free (session->api);
  pp_http_free (session->http);
  g_clear_pointer (&session->loop, g_main_loop_unref);
  drop_answer (session);
  g_clear_pointer (&session->settings, pp_settings_free);
  g_free (session);
}

const PpSettings *
pp_session_settings (const PpSession *session)
{
  return session->settings;
}

PpApi *
pp_session_api (PpSession *session, GError **error)
{
  if (session->api != NULL)
    return session->api;
  if (!pp_command_check_api_url (session->settings, error))
    return NULL;
  session->http = pp_http_new ();
  session->api = pp_api_new (session->http, session->settings);
  session->loop = g_main_loop_new (NULL, FALSE);
  return session->api;
}

void
pp_session_done (json_t *body, const GError *error, gpointer user_data)
{
  PpSession *session = user_data;

  drop_answer (session);
  session->is_done = TRUE;
  session->body = body != NULL ? json_incref (body) : NULL;
  session->error = error != NULL ? g_error_copy (error) : NULL;
  g_main_loop_quit (session->loop);
}

gboolean
pp_session_wait (PpSession *session, json_t **body, GError **error)
{
  while (!session->is_done)
    g_main_loop_run (session->loop);
  session->is_done = FALSE;
  if (session->error != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&session->error));
      return FALSE;
    }
  if (body != NULL)
    *body = g_steal_pointer (&session->body);
  drop_answer (session);
  return TRUE;
}
