/* SPDX-License-Identifier: Apache-2.0 */
/* URLs: checked and shown. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* URL without "user:password@", for messages; new string. URL may have no scheme. */
char *pp_http_url_for_display (const char *url);

/* The same for a URL that may be too broken to say where its host begins: all between the scheme
 * and the last "@" is left out. New string. */
char *pp_http_broken_url_for_display (const char *url);

/* What is wrong with HOST, "name", "name:port", "1.2.3.4:port" or "[::1]:port"; NULL: nothing.
 * NO_PORT says what is wrong when the port is missing; NULL: it may be. */
const char *pp_http_host_problem (const char *host, const char *no_port);

/* The host of the absolute URL in lower case, without brackets and without a trailing dot, new
 * string; *PORT: its port, or the scheme's. */
char *pp_http_url_host (const char *url, guint *port);

G_END_DECLS
