/* SPDX-License-Identifier: Apache-2.0 */
/* The proxy that the environment names for a URL. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define PP_PROXY_ERROR (pp_proxy_error_quark ())
GQuark pp_proxy_error_quark (void);

typedef struct
{
  const char *variable; /* the variable that names it: "https_proxy" */
  char *url;            /* with scheme and port; secret if it has a password */
  char *display;        /* URL without user and password, for messages */
} PpProxy;

/* Returns the proxy for URL, new. NULL without ERROR: there is no proxy, connect directly. NULL
 * with ERROR: the variable in force for URL has no valid proxy URL; the message names the
 * variable, and never the password.
 *
 * Reads http_proxy or https_proxy, then all_proxy, each in lower case before upper case, as the
 * Python worker's client does (httpx get_environment_proxies(), urllib getproxies_environment()).
 * An empty variable in lower case hides the one in upper case. A URL without a scheme is http://,
 * a URL without a port has the scheme's default port. */
PpProxy *pp_proxy_find (const char *url, GError **error);

/* Returns FALSE with ERROR if pp_proxy_find() fails for URL. Returns TRUE if there is a proxy, and
 * if URL needs none. */
gboolean pp_proxy_check (const char *url, GError **error);

void pp_proxy_free (PpProxy *proxy);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpProxy, pp_proxy_free)

/* True if NO_PROXY, the value of a no_proxy variable, says to reach URL directly. Its entries are
 * separated by commas or blanks: "*" is every host; "host" is that host and its subdomains;
 * ".host" and "*.host" are the subdomains only; "host:port" is that port only; "1.2.3.4", "[::1]",
 * "10.0.0.0/8" and "fd00::/8" are addresses (host names are not resolved to compare them);
 * "https://host" is that scheme only. */
gboolean pp_proxy_is_bypassed (const char *no_proxy, const char *url);

G_END_DECLS
