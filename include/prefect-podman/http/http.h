/* SPDX-License-Identifier: Apache-2.0 */
/* One curl multi handle on the GLib main loop: requests with a callback, and streams with
 * back-pressure.
 *
 * Everything runs on the thread-default main context of pp_http_new()'s caller. Callbacks are made
 * from the loop only, never from inside a function of this header, and may call any of them: start
 * calls, cancel this call or another, free the PpHttp. A callback must not run a main loop. */
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
  PP_HTTP_ERROR_FAILED,    /* anything without a code of its own; the message has libcurl's words */
  PP_HTTP_ERROR_RESOLVE,   /* the name has no address */
  PP_HTTP_ERROR_CONNECT,   /* refused, no route, no such socket */
  PP_HTTP_ERROR_TIMEOUT,   /* no answer within the request's time */
  PP_HTTP_ERROR_SILENCE,   /* the request went out; then nothing came for silence_seconds */
  PP_HTTP_ERROR_TLS,       /* certificate or handshake */
  PP_HTTP_ERROR_RESET,     /* the connection broke before the answer was whole */
  PP_HTTP_ERROR_TOO_LARGE, /* the answer is larger than max_response_bytes */
  PP_HTTP_ERROR_SHORTAGE,  /* this process has no descriptor, memory, thread or port for it */
} PpHttpError;

/* What a person waits for the first word. */
#define PP_HTTP_SLOW_MS 8000

typedef struct
{
  const char *method;           /* "GET", "POST", ...; required */
  const char *url;              /* absolute; for a unix socket the host part is only a name */
  const char *unix_socket_path; /* NULL: TCP */
  const char *const *headers;   /* NULL-terminated "Name: value" lines; may be NULL */
  const char *body;             /* copied; may be NULL */
  gsize body_length;            /* bytes */
  GBytes *body_bytes;           /* in place of BODY: referenced, not copied; may be NULL */
  guint connect_timeout_ms;     /* 0: 30000 */
  guint timeout_ms;             /* for the whole call; 0: none */
  guint silence_seconds; /* without a byte in either direction, once connected; 0: for ever */
  guint slow_ms; /* without an answer for so long, a warning names the call and how far it has come,
                    once until its host answers again; 0: never */
  gsize max_response_bytes; /* after decompression; 0: 64 MiB; a stream's 2xx body is not counted */
  /* curl by itself sends a request again that a kept connection lost, though the other side may
   * have acted on it. On a connection of its own that cannot happen; a body that goes out once is
   * not sent again (PP_HTTP_ERROR_RESET). */
  gboolean own_connection;
  gboolean body_once;
  gboolean tls_skip_verify;
  /* The only CAs that count for the server, PEM. NULL: those that SSL_CERT_FILE names, else
   * SSL_CERT_DIR, else the system's. */
  const char *tls_ca_file;
  const char *tls_cert_file; /* this side's certificate, PEM, and its key; or both NULL */
  const char *tls_key_file;
  gboolean http2; /* ask for it where libcurl and TLS have it */
} PpHttpRequest;

/* Checks the file at PATH, which a request is to name as a certificate or key. MARKER: what is in
 * its PEM header lines, "CERTIFICATE" or "PRIVATE KEY". FALSE with ERROR, which begins with PATH,
 * where it cannot be read or holds none (libcurl says only that it could not set it). What is
 * between the header lines is left to libcurl. */
gboolean pp_http_check_pem (const char *path, const char *marker, GError **error);

/* Checks what SSL_CERT_DIR names, where it counts (PpHttpRequest, tls_ca_file). */
gboolean pp_http_check_ca_folders (GError **error);

/* An answer; borrowed, valid during the callback only. */
typedef struct
{
  long status;         /* HTTP status code */
  const char *body;    /* NUL-terminated; never NULL */
  gsize body_length;   /* bytes, without the NUL */
  GHashTable *headers; /* lower-case name -> last value */
} PpHttpResponse;

/* Returns the value of header NAME (any case), or NULL. */
const char *pp_http_response_header (const PpHttpResponse *response, const char *name);

/* The end of a call. Exactly one of RESPONSE and ERROR is NULL; both are borrowed. An HTTP status
 * of 300 and more is a response, not an error (redirects are not followed). ERROR's message begins
 * with the method and the address ("GET http://...: "). The call is gone when it returns. */
typedef void (*PpHttpDoneFunc) (const PpHttpResponse *response, const GError *error,
                                gpointer user_data);

/* A piece of a stream whose status was 2xx. Return FALSE for "not now": the stream pauses and the
 * same bytes are delivered again after pp_http_call_resume(). */
typedef gboolean (*PpHttpDataFunc) (const char *data, gsize length, gpointer user_data);

/* The first call sets libcurl up and has the process ignore SIGPIPE. */
PpHttp *pp_http_new (void);

/* Cancels what is in flight (no callbacks) and frees. NULL is ignored. */
void pp_http_free (PpHttp *http);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PpHttp, pp_http_free)

/* Sends REQUEST (copied). The returned call is owned by HTTP and valid until DONE was called. */
PpHttpCall *pp_http_send (PpHttp *http, const PpHttpRequest *request, PpHttpDoneFunc done,
                          gpointer user_data);

/* As pp_http_send(), but a 2xx body goes to ON_DATA piece by piece; DONE then has an empty body. */
PpHttpCall *pp_http_stream (PpHttp *http, const PpHttpRequest *request, PpHttpDataFunc on_data,
                            PpHttpDoneFunc done, gpointer user_data);

/* Goes on with a stream whose PpHttpDataFunc returned FALSE, from the next turn of the loop on.
 * Without effect on any other call. */
void pp_http_call_resume (PpHttpCall *call);

/* Ends CALL without a callback; CALL is gone after it. NULL is ignored. */
void pp_http_call_cancel (PpHttpCall *call);

/* Called with what this process is short of, one line, when calls begin to wait for it, and with
 * NULL when they go on. */
typedef void (*PpHttpShortageFunc) (const char *shortage, gpointer user_data);

/* A call that this process is too short of something to send waits from now on until it can be
 * sent, in place of PP_HTTP_ERROR_SHORTAGE; its own time limits count from then. What may have been
 * sent already is not sent again. */
void pp_http_wait_out_shortages (PpHttp *http, PpHttpShortageFunc notify, gpointer user_data);

/* What calls wait for, one line; NULL: none does. Borrowed, valid until the next turn of the loop.
 */
const char *pp_http_shortage (const PpHttp *http);

/* How many requests were sent since pp_http_new(). */
guint64 pp_http_request_count (const PpHttp *http);

G_END_DECLS
