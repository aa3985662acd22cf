/* SPDX-License-Identifier: Apache-2.0 */
/* A thread starts the helper and waits for its answer, because starting a program blocks if its
 * disk hangs. */
#include "config.h"

#include "credential_helper-private.h"

#include "prefect-podman/files/thread.h"
#include "prefect-podman/json.h"

#include "spec_parts-private.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_ANSWER_BYTES ((gsize)64 * 1024)
/* The longest registry name that is sent. A pipe takes it without blocking. */
#define MAX_REGISTRY_BYTES 1024
#define POLL_MS 50
#define STACK_BYTES ((gsize)256 * 1024)
/* docker/auth.py TOKEN_USERNAME */
#define TOKEN_USERNAME "<token>"

/* Shared by the main loop and the thread; each holds a reference. */
struct PpCredentialHelper
{
  gint references;
  char *name; /* docker-credential-NAME */
  char *registry;
  char *path;
  char **environment;
  guint seconds;

  PpCredentialFunc func; /* used by the main loop; NULL after the call or a cancellation */
  gpointer user_data;
  guint timer;

  char *auth; /* until the thread ends, only the thread uses the fields auth and trouble */
  char *trouble;
};

/* Drops COUNT references. */
static void
unref (PpCredentialHelper *helper, gint count)
{
  if (g_atomic_int_add (&helper->references, -count) > count)
    return;
  g_free (helper->name);
  g_free (helper->registry);
  g_free (helper->path);
  g_strfreev (helper->environment);
  g_free (helper->auth);
  g_free (helper->trouble);
  g_free (helper);
}

static void
set_trouble (PpCredentialHelper *helper, const char *why)
{
  g_free (helper->trouble);
  helper->trouble
      = g_strdup_printf ("The credential helper %s, named in %s, gave no credentials for %s: %s.",
                         helper->name, helper->path, helper->registry, why);
}

/* Runs in the child. Resets signals to their defaults. Starts a session, so that the whole group
 * can be killed, and Ctrl-C in the terminal does not reach the group. Makes the kernel kill the
 * child if the thread that started it ends first, for example because this process ends. */
static void
set_up_child (gpointer user_data G_GNUC_UNUSED)
{
  sigset_t none;

  setsid ();
  prctl (PR_SET_PDEATHSIG, SIGKILL);
  signal (SIGCHLD, SIG_DFL);
  signal (SIGPIPE, SIG_DFL);
  signal (SIGXFSZ, SIG_DFL);
  sigemptyset (&none);
  sigprocmask (SIG_SETMASK, &none, NULL);
}

/* Appends available data of FD to ANSWER, waiting up to POLL_MS. Returns FALSE at the end of FD or
 * if ANSWER is too long. */
static gboolean
read_some (int fd, GByteArray *answer)
{
  struct pollfd waited = { .fd = fd, .events = POLLIN };
  guint8 piece[4096];

  if (poll (&waited, 1, POLL_MS) <= 0)
    return TRUE;
  ssize_t count = read (fd, piece, sizeof piece);
  if (count < 0)
    return errno == EINTR;
  g_byte_array_append (answer, piece, (guint)count);
  memset (piece, 0, sizeof piece);
  return count > 0 && answer->len <= MAX_ANSWER_BYTES;
}

/* Reads the answer of PID from FD until PID has ended, even if another process keeps the pipe open.
 * Returns the wait status, or -1 if this function has killed the helper. */
static int
wait_for (pid_t pid, int fd, guint seconds, GByteArray *answer)
{
  gint64 deadline = g_get_monotonic_time () + seconds * G_TIME_SPAN_SECOND;
  gboolean is_open = TRUE;
  int status;

  for (;;)
    {
      guint before;
      /* After the process has ended, read what is left in the pipe. */
      gboolean has_ended = waitpid (pid, &status, WNOHANG) == pid;

      do
        {
          before = answer->len;
          is_open = is_open && read_some (fd, answer);
        }
      while (has_ended && is_open && answer->len > before);
      if (has_ended)
        return status;
      if (g_get_monotonic_time () > deadline || answer->len > MAX_ANSWER_BYTES)
        break;
      if (!is_open)
        g_usleep (POLL_MS * 1000);
    }
  kill (-pid, SIGKILL);
  waitpid (pid, &status, 0);
  return -1;
}

/* Sets HELPER->auth or HELPER->trouble from TEXT, the helper's answer. */
static void
take_answer (PpCredentialHelper *helper, const char *text, gsize length)
{
  json_auto_t *json = pp_json_parse (text, length, 0, NULL);
  const char *user = pp_json_string (json, "Username");
  const char *secret = pp_json_string (json, "Secret");

  if (user == NULL || secret == NULL)
    {
      set_trouble (helper, "its answer is not a JSON object with Username and Secret");
      return;
    }
  if (*user == '\0' && *secret == '\0')
    return;
  json_auto_t *auth
      = g_str_equal (user, TOKEN_USERNAME)
            ? json_pack ("{s:s, s:s}", "identitytoken", secret, "serveraddress", helper->registry)
            : json_pack ("{s:s, s:s, s:s}", "username", user, "password", secret, "serveraddress",
                         helper->registry);
  helper->auth = pp_registry_auth_encode (auth);
}

