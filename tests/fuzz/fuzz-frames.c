/* What an engine streams: a container's log and a pull's progress. The first byte chooses how the
 * rest is cut and whether the consumer refuses now and then; whatever the cuts, the same comes out.
 */
#include "prefect-podman/infrastructure/engine.h"
#include "prefect-podman/infrastructure/frames.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

/* Docker's own words would be most of what a run prints. */
static void
ignore_log (const char *domain G_GNUC_UNUSED, GLogLevelFlags level G_GNUC_UNUSED,
            const char *message G_GNUC_UNUSED, gpointer user_data G_GNUC_UNUSED)
{
}

typedef struct
{
  GString *payload;
  guint calls;
  guint refuse_every;
} Sink;

static gboolean
take (PpStream stream, const char *data, gsize length, gpointer user_data)
{
  Sink *sink = user_data;

  if (sink->refuse_every != 0 && ++sink->calls % sink->refuse_every == 0)
    return FALSE;
  for (gsize i = 0; i < length; i++)
    {
      g_string_append_c (sink->payload, (char)('0' + (int)stream));
      g_string_append_c (sink->payload, data[i]);
    }
  return TRUE;
}

/* What comes of DATA in pieces of PIECE bytes; *MALFORMED tells of an early end. New string. */
static GString *
demultiplex (const char *data, gsize size, gsize piece, guint refuse_every, PpFramesKind kind,
             gboolean *malformed)
{
  Sink sink = { g_string_new (NULL), 0, refuse_every };
  PpFrames frames;

  *malformed = FALSE;
  pp_frames_init (&frames, kind, take, &sink);
  for (gsize position = 0; position < size && !*malformed;)
    {
      gsize n = MIN (piece, size - position);
      PpFramesResult result = pp_frames_push (&frames, data + position, n);
      if (result == PP_FRAMES_TAKEN)
        position += n;
      *malformed = result == PP_FRAMES_MALFORMED;
    }
  pp_frames_clear (&frames);
  if (frames.payload_bytes != sink.payload->len / 2)
    abort ();
  return sink.payload;
}

static void
check_frames (const char *data, gsize size, gsize piece, guint refuse_every, PpFramesKind kind)
{
  gboolean whole_malformed, cut_malformed;
  GString *whole = demultiplex (data, size, size, 0, kind, &whole_malformed);
  GString *cut = demultiplex (data, size, piece, refuse_every, kind, &cut_malformed);

  if (whole_malformed != cut_malformed || !g_string_equal (whole, cut))
    abort ();
  g_string_free (whole, TRUE);
  g_string_free (cut, TRUE);
}

/* The words of the pull's end, or "" for success; new string. */
static char *
pull_error (const char *data, gsize size, gsize piece)
{
  g_autoptr (PpPull) pull = pp_pull_new ("x", NULL, NULL);
  g_autoptr (GError) error = NULL;

  for (gsize position = 0; position < size; position += piece)
    pp_pull_push (pull, data + position, MIN (piece, size - position));
  pp_pull_finish (pull, &error);
  return g_strdup (error != NULL ? error->message : "");
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  if (size < 2)
    return 0;
  g_log_set_default_handler (ignore_log, NULL);
  const char *text = (const char *)data + 1;
  gsize piece = 1 + (data[0] & 0x0f);
  guint refuse_every = data[0] & 0x20 ? 2 : 0;

  PpFramesKind kind = data[0] & 0x40   ? PP_FRAMES_RAW
                      : data[0] & 0x10 ? PP_FRAMES_STAMPED
                                       : PP_FRAMES_PLAIN;

  check_frames (text, size - 1, piece, refuse_every, kind);
  g_autofree char *whole = pull_error (text, size - 1, size - 1);
  g_autofree char *cut = pull_error (text, size - 1, piece);
  if (!g_str_equal (whole, cut))
    abort ();
  return 0;
}
