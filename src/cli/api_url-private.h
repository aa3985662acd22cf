/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "prefect-podman/settings/settings.h"

G_BEGIN_DECLS

/* Checks the settings and the environment for the connection to the API: the URL, the trusted
 * certificates and the proxy. Returns FALSE with ERROR (PP_SETTINGS_ERROR), which names the wrong
 * setting and says how to correct it. */
gboolean pp_command_check_api_url (const PpSettings *settings, GError **error);

G_END_DECLS
