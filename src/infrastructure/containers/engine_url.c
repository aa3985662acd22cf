/* SPDX-License-Identifier: Apache-2.0 */
/* An engine's URL: parsing it, showing it, and advice for failed connections. */
#include "config.h"

#include "engine-private.h"

#include "prefect-podman/http/url.h"

#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const char *const unix_schemes[] = { "unix://", "http+unix://", NULL };
static const char *const tcp_schemes[] = { "tcp://", "http://", "https://", NULL };

/* Returns the element of SCHEMES that URL begins with, or NULL. */
static const char *
scheme_of (const char *url, const char *const *schemes)
{
  for (; *schemes != NULL; schemes++)
    if (g_str_has_prefix (url, *schemes))
      return *schemes;
  return NULL;
}

/* Returns what is wrong with REST, a tcp URL without its scheme, or NULL. */
static const char *
tcp_problem (const char *rest, gboolean needs_port)
{
  gsize length = strcspn (rest, "/");
  const char *at = g_strrstr_len (rest, (gssize)length, "@");
  const char *host_start = at != NULL ? at + 1 : rest;

  for (const char *c = rest; *c != '\0'; c++)
    if (!g_ascii_isgraph (*c))
      return "this URL may contain only printable ASCII characters, and no blanks";
  if (strpbrk (rest, "?#") != NULL)
    return "this URL must not contain ? or # (in a password, write %3F and %23)";
  if (strchr (rest + length, '@') != NULL)
    return "in a password, write / as %2F";
  g_autofree char *host = g_strndup (host_start, (gsize)(rest + length - host_start));
  return pp_http_host_problem (
      host, needs_port ? "the port is missing (Docker's is 2375, with TLS 2376)" : NULL);
}

static gboolean
fail (const char *url, const char *problem, GError **error)
{
  g_autofree char *display = scheme_of (url, unix_schemes) != NULL
                                 ? g_strdup (url)
                                 : pp_http_broken_url_for_display (url);

  g_set_error (error, PP_INFRASTRUCTURE_ERROR, PP_INFRASTRUCTURE_ERROR_INVALID, "'%s'%s%s", display,
               g_str_has_prefix (problem, "is ") ? " " : ": ", problem);
  return FALSE;
}

static gboolean
parse_unix (const char *url, const char *path, char **socket_path, char **base_url, GError **error)
{
  if (*path != '/')
    return fail (url, "the socket's path must be absolute: unix:///PATH", error);
  if (strlen (path) >= sizeof ((struct sockaddr_un *)NULL)->sun_path)
    return fail (url, "the socket's path is too long: at most 107 bytes are allowed", error);
  *socket_path = g_strdup (path);
  *base_url = g_strdup ("http://localhost");
  return TRUE;
}

static gboolean
parse_tcp (const char *url, const char *scheme, char **base_url, GError **error)
{
  const char *rest = url + strlen (scheme);
  const char *problem = tcp_problem (rest, g_str_equal (scheme, "tcp://"));
  gsize length = strlen (rest);

  if (problem != NULL)
    return fail (url, problem, error);
  while (rest[length - 1] == '/')
    length--;
  *base_url = g_strdup_printf ("%s%.*s", g_str_equal (scheme, "https://") ? scheme : "http://",
                               (int)length, rest);
  return TRUE;
}

gboolean
pp_engine_url_parse (const char *url, char **socket_path, char **base_url, GError **error)
{
  const char *scheme;

  *socket_path = NULL;
  *base_url = NULL;
  scheme = scheme_of (url, unix_schemes);
  if (scheme != NULL)
    return parse_unix (url, url + strlen (scheme), socket_path, base_url, error);
  scheme = scheme_of (url, tcp_schemes);
  if (scheme != NULL)
    return parse_tcp (url, scheme, base_url, error);
  return fail (url,
               g_str_has_prefix (url, "ssh://")
                   ? "ssh is not supported; forward the socket with ssh -N -L "
                     "/tmp/podman.sock:/run/podman/podman.sock HOST and give "
                     "unix:///tmp/podman.sock"
                   : "is not the URL of an engine: write unix:///PATH or tcp://HOST:PORT",
               error);
}

/* Returns the id of the group that may use the socket at PATH, or 0 if no group but root's may. */
static gid_t
group_of (const char *path)
{
  struct stat st;

  return stat (path, &st) == 0 && (st.st_mode & 060) == 060 ? st.st_gid : 0;
}

void
pp_engine_names_init (PpEngineNames *names, const char *socket_path)
{
  gid_t gid = socket_path != NULL ? group_of (socket_path) : 0;
  const struct group *group = gid != 0 ? getgrgid (gid) : NULL;

  names->user = g_strdup (g_get_user_name ());
  names->gid = gid;
  names->group = g_strdup (group != NULL ? group->gr_name : NULL);
}

void
pp_engine_names_clear (PpEngineNames *names)
{
  g_clear_pointer (&names->user, g_free);
  g_clear_pointer (&names->group, g_free);
}

static char *
denied_hint (const char *socket_path, const PpEngineNames *names)
{
  gid_t gid = group_of (socket_path);
  const char *user = names->user;
  g_autofree char *join = NULL;

  if (gid == 0)
    join = g_strdup ("start the worker as the owner of the socket");
  else if (gid == names->gid && names->group != NULL)
    join
        = g_strdup_printf ("add the user to group '%s' (sudo usermod -aG %s %s, then log in again)",
                           names->group, names->group, user);
  else
    join = g_strdup_printf ("add the user to group %u (getent group %u shows its name; sudo "
                            "usermod -aG NAME %s, then log in again)",
                            gid, gid, user);
  return g_strdup_printf (
      "; user '%s' (uid %u) has no access to the socket %s: %s, or use the user's own Podman "
      "(systemctl --user enable --now podman.socket), or choose another engine with --engine-url",
      user, getuid (), socket_path, join);
}

char *
pp_engine_connect_hint (const char *socket_path, const PpEngineNames *names)
{
  if (socket_path == NULL)
    return g_strdup ("");
  if (access (socket_path, R_OK | W_OK) != 0 && errno == EACCES)
    return denied_hint (socket_path, names);
  if (strstr (socket_path, "docker") != NULL)
    return g_strdup ("; start it with: systemctl enable --now docker");
  if (g_str_has_prefix (socket_path, "/run/podman/"))
    return g_strdup ("; start it with: systemctl enable --now podman.socket");
  return g_strdup ("; start it with: systemctl --user enable --now podman.socket (rootless) or "
                   "systemctl enable --now podman.socket");
}
