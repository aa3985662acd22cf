/* SPDX-License-Identifier: Apache-2.0 */
/* The objects that a command works with: the settings and, after the first pp_session_api(), an
 * HTTP client, the API and a main loop. A command makes one call after another and waits for each:
 *
 *   pp_flow_run_read (api, id, PP_API_RETRY, pp_session_done, session);
 *   if (!pp_session_wait (session, &flow_run, error))
 *     return FALSE;
 */
#pragma once

#include "prefect-podman/prefect/api.h"

G_BEGIN_DECLS

typedef enum
{
  PP_SESSION_NONE,  /* the command needs no settings */
  PP_SESSION_QUIET, /* reads the settings; logs only warnings and errors */
  PP_SESSION_LOG,   /* reads the settings; --log-level or the settings give the log level */
} PpSessionKind;

typedef struct PpSession PpSession;

/* Reads the settings of PROFILE (may be NULL) and sets up the console. LOG_LEVEL is the value of
 * --log-level, or NULL. Returns NULL with ERROR: G_OPTION_ERROR for a wrong LOG_LEVEL, else
 * PP_SETTINGS_ERROR. */
PpSession *pp_session_new (PpSessionKind kind, const char *profile, const char *log_level,
                           GError **error);

/* Cancels requests in flight and frees SESSION. NULL is ignored. */
void pp_session_free (PpSession *session);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpSession, pp_session_free)

/* Borrowed; valid as long as SESSION. */
const PpSettings *pp_session_settings (const PpSession *session);

/* Returns the API that the settings name; borrowed, valid as long as SESSION. The first call checks
 * the settings of the API. Returns NULL with ERROR (PP_SETTINGS_ERROR) if they are wrong. */
PpApi *pp_session_api (PpSession *session, GError **error);

/* A PpApiDoneFunc: makes pp_session_wait() return with the answer. USER_DATA is the session. */
void pp_session_done (json_t *body, const GError *error, gpointer user_data);

/* Runs the main loop until pp_session_done() is called for the last call. Must not be called from a
 * callback. Sets BODY (may be NULL) to a new reference to the answer, or to NULL if the answer was
 * empty. Returns FALSE with the call's ERROR. */
gboolean pp_session_wait (PpSession *session, json_t **body, GError **error);

G_END_DECLS
