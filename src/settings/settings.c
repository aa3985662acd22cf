/* SPDX-License-Identifier: Apache-2.0 */
/* Orders the sources, and takes each setting from the first source that has it
 * (prefect/settings/base.py settings_customise_sources; models/root.py post_hoc_settings). */
#include "config.h"

#include "profiles-private.h"
#include "prefect-podman/settings/settings.h"
#include "prefect-podman/settings/sources.h"
#include "prefect-podman/settings/table.h"
#include "value-private.h"

#include <string.h>

enum
{
  SOURCE_ENVIRONMENT,
  SOURCE_DOTENV,
  SOURCE_TOML,
  SOURCE_PYPROJECT,
  SOURCE_PROFILE,
  N_SOURCES
};

/* The settings that were found, before they are put into the struct. */
typedef struct
{
  PpSource sources[N_SOURCES]; /* the first wins */
  json_t *values;              /* canonical name -> parsed value */
  json_t *places;              /* canonical name -> "FILE:LINE: KEY" */
} Found;

static void
found_clear (Found *found)
{
  for (int i = 0; i < N_SOURCES; i++)
    pp_source_clear (&found->sources[i]);
  json_decref (found->values);
  json_decref (found->places);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Found, found_clear)

static gboolean
read_sources (Found *found, const char *profile, char **profile_name, GError **error)
{
  PpSource *sources = found->sources;

  pp_source_environment (&sources[SOURCE_ENVIRONMENT]);
  if (!pp_source_dotenv (&sources[SOURCE_DOTENV], ".env", error)
      || !pp_source_toml (&sources[SOURCE_TOML], "prefect.toml", "", error)
      || !pp_source_toml (&sources[SOURCE_PYPROJECT], "pyproject.toml", "tool.prefect", error)
      || !pp_source_profile (&sources[SOURCE_PROFILE], profile, &sources[SOURCE_DOTENV],
                             &sources[SOURCE_TOML], &sources[SOURCE_PYPROJECT], profile_name,
                             error))
    return FALSE;
  for (int i = 0; i < N_SOURCES; i++)
    if (!pp_source_check_keys (&sources[i], error))
      return FALSE;
  return TRUE;
}

/* Parses the value of SETTING in SOURCE. *VALUE gets a new value. It is NULL if SOURCE does not
 * have the setting, or if the value is null. *WHERE gets a new string "FILE:LINE: KEY". Returns
 * FALSE with ERROR if the value is invalid. */
static gboolean
read_from_source (const Found *found, const PpSource *source, const PpSetting *setting,
                  json_t **value, char **where, GError **error)
{
  const char *key = NULL;
  int line = 0;
  const json_t *raw = pp_source_find (source, setting, &key, &line);
  const char *home = pp_json_string (found->values, "PREFECT_HOME");

  *value = NULL;
  if (raw == NULL)
    return TRUE;
  g_autofree char *place = pp_source_place (source, line);
  json_auto_t *parsed
      = pp_setting_value_parse (setting, raw, source->kind == PP_SOURCE_TEXT, home, error);
  if (parsed == NULL)
    {
      g_prefix_error (error, "%s: %s: ", place, key);
      return FALSE;
    }
  if (!json_is_null (parsed))
    {
      *where = g_strdup_printf ("%s: %s", place, key);
      *value = g_steal_pointer (&parsed);
    }
  return TRUE;
}

/* Reads one setting from the first source that has it. Objects (headers) are merged from all
 * sources, as deep_update() of pydantic-settings does. */
static gboolean
read_setting (Found *found, const PpSetting *setting, GError **error)
{
  for (int i = 0; i < N_SOURCES; i++)
    {
      g_autofree char *where = NULL;
      json_auto_t *value = NULL;
      json_t *before = json_object_get (found->values, setting->name);

      if (!read_from_source (found, &found->sources[i], setting, &value, &where, error))
        return FALSE;
      if (value == NULL)
        continue;
      if (before == NULL)
        json_object_set_new (found->places, setting->name, json_string (where));
      else
        json_object_update (value, before);
      json_object_set (found->values, setting->name, value);
      if (!json_is_object (value))
        return TRUE;
    }
  return TRUE;
}

static gboolean
read_settings (Found *found, GError **error)
{
  found->values = json_object ();
  found->places = json_object ();
  for (const PpSetting *setting = pp_settings_table; setting->name != NULL; setting++)
    if (!read_setting (found, setting, error))
      return FALSE;
  return TRUE;
}

/* ---- values by name ---- */

static char *
take_string (const Found *found, const char *name, const char *fallback)
{
  const char *value = pp_json_string (found->values, name);

  if (value == NULL || *value == '\0')
    value = fallback;
  return g_strdup (value);
}

