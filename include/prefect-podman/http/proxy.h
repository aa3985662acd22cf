/* SPDX-License-Identifier: Apache-2.0 */
/* The proxy that the environment names for a URL. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define PP_PROXY_ERROR (pp_proxy_error_quark ())
GQuark pp_proxy_error_quark (void);

typedef struct
{
  const char *variable; /* the one that names it: "https_proxy" */
  char *url;            /* with scheme and port; a secret where it has a password */
  char *display;        /* the same without user and password */
} PpProxy;

/* The proxy for URL, new; NULL without ERROR: none, the connection is direct. NULL with ERROR: the
 * variable that counts for URL is no proxy's URL; the message names it, without its password.
 *
 * http_proxy, https_proxy, then all_proxy, each in lower case before upper case, as the Python
 * worker's client has it (httpx get_environment_proxies(), urllib getproxies_environment()): a
 * variable in lower case that is empty hides the one in upper case; a URL without a scheme is
 * http://, without a port has the scheme's. */
PpProxy *pp_proxy_find (const char *url, GError **error);

/* TRUE if pp_proxy_find() finds a proxy for URL, or that there is none; FALSE with its ERROR. */
gboolean pp_proxy_check (const char *url, GError **error);

void pp_proxy_free (PpProxy *proxy);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpProxy, pp_proxy_free)

/* True if NO_PROXY, the list of a no_proxy variable, says that URL is reached directly. Entries are
 * separated by commas or blanks. "*" is every host; "host" is that host and those below it;
 * ".host" and "*.host" only those below; "host:port" only that port; "1.2.3.4", "[::1]",
 * "10.0.0.0/8" and "fd00::/8" are addresses (names are not resolved for them); "https://host"
 * counts for that scheme only. */
gboolean pp_proxy_is_bypassed (const char *no_proxy, const char *url);

G_END_DECLS
