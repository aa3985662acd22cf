/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "prefect-podman/settings/settings.h"

G_BEGIN_DECLS

/* Checks what SETTINGS and the environment say about the way to the API: its URL, the certificates
 * to trust, the proxy. FALSE with ERROR (PP_SETTINGS_ERROR) that names the setting and says what to
 * do. */
gboolean pp_command_check_api_url (const PpSettings *settings, GError **error);

G_END_DECLS
