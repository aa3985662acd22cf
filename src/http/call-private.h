/* SPDX-License-Identifier: Apache-2.0 */
/* One call: its curl easy handle and the answer so far. Private to src/http. */
#pragma once

#include "prefect-podman/http/http.h"
#include "prefect-podman/http/proxy.h"

#include <curl/curl.h>

typedef enum
{
  PP_HTTP_CALL_QUEUED,    /* not yet given to curl */
  PP_HTTP_CALL_ACTIVE,    /* curl has it */
  PP_HTTP_CALL_HELD,      /* waits until this process has the resources to send it */
  PP_HTTP_CALL_CANCELLED, /* curl has it, but the caller has cancelled it */
  PP_HTTP_CALL_DONE,      /* curl has finished it; DONE is running */
} PpHttpCallState;

/* The most bytes of a request's URL and headers. libcurl fails at more than 1 MiB
 * (DYN_HTTP_REQUEST), and says that it has no memory. */
#define PP_HTTP_MAX_HEAD_BYTES (512 * 1024)

struct PpHttpCall
{
  PpHttp *http;
  PpHttpCallState state;
  CURL *easy;
  struct curl_slist *request_headers;
  GBytes *request_body;
  gsize body_sent; /* bytes that curl has read, with BODY_ONCE */
  char *address;   /* "GET http://..." for messages; a long URL is cut */
  PpProxy *proxy;  /* the proxy in use, or NULL */
  PpHttpDataFunc on_data;
  PpHttpDoneFunc done;
  gpointer user_data;
  gsize max_response_bytes;
  guint silence_seconds;
  guint slow_ms;       /* silence.c: slow_ms of the request */
  guint timeout_ms;    /* timeout_ms of the request; set only if slow_ms is not 0 */
  char *origin;        /* host or socket that silence.c watches; or NULL */
  GSource *slow_timer; /* or NULL */
  GString *body;       /* NULL until the first byte */
  GHashTable *headers; /* lower-case name -> value */
  gboolean paused;     /* ON_DATA returned FALSE */
  gboolean resuming;   /* in the queue of calls to resume */
  gboolean allow_cut;  /* of the request */
  gboolean too_long;   /* the request has more than PP_HTTP_MAX_HEAD_BYTES; it is not sent */
  gboolean too_large;  /* the answer is an error, because it is larger than max_response_bytes */
  gboolean is_cut;     /* it is larger, and is passed on in part */
  gboolean over_unix_socket;
  int own_errno;               /* errno, if this process could not open or watch the call's socket;
                                  else 0 */
  char words[CURL_ERROR_SIZE]; /* curl's text for a failure */
};

/* Returns a new call, ready to be given to curl. */
PpHttpCall *pp_http_call_new (PpHttp *http, const PpHttpRequest *request, PpHttpDataFunc on_data,
                              PpHttpDoneFunc done, gpointer user_data);

/* tls.c: sets which CAs the connections of CALL trust. CALL's proxy must be set. */
void pp_http_set_tls (PpHttpCall *call, const PpHttpRequest *request);

/* pem.c */

/* Returns a new table of the PEM files of one PpHttp: path -> PpPem. */
typedef struct PpPem PpPem;
GHashTable *pp_http_pems_new (void);
GHashTable *pp_http_pems (PpHttp *http);

/* Returns the content of the PEM file at PATH, which has certificates or keys. MARKER, a static
 * string, is the word in its header lines. The content is empty until the file could be read.
 * Borrowed; valid until the next turn of the loop. The first call for a PATH blocks. Later, a
 * thread reads the file again from time to time. */
GBytes *pp_http_pem (PpHttp *http, const char *path, const char *marker);

/* Makes threads read all files again. Called when a call failed because of TLS, or because the
 * connection broke. */
void pp_http_pems_doubt (PpHttp *http);

/* failure.c: if CALL failed with RESULT because this process lacks a resource, returns the errno
 * for that resource; else 0. EAGAIN means threads. */
int pp_http_call_shortage (const PpHttpCall *call, CURLcode result);

/* Discards the results of the last attempt, so that CALL can be given to curl again. */
void pp_http_call_rewind (PpHttpCall *call);

/* failure.c: describes why CALL failed. RESULT is not CURLE_OK. Returns a new error. */
GError *pp_http_call_error (PpHttpCall *call, CURLcode result);

/* Calls CALL's DONE with the answer or an error. RESULT is the result of the transfer. */
void pp_http_call_finish (PpHttpCall *call, CURLcode result);

/* Returns an easy handle without options. The caller gives it back with pp_http_return_easy(). The
 * handle may be an old one, because to reset an old handle costs less than to create a new one. */
CURL *pp_http_take_easy (PpHttp *http);
/* Takes EASY back. Call this after EASY has left the multi handle. */
void pp_http_return_easy (PpHttp *http, CURL *easy);

/* silence.c */

/* Warns if CALL gets no complete answer within REQUEST->slow_ms. */
void pp_http_silence_watch (PpHttpCall *call, const PpHttpRequest *request);

/* Stops watching CALL. ANSWERED: an answer came, so its host is no longer silent. */
void pp_http_silence_end (PpHttpCall *call, gboolean answered);

/* Returns the set of origins that a warning was logged for: strings, borrowed. */
GHashTable *pp_http_silent (PpHttp *http);

/* CALL must not be in the multi handle. */
void pp_http_call_free (PpHttpCall *call);
