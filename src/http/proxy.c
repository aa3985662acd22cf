/* SPDX-License-Identifier: Apache-2.0 */
/* The proxy that the environment names for a URL. libcurl reads the same variables, but it ignores
 * ports in no_proxy, supports networks in it only since 7.86, has another default port than
 * Prefect's client (httpx), and shows the password of a URL that it cannot parse. */
#include "config.h"

#include "prefect-podman/http/proxy.h"

#include "prefect-podman/http/url.h"

#include <arpa/inet.h>
#include <string.h>

G_DEFINE_QUARK (pp - proxy - error - quark, pp_proxy_error)

static const struct
{
  const char *scheme;
  guint port;
} schemes[] = {
  { "http", 80 },      { "https", 443 },   { "socks4", 1080 },
  { "socks4a", 1080 }, { "socks5", 1080 }, { "socks5h", 1080 },
};

/* Returns the value of the variable NAMES[0] ("http_proxy") or, if it is unset, of NAMES[1]
 * ("HTTP_PROXY"). NULL if the value is empty or there is none. *VARIABLE gets the name of the
 * variable. */
static const char *
read_variable (const char *const names[2], const char **variable)
{
  const char *value = g_getenv (names[0]);

  *variable = names[0];
  if (value == NULL)
    {
      /* In a CGI program, the client can set HTTP_PROXY with a header "Proxy". */
      if (g_str_equal (names[1], "HTTP_PROXY") && g_getenv ("REQUEST_METHOD") != NULL)
        return NULL;
      *variable = names[1];
      value = g_getenv (names[1]);
    }
  return value != NULL && *value != '\0' ? value : NULL;
}

/* ---- no_proxy ---- */

static gboolean
parse_address (const char *text, guchar bytes[16], gsize *length)
{
  *length = 4;
  if (inet_pton (AF_INET, text, bytes) == 1)
    return TRUE;
  *length = 16;
  return inet_pton (AF_INET6, text, bytes) == 1;
}

/* True if HOST is an address in NETWORK: "ADDRESS" or "ADDRESS/BITS". */
static gboolean
is_in_network (const char *host, const char *network)
{
  g_auto (GStrv) parts = g_strsplit (network, "/", 2);
  guchar own[16], other[16];
  gsize own_length, length;
  guint64 bits;

  if (parts[0] == NULL || !parse_address (host, own, &own_length)
      || !parse_address (parts[0], other, &length) || length != own_length)
    return FALSE;
  bits = length * 8;
  if (parts[1] != NULL && !g_ascii_string_to_unsigned (parts[1], 10, 0, length * 8, &bits, NULL))
    return FALSE;
  for (guint64 i = 0; i < bits; i++)
    if (((own[i / 8] ^ other[i / 8]) >> (7 - i % 8) & 1) != 0)
      return FALSE;
  return TRUE;
}

static gboolean
is_below (const char *host, const char *domain)
{
  gsize length = strlen (host), domain_length = strlen (domain);

  return length > domain_length && host[length - domain_length - 1] == '.'
         && g_ascii_strcasecmp (host + length - domain_length, domain) == 0;
}

/* NAME is an entry of no_proxy without its scheme and port. */
static gboolean
matches_host (const char *host, const char *name)
{
  if (g_str_has_prefix (name, "*."))
    return is_below (host, name + 2);
  if (*name == '.')
    return is_below (host, name + 1);
  if (*name == '*')
    name++;
  return is_in_network (host, name) || g_ascii_strcasecmp (host, name) == 0
         || is_below (host, name);
}

/* Removes the port and the brackets from NAME ("host:1", "[::1]:1"). Returns the port, 0 if there
 * is none, or G_MAXUINT64 if it is invalid. */
static guint64
take_port (char *name)
{
  char *bracket = *name == '[' ? strchr (name, ']') : NULL;
  char *colon = strchr (bracket != NULL ? bracket : name, ':');
  guint64 port = 0;

  /* A name with more than one colon is an IPv6 address. */
  if (colon != NULL && strchr (colon + 1, ':') == NULL)
    {
      if (!g_ascii_string_to_unsigned (colon + 1, 10, 1, 65535, &port, NULL))
        return G_MAXUINT64;
      *colon = '\0';
    }
  if (bracket == NULL)
    return port;
  /* For "[fd00::]/8", keep the "/8". */
  memmove (bracket, bracket + 1, strlen (bracket + 1) + 1);
  memmove (name, name + 1, strlen (name + 1) + 1);
  return port;
}

