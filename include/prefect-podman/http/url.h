/* SPDX-License-Identifier: Apache-2.0 */
/* Checks URLs and formats them for messages. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Returns URL without "user:password@", for messages; new string. URL may lack a scheme. */
char *pp_http_url_for_display (const char *url);

/* Returns the "user:password" of URL, still percent-encoded; new string. Returns NULL if URL has no
 * password. URL may lack a scheme. */
char *pp_http_url_login (const char *url);

/* In the user and password of URL, percent-encodes the characters that libcurl refuses there, such
 * as "@". Prefect's client (httpx) accepts these characters. Returns a new string. URL may lack a
 * scheme. */
char *pp_http_url_escape_login (const char *url);

/* As pp_http_url_for_display(), for a URL so malformed that its host cannot be found. Leaves out
 * everything between the scheme and the last "@". Returns a new string. */
char *pp_http_broken_url_for_display (const char *url);

/* Returns what is wrong with HOST ("name", "name:port", "1.2.3.4:port" or "[::1]:port"), or NULL
 * if it is valid. NO_PORT is the text to return if the port is missing; NULL: the port is
 * optional. */
const char *pp_http_host_problem (const char *host, const char *no_port);

/* Returns the host of the absolute URL in lower case, without brackets and without a trailing dot;
 * new string. *PORT gets its port, or the scheme's default port. */
char *pp_http_url_host (const char *url, guint *port);

G_END_DECLS
