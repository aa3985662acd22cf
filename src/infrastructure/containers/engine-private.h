/* SPDX-License-Identifier: Apache-2.0 */
/* The engine's API: where it is, how its calls are made. Used inside the room only. */
#pragma once

#include "prefect-podman/infrastructure/infrastructure.h"

G_BEGIN_DECLS

/* What pp_engine_find() looks at, so that a test can say it. */
typedef struct
{
  const char *container_host;  /* CONTAINER_HOST or NULL */
  const char *docker_host;     /* DOCKER_HOST or NULL */
  const char *xdg_runtime_dir; /* or NULL */
  guint uid;
  const char *root; /* prefix of the absolute default paths, "" */
} PpEnginePlaces;

/* pp_engine_find() in PLACES. */
char *pp_engine_find_in (const char *engine_url, const PpEnginePlaces *places, GError **error);

/* ADDRESS as it was given, made a URL that pp_engine_url_parse() takes: as docker-py's parse_host()
 * reads it (docker/utils/utils.py), so "unix://var/run/docker.sock" and "10.0.0.1:2375" too. What
 * is no address at all comes back as it is, without blanks around it. New string. Pure. */
char *pp_engine_address_to_url (const char *address);

/* URL taken apart: SOCKET_PATH (unix:// only, else NULL) and BASE_URL, what requests start with
 * ("http://d", "http://host:2375", a user and password included); both new strings. FALSE with
 * ERROR for a scheme it does not speak, and for what can never be reached. */
gboolean pp_engine_url_parse (const char *url, char **socket_path, char **base_url, GError **error);

/* Names for messages. They are looked up once, at the start: a name service (LDAP) may hang. */
typedef struct
{
  char *user;  /* this process's */
  gid_t gid;   /* of the socket's group, 0 where it did not matter, or there was no socket */
  char *group; /* its name, or NULL */
} PpEngineNames;

/* Fills NAMES for the socket at SOCKET_PATH (NULL: none). Blocks. */
void pp_engine_names_init (PpEngineNames *names, const char *socket_path);
void pp_engine_names_clear (PpEngineNames *names);

/* What to do when nobody could be reached at SOCKET_PATH (NULL: no socket); new string, the end of
 * an error's sentence, "" where nobody knows. */
char *pp_engine_connect_hint (const char *socket_path, const PpEngineNames *names);

/* A line of a pull's stream. */
typedef struct PpPull PpPull;

PpPull *pp_pull_new (const char *image, PpPullProgressFunc progress, gpointer user_data);
void pp_pull_free (PpPull *pull);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpPull, pp_pull_free)

/* Takes the next piece of the stream; a line over 1 MiB is dropped. */
void pp_pull_push (PpPull *pull, const char *data, gsize length);

/* Whether a pull that failed with the engine's WORDS may succeed soon: the registry, or the way to
 * it, was out of order. Engines tell it in words only: containers/image's, Docker's, the
 * registry's, Go's. */
gboolean pp_pull_may_pass (const char *words);

/* The end of the stream: the last line of progress, or FALSE with ERROR when the engine said one:
 * UNAVAILABLE for what may pass. */
gboolean pp_pull_finish (PpPull *pull, GError **error);

G_END_DECLS
