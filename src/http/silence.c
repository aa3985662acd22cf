/* SPDX-License-Identifier: Apache-2.0 */
/* Warns about a call whose answer has not come, or is not complete. Without this, nothing would be
 * logged about a server that accepts connections but never answers, until the call times out. */
#include "config.h"

#include "call-private.h"

#include <string.h>

/* Returns the host or socket of REQUEST: "http://host:port", or the socket's path. New string. */
static char *
origin_of (const PpHttpRequest *request)
{
  const char *scheme_end = strstr (request->url, "://");
  gsize length = scheme_end != NULL ? (gsize)(scheme_end + 3 - request->url) : 0;

  if (request->unix_socket_path != NULL)
    return g_strdup (request->unix_socket_path);
  return g_strndup (request->url, length + strcspn (request->url + length, "/?#"));
}

/* Returns INFO of CALL: a time in microseconds, or a number of bytes. */
static curl_off_t
number_of (const PpHttpCall *call, CURLINFO info)
{
  curl_off_t number = 0;

  curl_easy_getinfo (call->easy, info, &number);
  return number;
}

/* Describes how far CALL has come. */
static const char *
stage (const PpHttpCall *call)
{
  if (number_of (call, CURLINFO_PRETRANSFER_TIME_T) > 0)
    return "connected, and the request was sent";
  /* While a call connects, curl does not distinguish TCP from TLS. */
  if (call->over_unix_socket || number_of (call, CURLINFO_NAMELOOKUP_TIME_T) > 0)
    return g_str_has_prefix (call->origin, "https:")
               ? "still connecting: no answer from the host, or to the TLS handshake"
               : "still connecting: no answer from the host";
  return "still looking up the host's name: check DNS";
}

static gboolean
on_slow (gpointer user_data)
{
  PpHttpCall *call = user_data;

  g_clear_pointer (&call->slow_timer, g_source_unref);
  /* Do not blame the server if the call still waits for a descriptor of this process. */
  if (call->state != PP_HTTP_CALL_ACTIVE
      || g_hash_table_contains (pp_http_silent (call->http), call->origin))
    return G_SOURCE_REMOVE;
  g_hash_table_add (pp_http_silent (call->http), g_strdup (call->origin));
  if (number_of (call, CURLINFO_STARTTRANSFER_TIME_T) > 0)
    g_warning ("%s: the answer is not complete after %u s (%" CURL_FORMAT_CURL_OFF_T
               " bytes so far); waiting up to %u s for the rest",
               call->address, call->slow_ms / 1000, number_of (call, CURLINFO_SIZE_DOWNLOAD_T),
               call->timeout_ms / 1000);
  else
    g_warning ("%s: no answer for %u s (%s); waiting up to %u s for the answer", call->address,
               call->slow_ms / 1000, stage (call), call->timeout_ms / 1000);
  return G_SOURCE_REMOVE;
}

void
pp_http_silence_watch (PpHttpCall *call, const PpHttpRequest *request)
{
  if (request->slow_ms == 0)
    return;
  call->origin = origin_of (request);
  call->slow_ms = request->slow_ms;
  call->timeout_ms = request->timeout_ms;
  call->slow_timer = g_timeout_source_new (request->slow_ms);
  g_source_set_callback (call->slow_timer, on_slow, call, NULL);
  g_source_attach (call->slow_timer, g_main_context_get_thread_default ());
}

void
pp_http_silence_end (PpHttpCall *call, gboolean answered)
{
  if (answered && call->origin != NULL
      && g_hash_table_remove (pp_http_silent (call->http), call->origin))
    /* This may be another call than the one in the warning. Do not log the origin: it may have a
     * password. */
    g_message ("%s: the host answers again", call->address);
  if (call->slow_timer != NULL)
    {
      g_source_destroy (call->slow_timer);
      g_clear_pointer (&call->slow_timer, g_source_unref);
    }
}