static gboolean
take_bool (const Found *found, const char *name, gboolean fallback)
{
  const json_t *value = json_object_get (found->values, name);
  return value != NULL ? json_is_true (value) : fallback;
}

static double
take_number (const Found *found, const char *name, double fallback)
{
  const json_t *value = json_object_get (found->values, name);
  return value != NULL ? json_number_value (value) : fallback;
}

/* Reads a number of seconds. The maximum is eleven days, which in practice means never. */
static double
take_seconds (const Found *found, const char *name, double fallback)
{
  return MIN (take_number (found, name, fallback), 1e6);
}

static int *
take_codes (const Found *found, const char *name)
{
  const json_t *codes = json_object_get (found->values, name);
  size_t size = json_array_size (codes);

  if (size == 0)
    return NULL;
  int *taken = g_new0 (int, size + 1);
  for (size_t i = 0; i < size; i++)
    taken[i] = (int)json_integer_value (json_array_get (codes, i));
  return taken;
}

static const char *
place_of (const Found *found, const char *name)
{
  const char *place = pp_json_string (found->places, name);
  return place != NULL ? place : name;
}

static void
take_api (PpSettings *settings, const Found *found)
{
  settings->api_url = take_string (found, "PREFECT_API_URL", NULL);
  while (settings->api_url != NULL && g_str_has_suffix (settings->api_url, "/"))
    settings->api_url[strlen (settings->api_url) - 1] = '\0';
  settings->api_url_place = g_strdup (place_of (found, "PREFECT_API_URL"));
  settings->api_key = take_string (found, "PREFECT_API_KEY", NULL);
  settings->api_auth_string = take_string (found, "PREFECT_API_AUTH_STRING", NULL);
  settings->api_tls_insecure_skip_verify
      = take_bool (found, "PREFECT_API_TLS_INSECURE_SKIP_VERIFY", FALSE);
  settings->api_ssl_cert_file = take_string (found, "PREFECT_API_SSL_CERT_FILE", NULL);
  settings->api_enable_http2 = take_bool (found, "PREFECT_API_ENABLE_HTTP2", FALSE);
  settings->api_request_timeout = take_seconds (found, "PREFECT_API_REQUEST_TIMEOUT", 60);
  settings->ui_url = take_string (found, "PREFECT_UI_URL", NULL);
  settings->cloud_api_url
      = take_string (found, "PREFECT_CLOUD_API_URL", "https://api.prefect.cloud/api");
  settings->connected_to_cloud
      = settings->api_url != NULL && g_str_has_prefix (settings->api_url, settings->cloud_api_url);

  settings->client_max_retries
      = (int)MIN (take_number (found, "PREFECT_CLIENT_MAX_RETRIES", 5), 1e6);
  settings->client_retry_jitter_factor
      = take_number (found, "PREFECT_CLIENT_RETRY_JITTER_FACTOR", 0.2);
  settings->client_retry_extra_codes = take_codes (found, "PREFECT_CLIENT_RETRY_EXTRA_CODES");
  settings->client_csrf_support_enabled
      = take_bool (found, "PREFECT_CLIENT_CSRF_SUPPORT_ENABLED", TRUE);
  json_t *headers = json_object_get (found->values, "PREFECT_CLIENT_CUSTOM_HEADERS");
  settings->client_custom_headers = json_object_size (headers) > 0 ? json_incref (headers) : NULL;
}

static void
take_worker (PpSettings *settings, const Found *found)
{
  settings->worker_debug_mode = take_bool (found, "PREFECT_WORKER_DEBUG_MODE", FALSE);
  settings->worker_heartbeat_seconds = take_seconds (found, "PREFECT_WORKER_HEARTBEAT_SECONDS", 30);
  settings->worker_query_seconds = take_seconds (found, "PREFECT_WORKER_QUERY_SECONDS", 10);
  settings->worker_prefetch_seconds = take_seconds (found, "PREFECT_WORKER_PREFETCH_SECONDS", 10);
  settings->worker_webserver_host = take_string (found, "PREFECT_WORKER_WEBSERVER_HOST", "0.0.0.0");
  settings->worker_webserver_port = (int)take_number (found, "PREFECT_WORKER_WEBSERVER_PORT", 8080);
  settings->worker_enable_cancellation
      = take_bool (found, "PREFECT_WORKER_ENABLE_CANCELLATION", FALSE);
  settings->worker_cancellation_poll_seconds
      = take_seconds (found, "PREFECT_WORKER_CANCELLATION_POLL_SECONDS", 120);
}

