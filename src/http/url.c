/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "prefect-podman/http/url.h"

#include <string.h>

#define HTTP_PORT 80
#define HTTPS_PORT 443

/* Returns the "@" after the user and password of URL, or NULL. Sets *AUTHORITY to the part of URL
 * after the scheme, and *LENGTH to the length of that part without path, query and fragment. */
static const char *
find_at (const char *url, const char **authority, gsize *length)
{
  const char *scheme_end = strstr (url, "://");

  *authority = scheme_end != NULL ? scheme_end + strlen ("://") : url;
  *length = strcspn (*authority, "/?#");
  return g_strrstr_len (*authority, (gssize)*length, "@");
}

char *
pp_http_url_login (const char *url)
{
  const char *authority;
  gsize length;
  const char *at = find_at (url, &authority, &length);

  if (at == NULL || memchr (authority, ':', (gsize)(at - authority)) == NULL)
    return NULL;
  return g_strndup (authority, (gsize)(at - authority));
}

char *
pp_http_url_escape_login (const char *url)
{
  const char *authority;
  gsize length;
  const char *at = find_at (url, &authority, &length);

  if (at == NULL)
    return g_strdup (url);
  g_autofree char *login = g_strndup (authority, (gsize)(at - authority));
  g_autofree char *escaped
      = g_uri_escape_string (login, G_URI_RESERVED_CHARS_ALLOWED_IN_USERINFO "%", FALSE);
  return g_strdup_printf ("%.*s%s%s", (int)(authority - url), url, escaped, at);
}

char *
pp_http_url_for_display (const char *url)
{
  const char *authority;
  gsize length;
  const char *at = find_at (url, &authority, &length);

  if (at == NULL)
    return g_strdup (url);
  return g_strdup_printf ("%.*s%s", (int)(authority - url), url, at + 1);
}

char *
pp_http_broken_url_for_display (const char *url)
{
  const char *scheme_end = strstr (url, "://");
  const char *start = scheme_end != NULL ? scheme_end + 3 : url;
  const char *at = strrchr (start, '@');

  return g_strdup_printf ("%.*s%s", (int)(start - url), url, at != NULL ? at + 1 : start);
}

const char *
pp_http_host_problem (const char *host, const char *no_port)
{
  const char *name_end = *host == '[' ? strchr (host, ']') : host + strcspn (host, ":");
  const char *port;
  guint64 number;

  if (name_end == NULL || (*host == '[' && name_end[1] != ':' && name_end[1] != '\0'))
    return "write an IPv6 address as [ADDRESS]:PORT";
  name_end += *host == '[';
  if (name_end - host <= (*host == '[' ? 2 : 0))
    return "the host is missing";
  port = *name_end == ':' ? name_end + 1 : NULL;
  if (port == NULL)
    return no_port;
  if (strchr (port, ':') != NULL)
    return "write an IPv6 address as [ADDRESS]:PORT";
  if (!g_ascii_string_to_unsigned (port, 10, 1, 65535, &number, NULL))
    return "the port must be a number from 1 to 65535";
  return NULL;
}

char *
pp_http_url_host (const char *url, guint *port)
{
  const char *authority;
  gsize length;
  const char *at = find_at (url, &authority, &length);
  const char *start = at != NULL ? at + 1 : authority;
  g_autofree char *host = g_strndup (start, (gsize)(authority + length - start));
  char *name_end = *host == '[' ? strchr (host, ']') : NULL;
  char *colon = strchr (name_end != NULL ? name_end : host, ':');

  *port = g_ascii_strncasecmp (url, "https:", strlen ("https:")) == 0 ? HTTPS_PORT : HTTP_PORT;
  if (colon != NULL && colon[1] != '\0')
    *port = (guint)g_ascii_strtoull (colon + 1, NULL, 10);
  if (colon != NULL)
    *colon = '\0';
  if (name_end != NULL)
    *name_end = '\0';
  char *name = g_ascii_strdown (name_end != NULL ? host + 1 : host, -1);
  if (g_str_has_suffix (name, "."))
    name[strlen (name) - 1] = '\0';
  return name;
}
