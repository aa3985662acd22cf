/* SPDX-License-Identifier: Apache-2.0 */
/* Converts an engine's address as users write it, mostly in DOCKER_HOST, to a URL. */
#include "config.h"

#include "engine-private.h"

#include <string.h>

/* docker-py's DEFAULT_UNIX_SOCKET and DEFAULT_HTTP_HOST. */
#define DEFAULT_SOCKET "/var/run/docker.sock"
#define DEFAULT_HOST "127.0.0.1"

/* Schemes that are also recognised without "//". */
static const char *const schemes[]
    = { "unix", "http+unix", "tcp", "http", "https", "ssh", "fd", "npipe", NULL };

/* Returns the scheme of ADDRESS in lower case, a new string, or NULL if it has none ("host:2375").
 * docker-py takes the text before the first colon as a scheme if it has only letters and "+". So it
 * takes "10.0.0.1:2375" and "my-host:2375" as addresses, but "host" of "host:2375" as a scheme.
 * Docker's own client accepts all three. */
static char *
scheme_of (const char *address)
{
  gsize length = 0;

  while (g_ascii_isalpha (address[length]) || (length > 0 && address[length] == '+'))
    length++;
  if (length == 0 || address[length] != ':')
    return NULL;
  g_autofree char *scheme = g_ascii_strdown (address, (gssize)length);
  if (g_str_has_prefix (address + length, "://") || g_strv_contains (schemes, scheme))
    return g_steal_pointer (&scheme);
  return NULL;
}

/* Returns the host of NETLOC (user@host:port) in lower case, like Python's urlparse().hostname; new
 * string. */
static char *
hostname_of (const char *netloc)
{
  const char *at = strrchr (netloc, '@');
  const char *host = at != NULL ? at + 1 : netloc;

  if (*host == '[')
    return g_ascii_strdown (host + 1, (gssize)strcspn (host + 1, "]"));
  return g_ascii_strdown (host, (gssize)strcspn (host, ":"));
}

/* Returns a socket's URL. If NETLOC has a host, this is the first part of the path: "var" in
 * unix://var/run/docker.sock. */
static char *
socket_url (const char *scheme, const char *netloc, const char *path)
{
  g_autofree char *host = hostname_of (netloc);
  g_autofree char *full = NULL;

  while (*path == '/' && (*host != '\0' || path[1] == '/'))
    path++;
  full = *host != '\0' ? g_strconcat ("/", host, "/", path, NULL)
                       : g_strconcat (*path == '/' ? "" : "/", path, NULL);
  for (gsize length = strlen (full); length > 1 && full[length - 1] == '/'; length--)
    full[length - 1] = '\0';
  return full[1] != '\0' ? g_strconcat (scheme, "://", full, NULL) : NULL;
}

/* Returns the URL of a host and port. The host defaults to DEFAULT_HOST. */
static char *
tcp_url (const char *scheme, const char *netloc, const char *path)
{
  const char *at = strrchr (netloc, '@');
  const char *host = at != NULL ? at + 1 : netloc;

  if (*netloc == '\0')
    return NULL;
  if (*host == ':')
    return g_strconcat (scheme, "://" DEFAULT_HOST, host, path, NULL);
  return g_strconcat (scheme, "://", netloc, path, NULL);
}

/* Returns the URL for ADDRESS, which has no surrounding blanks, or NULL if it is not recognised. */
static char *
url_of (const char *address)
{
  g_autofree char *scheme = scheme_of (address);
  const char *rest = scheme != NULL ? address + strlen (scheme) + 1 : address;
  gboolean has_netloc = scheme == NULL || g_str_has_prefix (rest, "//");

  if (scheme != NULL && has_netloc)
    rest += 2;
  gsize length = has_netloc ? strcspn (rest, "/") : 0;
  g_autofree char *netloc = g_strndup (rest, length);
  const char *path = rest + length;

  if (scheme == NULL)
    return tcp_url ("tcp", netloc, path);
  if (g_str_equal (scheme, "tcp") || g_str_equal (scheme, "http") || g_str_equal (scheme, "https"))
    return tcp_url (scheme, netloc, path);
  if (g_str_equal (scheme, "unix") && has_netloc && *rest == '\0')
    return g_strdup ("unix://" DEFAULT_SOCKET);
  if (g_str_equal (scheme, "unix") || g_str_equal (scheme, "http+unix"))
    return strpbrk (rest, "?#") == NULL ? socket_url (scheme, netloc, path) : NULL;
  return NULL;
}

char *
pp_engine_address_to_url (const char *address)
{
  g_autofree char *trimmed = g_strstrip (g_strdup (address));
  char *url = url_of (trimmed);

  return url != NULL ? url : g_steal_pointer (&trimmed);
}
