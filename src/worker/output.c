#include "prefect-podman/worker/output.h"

#include <string.h>

/* A line in the tail is cut to this: fifty of them are for a human's eye. */
#define TAIL_LINE_BYTES 2000

typedef struct
{
  const char *logger;
  GString *partial; /* bytes after the last newline */
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
  gsize max_line;
};

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
  output->streams[0].logger = "prefect.flow_runs.stdout";
  output->streams[1].logger = "prefect.flow_runs.stderr";
  output->streams[0].partial = g_string_new (NULL);
  output->streams[1].partial = g_string_new (NULL);
  /* Without a log to forward to, a line is only shown: the bound is one of memory. */
  output->max_line = forward_to != NULL ? pp_log_sender_max_message (forward_to) : 64 * 1024;
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
  g_free (output->flow_run_id);
  g_free (output);
}

/* Bytes that C takes inside a JSON string. */
static gsize
json_cost (unsigned char c)
{
  if (c == '"' || c == '\\')
    return 2;
  return c < 0x20 || c == 0x7f ? 6 : 1;
}

/* How many bytes of the valid UTF-8 TEXT fit into MAX bytes of JSON; never cuts a character, never
 * 0. */
static gsize
fitting_prefix (const char *text, gsize length, gsize max)
{
  gsize cost = 0;
  gsize position = 0;

  while (position < length)
    {
      gsize next = position;
      gsize width = (gsize)g_utf8_skip[(unsigned char)text[position]];

      for (; next < length && next < position + width; next++)
        cost += json_cost ((unsigned char)text[next]);
      if (cost > max && position > 0)
        return position;
      position = next;
    }
  return position;
}

static void
forward (PpOutput *output, const StreamState *stream, const char *text, gsize length)
{
  do
    {
      gsize piece = fitting_prefix (text, length, output->max_line);

      pp_log_sender_add (output->forward_to, output->flow_run_id, stream->logger, PP_LOG_INFO, text,
                         piece);
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
  g_queue_push_tail (&output->tail,
                     g_strndup (text, fitting_prefix (text, length, TAIL_LINE_BYTES)));
}

/* One whole line, without its newline. */
static void
take_line (PpOutput *output, const StreamState *stream, const char *line, gsize length)
{
  g_autofree char *repaired = NULL;

  if (length > 0 && line[length - 1] == '\r')
    length--;
  if (!g_utf8_validate (line, (gssize)length, NULL))
    {
      repaired = g_utf8_make_valid (line, (gssize)length);
      line = repaired;
      length = strlen (repaired);
    }
  if (output->stream_to != NULL)
    {
      pp_stdout_write (output->stream_to, line, length);
      pp_stdout_write (output->stream_to, "\n", 1);
    }
  if (output->forward_to != NULL)
    forward (output, stream, line, length);
  keep_in_tail (output, line, length);
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

/* Whether both readers keep up; asks to be told when the one that does not has caught up. */
static gboolean
has_room (PpOutput *output)
{
  if (output->forward_to != NULL && !pp_log_sender_has_room (output->forward_to))
    {
      if (!output->waiting_log)
        pp_log_sender_when (output->forward_to, TRUE, on_log_room, output);
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

/* Where a line that grows over the limit is cut: before a character that is not whole yet. */
static gsize
whole_characters (const GString *partial)
{
  const char *end = NULL;

  g_utf8_validate (partial->str, (gssize)partial->len, &end);
  if (partial->len - (gsize)(end - partial->str) < 4 && end > partial->str)
    return (gsize)(end - partial->str);
  return partial->len;
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

      if (newline != NULL && stream->partial->len == 0)
        take_line (output, stream, data, piece);
      else
        {
          g_string_append_len (stream->partial, data, (gssize)piece);
          if (newline != NULL || stream->partial->len > output->max_line)
            {
              gsize cut
                  = newline != NULL ? stream->partial->len : whole_characters (stream->partial);

              take_line (output, stream, stream->partial->str, cut);
              g_string_erase (stream->partial, 0, (gssize)cut);
            }
        }
      piece += newline != NULL;
      data += piece;
      length -= piece;
    }
  return TRUE;
}

void
pp_output_finish (PpOutput *output)
{
  for (guint i = 0; i < G_N_ELEMENTS (output->streams); i++)
    {
      GString *partial = output->streams[i].partial;

      if (partial->len > 0)
        take_line (output, &output->streams[i], partial->str, partial->len);
      g_string_truncate (partial, 0);
    }
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
