#include "config.h"

#include "prefect-podman/commands/commands.h"

gboolean
pp_command_check_api_url (const PpSettings *settings, GError **error)
{
  const char *url = settings->api_url;

  if (url == NULL)
    {
      g_set_error_literal (
          error, PP_SETTINGS_ERROR, PP_SETTINGS_ERROR_INVALID,
          "PREFECT_API_URL is not set: export PREFECT_API_URL=http://HOST:4200/api, "
          "or set it in the profile (prefect config set PREFECT_API_URL=...)");
      return FALSE;
    }
  if ((g_str_has_prefix (url, "http://") && url[7] != '\0')
      || (g_str_has_prefix (url, "https://") && url[8] != '\0'))
    return TRUE;
  g_set_error_literal (error, PP_SETTINGS_ERROR, PP_SETTINGS_ERROR_INVALID,
                       "PREFECT_API_URL must begin with http:// or https:// and end in /api");
  return FALSE;
}
