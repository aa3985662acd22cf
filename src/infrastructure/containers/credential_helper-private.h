/* SPDX-License-Identifier: Apache-2.0 */
/* docker-credential-NAME, a program that keeps the passwords of `docker login` somewhere else
 * (docker/credentials/store.py). Used inside the room only. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define PP_CREDENTIAL_HELPER_SECONDS 30

typedef struct PpCredentialHelper PpCredentialHelper;

/* AUTH: the value of X-Registry-Auth, a secret, or NULL: the helper has none, or it failed, then
 * TROUBLE is a sentence without secrets. Both borrowed. */
typedef void (*PpCredentialFunc) (const char *auth, const char *trouble, gpointer user_data);

/* Asks docker-credential-NAME, which the file at PATH names, for the credentials of REGISTRY.
 * It gets the environment without PREFECT_* variables. FUNC is called once, later, from the main
 * loop; after SECONDS the helper is killed, and two seconds later it is not waited for any more. */
PpCredentialHelper *pp_credential_helper_ask (const char *name, const char *registry,
                                              const char *path, guint seconds,
                                              PpCredentialFunc func, gpointer user_data);
/* FUNC will not be called; the helper ends by itself, or is killed at its time. NULL is ignored. */
void pp_credential_helper_cancel (PpCredentialHelper *helper);

G_END_DECLS
