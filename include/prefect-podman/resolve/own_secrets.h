/* SPDX-License-Identifier: Apache-2.0 */
/* The secrets in the worker's own settings. Pure. */
#pragma once

#include "prefect-podman/settings/settings.h"
#include "prefect-podman/template/secrets.h"

G_BEGIN_DECLS

/* The secrets of SETTINGS as containers may print them: the key, the auth string (also as the
 * header of Basic authentication has it), its password from 12 bytes on, the values of custom
 * headers (from 12 bytes on) and of all settings that Prefect keeps as SecretStr. Of each URL among
 * the settings: "user:password", the password, and parameters with a secret name (both from 12
 * bytes on), also with its %XX decoded. New. */
PpSecrets *pp_own_secrets (const PpSettings *settings);

/* Returns the variables of ENVIRONMENT (PpSettings.environment) that hold secrets, without those in
 * GIVEN (a job's own `env`, or NULL). New object: name -> null if the whole value is secret. These
 * are the SecretStr settings (prefect/settings/models), the custom headers, and URLs that may have
 * a password. Name -> true for a PREFECT_API_URL that is not secret without its user and
 * password. */
json_t *pp_own_secret_environment (const json_t *environment, const json_t *given);

G_END_DECLS
