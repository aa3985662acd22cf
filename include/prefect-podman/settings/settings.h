/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the value of each PREFECT_* setting: environment > .env > prefect.toml > pyproject.toml
 * [tool.prefect] > the active profile of $PREFECT_HOME/profiles.toml. Settings are read once, at
 * the start. */
#pragma once

#include "prefect-podman/json.h"

G_BEGIN_DECLS

#define PP_SETTINGS_ERROR (pp_settings_error_quark ())
GQuark pp_settings_error_quark (void);

typedef enum
{
  /* Wrong type, bad TOML or unknown profile. The message has file:line and key. */
  PP_SETTINGS_ERROR_INVALID,
  PP_SETTINGS_ERROR_READ, /* a file exists but cannot be read */
} PpSettingsError;

typedef struct
{
  char *home;          /* PREFECT_HOME, expanded; default ~/.prefect */
  char *profile;       /* name of the active profile; NULL: no profiles.toml, and none requested */
  gboolean debug_mode; /* PREFECT_DEBUG_MODE, FALSE */

  char *api_url;         /* PREFECT_API_URL without a trailing slash, or NULL */
  char *api_url_place;   /* where api_url is set, "FILE:LINE: KEY", for messages */
  char *api_key;         /* PREFECT_API_KEY or NULL; a secret */
  char *api_auth_string; /* PREFECT_API_AUTH_STRING "user:password" or NULL; a secret */
  gboolean api_tls_insecure_skip_verify;
  char *api_ssl_cert_file; /* NULL: SSL_CERT_FILE, SSL_CERT_DIR or the system's CAs */
  gboolean api_enable_http2;
  double api_request_timeout;  /* seconds, 60 */
  char *ui_url;                /* PREFECT_UI_URL or NULL */
  char *cloud_api_url;         /* PREFECT_CLOUD_API_URL, "https://api.prefect.cloud/api" */
  gboolean connected_to_cloud; /* api_url is Prefect Cloud's */

  int client_max_retries;               /* 5 */
  double client_retry_jitter_factor;    /* 0.2 */
  int *client_retry_extra_codes;        /* 0-terminated, or NULL */
  gboolean client_csrf_support_enabled; /* TRUE */
  json_t *client_custom_headers;        /* object of strings, or NULL; values are secrets */

  double worker_heartbeat_seconds;         /* 30 */
  double worker_query_seconds;             /* 10 */
  double worker_prefetch_seconds;          /* 10 */
  char *worker_webserver_host;             /* "0.0.0.0" */
  int worker_webserver_port;               /* 8080 */
  gboolean worker_debug_mode;              /* FALSE; TRUE sets logging_level to DEBUG */
  gboolean worker_enable_cancellation;     /* FALSE */
  double worker_cancellation_poll_seconds; /* 120 */

  char *logging_level;                  /* PREFECT_LOGGING_LEVEL, "INFO" */
  gboolean logging_colors;              /* PREFECT_LOGGING_COLORS, TRUE */
  gboolean logging_to_api_enabled;      /* TRUE */
  double logging_to_api_batch_interval; /* seconds, 2.0 */
  gsize logging_to_api_batch_size;      /* bytes, 4000000 */
  gsize logging_to_api_max_log_size;    /* bytes, 1000000; Cloud: 25000 at most */

  /* All settings that are set anywhere, as the environment of a container
   * (Settings.to_environment_variables(exclude_unset=True)): canonical PREFECT_* name -> string,
   * written as Prefect writes values. Has secrets: never print it. */
  json_t *environment;
} PpSettings;

/* Reads the settings of this process. PROFILE (--profile; may be NULL) takes precedence over
 * PREFECT_PROFILE and the file's `active`. Returns a new struct, or NULL with ERROR. Warnings go to
 * g_warning(). */
PpSettings *pp_settings_load (const char *profile, GError **error);

void pp_settings_free (PpSettings *settings);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpSettings, pp_settings_free)

G_END_DECLS
