/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "exit_status-private.h"

#include "prefect-podman/text/cut.h"

#include <signal.h>
#include <string.h>

/* Shells and engines report "ended by signal N" as status 128 + N. */
#define SIGNAL_BASE 128
/* The most bytes of output in a state's message. The run's log has more. */
#define MESSAGE_TAIL_BYTES 1500

typedef struct
{
  gint64 exit_code;
  const char *explanation;
  const char *advice;
} ExitCode;

static const ExitCode exit_codes[] = {
  { 1, "Process exited with a general error.", "Look for an exception in the flow run's log." },
  { 125, "Container failed to run (Docker/OCI exit code 125).",
    "Check that the image exists, that its entrypoint is right, and that the engine works." },
  { 126, "Command found but not executable (permission denied).",
    "Check that the command's file in the image has its executable bit set." },
  { 127, "Command not found.",
    "Check that the command is installed in the image and on its PATH." },
  { 137, "Process was killed, likely due to an out-of-memory (OOM) condition.",
    "Give the run more memory (mem_limit), or find out what killed it." },
  { 143,
    "Process received SIGTERM via the container runtime. This is the containerized equivalent of "
    "exit code -15.",
    "If nobody cancelled the run, find out what stopped the container (a shutdown of the host, "
    "`podman stop`)." },
  { 247, "Process was terminated due to high memory usage.",
    "Give the run more memory (mem_limit)." },
};

void
pp_job_end_note_boot (PpJobEnd *end, const PpJobStatus *status, gint64 booted_at)
{
  end->host_restarted = TRUE;
  if (!status->is_running && status->end_is_guessed && status->started_at > 0
      && status->started_at < booted_at && status->ended_at >= booted_at)
    end->never_ended = TRUE;
}

const char *
pp_exit_code_explain (gint64 exit_code, const char **advice)
{
  for (gsize i = 0; i < G_N_ELEMENTS (exit_codes); i++)
    if (exit_codes[i].exit_code == exit_code)
      {
        if (advice != NULL)
          *advice = exit_codes[i].advice;
        return exit_codes[i].explanation;
      }
  if (advice != NULL)
    *advice = "Look at the flow run's log and at the engine's log.";
  return "Process exited with an unexpected status code.";
}

/* Returns the name of a signal that came from outside, or NULL. A signal that the program caused
 * itself (SIGSEGV, SIGABRT, ...) counts as its failure. */
static const char *
outside_signal (gint64 exit_code)
{
  switch (exit_code - SIGNAL_BASE)
    {
    case SIGHUP:
      return "SIGHUP";
    case SIGINT:
      return "SIGINT";
    case SIGQUIT:
      return "SIGQUIT";
    case SIGKILL:
      return "SIGKILL";
    case SIGTERM:
      return "SIGTERM";
    default:
      return NULL;
    }
}

#define BEFORE_LINES " Its last lines:\n"

char *
pp_job_end_without_lines (const char *message)
{
  const char *lines = strstr (message, BEFORE_LINES);

  return lines != NULL ? g_strndup (message, (gsize)(lines - message)) : NULL;
}

static char *
with_last_lines (const char *text, const char *tail)
{
  const char *start = tail;

  if (strlen (tail) > MESSAGE_TAIL_BYTES)
    {
      const char *newline = strchr (tail + strlen (tail) - MESSAGE_TAIL_BYTES, '\n');

      /* The secrets in the text are masked later, so do not cut a secret in two. */
      start = newline != NULL ? newline + 1 : pp_text_last_words (tail, MESSAGE_TAIL_BYTES);
    }
  if (*start == '\0')
    return g_strdup (text);
  return g_strconcat (text, BEFORE_LINES, start, NULL);
}

char *
pp_job_end_explain_memory (const PpJobEnd *end, const PpKindWords *words)
{
  if (!end->oom_killed)
    return NULL;
  if (end->memory_limit > 0)
    return g_strdup_printf ("the %s's memory limit is %" G_GINT64_FORMAT
                            " bytes. Give the run more with the job variable mem_limit.",
                            words->job, end->memory_limit);
  return g_strdup_printf (
      "the %s has no memory limit of its own. Look in `dmesg` or `journalctl -k` for the limit "
      "that was reached, or for the process that used up the host's memory.",
      words->job);
}

/* OOMKilled means that the kernel killed some process in the container. The engine reports the
 * status of the container's main process. That process was killed for lack of memory only if
 * SIGKILL ended it. */
static char *
describe_end (const PpJobEnd *end, const PpKindWords *words, const char *signal_name)
{
  const char *separator = end->error != NULL ? ": " : "";
  const char *error = end->error != NULL ? end->error : "";

  if (end->oom_killed && end->exit_code == SIGNAL_BASE + SIGKILL)
    return g_strdup_printf (
        "%s was killed for lack of memory (OOMKilled, exit status %" G_GINT64_FORMAT ")%s%s:",
        words->first_job, end->exit_code, separator, error);
  if (signal_name != NULL)
    return g_strdup_printf (
        "%s was ended by a signal from outside: %s (exit status %" G_GINT64_FORMAT ")%s%s.",
        words->first_job, signal_name, end->exit_code, separator, error);
  return g_strdup_printf ("%s exited with status %" G_GINT64_FORMAT ".", words->first_job,
                          end->exit_code);
}

const char *
pp_job_end_to_state (const PpJobEnd *end, const PpKindWords *words, const char *tail,
                     char **message)
{
  g_autofree char *memory = pp_job_end_explain_memory (end, words);
  const char *signal_name = outside_signal (end->exit_code);

  *message = NULL;
  if (end->exit_code == 0)
    return "COMPLETED";
  g_autofree char *described = describe_end (end, words, signal_name);
  g_autoptr (GString) text = g_string_new (described);
  if (memory != NULL && !g_str_has_suffix (described, ":"))
    g_string_append (text, " A process in it was killed for lack of memory (OOMKilled):");
  if (memory != NULL)
    g_string_append_printf (text, " %s", memory);
  *message = signal_name != NULL ? g_strdup (text->str) : with_last_lines (text->str, tail);
  return signal_name != NULL ? "CRASHED" : "FAILED";
}
