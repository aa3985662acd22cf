/* SPDX-License-Identifier: Apache-2.0 */
/* The engine's API: its address and its requests. Private to src/infrastructure/containers. */
#pragma once

#include "submit-private.h"

G_BEGIN_DECLS

/* Returns the URL of the engine; new string. This is the first of ENGINE_URL (--engine-url, may be
 * NULL), CONTAINER_HOST and DOCKER_HOST that is set. If none is set, it is the first socket that
 * this process may use: rootless Podman's, rootful Podman's, Docker's. If there is none, it is the
 * first default socket. Returns NULL with ERROR if the URL that is set cannot be used. */
char *pp_engine_find (const char *engine_url, GError **error);

/* The environment that pp_engine_find() uses, in a struct so that tests can set it. */
typedef struct
{
  const char *container_host;  /* CONTAINER_HOST or NULL */
  const char *docker_host;     /* DOCKER_HOST or NULL */
  const char *xdg_runtime_dir; /* or NULL */
  guint uid;
  const char *root; /* prefix of the default socket paths; "" except in tests */
} PpEnginePlaces;

/* Does the work of pp_engine_find() with PLACES. */
char *pp_engine_find_in (const char *engine_url, const PpEnginePlaces *places, GError **error);

/* Converts ADDRESS, as the user wrote it, to a URL for pp_engine_url_parse(). Accepts what
 * docker-py's parse_host() accepts (docker/utils/utils.py), such as "unix://var/run/docker.sock"
 * and "10.0.0.1:2375". Anything else is left as it is, except that surrounding blanks are removed.
 * New string. Pure function. */
char *pp_engine_address_to_url (const char *address);

/* Splits URL into SOCKET_PATH and BASE_URL, both new strings. SOCKET_PATH is NULL unless URL is
 * unix://. BASE_URL is the start of every request's URL: "http://localhost" for a socket, or
 * "http://host:2375", with a user and password if given. Returns FALSE with ERROR for a scheme that
 * is not supported, and for an address that can never be reached. */
gboolean pp_engine_url_parse (const char *url, char **socket_path, char **base_url, GError **error);

/* Names for error messages. They are looked up once at the start, because a name service (LDAP) may
 * hang. */
typedef struct
{
  char *user;  /* this process's user */
  gid_t gid;   /* the socket's group; 0 if it is not needed or there is no socket */
  char *group; /* name of gid, or NULL */
} PpEngineNames;

/* Sets NAMES for the socket at SOCKET_PATH (NULL if there is none). Blocks. */
void pp_engine_names_init (PpEngineNames *names, const char *socket_path);
void pp_engine_names_clear (PpEngineNames *names);

/* Returns advice for a failed connection to SOCKET_PATH (NULL if there is no socket): the end of an
 * error message, or "" if there is no advice. New string. */
char *pp_engine_connect_hint (const char *socket_path, const PpEngineNames *names);

/* Parses the output stream of a pull. */
typedef struct PpPull PpPull;

PpPull *pp_pull_new (const char *image, PpPullProgressFunc progress, gpointer user_data);
void pp_pull_free (PpPull *pull);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpPull, pp_pull_free)

/* Takes the next piece of the stream. A line longer than 1 MiB is dropped. */
void pp_pull_push (PpPull *pull, const char *data, gsize length);

/* True if WORDS, the engine's message about a failed pull, says that the registry or the network
 * failed: a retry may succeed soon. Engines report this only in their messages, which come from
 * containers/image, Docker, the registry or Go. */
gboolean pp_pull_may_pass (const char *words);

/* Ends the stream and reports the last progress line. Returns FALSE with ERROR if the engine
 * reported an error; the code is UNAVAILABLE if it is temporary. */
gboolean pp_pull_finish (PpPull *pull, GError **error);

G_END_DECLS
