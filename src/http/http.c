/* SPDX-License-Identifier: Apache-2.0 */
/* One curl multi handle behind one GSource.
 *
 * The source polls one descriptor, an epoll set with all of curl's sockets, and wakes up at curl's
 * timer. So a turn of the loop costs the same for a hundred connections as for one. The public
 * functions (start, resume, cancel) only queue their work; the next dispatch does it. So curl is
 * entered in one place, and curl's callbacks never enter curl again. */
#include "config.h"

#include "prefect-podman/http/http.h"

#include "call-private.h"

#include "prefect-podman/http/limits.h"

#include <errno.h>
#include <glib-unix.h>
#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

/* Sockets handled in one turn; the others wait for the next. */
#define MAX_READY 64
/* How often calls that wait for a missing resource are tried again. */
#define HOLD_US G_USEC_PER_SEC
/* How many descriptors must be free before waiting calls are tried again. */
#define HOLD_DESCRIPTORS 6
/* How many easy handles are kept for the next calls. */
#define MAX_SPARE 8

struct PpHttp
{
  GSource *source;
  CURLM *multi;
  int epoll;
  GHashTable *sockets;       /* set of the descriptors in epoll */
  GQueue starting;           /* PpHttpCall not yet given to curl */
  GHashTable *active;        /* set of the PpHttpCall that curl has */
  GQueue resuming;           /* active calls to unpause */
  GQueue cancelled;          /* active calls to remove from curl */
  GQueue unwatched;          /* active calls whose socket could not be added to epoll */
  GQueue held;               /* PpHttpCall that wait for a missing resource */
  gint64 held_until;         /* when to try the held calls again, monotonic microseconds */
  char *shortage;            /* what the held calls wait for, or NULL */
  gboolean held_cancelled;   /* the last of the held calls was cancelled */
  PpHttpShortageFunc notify; /* NULL: calls do not wait */
  gpointer notify_data;
  GQueue spare;       /* CURL handles of finished calls */
  GHashTable *silent; /* silence.c */
  GHashTable *pems;   /* pem.c */
  gint64 timer;       /* when curl wants to be called, monotonic microseconds; -1: never */
  guint64 requests;
  gboolean dispatching;
  gboolean freed; /* pp_http_free() was called during a dispatch */
};

typedef struct
{
  GSource base;
  PpHttp *http;
} PpHttpSource;

/* Wakes the source at once if work is queued; else at curl's timer or at held_until. */
static void
update_ready_time (PpHttp *http)
{
  gboolean now = !g_queue_is_empty (&http->starting) || !g_queue_is_empty (&http->resuming)
                 || !g_queue_is_empty (&http->cancelled) || http->held_cancelled;
  gint64 next = http->timer;

  if (!g_queue_is_empty (&http->held))
    next = next < 0 ? http->held_until : MIN (next, http->held_until);
  g_source_set_ready_time (http->source, now ? 0 : next);
}

/* CURLMOPT_TIMERFUNCTION */
static int
on_timer_changed (CURLM *multi G_GNUC_UNUSED, long timeout_ms, void *user_data)
{
  PpHttp *http = user_data;
  http->timer = timeout_ms < 0 ? -1 : g_get_monotonic_time () + (gint64)timeout_ms * 1000;
  update_ready_time (http);
  return 0;
}

