/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "log_thread-private.h"

#include "prefect-podman/files/thread.h"

#include <errno.h>
#include <glib-unix.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#define STACK_BYTES ((size_t)256 * 1024)
/* The longest wait for a disk at exit. */
#define FREE_WAIT_US (2 * G_USEC_PER_SEC)
/* The most news to deliver before returning to the main loop. */
#define NEWS_A_TURN 4

typedef enum
{
  OPEN,
  ASK,
  CLOSE,
  QUIT
} Action;

typedef struct
{
  Action action;
  guint64 id;
  guint request;
  char *root;
  char *folder;
} Command;

/* A log; used by the thread only. */
typedef struct
{
  guint64 id;
  PpLogTail *tail;
  char *folder;
  guint request;
  gboolean is_asked; /* a piece was requested */
  gboolean is_ready; /* there may be a piece */
} Log;

struct PpLogThread
{
  PpLogNewsFunc on_news;
  gpointer user_data;
  guint news_source;
  pthread_t thread;
  int inotify;
  int wake; /* eventfd: there are commands */
  int done; /* eventfd: there is news */
  GAsyncQueue *commands;
  GAsyncQueue *news;
  GMutex mutex; /* protects the next four fields */
  GCond ended_cond;
  gboolean ended;
  char *busy_with; /* folder of a log, or NULL */
  gint64 busy_since;
  /* Used by the thread only: */
  GHashTable *by_id;    /* Log.id -> Log */
  GHashTable *by_watch; /* inotify watch -> Log, borrowed */
};

static void
command_free (Command *command)
{
  g_free (command->root);
  g_free (command->folder);
  g_free (command);
}

void
pp_log_news_free (PpLogNews *news)
{
  if (news == NULL)
    return;
  g_clear_error (&news->refusal);
  pp_log_piece_free (news->piece);
  g_free (news);
}

static void
signal_event (int fd)
{
  const guint64 one = 1;

  while (write (fd, &one, sizeof one) < 0 && errno == EINTR)
    ;
}

static void
clear_event (int fd)
{
  guint64 count;

  while (read (fd, &count, sizeof count) < 0 && errno == EINTR)
    ;
}

/* ---- The thread ---- */

static void
set_busy (PpLogThread *thread, const char *folder)
{
  g_mutex_lock (&thread->mutex);
  g_free (thread->busy_with);
  thread->busy_with = g_strdup (folder);
  thread->busy_since = g_get_monotonic_time ();
  g_mutex_unlock (&thread->mutex);
}

static void
tell (PpLogThread *thread, PpLogNews *news)
{
  g_async_queue_push (thread->news, news);
  signal_event (thread->done);
}

static void
log_free (gpointer data)
{
  Log *log = data;

  pp_log_tail_free (log->tail);
  g_free (log->folder);
  g_free (log);
}

static void
open_log (PpLogThread *thread, Command *command)
{
  PpLogNews *news = g_new0 (PpLogNews, 1);
  Log *log = g_new0 (Log, 1);

  news->id = log->id = command->id;
  log->folder = g_steal_pointer (&command->folder);
  set_busy (thread, log->folder);
  log->tail = pp_log_tail_open (command->root, log->folder, thread->inotify, &news->refusal);
  set_busy (thread, NULL);
  news->is_open = log->tail != NULL;
  news->is_late = log->tail != NULL && pp_log_tail_begins_late (log->tail);
  if (log->tail == NULL)
    log_free (log);
  else
    {
      g_hash_table_insert (thread->by_watch, GINT_TO_POINTER (pp_log_tail_watch (log->tail)), log);
      g_hash_table_insert (thread->by_id, &log->id, log);
    }
  tell (thread, news);
}

static void
close_log (PpLogThread *thread, guint64 id)
{
  Log *log = g_hash_table_lookup (thread->by_id, &id);

  if (log == NULL)
    return;
  set_busy (thread, log->folder);
  g_hash_table_remove (thread->by_watch, GINT_TO_POINTER (pp_log_tail_watch (log->tail)));
  g_hash_table_remove (thread->by_id, &id);
  set_busy (thread, NULL);
}

static void
ask_log (const PpLogThread *thread, guint64 id, guint request)
{
  Log *log = g_hash_table_lookup (thread->by_id, &id);

  if (log == NULL)
    return;
  log->request = request;
  log->is_asked = TRUE;
  log->is_ready = TRUE;
}

