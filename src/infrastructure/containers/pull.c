/* SPDX-License-Identifier: Apache-2.0 */
/* The stream of POST /images/create: one JSON object per line, thousands of lines for a large
 * layer. */
#include "config.h"

#include "engine-private.h"

#include <string.h>

#define MAX_LINE (1024 * 1024)
#define MAX_LAYERS 10000

/* Words in an error message. They show that a registry, or the network to it, has failed, and that
 * this may soon be over: Go's words for the network, a registry's words for too many requests,
 * HTTP's words for 5xx. None of them can be part of an image's name or of a platform, because those
 * have no blank. "no such host" is not in the list, because it mostly means a misspelt name. */
static const char *const passing_words[] = {
  "i/o timeout",
  "timed out",
  "handshake timeout",
  "client.timeout exceeded",
  "timeout awaiting",
  "deadline exceeded",
  "connection refused",
  "connection reset",
  "broken pipe",
  "closed network connection",
  "network is unreachable",
  "no route to host",
  "host is down",
  ": eof",
  "unexpected eof",
  "stream error:",
  "sent goaway",
  "temporary failure in name resolution",
  "server misbehaving",
  "too many requests",
  "internal server error",
  "bad gateway",
  "service unavailable",
  "gateway timeout",
  "gateway time-out",
};
/* "HTTP status: 503", "status code from registry 500", "parsing HTTP 502 response". Also
 * "toomanyrequests:", a registry's error code. It does not match at the end of an image's name. */
#define PASSING_STATUS "\\b(http|status|code|registry):? 5\\d\\d\\b|(^|\\s)toomanyrequests:\\s"

typedef struct
{
  gint64 current; /* bytes */
  gint64 total;
  gboolean done;
} Layer;

struct PpPull
{
  char *image;
  PpPullProgressFunc progress;
  gpointer user_data;
  GString *line;
  gboolean line_too_long;
  GHashTable *layers; /* id -> Layer */
  char *error;        /* the engine's first error message */
  gint64 started;     /* monotonic, microseconds */
  gint64 next_report;
  gint64 interval;
};

PpPull *
pp_pull_new (const char *image, PpPullProgressFunc progress, gpointer user_data)
{
  PpPull *pull = g_new0 (PpPull, 1);

  pull->image = g_strdup (image);
  pull->progress = progress;
  pull->user_data = user_data;
  pull->line = g_string_new (NULL);
  pull->layers = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  pull->started = g_get_monotonic_time ();
  pull->interval = 5 * G_USEC_PER_SEC;
  pull->next_report = pull->started + pull->interval;
  return pull;
}

void
pp_pull_free (PpPull *pull)
{
  if (pull == NULL)
    return;
  g_free (pull->image);
  g_string_free (pull->line, TRUE);
  g_hash_table_unref (pull->layers);
  g_free (pull->error);
  g_free (pull);
}

static void
count_layers (PpPull *pull, guint *done, guint *all, guint64 *current, guint64 *total)
{
  GHashTableIter iter;
  gpointer value;

  *done = *all = 0;
  *current = *total = 0;
  g_hash_table_iter_init (&iter, pull->layers);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      const Layer *layer = value;
      (*all)++;
      *done += layer->done ? 1 : 0;
      *current += (guint64)(layer->done ? layer->total : layer->current);
      *total += (guint64)layer->total;
    }
}

/* Reports progress after 5, 15, 35, ... seconds: only a few lines, even for the longest pull. */
static void
report (PpPull *pull)
{
  guint done, all;
  guint64 current, total;

  if (pull->progress == NULL || g_get_monotonic_time () < pull->next_report)
    return;
  pull->interval *= 2;
  pull->next_report = g_get_monotonic_time () + pull->interval;
  count_layers (pull, &done, &all, &current, &total);
  g_autofree char *have = g_format_size (current);
  g_autofree char *want = g_format_size (total);
  g_autofree char *line
      = g_strdup_printf ("Pulling image '%s': %u of %u %s done, %s of %s", pull->image, done, all,
                         all == 1 ? "layer" : "layers", have, want);
  pull->progress (FALSE, line, pull->user_data);
}

static gint64
bytes_at (const json_t *detail, const char *key)
{
  json_int_t bytes = json_integer_value (json_object_get (detail, key));
  /* With this bound, the sum over all layers cannot overflow. */
  return CLAMP (bytes, 0, (json_int_t)1 << 48);
}

