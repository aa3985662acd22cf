/* SPDX-License-Identifier: Apache-2.0 */
/* Runs docker-credential-NAME, a program that stores the passwords of `docker login`
 * (docker/credentials/store.py). Private to src/infrastructure/containers. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define PP_CREDENTIAL_HELPER_SECONDS 30

typedef struct PpCredentialHelper PpCredentialHelper;

/* AUTH is the value of X-Registry-Auth, a secret, or NULL. If the helper failed, TROUBLE is a
 * sentence without secrets. If it has no credentials, both are NULL. Both are borrowed. */
typedef void (*PpCredentialFunc) (const char *auth, const char *trouble, gpointer user_data);

/* Asks docker-credential-NAME for the credentials of REGISTRY. PATH is the configuration file that
 * names the helper. The helper gets this process's environment without the variables whose names
 * begin with PREFECT_, in upper or lower case. FUNC is called once from the main loop, after this
 * function returns. The helper is killed after SECONDS; FUNC is then called within two seconds. */
PpCredentialHelper *pp_credential_helper_ask (const char *name, const char *registry,
                                              const char *path, guint seconds,
                                              PpCredentialFunc func, gpointer user_data);
/* Cancels the request: FUNC is not called. The helper exits by itself, or is killed at its
 * deadline. NULL is ignored. */
void pp_credential_helper_cancel (PpCredentialHelper *helper);

G_END_DECLS
