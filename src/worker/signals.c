/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "signals-private.h"

#include <errno.h>
#include <glib-unix.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

struct PpSignals
{
  int fd;
  guint source;
  sigset_t ignored;
  PpSignalFunc func;
  gpointer user_data;
};

static const struct
{
  int number;
  const char *name;
} ending[] = {
  { SIGTERM, "SIGTERM" }, { SIGINT, "SIGINT" }, { SIGQUIT, "SIGQUIT" }, { SIGHUP, "SIGHUP" }
};

const char *
pp_signal_name (int number)
{
  for (gsize i = 0; i < G_N_ELEMENTS (ending); i++)
    if (ending[i].number == number)
      return ending[i].name;
  return "signal";
}

static gboolean
is_ignored (int number)
{
  struct sigaction action;

  return sigaction (number, NULL, &action) == 0 && (action.sa_flags & SA_SIGINFO) == 0
         && action.sa_handler == SIG_IGN;
}

static gboolean
on_readable (gint fd, GIOCondition condition, gpointer user_data)
{
  const PpSignals *signals = user_data;
  struct signalfd_siginfo info;

  (void)condition;
  if (read (fd, &info, sizeof info) == sizeof info)
    signals->func ((int)info.ssi_signo, signals->user_data);
  return G_SOURCE_CONTINUE;
}

PpSignals *
pp_signals_new (PpSignalFunc func, gpointer user_data)
{
  PpSignals *signals = g_new0 (PpSignals, 1);
  sigset_t handled;

  signals->func = func;
  signals->user_data = user_data;
  sigemptyset (&handled);
  sigemptyset (&signals->ignored);
  for (gsize i = 0; i < G_N_ELEMENTS (ending); i++)
    sigaddset (is_ignored (ending[i].number) ? &signals->ignored : &handled, ending[i].number);
  sigprocmask (SIG_BLOCK, &handled, NULL);
  /* Use signalfd because GLib's signal sources do not support SIGQUIT. */
  signals->fd = signalfd (-1, &handled, SFD_NONBLOCK | SFD_CLOEXEC);
  if (signals->fd >= 0)
    signals->source = g_unix_fd_add (signals->fd, G_IO_IN, on_readable, signals);
  else
    {
      /* Unblock them: without a signalfd, a blocked signal would never arrive. */
      g_warning ("Could not create a signalfd: %s. A signal will end the worker at once",
                 g_strerror (errno));
      sigprocmask (SIG_UNBLOCK, &handled, NULL);
    }
  return signals;
}

void
pp_signals_say_ignored (const PpSignals *signals)
{
  g_autoptr (GString) names = g_string_new (NULL);

  for (gsize i = 0; i < G_N_ELEMENTS (ending); i++)
    if (sigismember (&signals->ignored, ending[i].number) == 1)
      g_string_append_printf (names, "%s%s", names->len > 0 ? ", " : "", ending[i].name);
  if (sigismember (&signals->ignored, SIGTERM) == 1)
    g_warning ("This worker ignores these signals, because the program that started it ignores "
               "them: %s. SIGTERM does not end this worker; SIGKILL does",
               names->str);
  else if (names->len > 0)
    g_info (
        "This worker ignores these signals, because the program that started it ignores them: %s",
        names->str);
}

gboolean
pp_signals_are_pending (void)
{
  sigset_t pending;

  if (sigpending (&pending) != 0)
    return FALSE;
  for (gsize i = 0; i < G_N_ELEMENTS (ending); i++)
    if (sigismember (&pending, ending[i].number) == 1 && !is_ignored (ending[i].number))
      return TRUE;
  return FALSE;
}

void
pp_signals_free (PpSignals *signals)
{
  if (signals == NULL)
    return;
  g_clear_handle_id (&signals->source, g_source_remove);
  if (signals->fd >= 0)
    close (signals->fd);
  g_free (signals);
}
