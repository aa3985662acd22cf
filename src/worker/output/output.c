/* SPDX-License-Identifier: Apache-2.0 */
/* Splits bytes into lines. The rules depend only on the bytes. They do not depend on time, or on
 * the pieces in which the bytes arrive. So reading a log again gives the same records. */
#include "config.h"

#include "output-private.h"

#include "prefect-podman/text/cut.h"
#include "prefect-podman/text/visible.h"

#include <string.h>

/* Lines in the tail are cut to this length, because people read them. */
#define TAIL_LINE_BYTES 2000
/* If a progress bar never ends its line, its text is logged once in every OVERWRITTEN_BYTES. */
#define OVERWRITTEN_BYTES (64 * 1024)
/* The number of digits of the run's id in the prefix. The name alone is not enough: runs may share
 * a name. */
#define PREFIX_ID_DIGITS 8

typedef struct
{
  const char *logger;
  GString
      *partial; /* the visible text of the current line: its bytes after the last carriage return */
  gboolean returned; /* a carriage return came last: new text replaces the field partial */
  gsize overwritten; /* bytes of the line that were replaced since the last record */
} StreamState;

struct PpOutput
{
  char *flow_run_id;
  PpStdout *stream_to;
  PpLogSender *forward_to;
  void (*resume) (gpointer);
  gpointer user_data;
  gboolean waiting_stdout;
  gboolean waiting_log;
  StreamState streams[2]; /* stdout, stderr */
  GQueue tail;            /* of char * */
  guint64 bytes;
  guint64 done; /* bytes that were processed */
  guint64 shown;
  guint64 records;
  guint64 skip_records;
  guint64 skip_shown;
  gsize max_line;
  const PpSecrets *secrets;
  gboolean is_escaped; /* escape control characters for a terminal */
  char *prefix;        /* printed before each line, or NULL */
  GString *line;       /* the line being printed */
};

/* Returns the logger of the lines of ATTEMPT in STREAM ("out"); static. */
static const char *
logger_of (const char *stream, gint64 attempt)
{
  g_autofree char *logger = attempt == 0 ? g_strconcat (PP_OUTPUT_LOGGER, stream, NULL)
                                         : g_strdup_printf ("%s%s.%" G_GINT64_FORMAT,
                                                            PP_OUTPUT_LOGGER, stream, attempt);

  return g_intern_string (logger);
}

void
pp_output_number (PpOutput *output, gint64 attempt)
{
  output->streams[0].logger = logger_of ("out", attempt);
  output->streams[1].logger = logger_of ("err", attempt);
}

gboolean
pp_output_has_logger (const PpOutput *output, const char *logger)
{
  return g_str_equal (logger, output->streams[0].logger)
         || g_str_equal (logger, output->streams[1].logger);
}

PpOutput *
pp_output_new (const char *flow_run_id, PpStdout *stream_to, PpLogSender *forward_to,
               void (*resume) (gpointer), gpointer user_data)
{
  PpOutput *output = g_new0 (PpOutput, 1);

  output->flow_run_id = g_strdup (flow_run_id);
  output->stream_to = stream_to;
  output->forward_to = forward_to;
  output->resume = resume;
  output->user_data = user_data;
  pp_output_number (output, 0);
  output->streams[0].partial = g_string_new (NULL);
  output->streams[1].partial = g_string_new (NULL);
  /* Without a log, the limit only bounds memory. */
  output->max_line = forward_to != NULL ? pp_log_sender_max_message (forward_to) : 64 * 1024;
  output->is_escaped = stream_to != NULL && pp_stdout_is_terminal (stream_to);
  output->line = g_string_new (NULL);
  g_queue_init (&output->tail);
  return output;
}

void
pp_output_free (PpOutput *output)
{
  if (output == NULL)
    return;
  if (output->stream_to != NULL)
    pp_stdout_forget (output->stream_to, output);
  if (output->forward_to != NULL)
    pp_log_sender_forget (output->forward_to, output);
  g_string_free (output->streams[0].partial, TRUE);
  g_string_free (output->streams[1].partial, TRUE);
  while (!g_queue_is_empty (&output->tail))
    g_free (g_queue_pop_head (&output->tail));
  g_string_free (output->line, TRUE);
  g_free (output->prefix);
  g_free (output->flow_run_id);
  g_free (output);
}

