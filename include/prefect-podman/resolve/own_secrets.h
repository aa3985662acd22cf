/* SPDX-License-Identifier: Apache-2.0 */
/* What of the worker's settings nobody else is to see. Pure. */
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

/* Which variables of ENVIRONMENT (PpSettings.environment) hold secrets, those of GIVEN (a job's own
 * `env`, or NULL) left out: a new object, the name -> null: all of it is secret (SecretStr in
 * prefect/settings/models, and the custom headers); true: a URL that may have a user and password
 * in it. */
json_t *pp_own_secret_environment (const json_t *environment, const json_t *given);

G_END_DECLS
