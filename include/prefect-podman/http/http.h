/* SPDX-License-Identifier: Apache-2.0 */
/* One curl multi handle on the GLib main loop: requests with a callback, and streams with
 * back-pressure.
 *
 * Everything runs on the thread-default main context of pp_http_new()'s caller. Callbacks run from
 * the loop only, never inside a function of this header. A callback may call any of these
 * functions: start calls, cancel its own call or another, free the PpHttp. A callback must not run
 * a main loop. */
#pragma once

#include "prefect-podman/http/url.h"

#include <glib.h>

G_BEGIN_DECLS

typedef struct PpHttp PpHttp;
typedef struct PpHttpCall PpHttpCall;

#define PP_HTTP_ERROR (pp_http_error_quark ())
GQuark pp_http_error_quark (void);

typedef enum
{
  PP_HTTP_ERROR_FAILED,    /* anything else; the message has libcurl's text */
  PP_HTTP_ERROR_RESOLVE,   /* the name has no address */
  PP_HTTP_ERROR_CONNECT,   /* refused, no route, no such socket */
  PP_HTTP_ERROR_TIMEOUT,   /* no answer within the time limit */
  PP_HTTP_ERROR_SILENCE,   /* the request went out; then nothing came for silence_seconds */
  PP_HTTP_ERROR_TLS,       /* certificate or handshake */
  PP_HTTP_ERROR_RESET,     /* the connection broke before the answer was whole */
  PP_HTTP_ERROR_TOO_LARGE, /* a 2xx answer is larger than max_response_bytes */
  PP_HTTP_ERROR_TOO_LONG,  /* the request's URL and headers are too long to be sent */
  PP_HTTP_ERROR_SHORTAGE,  /* this process has no descriptor, memory, thread or port left */
} PpHttpError;

/* A value for slow_ms: a person who waits longer than this expects a message. */
#define PP_HTTP_SLOW_MS 8000

typedef struct
{
  const char *method;           /* "GET", "POST", ...; required */
  const char *url;              /* absolute; with a unix socket, its host is not looked up */
  const char *unix_socket_path; /* NULL: TCP */
  const char *const *headers;   /* NULL-terminated "Name: value" lines; may be NULL */
  const char *body;             /* copied; may be NULL */
  gsize body_length;            /* bytes */
  GBytes *body_bytes;           /* used instead of BODY; referenced, not copied; may be NULL */
  guint connect_timeout_ms;     /* 0: 30000 */
  guint timeout_ms;             /* for the whole call; 0: no limit */
  /* Fail after this time without a byte in either direction, once connected. 0: no limit. */
  guint silence_seconds;
  /* Warn after this time without a complete answer. The warning names the call and its stage, and
   * is not repeated for this host until the host answers again. 0: never. */
  guint slow_ms;
  /* The most bytes of an answer's body, counted after decompression. 0: 64 MiB. The 2xx body of a
   * stream does not count. A larger body is cut there, and the rest is not read. A 2xx answer is
   * then an error, unless ALLOW_CUT is set. */
  gsize max_response_bytes;
  gboolean allow_cut;
  /* If a kept connection breaks, curl sends the request again by itself, although the server may
   * already have acted on it. OWN_CONNECTION: use a new connection, so this cannot happen.
   * BODY_ONCE: do not send the body again; the call fails with PP_HTTP_ERROR_RESET. */
  gboolean own_connection;
  gboolean body_once;
  gboolean tls_skip_verify;
  /* PEM file with CAs; no other CA is trusted for the server's certificate. NULL: the CAs in
   * SSL_CERT_FILE, else in SSL_CERT_DIR, else the system's. */
  const char *tls_ca_file;
  /* Our client certificate and its key, PEM files. Either both are set or both are NULL. */
  const char *tls_cert_file;
  const char *tls_key_file;
  gboolean http2; /* use HTTP/2 if libcurl and TLS support it */
} PpHttpRequest;