static void
take_end (PpCredentialHelper *helper, int status, GByteArray *answer)
{
  g_autofree char *why = NULL;

  g_byte_array_append (answer, (const guint8 *)"", 1);
  if (status == 0)
    take_answer (helper, (const char *)answer->data, answer->len - 1);
  else if (status == -1)
    why = g_strdup_printf ("it did not end within %u s, or its answer was too long",
                           helper->seconds);
  /* A helper without the credentials writes this text (docker-credential-helpers,
   * credentials/error.go). That is not a failure. */
  else if (strstr ((const char *)answer->data, "credentials not found") == NULL)
    why = WIFEXITED (status) ? g_strdup_printf ("exit status %d", WEXITSTATUS (status))
                             : g_strdup_printf ("killed by signal %d", WTERMSIG (status));
  if (why != NULL)
    set_trouble (helper, why);
}

static gboolean
on_end (gpointer user_data)
{
  PpCredentialHelper *helper = user_data;
  PpCredentialFunc func = helper->func;

  if (func != NULL)
    {
      helper->func = NULL;
      g_clear_handle_id (&helper->timer, g_source_remove);
      func (helper->auth, helper->trouble, helper->user_data);
    }
  unref (helper, func != NULL ? 2 : 1);
  return G_SOURCE_REMOVE;
}

static void *
ask_in_thread (void *data)
{
  PpCredentialHelper *helper = data;
  char *argv[] = { helper->name, (char *)"get", NULL };
  g_autoptr (GByteArray) answer = g_byte_array_new ();
  g_autoptr (GError) error = NULL;
  GPid pid;
  int in, out;

  if (!g_spawn_async_with_pipes (NULL, argv, helper->environment,
                                 G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD
                                     | G_SPAWN_STDERR_TO_DEV_NULL,
                                 set_up_child, NULL, &pid, &in, &out, NULL, &error))
    set_trouble (helper, error->message);
  else
    {
      /* A helper that ignores its input may still answer. */
      if (write (in, helper->registry, strlen (helper->registry)) < 0)
        g_debug ("%s does not read its input: %s", helper->name, g_strerror (errno));
      close (in);
      int status = wait_for (pid, out, helper->seconds, answer);
      close (out);
      take_end (helper, status, answer);
      memset (answer->data, 0, answer->len);
    }
  g_idle_add_full (G_PRIORITY_DEFAULT, on_end, helper, NULL);
  return NULL;
}

/* Called if the thread hangs, or at once if no thread was started. A thread that hangs frees HELPER
 * if it ever returns. */
static gboolean
on_deadline (gpointer user_data)
{
  PpCredentialHelper *helper = user_data;
  PpCredentialFunc func = helper->func;
  g_autofree char *trouble
      = g_strdup_printf ("The credential helper %s, named in %s, gave no credentials for %s: it "
                         "could not be asked, or it hangs.",
                         helper->name, helper->path, helper->registry);

  helper->timer = 0;
  helper->func = NULL;
  func (NULL, trouble, helper->user_data);
  unref (helper, 1);
  return G_SOURCE_REMOVE;
}

/* Returns this process's environment without Prefect's settings, which hold secrets; new array.
 * Settings may be in small letters, as in Prefect. */
static char **
helper_environment (void)
{
  char **environment = g_get_environ ();
  guint kept = 0;

  for (guint i = 0; environment[i] != NULL; i++)
    if (g_ascii_strncasecmp (environment[i], "PREFECT_", strlen ("PREFECT_")) == 0)
      g_free (environment[i]);
    else
      environment[kept++] = environment[i];
  environment[kept] = NULL;
  return environment;
}

PpCredentialHelper *
pp_credential_helper_ask (const char *name, const char *registry, const char *path, guint seconds,
                          PpCredentialFunc func, gpointer user_data)
{
  PpCredentialHelper *helper = g_new0 (PpCredentialHelper, 1);
  gboolean is_asked = strchr (name, '/') == NULL && strlen (registry) <= MAX_REGISTRY_BYTES;

  helper->references = 2;
  helper->name = g_strconcat ("docker-credential-", name, NULL);
  helper->registry = g_strdup (registry);
  helper->path = g_strdup (path);
  helper->environment = helper_environment ();
  helper->seconds = seconds;
  helper->func = func;
  helper->user_data = user_data;
  is_asked = is_asked && pp_file_thread_start (ask_in_thread, helper, STACK_BYTES, NULL) == 0;
  if (!is_asked)
    helper->references = 1;
  helper->timer = g_timeout_add (is_asked ? (seconds + 2) * 1000 : 0, on_deadline, helper);
  return helper;
}

void
pp_credential_helper_cancel (PpCredentialHelper *helper)
{
  if (helper == NULL)
    return;
  helper->func = NULL;
  g_clear_handle_id (&helper->timer, g_source_remove);
  unref (helper, 1);
}