/* Runs the queued commands. Returns FALSE if the thread must end. */
static gboolean
obey (PpLogThread *thread)
{
  Command *command;

  while ((command = g_async_queue_try_pop (thread->commands)) != NULL)
    {
      gboolean quits = command->action == QUIT;

      if (command->action == OPEN)
        open_log (thread, command);
      else if (command->action == ASK)
        ask_log (thread, command->id, command->request);
      else if (command->action == CLOSE)
        close_log (thread, command->id);
      command_free (command);
      if (quits)
        return FALSE;
    }
  return TRUE;
}

static void
on_inotify_event (PpLogThread *thread, const struct inotify_event *event)
{
  Log *log = g_hash_table_lookup (thread->by_watch, GINT_TO_POINTER (event->wd));
  GHashTableIter iter;
  gpointer one;

  if (log != NULL && event->len > 0 && g_str_has_prefix (event->name, PP_LOG_NAME))
    {
      log->is_ready = TRUE;
      if ((event->mask & (IN_CREATE | IN_MOVED_TO)) != 0)
        {
          set_busy (thread, log->folder);
          pp_log_tail_look (log->tail, (event->mask & IN_MOVED_TO) != 0
                                           && strcmp (event->name, PP_LOG_NAME) == 0);
          set_busy (thread, NULL);
        }
    }
  if ((event->mask & IN_Q_OVERFLOW) == 0)
    return;
  g_hash_table_iter_init (&iter, thread->by_id);
  while (g_hash_table_iter_next (&iter, NULL, &one))
    ((Log *)one)->is_ready = TRUE;
}

/* Handles all pending events. When the thread then reads the end of a log, it knows every file that
 * was moved to the log's name before. */
static void
read_inotify (PpLogThread *thread)
{
  char buffer[4096] __attribute__ ((aligned (__alignof__(struct inotify_event))));
  ssize_t count;

  while ((count = read (thread->inotify, buffer, sizeof buffer)) > 0)
    for (ssize_t position = 0; position < count;)
      {
        const struct inotify_event *event
            = (const struct inotify_event *)(const void *)(buffer + position);

        on_inotify_event (thread, event);
        position += (ssize_t)(sizeof *event + event->len);
      }
}

/* True if a log with a request may have a piece. The caller must then not wait in poll(). The event
 * of such a log may be gone already: before each read, read_pieces() takes the events of all logs,
 * also of a log that it has just read. */
static gboolean
has_pieces (const PpLogThread *thread)
{
  GHashTableIter iter;
  gpointer one;

  g_hash_table_iter_init (&iter, thread->by_id);
  while (g_hash_table_iter_next (&iter, NULL, &one))
    if (((const Log *)one)->is_asked && ((const Log *)one)->is_ready)
      return TRUE;
  return FALSE;
}

/* Reads the next piece of each log with a request. Checks for new files before each read. */
static void
read_pieces (PpLogThread *thread)
{
  g_autoptr (GList) logs = g_hash_table_get_values (thread->by_id);

  for (GList *link = logs; link != NULL; link = link->next)
    {
      Log *log = link->data;
      PpLogNews *news;

      if (!log->is_asked || !log->is_ready)
        continue;
      read_inotify (thread);
      news = g_new0 (PpLogNews, 1);
      news->id = log->id;
      news->request = log->request;
      set_busy (thread, log->folder);
      news->piece = pp_log_tail_read (log->tail);
      set_busy (thread, NULL);
      log->is_ready = FALSE;
      log->is_asked = news->piece->kind == PP_LOG_TAIL_END;
      tell (thread, news);
    }
}

static void *
run (void *data)
{
  PpLogThread *thread = data;
  struct pollfd fds[]
      = { { .fd = thread->inotify, .events = POLLIN }, { .fd = thread->wake, .events = POLLIN } };

  while (obey (thread))
    {
      read_inotify (thread);
      read_pieces (thread);
      poll (fds, G_N_ELEMENTS (fds), has_pieces (thread) ? 0 : -1);
      if ((fds[1].revents & POLLIN) != 0)
        clear_event (thread->wake);
    }
  g_hash_table_remove_all (thread->by_watch);
  g_hash_table_remove_all (thread->by_id);
  g_mutex_lock (&thread->mutex);
  thread->ended = TRUE;
  g_cond_signal (&thread->ended_cond);
  g_mutex_unlock (&thread->mutex);
  return NULL;
}

/* ---- The main loop ---- */

