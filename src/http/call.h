/* One call: its curl easy handle and what has come of its answer. Private to src/http. */
#pragma once

#include "prefect-podman/http/http.h"

#include <curl/curl.h>

typedef enum
{
  PP_HTTP_CALL_QUEUED,    /* not yet given to curl */
  PP_HTTP_CALL_ACTIVE,    /* curl has it */
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
  PpHttpDataFunc on_data;
  PpHttpDoneFunc done;
  gpointer user_data;
  gsize max_response_bytes;
  guint silence_seconds;
  GString *body;       /* NULL until there is any */
  GHashTable *headers; /* lower-case name -> value */
  gboolean paused;     /* ON_DATA returned FALSE */
  gboolean resuming;   /* in the queue of calls to resume */
  gboolean too_large;
  gboolean over_unix_socket;
  char words[CURL_ERROR_SIZE]; /* curl's words for a failure */
};

/* A call ready to be given to curl. */
PpHttpCall *pp_http_call_new (PpHttp *http, const PpHttpRequest *request, PpHttpDataFunc on_data,
                              PpHttpDoneFunc done, gpointer user_data);

/* Calls DONE with what came of CALL, whose transfer ended with RESULT. */
void pp_http_call_finish (PpHttpCall *call, CURLcode result);

/* An easy handle without options, and back again when it is out of the multi handle: to make and to
 * clean up one costs more than to reset it. */
CURL *pp_http_take_easy (PpHttp *http);
void pp_http_return_easy (PpHttp *http, CURL *easy);

/* CALL must not be in the multi handle. */
void pp_http_call_free (PpHttpCall *call);