void
pp_output_name_lines (PpOutput *output, const char *flow_run_name)
{
  g_autofree char *label = pp_text_label (flow_run_name);

  g_free (output->prefix);
  output->prefix = g_strdup_printf ("%s/%.*s | ", label, PREFIX_ID_DIGITS, output->flow_run_id);
}

void
pp_output_mask (PpOutput *output, const PpSecrets *secrets)
{
  output->secrets = secrets;
}

static void
forward (PpOutput *output, const StreamState *stream, const char *text, gsize length)
{
  do
    {
      gsize piece = pp_log_sender_fitting (output->forward_to, text, length);

      if (output->records++ >= output->skip_records)
        pp_log_sender_add (output->forward_to, output->flow_run_id, stream->logger, TRUE,
                           PP_LOG_INFO, text, piece);
      text += piece;
      length -= piece;
    }
  while (length > 0);
}

static void
keep_in_tail (PpOutput *output, const char *text, gsize length)
{
  if (g_queue_get_length (&output->tail) >= PP_OUTPUT_TAIL_LINES)
    g_free (g_queue_pop_head (&output->tail));
  /* Secrets of blocks are masked later, so none may be cut. */
  g_queue_push_tail (&output->tail,
                     pp_text_cut (text, length, pp_fitting_prefix (text, length, TAIL_LINE_BYTES)));
}

/* Write the line in one call, because the writer drops whole lines. */
static void
show (PpOutput *output, const char *text, gsize length, char ending)
{
  GString *line = output->line;

  if (output->stream_to == NULL)
    return;
  g_string_assign (line, output->prefix != NULL ? output->prefix : "");
  if (output->is_escaped)
    pp_text_append_visible (line, text, length, "\t");
  else
    g_string_append_len (line, text, (gssize)length);
  g_string_append_c (line, ending);
  pp_stdout_write (output->stream_to, line->str, line->len);
}

/* Prints TEXT and ENDING on standard output. If ENDING is a newline, also sends TEXT to the run's
 * log. */
static void
take_text (PpOutput *output, const StreamState *stream, const char *text, gsize length, char ending)
{
  g_autofree char *repaired = NULL;
  g_autofree char *masked = pp_secrets_mask (output->secrets, text, &length);

  if (masked != NULL)
    text = masked;
  if (!g_utf8_validate (text, (gssize)length, NULL))
    {
      repaired = g_utf8_make_valid (text, (gssize)length);
      text = repaired;
      length = strlen (repaired);
    }
  if (output->done > output->skip_shown)
    {
      show (output, text, length, ending);
      output->shown = output->done;
    }
  if (ending != '\n')
    return;
  if (output->forward_to != NULL)
    forward (output, stream, text, length);
  else
    output->records++;
  keep_in_tail (output, text, length);
}

static void
on_log_room (gpointer user_data)
{
  PpOutput *output = user_data;

  output->waiting_log = FALSE;
  output->resume (output->user_data);
}

static void
on_stdout_room (gpointer user_data)
{
  PpOutput *output = user_data;

  output->waiting_stdout = FALSE;
  output->resume (output->user_data);
}

/* True if standard output and the log can take more. If one cannot, registers a call for when it
 * can. */
static gboolean
has_room (PpOutput *output)
{
  if (output->forward_to != NULL
      && !pp_log_sender_has_room (output->forward_to, output->flow_run_id))
    {
      if (!output->waiting_log)
        pp_log_sender_when (output->forward_to, output->flow_run_id, TRUE, on_log_room, output);
      output->waiting_log = TRUE;
      return FALSE;
    }
  if (output->stream_to != NULL && !pp_stdout_has_room (output->stream_to))
    {
      if (!output->waiting_stdout)
        pp_stdout_when_room (output->stream_to, on_stdout_room, output);
      output->waiting_stdout = TRUE;
      return FALSE;
    }
  return TRUE;
}

/* Returns the length of PARTIAL without an incomplete last character. */
static gsize
whole_characters (const GString *partial)
{
  for (gsize back = 1; back < 4 && back < partial->len; back++)
    {
      const char *start = partial->str + partial->len - back;

      if (g_utf8_get_char_validated (start, (gssize)back) == (gunichar)-2)
        return partial->len - back;
    }
  return partial->len;
}

/* Returns where to cut a line that exceeds the limit: not inside a character or a secret. */
static gsize
place_to_cut (const PpOutput *output, const GString *partial)
{
  gsize whole = whole_characters (partial);
  gsize safe = pp_secrets_safe_length (output->secrets, partial->str, whole);

  return safe > 0 ? safe : whole;
}