static gboolean
on_news (gint fd, GIOCondition condition G_GNUC_UNUSED, gpointer user_data)
{
  PpLogThread *thread = user_data;
  PpLogNews *news;

  for (guint i = 0; i < NEWS_A_TURN; i++)
    {
      news = g_async_queue_try_pop (thread->news);
      if (news == NULL)
        {
          clear_event (fd);
          break;
        }
      thread->on_news (news, thread->user_data);
    }
  /* News may have arrived before clear_event(). */
  if (g_async_queue_length (thread->news) > 0)
    signal_event (fd);
  return G_SOURCE_CONTINUE;
}

static gboolean
start (PpLogThread *thread)
{
  errno = pp_file_thread_start (run, thread, STACK_BYTES, &thread->thread);
  return errno == 0;
}

static void
release (PpLogThread *thread)
{
  g_async_queue_unref (thread->commands);
  g_async_queue_unref (thread->news);
  g_hash_table_unref (thread->by_id);
  g_hash_table_unref (thread->by_watch);
  g_mutex_clear (&thread->mutex);
  g_cond_clear (&thread->ended_cond);
  g_free (thread->busy_with);
  if (thread->inotify >= 0)
    close (thread->inotify);
  if (thread->wake >= 0)
    close (thread->wake);
  if (thread->done >= 0)
    close (thread->done);
  g_free (thread);
}

PpLogThread *
pp_log_thread_new (PpLogNewsFunc on_news_func, gpointer user_data)
{
  PpLogThread *thread = g_new0 (PpLogThread, 1);

  thread->on_news = on_news_func;
  thread->user_data = user_data;
  thread->commands = g_async_queue_new_full ((GDestroyNotify)command_free);
  thread->news = g_async_queue_new_full ((GDestroyNotify)pp_log_news_free);
  thread->by_id = g_hash_table_new_full (g_int64_hash, g_int64_equal, NULL, log_free);
  thread->by_watch = g_hash_table_new (NULL, NULL);
  g_mutex_init (&thread->mutex);
  g_cond_init (&thread->ended_cond);
  thread->inotify = inotify_init1 (IN_NONBLOCK | IN_CLOEXEC);
  thread->wake = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  thread->done = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (thread->inotify < 0 || thread->wake < 0 || thread->done < 0 || !start (thread))
    {
      int failed = errno;

      release (thread);
      errno = failed;
      return NULL;
    }
  thread->news_source = g_unix_fd_add (thread->done, G_IO_IN, on_news, thread);
  return thread;
}

static void
command (PpLogThread *thread, Action action, guint64 id, guint request, const char *root,
         const char *folder)
{
  Command *made = g_new0 (Command, 1);

  made->action = action;
  made->id = id;
  made->request = request;
  made->root = g_strdup (root);
  made->folder = g_strdup (folder);
  g_async_queue_push (thread->commands, made);
  signal_event (thread->wake);
}

void
pp_log_thread_open (PpLogThread *thread, guint64 id, const char *root, const char *folder)
{
  command (thread, OPEN, id, 0, root, folder);
}

void
pp_log_thread_ask (PpLogThread *thread, guint64 id, guint request)
{
  command (thread, ASK, id, request, NULL, NULL);
}

void
pp_log_thread_close (PpLogThread *thread, guint64 id)
{
  command (thread, CLOSE, id, 0, NULL, NULL);
}

char *
pp_log_thread_hangs (PpLogThread *thread, guint seconds)
{
  char *folder = NULL;

  g_mutex_lock (&thread->mutex);
  if (thread->busy_with != NULL
      && g_get_monotonic_time () - thread->busy_since > (gint64)seconds * G_USEC_PER_SEC)
    folder = g_strdup (thread->busy_with);
  g_mutex_unlock (&thread->mutex);
  return folder;
}

void
pp_log_thread_free (PpLogThread *thread)
{
  gint64 deadline = g_get_monotonic_time () + FREE_WAIT_US;
  gboolean ended;

  if (thread == NULL)
    return;
  g_source_remove (thread->news_source);
  command (thread, QUIT, 0, 0, NULL, NULL);
  g_mutex_lock (&thread->mutex);
  while (!thread->ended && g_cond_wait_until (&thread->ended_cond, &thread->mutex, deadline))
    ;
  ended = thread->ended;
  g_mutex_unlock (&thread->mutex);
  if (!ended)
    {
      pthread_detach (thread->thread);
      return;
    }
  pthread_join (thread->thread, NULL);
  release (thread);
}