static gboolean
matches_entry (const char *entry, const char *url, const char *host, guint port)
{
  const char *scheme_end = strstr (entry, "://");
  gsize scheme_length = scheme_end != NULL ? (gsize)(scheme_end - entry) : 0;
  g_autofree char *name = g_strdup (scheme_end != NULL ? scheme_end + 3 : entry);

  if (scheme_end != NULL && g_ascii_strncasecmp (entry, "all:", 4) != 0
      && g_ascii_strncasecmp (entry, url, scheme_length + 3) != 0)
    return FALSE;
  guint64 wanted = take_port (name);
  if (wanted != 0 && wanted != port)
    return FALSE;
  if (g_str_has_suffix (name, "."))
    name[strlen (name) - 1] = '\0';
  return *name != '\0' && matches_host (host, name);
}

gboolean
pp_proxy_is_bypassed (const char *no_proxy, const char *url)
{
  g_auto (GStrv) entries = g_strsplit_set (no_proxy, ", \t\r\n", -1);
  guint port;
  g_autofree char *host = pp_http_url_host (url, &port);

  for (char **entry = entries; *entry != NULL; entry++)
    if (g_str_equal (*entry, "*") || matches_entry (*entry, url, host, port))
      return TRUE;
  return FALSE;
}

/* ---- the proxy ---- */

static PpProxy *
fail (const char *variable, const char *value, const char *problem, GError **error)
{
  g_autofree char *display = pp_http_broken_url_for_display (value);

  g_set_error (
      error, PP_PROXY_ERROR, 0,
      "%s: '%s' is not the URL of a proxy: %s. Correct the variable, or unset it to connect "
      "directly",
      variable, display, problem);
  return NULL;
}

/* Returns what is wrong with the value of a variable, or NULL if it is valid. */
static const char *
value_problem (const char *value)
{
  for (const char *c = value; *c != '\0'; c++)
    if (!g_ascii_isgraph (*c))
      return "it must contain only ASCII characters, and no spaces";
  return NULL;
}

/* Parses VALUE, the URL in VARIABLE. */
static PpProxy *
parse (const char *variable, const char *value, GError **error)
{
  const char *scheme_end = strstr (value, "://");
  g_autofree char *scheme = scheme_end != NULL
                                ? g_ascii_strdown (value, (gssize)(scheme_end - value))
                                : g_strdup ("http");
  const char *authority = scheme_end != NULL ? scheme_end + 3 : value;
  gsize length = strcspn (authority, "/?#");
  const char *at = g_strrstr_len (authority, (gssize)length, "@");
  const char *host_start = at != NULL ? at + 1 : authority;
  g_autofree char *host = g_strndup (host_start, (gsize)(authority + length - host_start));
  const char *problem = value_problem (value);
  guint port = 0;

  for (gsize i = 0; i < G_N_ELEMENTS (schemes); i++)
    if (g_str_equal (scheme, schemes[i].scheme))
      port = schemes[i].port;
  if (problem == NULL && port == 0)
    problem = "it must begin with http://, https://, socks5:// or socks5h://";
  if (problem == NULL && strchr (authority + length, '@') != NULL)
    problem = "write /, ? and # in a password as %2F, %3F and %23";
  if (problem == NULL)
    problem = pp_http_host_problem (host, NULL);
  if (problem != NULL)
    return fail (variable, value, problem, error);

  PpProxy *proxy = g_new0 (PpProxy, 1);
  const char *name_end = strrchr (host, ']');
  gboolean has_port = strchr (name_end != NULL ? name_end : host, ':') != NULL;
  g_autofree char *tail = has_port ? g_strdup ("") : g_strdup_printf (":%u", port);
  proxy->variable = variable;
  proxy->display = g_strconcat (scheme, "://", host, tail, NULL);
  g_autofree char *given = g_strdup_printf ("%s://%.*s%s%s", scheme, (int)(host_start - authority),
                                            authority, host, tail);
  proxy->url = pp_http_url_escape_login (given);
  return proxy;
}

PpProxy *
pp_proxy_find (const char *url, GError **error)
{
  static const char *const http[] = { "http_proxy", "HTTP_PROXY" };
  static const char *const https[] = { "https_proxy", "HTTPS_PROXY" };
  static const char *const all[] = { "all_proxy", "ALL_PROXY" };
  static const char *const none[] = { "no_proxy", "NO_PROXY" };
  gboolean is_https = g_ascii_strncasecmp (url, "https:", strlen ("https:")) == 0;
  const char *variable;
  const char *no_proxy = read_variable (none, &variable);
  const char *value = read_variable (is_https ? https : http, &variable);

  if (value == NULL)
    value = read_variable (all, &variable);
  if (value == NULL || (no_proxy != NULL && pp_proxy_is_bypassed (no_proxy, url)))
    return NULL;
  return parse (variable, value, error);
}

gboolean
pp_proxy_check (const char *url, GError **error)
{
  g_autoptr (GError) problem = NULL;

  pp_proxy_free (pp_proxy_find (url, &problem));
  if (problem == NULL)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&problem));
  return FALSE;
}

void
pp_proxy_free (PpProxy *proxy)
{
  if (proxy == NULL)
    return;
  g_free (proxy->url);
  g_free (proxy->display);
  g_free (proxy);
}