static void
take_logging (PpSettings *settings, const Found *found)
{
  settings->logging_level = take_string (found, "PREFECT_LOGGING_LEVEL", "INFO");
  settings->logging_colors = take_bool (found, "PREFECT_LOGGING_COLORS", TRUE);
  settings->logging_to_api_enabled = take_bool (found, "PREFECT_LOGGING_TO_API_ENABLED", TRUE);
  settings->logging_to_api_batch_interval
      = take_seconds (found, "PREFECT_LOGGING_TO_API_BATCH_INTERVAL", 2);
  settings->logging_to_api_batch_size
      = (gsize)MIN (take_number (found, "PREFECT_LOGGING_TO_API_BATCH_SIZE", 4000000), 1e9);
  settings->logging_to_api_max_log_size
      = (gsize)MIN (take_number (found, "PREFECT_LOGGING_TO_API_MAX_LOG_SIZE", 1000000), 1e9);
}

/* ---- rules about more than one setting ---- */

/* Checks numbers that this worker calculates with. */
static gboolean
check_ranges (const Found *found, GError **error)
{
  static const char *const not_negative[] = { "PREFECT_API_REQUEST_TIMEOUT",
                                              "PREFECT_WORKER_HEARTBEAT_SECONDS",
                                              "PREFECT_WORKER_QUERY_SECONDS",
                                              "PREFECT_WORKER_PREFETCH_SECONDS",
                                              "PREFECT_WORKER_CANCELLATION_POLL_SECONDS",
                                              "PREFECT_LOGGING_TO_API_BATCH_INTERVAL",
                                              "PREFECT_LOGGING_TO_API_BATCH_SIZE",
                                              "PREFECT_LOGGING_TO_API_MAX_LOG_SIZE",
                                              "PREFECT_CLOUD_MAX_LOG_SIZE",
                                              "PREFECT_WORKER_WEBSERVER_PORT" };
  const char *wrong = NULL;

  for (size_t i = 0; i < G_N_ELEMENTS (not_negative); i++)
    if (take_number (found, not_negative[i], 0) < 0)
      wrong = not_negative[i];
  if (take_number (found, "PREFECT_WORKER_WEBSERVER_PORT", 8080) > 65535)
    wrong = "PREFECT_WORKER_WEBSERVER_PORT";
  if (wrong == NULL)
    return TRUE;
  g_set_error (error, PP_SETTINGS_ERROR, PP_SETTINGS_ERROR_INVALID,
               "%s: %g: must be %s: change it or leave it out", place_of (found, wrong),
               take_number (found, wrong, 0),
               g_str_has_suffix (wrong, "PORT") ? "a port (0 to 65535)" : "at least 0");
  return FALSE;
}

/* Does the check of max_log_size_smaller_than_batch_size() in models/logging.py. */
static gboolean
check_log_sizes (const Found *found, GError **error)
{
  const char *log_name = "PREFECT_LOGGING_TO_API_MAX_LOG_SIZE";
  const char *batch_name = "PREFECT_LOGGING_TO_API_BATCH_SIZE";
  double log_size = take_number (found, log_name, 1000000);
  double batch_size = take_number (found, batch_name, 4000000);
  const char *said = json_object_get (found->values, log_name) != NULL ? log_name : batch_name;

  if (log_size <= batch_size)
    return TRUE;
  g_set_error (error, PP_SETTINGS_ERROR, PP_SETTINGS_ERROR_INVALID,
               "%s: %s (%.0f) must not be larger than %s (%.0f): change one of them",
               place_of (found, said), log_name, log_size, batch_name, batch_size);
  return FALSE;
}

/* A database URL may name the setting of a separate password, which Prefect then puts into the URL.
 * Only a server needs that URL, so this function treats the URL as unset. Returns FALSE with ERROR
 * if the password is not set. */
static gboolean
check_database_password (const Found *found, GError **error)
{
  const char *name = "PREFECT_SERVER_DATABASE_CONNECTION_URL";
  const char *url = pp_json_string (found->values, name);

  if (url == NULL
      || (strstr (url, "PREFECT_API_DATABASE_PASSWORD") == NULL
          && strstr (url, "PREFECT_SERVER_DATABASE_PASSWORD") == NULL))
    return TRUE;
  if (json_object_get (found->values, "PREFECT_SERVER_DATABASE_PASSWORD") == NULL)
    {
      g_set_error (error, PP_SETTINGS_ERROR, PP_SETTINGS_ERROR_INVALID,
                   "%s: names a password that is not set: set PREFECT_SERVER_DATABASE_PASSWORD",
                   place_of (found, name));
      return FALSE;
    }
  json_object_del (found->values, name);
  return TRUE;
}

/* In debug mode and in Prefect's test mode, treats the log levels as unset and logs at DEBUG. The
 * worker's own debug mode also logs at DEBUG, but does not treat the log levels as unset. */
