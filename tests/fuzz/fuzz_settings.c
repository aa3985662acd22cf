/* SPDX-License-Identifier: Apache-2.0 */
/* libFuzzer: the files a settings directory may hold. The first byte chooses .env or TOML; what
 * parses is read as settings too. */
#include "config.h"

#include <stdint.h>

#include "settings/dotenv-private.h"
#include "prefect-podman/settings/table.h"
#include "settings/toml-private.h"
#include "settings/value-private.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void
ignore_log (const char *domain, GLogLevelFlags level, const char *message, gpointer user_data)
{
  (void)domain;
  (void)level;
  (void)message;
  (void)user_data;
}

static void
read_values (const json_t *values, gboolean from_text)
{
  const char *key;
  json_t *raw;

  json_object_foreach ((json_t *)values, key, raw)
  {
    for (const PpSetting *setting = pp_settings_table; setting->name != NULL; setting++)
      {
        json_auto_t *value = pp_setting_value_parse (setting, raw, from_text, "/home", NULL);
        if (value != NULL)
          g_free (pp_setting_value_to_environment (value));
      }
  }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  json_auto_t *values = NULL;
  json_auto_t *lines = NULL;
  gboolean dotenv;

  if (size == 0)
    return 0;
  g_log_set_default_handler (ignore_log, NULL);
  dotenv = data[0] & 1;
  if (dotenv)
    values = pp_dotenv_parse ((const char *)data + 1, size - 1, ".env", NULL, &lines, NULL);
  else
    values = pp_toml_parse ((const char *)data + 1, size - 1, "file.toml", &lines, NULL);
  read_values (values, dotenv);
  return 0;
}