/* Checks the file at PATH before a request names it as a certificate or key. MARKER is the word in
 * its PEM header lines: "CERTIFICATE" or "PRIVATE KEY". Returns FALSE with ERROR if the file cannot
 * be read, or lacks a BEGIN or END line; the message begins with PATH. Without this check, libcurl
 * would only say that it could not set the file. This function does not check the data between the
 * header lines; libcurl does. */
gboolean pp_http_check_pem (const char *path, const char *marker, GError **error);

/* Returns FALSE with ERROR if SSL_CERT_DIR is set, SSL_CERT_FILE is not, and none of the folders in
 * SSL_CERT_DIR exists. */
gboolean pp_http_check_ca_folders (GError **error);

/* An answer. Borrowed; valid during the callback only. */
typedef struct
{
  long status;         /* HTTP status code */
  const char *body;    /* NUL-terminated; never NULL */
  gsize body_length;   /* bytes, without the NUL */
  gboolean is_cut;     /* the body was larger than max_response_bytes, and ends there */
  GHashTable *headers; /* lower-case name -> last value */
} PpHttpResponse;

/* Returns the value of header NAME (any case), or NULL. */
const char *pp_http_response_header (const PpHttpResponse *response, const char *name);

/* Called at the end of a call. Exactly one of RESPONSE and ERROR is NULL; both are borrowed. An
 * HTTP status of 300 or more is a response, not an error; redirects are not followed. ERROR's
 * message begins with the method and the address ("GET http://...: "). The call is freed when this
 * function returns. */
typedef void (*PpHttpDoneFunc) (const PpHttpResponse *response, const GError *error,
                                gpointer user_data);

/* Called for each piece of a stream with status 2xx. If it returns FALSE ("not now"), the stream
 * pauses, and pp_http_call_resume() delivers the same bytes again. */
typedef gboolean (*PpHttpDataFunc) (const char *data, gsize length, gpointer user_data);

/* Returns a new PpHttp. The first call initialises libcurl and makes the process ignore
 * SIGPIPE. */
PpHttp *pp_http_new (void);

/* Cancels all calls and frees HTTP. No callback is called. NULL is ignored. */
void pp_http_free (PpHttp *http);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpHttp, pp_http_free)

/* Sends REQUEST, which is copied. HTTP owns the returned call, which is valid until DONE has
 * returned. */
PpHttpCall *pp_http_send (PpHttp *http, const PpHttpRequest *request, PpHttpDoneFunc done,
                          gpointer user_data);

/* As pp_http_send(), but passes a 2xx body to ON_DATA piece by piece; DONE then gets an empty
 * body. */
PpHttpCall *pp_http_stream (PpHttp *http, const PpHttpRequest *request, PpHttpDataFunc on_data,
                            PpHttpDoneFunc done, gpointer user_data);

/* Resumes a stream whose PpHttpDataFunc returned FALSE, from the next turn of the loop on. Does
 * nothing for any other call. */
void pp_http_call_resume (PpHttpCall *call);

/* Cancels CALL and frees it. DONE is not called. NULL is ignored. */
void pp_http_call_cancel (PpHttpCall *call);

/* Called when calls begin to wait for a resource that this process lacks; SHORTAGE names it in one
 * line. Called with NULL when the calls continue. */
typedef void (*PpHttpShortageFunc) (const char *shortage, gpointer user_data);

/* From now on, a call waits while this process lacks a resource to send it, and does not fail with
 * PP_HTTP_ERROR_SHORTAGE. Its time limits begin when it is sent. A call that may already have been
 * sent is not sent again. */
void pp_http_wait_out_shortages (PpHttp *http, PpHttpShortageFunc notify, gpointer user_data);

/* Returns, in one line, what calls wait for, or NULL if no call waits. Borrowed; valid until the
 * next turn of the loop. */
const char *pp_http_shortage (const PpHttp *http);

/* Returns the number of requests sent since pp_http_new(). */
guint64 pp_http_request_count (const PpHttp *http);

G_END_DECLS