static void
take_status (PpPull *pull, const json_t *message)
{
  const char *id = pp_json_string (message, "id");
  const char *status = pp_json_string (message, "status");
  const json_t *detail = json_object_get (message, "progressDetail");

  /* In Docker's "Pulling from NAME" the id is the tag. In Podman's last line it is the image's
   * id. */
  if (id == NULL || status == NULL || g_str_has_prefix (status, "Pulling from"))
    return;
  gboolean is_new = g_str_equal (status, "Pulling fs layer") || g_str_equal (status, "Waiting")
                    || g_str_equal (status, "Already exists")
                    || g_str_equal (status, "Downloading");
  Layer *layer = g_hash_table_lookup (pull->layers, id);
  if (layer == NULL)
    {
      if (!is_new || g_hash_table_size (pull->layers) >= MAX_LAYERS)
        return;
      layer = g_new0 (Layer, 1);
      g_hash_table_insert (pull->layers, g_strdup (id), layer);
    }
  if (g_str_equal (status, "Downloading"))
    {
      layer->current = bytes_at (detail, "current");
      layer->total = MAX (layer->total, bytes_at (detail, "total"));
      layer->total = MAX (layer->total, layer->current);
    }
  else if (g_str_equal (status, "Already exists") || g_str_equal (status, "Download complete")
           || g_str_equal (status, "Pull complete"))
    layer->done = TRUE;
}

static void
take_line (PpPull *pull)
{
  json_auto_t *message = pp_json_parse (pull->line->str, pull->line->len, 0, NULL);
  const char *error = pp_json_string (message, "error");

  if (error == NULL)
    error = pp_json_string (json_object_get (message, "errorDetail"), "message");
  if (error != NULL && pull->error == NULL)
    pull->error = g_strdup (error);
  if (error == NULL)
    take_status (pull, message);
}

void
pp_pull_push (PpPull *pull, const char *data, gsize length)
{
  while (length > 0)
    {
      const char *newline = memchr (data, '\n', length);
      gsize piece = newline != NULL ? (gsize)(newline - data) : length;
      if (pull->line->len + piece > MAX_LINE)
        pull->line_too_long = TRUE;
      if (!pull->line_too_long)
        g_string_append_len (pull->line, data, (gssize)piece);
      if (newline == NULL)
        break;
      if (!pull->line_too_long)
        take_line (pull);
      g_string_truncate (pull->line, 0);
      pull->line_too_long = FALSE;
      data = newline + 1;
      length -= piece + 1;
    }
  report (pull);
}

gboolean
pp_pull_may_pass (const char *words)
{
  g_autofree char *lower = g_ascii_strdown (words, -1);

  for (guint i = 0; i < G_N_ELEMENTS (passing_words); i++)
    if (strstr (lower, passing_words[i]) != NULL)
      return TRUE;
  return g_regex_match_simple (PASSING_STATUS, lower, G_REGEX_RAW, 0);
}

gboolean
pp_pull_finish (PpPull *pull, GError **error)
{
  guint done, all;
  guint64 current, total;

  if (pull->line->len > 0 && !pull->line_too_long)
    take_line (pull);
  if (pull->error != NULL)
    {
      g_strdelimit (g_strchomp (pull->error), "\r\n", ' ');
      g_set_error (error, PP_INFRASTRUCTURE_ERROR,
                   pp_pull_may_pass (pull->error) ? PP_INFRASTRUCTURE_ERROR_UNAVAILABLE
                                                  : PP_INFRASTRUCTURE_ERROR_FAILED,
                   "pull image '%s': %s", pull->image, pull->error);
      return FALSE;
    }
  if (pull->progress == NULL)
    return TRUE;
  count_layers (pull, &done, &all, &current, &total);
  /* Podman reports no size for a layer that arrives fast. No engine reports the size of a layer
   * that was already there. */
  g_autofree char *size = g_format_size (total);
  g_autofree char *line = g_strdup_printf (
      "Pulled image '%s' in %.1f s: %u %s%s%s", pull->image,
      (double)(g_get_monotonic_time () - pull->started) / G_USEC_PER_SEC, all,
      all == 1 ? "layer" : "layers", total > 0 ? ", " : "", total > 0 ? size : "");
  pull->progress (FALSE, line, pull->user_data);
  return TRUE;
}