/* CURLMOPT_SOCKETFUNCTION */
static int
on_socket_changed (CURL *easy, curl_socket_t fd, int what, void *user_data,
                   void *socket_data G_GNUC_UNUSED)
{
  PpHttp *http = user_data;
  struct epoll_event event = { .data.fd = fd };

  if (what == CURL_POLL_REMOVE)
    {
      g_hash_table_remove (http->sockets, GINT_TO_POINTER (fd));
      /* The kernel has already removed a descriptor that was closed. */
      epoll_ctl (http->epoll, EPOLL_CTL_DEL, fd, NULL);
      return 0;
    }
  if (what & CURL_POLL_IN)
    event.events |= EPOLLIN;
  if (what & CURL_POLL_OUT)
    event.events |= EPOLLOUT;
  g_hash_table_add (http->sockets, GINT_TO_POINTER (fd));
  /* Only the kernel knows if the descriptor is in the set: curl may have closed it, and another
   * socket may have its number now. */
  if (epoll_ctl (http->epoll, EPOLL_CTL_MOD, fd, &event) != 0
      && epoll_ctl (http->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
    {
      PpHttpCall *call = NULL;

      curl_easy_getinfo (easy, CURLINFO_PRIVATE, (char **)&call);
      /* The kernel has no memory, or fs.epoll.max_user_watches is reached (ENOSPC). Do not return
       * the error to curl: curl would stop all transfers. */
      if (call != NULL)
        {
          call->own_errno = errno == ENOSPC ? ENOMEM : errno;
          g_queue_push_tail (&http->unwatched, call);
        }
    }
  return 0;
}

/* Reports an error as readable and writable: curl then reads the error itself. */
static int
curl_events (uint32_t events)
{
  int result = 0;

  if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
    result |= CURL_CSELECT_IN;
  if (events & (EPOLLOUT | EPOLLERR))
    result |= CURL_CSELECT_OUT;
  return result;
}

static void
take_from_curl (PpHttp *http, PpHttpCall *call)
{
  curl_multi_remove_handle (http->multi, call->easy);
  g_hash_table_remove (http->active, call);
  g_queue_remove (&http->resuming, call);
  g_queue_remove (&http->unwatched, call);
}

static void
set_shortage (PpHttp *http, char *shortage)
{
  gboolean changes = (shortage == NULL) != (http->shortage == NULL);

  g_free (http->shortage);
  http->shortage = shortage;
  if (changes)
    http->notify (shortage, http->notify_data);
}

/* Keeps CALL for another try if RESULT means that this process lacked a resource to send it. */
static gboolean
hold (PpHttp *http, PpHttpCall *call, CURLcode result)
{
  int shortage = http->notify != NULL ? pp_http_call_shortage (call, result) : 0;
  long sent = 0;

  curl_easy_getinfo (call->easy, CURLINFO_REQUEST_SIZE, &sent);
  if (shortage == 0 || sent > 0)
    return FALSE;
  pp_http_call_rewind (call);
  call->state = PP_HTTP_CALL_HELD;
  if (g_queue_is_empty (&http->held))
    http->held_until = g_get_monotonic_time () + HOLD_US;
  g_queue_push_tail (&http->held, call);
  set_shortage (http, pp_limits_describe (shortage));
  return TRUE;
}

/* Starts the waiting calls again if it is time and enough descriptors are free. */
static void
release_held (PpHttp *http)
{
  gint64 now = g_get_monotonic_time ();
  PpHttpCall *call;

  if (g_queue_is_empty (&http->held) || now < http->held_until)
    return;
  http->held_until = now + HOLD_US;
  if (pp_limits_probe (HOLD_DESCRIPTORS) != 0)
    return;
  while ((call = g_queue_pop_head (&http->held)) != NULL)
    {
      call->state = PP_HTTP_CALL_QUEUED;
      g_queue_push_tail (&http->starting, call);
    }
}

/* Does what the public functions have queued. */
static void
run_noted (PpHttp *http)
{
  PpHttpCall *call;

  if (http->held_cancelled && g_queue_is_empty (&http->held) && http->shortage != NULL)
    set_shortage (http, NULL);
  http->held_cancelled = FALSE;
  while ((call = g_queue_pop_head (&http->cancelled)) != NULL)
    {
      take_from_curl (http, call);
      pp_http_call_free (call);
    }
  while ((call = g_queue_pop_head (&http->starting)) != NULL)
    {
      http->requests++;
      call->state = PP_HTTP_CALL_ACTIVE;
      g_hash_table_add (http->active, call);
      curl_multi_add_handle (http->multi, call->easy);
    }
  /* Handle only the calls that are queued now: this loop may add a stream again. */
  for (guint n = g_queue_get_length (&http->resuming); n > 0 && !http->freed; n--)
    {
      call = g_queue_pop_head (&http->resuming);
      if (call == NULL)
        break;
      call->resuming = FALSE;
      if (!call->paused || call->state != PP_HTTP_CALL_ACTIVE)
        continue;
      call->paused = FALSE;
      curl_easy_pause (call->easy, CURLPAUSE_CONT);
    }
}

static void
run_curl (PpHttp *http)
{
  struct epoll_event ready[MAX_READY];
  int count = epoll_wait (http->epoll, ready, MAX_READY, 0);
  int running;

  for (int i = 0; i < count && !http->freed; i++)
    if (g_hash_table_contains (http->sockets, GINT_TO_POINTER (ready[i].data.fd)))
      curl_multi_socket_action (http->multi, ready[i].data.fd, curl_events (ready[i].events),
                                &running);
  if (!http->freed && http->timer >= 0 && g_get_monotonic_time () >= http->timer)
    {
      http->timer = -1;
      curl_multi_socket_action (http->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    }
}

/* Called when curl has ended CALL. Holds CALL for another attempt, or calls DONE. */
static void
end_call (PpHttp *http, PpHttpCall *call, CURLcode result)
{
  take_from_curl (http, call);
  if (hold (http, call, result))
    return;
  if (http->shortage != NULL && g_queue_is_empty (&http->held))
    set_shortage (http, NULL);
  call->state = PP_HTTP_CALL_DONE;
  pp_http_call_finish (call, result);
  pp_http_call_free (call);
}

static void
run_callbacks (PpHttp *http)
{
  CURLMsg *message;
  PpHttpCall *unwatched;
  int left;

  while (!http->freed && (unwatched = g_queue_pop_head (&http->unwatched)) != NULL)
    if (unwatched->state == PP_HTTP_CALL_ACTIVE)
      end_call (http, unwatched, CURLE_OUT_OF_MEMORY);

  while (!http->freed && (message = curl_multi_info_read (http->multi, &left)) != NULL)
    {
      PpHttpCall *call = NULL;
      CURLcode result = message->data.result;

      if (message->msg != CURLMSG_DONE)
        continue;
      curl_easy_getinfo (message->easy_handle, CURLINFO_PRIVATE, (char **)&call);
      if (call->state == PP_HTTP_CALL_CANCELLED)
        continue; /* run_noted() frees it */
      end_call (http, call, result);
    }
}

static void
destroy (PpHttp *http)
{
  PpHttpCall *call;
  GHashTableIter iter;
  gpointer key;

  while ((call = g_queue_pop_head (&http->starting)) != NULL
         || (call = g_queue_pop_head (&http->held)) != NULL)
    pp_http_call_free (call);
  g_hash_table_iter_init (&iter, http->active);
  while (g_hash_table_iter_next (&iter, &key, NULL))
    {
      call = key;
      curl_multi_remove_handle (http->multi, call->easy);
      pp_http_call_free (call);
    }
  while (!g_queue_is_empty (&http->spare))
    curl_easy_cleanup (g_queue_pop_head (&http->spare));
  curl_multi_cleanup (http->multi);
  close (http->epoll);
  g_queue_clear (&http->resuming);
  g_queue_clear (&http->unwatched);
  g_queue_clear (&http->cancelled);
  g_hash_table_unref (http->active);
  g_hash_table_unref (http->sockets);
  g_hash_table_unref (http->silent);
  g_hash_table_unref (http->pems);
  g_source_destroy (http->source);
  g_source_unref (http->source);
  g_free (http->shortage);
  g_free (http);
}

static gboolean
dispatch (GSource *source, GSourceFunc callback G_GNUC_UNUSED, gpointer user_data G_GNUC_UNUSED)
{
  PpHttp *http = ((PpHttpSource *)source)->http;

  http->dispatching = TRUE;
  release_held (http);
  run_noted (http);
  run_curl (http);
  run_callbacks (http);
  http->dispatching = FALSE;
  if (http->freed)
    {
      destroy (http);
      return G_SOURCE_REMOVE;
    }
  update_ready_time (http);
  return G_SOURCE_CONTINUE;
}

PpHttp *
pp_http_new (void)
{
  static gsize initialised = 0;
  static GSourceFuncs funcs = { .dispatch = dispatch };

  if (g_once_init_enter (&initialised))
    {
      /* OpenSSL writes to broken connections, and with CURLOPT_NOSIGNAL, curl does not ignore
       * SIGPIPE. */
      signal (SIGPIPE, SIG_IGN);
      curl_global_init (CURL_GLOBAL_DEFAULT);
      g_once_init_leave (&initialised, 1);
    }

  PpHttp *http = g_new0 (PpHttp, 1);
  http->timer = -1;
  http->sockets = g_hash_table_new (NULL, NULL);
  http->active = g_hash_table_new (NULL, NULL);
  http->pems = pp_http_pems_new ();
  http->silent = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  http->source = g_source_new (&funcs, sizeof (PpHttpSource));
  ((PpHttpSource *)http->source)->http = http;
  g_source_set_name (http->source, "prefect-podman http");
  /* While GLib dispatches a source that may not recurse, GLib blocks that source. In every turn,
   * GLib would remove the descriptor from the poll set and add it again, with a wake-up each time.
   * Nothing here runs a nested loop, so this source may recurse. */
  g_source_set_can_recurse (http->source, TRUE);
  http->epoll = epoll_create1 (EPOLL_CLOEXEC);
  if (http->epoll < 0)
    g_error ("epoll_create1: %s", g_strerror (errno)); /* no descriptor left at the start */
  g_source_add_unix_fd (http->source, http->epoll, G_IO_IN);
  g_source_attach (http->source, g_main_context_get_thread_default ());

  http->multi = curl_multi_init ();
  curl_multi_setopt (http->multi, CURLMOPT_SOCKETFUNCTION, on_socket_changed);
  curl_multi_setopt (http->multi, CURLMOPT_SOCKETDATA, http);
  curl_multi_setopt (http->multi, CURLMOPT_TIMERFUNCTION, on_timer_changed);
  curl_multi_setopt (http->multi, CURLMOPT_TIMERDATA, http);
  return http;
}

void
pp_http_free (PpHttp *http)
{
  if (http == NULL || http->freed)
    return;
  if (!http->dispatching)
    {
      destroy (http);
      return;
    }
  /* A callback is running. dispatch() calls destroy() when the callback has returned. */
  http->freed = TRUE;
  GHashTableIter iter;
  gpointer key;
  g_hash_table_iter_init (&iter, http->active);
  while (g_hash_table_iter_next (&iter, &key, NULL))
    ((PpHttpCall *)key)->state = PP_HTTP_CALL_CANCELLED;
}

CURL *
pp_http_take_easy (PpHttp *http)
{
  CURL *easy = g_queue_pop_head (&http->spare);

  return easy != NULL ? easy : curl_easy_init ();
}

void
pp_http_return_easy (PpHttp *http, CURL *easy)
{
  if (g_queue_get_length (&http->spare) >= MAX_SPARE)
    {
      curl_easy_cleanup (easy);
      return;
    }
  curl_easy_reset (easy);
  g_queue_push_head (&http->spare, easy);
}

PpHttpCall *
pp_http_send (PpHttp *http, const PpHttpRequest *request, PpHttpDoneFunc done, gpointer user_data)
{
  return pp_http_stream (http, request, NULL, done, user_data);
}

PpHttpCall *
pp_http_stream (PpHttp *http, const PpHttpRequest *request, PpHttpDataFunc on_data,
                PpHttpDoneFunc done, gpointer user_data)
{
  PpHttpCall *call = pp_http_call_new (http, request, on_data, done, user_data);
  g_queue_push_tail (&http->starting, call);
  update_ready_time (http);
  return call;
}

void
pp_http_call_resume (PpHttpCall *call)
{
  if (call->state != PP_HTTP_CALL_ACTIVE || call->resuming)
    return;
  call->resuming = TRUE;
  g_queue_push_tail (&call->http->resuming, call);
  update_ready_time (call->http);
}

void
pp_http_call_cancel (PpHttpCall *call)
{
  if (call == NULL)
    return;
  PpHttp *http = call->http;
  if (call->state == PP_HTTP_CALL_QUEUED || call->state == PP_HTTP_CALL_HELD)
    {
      GQueue *queue = call->state == PP_HTTP_CALL_HELD ? &http->held : &http->starting;
      g_queue_remove (queue, call);
      pp_http_call_free (call);
      http->held_cancelled |= queue == &http->held && g_queue_is_empty (queue);
      update_ready_time (http);
      return;
    }
  if (call->state != PP_HTTP_CALL_ACTIVE)
    return; /* its own callback is running, or it was cancelled before; it is freed later */
  call->state = PP_HTTP_CALL_CANCELLED;
  g_queue_push_tail (&http->cancelled, call);
  update_ready_time (http);
}

void
pp_http_wait_out_shortages (PpHttp *http, PpHttpShortageFunc notify, gpointer user_data)
{
  http->notify = notify;
  http->notify_data = user_data;
}

const char *
pp_http_shortage (const PpHttp *http)
{
  return http->shortage;
}

GHashTable *
pp_http_silent (PpHttp *http)
{
  return http->silent;
}

GHashTable *
pp_http_pems (PpHttp *http)
{
  return http->pems;
}

guint64
pp_http_request_count (const PpHttp *http)
{
  return http->requests;
}
