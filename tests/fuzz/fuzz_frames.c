/* SPDX-License-Identifier: Apache-2.0 */
/* What an engine streams: a container's log and a pull's progress; and the log file that conmon
 * writes. The first byte chooses how the rest is cut into pieces, and whether the consumer refuses
 * now and then. The result must be the same however the data is cut. */
#include "infrastructure/containers/engine-private.h"
#include "infrastructure/containers/frames-private.h"
#include "infrastructure/containers/log_records-private.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

/* Otherwise, most of a fuzz run's output would be log messages of the code under test. */
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

/* Returns what DATA gives if it arrives in pieces of PIECE bytes; *MALFORMED says whether it ended
 * early. New string. */
static GString *
demultiplex (const char *data, gsize size, gsize piece, guint refuse_every, PpFramesKind kind,
             gboolean skips_damage, gboolean *malformed)
{
  Sink sink = { g_string_new (NULL), 0, refuse_every };
  PpFrames frames;

  *malformed = FALSE;
  pp_frames_init (&frames, kind, take, &sink);
  frames.skips_damage = skips_damage;
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
check_frames (const char *data, gsize size, gsize piece, guint refuse_every, PpFramesKind kind,
              gboolean skips_damage)
{
  gboolean whole_malformed, cut_malformed;
  GString *whole = demultiplex (data, size, size, 0, kind, skips_damage, &whole_malformed);
  GString *cut = demultiplex (data, size, piece, refuse_every, kind, skips_damage, &cut_malformed);

  if (whole_malformed != cut_malformed || (skips_damage && whole_malformed)
      || !g_string_equal (whole, cut))
    abort ();
  g_string_free (whole, TRUE);
  g_string_free (cut, TRUE);
}

/* Returns the records of a log file with DATA, read in pieces of PIECE bytes; new string. */
static GString *
read_records (const char *data, gsize size, gsize piece, PpLogDamage *damage)
{
  g_autoptr (PpLogRecords) records = pp_log_records_new ();
  GString *text = g_string_new (NULL);

  for (gsize position = 0; position <= size; position += piece)
    {
      PpLogRecord record;

      if (position < size)
        pp_log_records_push (records, data + position, MIN (piece, size - position));
      if (position + piece > size)
        pp_log_records_finish (records);
      while (pp_log_records_next (records, &record))
        {
          g_string_append_printf (text, "%d %" G_GINT64_FORMAT " ", record.stream, record.time);
          g_string_append_len (text, record.text, (gssize)record.length);
          pp_log_records_take (records);
        }
    }
  *damage = *pp_log_records_damage (records);
  return text;
}

static void
check_records (const char *data, gsize size, gsize piece)
{
  PpLogDamage whole_damage, cut_damage;
  GString *whole = read_records (data, size, size, &whole_damage);
  GString *cut = read_records (data, size, piece, &cut_damage);

  if (whole_damage.records != cut_damage.records || whole_damage.bytes != cut_damage.bytes
      || whole_damage.first != cut_damage.first || whole_damage.bytes > size)
    abort ();
  /* A record beyond the bound comes in parts, and where they begin depends on the pieces. */
  if (size < 64 * 1024 && !g_string_equal (whole, cut))
    abort ();
  g_string_free (whole, TRUE);
  g_string_free (cut, TRUE);
}

/* Returns the error at the pull's end, or "" for success; new string. */
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

  check_frames (text, size - 1, piece, refuse_every, kind, FALSE);
  check_frames (text, size - 1, piece, refuse_every, kind, TRUE);
  check_records (text, size - 1, piece);
  g_autofree char *whole = pull_error (text, size - 1, size - 1);
  g_autofree char *cut = pull_error (text, size - 1, piece);
  if (!g_str_equal (whole, cut))
    abort ();
  return 0;
}
