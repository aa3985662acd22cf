/* SPDX-License-Identifier: Apache-2.0 */
/* One call: its curl easy handle and what has come of its answer. Private to src/http. */
#pragma once

#include "prefect-podman/http/http.h"
#include "prefect-podman/http/proxy.h"

#include <curl/curl.h>

typedef enum
{
  PP_HTTP_CALL_QUEUED,    /* not yet given to curl */
  PP_HTTP_CALL_ACTIVE,    /* curl has it */
  PP_HTTP_CALL_HELD,      /* waits until this process has what it takes to send it */
  PP_HTTP_CALL_CANCELLED, /* curl has it, nobody wants it */
  PP_HTTP_CALL_DONE,      /* curl is through with it; DONE is being called */
} PpHttpCallState;

struct PpHttpCall
{
  PpHttp *http;
  PpHttpCallState state;
  CURL *easy;
  struct curl_slist *request_headers;
  GBytes *request_body;
  gsize body_sent; /* bytes of it that curl has read, where it goes out once */
  char *address;   /* "GET http://..." for messages */
  PpProxy *proxy;  /* that it goes through, or NULL */
  PpHttpDataFunc on_data;
  PpHttpDoneFunc done;
  gpointer user_data;
  gsize max_response_bytes;
  guint silence_seconds;
  guint slow_ms;       /* silence.c: what the request says */
  guint timeout_ms;    /* what the request says, where SLOW_MS is not 0 */
  char *origin;        /* whose silence is watched; or NULL */
  GSource *slow_timer; /* or NULL */
  GString *body;       /* NULL until there is any */
  GHashTable *headers; /* lower-case name -> value */
  gboolean paused;     /* ON_DATA returned FALSE */
  gboolean resuming;   /* in the queue of calls to resume */
  gboolean too_large;
  gboolean over_unix_socket;
  int own_errno;               /* why this process could not open its socket, or watch it; or 0 */
  char words[CURL_ERROR_SIZE]; /* curl's words for a failure */
};

/* A call ready to be given to curl. */
PpHttpCall *pp_http_call_new (PpHttp *http, const PpHttpRequest *request, PpHttpDataFunc on_data,
                              PpHttpDoneFunc done, gpointer user_data);

/* tls.c: whom the connections of CALL, which has its proxy, trust. */
void pp_http_set_tls (PpHttpCall *call, const PpHttpRequest *request);

/* pem.c */

/* A table for the files of one PpHttp: path -> PpPem. */
typedef struct PpPem PpPem;
GHashTable *pp_http_pems_new (void);
GHashTable *pp_http_pems (PpHttp *http);

/* The content of the file of certificates or keys at PATH, which has PEM header lines with MARKER
 * (static): empty where it could not be read yet. Borrowed, valid until the next turn of the loop.
 * Blocks when PATH is named first; later a thread reads the file again where that is due. */
GBytes *pp_http_pem (PpHttp *http, const char *path, const char *marker);

/* A connection has failed by TLS: has all files read again, by threads. */
void pp_http_pems_doubt (PpHttp *http);

/* failure.c: the errno of what this process is short of, where CALL failed with RESULT for that; 0:
 * it did not. EAGAIN: threads. */
int pp_http_call_shortage (const PpHttpCall *call, CURLcode result);

/* Takes back what came of the last attempt, so that CALL can be given to curl again. */
void pp_http_call_rewind (PpHttpCall *call);

/* failure.c: what to say of CALL, whose transfer ended with RESULT, not CURLE_OK; new. */
GError *pp_http_call_error (PpHttpCall *call, CURLcode result);

/* Calls DONE with what came of CALL, whose transfer ended with RESULT. */
void pp_http_call_finish (PpHttpCall *call, CURLcode result);

/* An easy handle without options, and back again when it is out of the multi handle: to make and to
 * clean up one costs more than to reset it. */
CURL *pp_http_take_easy (PpHttp *http);
void pp_http_return_easy (PpHttp *http, CURL *easy);

/* silence.c */

/* Has it said when CALL gets no answer for REQUEST->slow_ms. */
void pp_http_silence_watch (PpHttpCall *call, const PpHttpRequest *request);

/* The end of CALL; ANSWERED: by an answer. */
void pp_http_silence_end (PpHttpCall *call, gboolean answered);

/* The origins whose silence was warned of: a set of strings. Borrowed. */
GHashTable *pp_http_silent (PpHttp *http);

/* CALL must not be in the multi handle. */
void pp_http_call_free (PpHttpCall *call);