static void
apply_debug_mode (PpSettings *settings, const Found *found)
{
  settings->debug_mode = take_bool (found, "PREFECT_DEBUG_MODE", FALSE);
  if (settings->debug_mode || take_bool (found, "PREFECT_TESTING_TEST_MODE", FALSE))
    {
      json_object_del (found->values, "PREFECT_LOGGING_LEVEL");
      json_object_del (found->values, "PREFECT_INTERNAL_LOGGING_LEVEL");
    }
  else if (!settings->worker_debug_mode)
    return;
  g_free (settings->logging_level);
  settings->logging_level = g_strdup ("DEBUG");
}

/* With Prefect Cloud, limits the size of one log record to PREFECT_CLOUD_MAX_LOG_SIZE, as if the
 * user had set that size. */
static void
apply_cloud_limits (PpSettings *settings, const Found *found)
{
  gsize limit = (gsize)MIN (take_number (found, "PREFECT_CLOUD_MAX_LOG_SIZE", 25000), 1e9);

  if (!settings->connected_to_cloud)
    return;
  settings->logging_to_api_max_log_size = MIN (settings->logging_to_api_max_log_size, limit);
  json_object_set_new (found->values, "PREFECT_LOGGING_TO_API_MAX_LOG_SIZE",
                       json_integer (settings->logging_to_api_max_log_size));
}

/* Warns as _warn_on_misconfigured_api_url() in models/root.py does. */
static void
warn_of_api_url (const PpSettings *settings, const Found *found)
{
  static const char *const mistakes[][2] = {
    { "app.prefect.cloud", "api.prefect.cloud" },
    { "account/", "accounts/" },
    { "workspace/", "workspaces/" },
  };

  if (settings->api_url == NULL
      || take_bool (found, "PREFECT_SILENCE_API_URL_MISCONFIGURATION", FALSE))
    return;
  for (size_t i = 0; i < G_N_ELEMENTS (mistakes); i++)
    if (strstr (settings->api_url, mistakes[i][0]) != NULL)
      g_warning ("%s: contains \"%s\"; the URL of Prefect Cloud has \"%s\" instead",
                 place_of (found, "PREFECT_API_URL"), mistakes[i][0], mistakes[i][1]);
  const char *cloud = strstr (settings->api_url, "api.prefect.cloud/");
  if (cloud != NULL && !g_str_has_prefix (cloud, "api.prefect.cloud/api"))
    g_warning ("%s: \"/api\" is missing after the host name of Prefect Cloud",
               place_of (found, "PREFECT_API_URL"));
}

static json_t *
environment_of (const Found *found)
{
  json_t *environment = json_object ();
  const char *name;
  json_t *value;

  json_object_foreach (found->values, name, value)
  {
    g_autofree char *text = pp_setting_value_to_environment (value);
    json_object_set_new (environment, name, json_string (text));
  }
  return environment;
}

PpSettings *
pp_settings_load (const char *profile, GError **error)
{
  g_auto (Found) found = { 0 };
  g_autofree char *active = NULL;

  if (!read_sources (&found, profile, &active, error) || !read_settings (&found, error)
      || !check_ranges (&found, error) || !check_log_sizes (&found, error)
      || !check_database_password (&found, error))
    return NULL;
  PpSettings *settings = g_new0 (PpSettings, 1);
  settings->profile = g_steal_pointer (&active);
  settings->home = take_string (&found, "PREFECT_HOME", NULL);
  if (settings->home == NULL)
    settings->home = pp_setting_path ("~/.prefect", TRUE);
  take_api (settings, &found);
  take_worker (settings, &found);
  take_logging (settings, &found);
  apply_debug_mode (settings, &found);
  apply_cloud_limits (settings, &found);
  warn_of_api_url (settings, &found);
  settings->environment = environment_of (&found);
  return settings;
}

/* Wipes the memory of a secret before it is freed. */
static void
free_secret (char *secret)
{
  if (secret != NULL)
    explicit_bzero (secret, strlen (secret));
  g_free (secret);
}

void
pp_settings_free (PpSettings *settings)
{
  g_free (settings->home);
  g_free (settings->profile);
  g_free (settings->api_url);
  g_free (settings->api_url_place);
  free_secret (settings->api_key);
  free_secret (settings->api_auth_string);
  g_free (settings->api_ssl_cert_file);
  g_free (settings->ui_url);
  g_free (settings->cloud_api_url);
  g_free (settings->client_retry_extra_codes);
  json_decref (settings->client_custom_headers);
  g_free (settings->worker_webserver_host);
  g_free (settings->logging_level);
  json_decref (settings->environment);
  g_free (settings);
}