static void
end_line (PpOutput *output, StreamState *stream)
{
  take_text (output, stream, stream->partial->str, stream->partial->len, '\n');
  g_string_truncate (stream->partial, 0);
  stream->returned = FALSE;
  stream->overwritten = 0;
}

/* Replaces the current line when text follows a carriage return, as a terminal does. Most states of
 * a progress bar are not logged. */
static void
overwrite (PpOutput *output, StreamState *stream)
{
  gboolean is_told = stream->overwritten + stream->partial->len > OVERWRITTEN_BYTES;

  stream->returned = FALSE;
  if (stream->partial->len == 0)
    return;
  stream->overwritten = is_told ? 0 : stream->overwritten + stream->partial->len;
  take_text (output, stream, stream->partial->str, stream->partial->len, is_told ? '\n' : '\r');
  g_string_truncate (stream->partial, 0);
}

/* Takes text without newlines and carriage returns. */
static void
add_text (PpOutput *output, StreamState *stream, const char *text, gsize length)
{
  if (length > 0 && stream->returned)
    overwrite (output, stream);
  while (length > 0)
    {
      gsize piece = MIN (length, output->max_line - stream->partial->len);

      if (piece == 0)
        {
          gsize cut = place_to_cut (output, stream->partial);

          take_text (output, stream, stream->partial->str, cut, '\n');
          g_string_erase (stream->partial, 0, (gssize)cut);
          continue;
        }
      g_string_append_len (stream->partial, text, (gssize)piece);
      text += piece;
      length -= piece;
    }
}

/* Takes a piece of a line without its newline. */
static void
add_line_piece (PpOutput *output, StreamState *stream, const char *text, gsize length)
{
  while (length > 0)
    {
      const char *at = memchr (text, '\r', length);
      gsize piece = at != NULL ? (gsize)(at - text) : length;

      add_text (output, stream, text, piece);
      if (at == NULL)
        return;
      stream->returned = TRUE;
      text += piece + 1;
      length -= piece + 1;
    }
}

gboolean
pp_output_take (PpOutput *output, PpStream stream_id, const char *data, gsize length)
{
  StreamState *stream = &output->streams[stream_id == PP_STREAM_STDERR];

  if (!has_room (output))
    return FALSE;
  output->bytes += length;
  while (length > 0)
    {
      const char *newline = memchr (data, '\n', length);
      gsize piece = newline != NULL ? (gsize)(newline - data) : length;

      output->done += piece + (newline != NULL ? 1 : 0);
      add_line_piece (output, stream, data, piece);
      if (newline == NULL)
        break;
      end_line (output, stream);
      data += piece + 1;
      length -= piece + 1;
    }
  return TRUE;
}

void
pp_output_finish (PpOutput *output)
{
  for (guint i = 0; i < G_N_ELEMENTS (output->streams); i++)
    if (output->streams[i].partial->len > 0)
      end_line (output, &output->streams[i]);
}

void
pp_output_skip (PpOutput *output, guint64 records, guint64 shown)
{
  output->skip_records = records;
  output->skip_shown = shown;
}

void
pp_output_count_from (PpOutput *output, guint64 records, guint64 bytes)
{
  output->records = records;
  output->bytes = bytes;
  output->done = bytes;
}

guint64
pp_output_records (const PpOutput *output)
{
  return output->records;
}

gboolean
pp_output_is_between_lines (const PpOutput *output)
{
  for (guint i = 0; i < G_N_ELEMENTS (output->streams); i++)
    {
      const StreamState *stream = &output->streams[i];

      if (stream->partial->len > 0 || stream->returned || stream->overwritten > 0)
        return FALSE;
    }
  return TRUE;
}

guint64
pp_output_shown (const PpOutput *output)
{
  return output->shown;
}

guint64
pp_output_bytes (const PpOutput *output)
{
  return output->bytes;
}

gboolean
pp_output_is_forwarded (const PpOutput *output)
{
  return output->forward_to != NULL;
}

char *
pp_output_tail (const PpOutput *output, guint max_lines)
{
  GString *text = g_string_new (NULL);
  guint length = g_queue_get_length ((GQueue *)&output->tail);
  guint skip = length > max_lines ? length - max_lines : 0;

  for (GList *link = g_queue_peek_nth_link ((GQueue *)&output->tail, skip); link != NULL;
       link = link->next)
    {
      g_string_append (text, link->data);
      if (link->next != NULL)
        g_string_append_c (text, '\n');
    }
  return g_string_free (text, FALSE);
}
