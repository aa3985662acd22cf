/* SPDX-License-Identifier: Apache-2.0 */
/* The secrets in the worker's own settings. Pure. */
#pragma once

#include "prefect-podman/settings/settings.h"
#include "prefect-podman/template/secrets.h"

G_BEGIN_DECLS

/* Returns the secrets of SETTINGS in the forms in which containers may print them; new:
 *
 * - the API key and the values of custom headers;
 * - the auth string and the values of all settings that Prefect keeps as SecretStr, each in these
 *   forms: the value, its base64 form (as in the header of Basic authentication), its
 *   percent-encoded forms in a URL, and the password after its first ":";
 * - for each URL among the settings: "user:password" in the same forms, and the values of
 *   parameters with a secret name. Each is added as it is and with %XX decoded.
 *
 * Leaves out passwords, custom headers and parameters shorter than 12 bytes. */
PpSecrets *pp_own_secrets (const PpSettings *settings);

/* Returns the variables of ENVIRONMENT (PpSettings.environment) that hold secrets, without those in
 * GIVEN (a job's own `env`, or NULL), as a new object: name -> null or true. Null means that the
 * whole value is secret: the SecretStr settings (prefect/settings/models), the custom headers, and
 * URLs that may have a password. True is for PREFECT_API_URL only: it has a user and password, and
 * is not a secret without them. */
json_t *pp_own_secret_environment (const json_t *environment, const json_t *given);

G_END_DECLS
