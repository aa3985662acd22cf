/* SPDX-License-Identifier: Apache-2.0 */
/* The engine's event stream, one for all containers. It reports the end of containers whose log is
 * read from its file. */
#include "config.h"

#include "engine_log_inside-private.h"

#include "engine-private.h"

#include <string.h>

/* The longest line of the stream that is kept. All useful lines are far shorter. */
#define MAX_EVENT_BYTES 65536

/* {"event":["died","stop","cleanup","remove"]}, Podman's own event names. Podman 4.3 does not know
 * Docker's "die" in a filter, and sends no "died" for a container that was stopped through the
 * API. */
#define EVENTS_PATH                                                                                \
  "/events?filters=%7B%22event%22%3A%5B%22died%22%2C%22stop%22%2C%22cleanup%22%2C%22remove%22%5D%" \
  "7D"

/* True if EVENT reports exit code 0. Any other end needs an inspection for the details. */
static gboolean
says_success (const json_t *event)
{
  const json_t *attributes = json_object_get (json_object_get (event, "Actor"), "Attributes");

  return g_strcmp0 (pp_json_string (attributes, "containerExitCode"), "0") == 0;
}

static void
on_event (EngineEvents *events, const char *line, gsize length)
{
  json_auto_t *event = pp_json_parse (line, length, 0, NULL);
  const char *id = pp_json_string (json_object_get (event, "Actor"), "ID");
  FileFollow *follow = id != NULL ? g_hash_table_lookup (events->by_id, id) : NULL;

  if (follow == NULL || follow->ended)
    return;
  if (g_strcmp0 (pp_json_string (event, "status"), "die") == 0)
    pp_file_follow_ended (follow, says_success (event));
  else
    pp_file_follow_look (follow);
}

static gboolean
on_events_data (const char *data, gsize length, gpointer user_data)
{
  EngineEvents *events = user_data;

  while (length > 0)
    {
      const char *newline = memchr (data, '\n', length);
      gsize piece = newline != NULL ? (gsize)(newline - data) : length;

      if (events->line->len + piece <= MAX_EVENT_BYTES)
        g_string_append_len (events->line, data, (gssize)piece);
      if (newline == NULL)
        return TRUE;
      on_event (events, events->line->str, events->line->len);
      g_string_truncate (events->line, 0);
      data += piece + 1;
      length -= piece + 1;
    }
  return TRUE;
}

static void
on_events_end (const PpHttpResponse *response, const GError *error, gpointer user_data)
{
  EngineEvents *events = user_data;

  events->stream = NULL;
  g_string_truncate (events->line, 0);
  g_debug ("The engine's stream of events has ended: %s", error != NULL ? error->message
                                                          : response->status < 300
                                                              ? "closed"
                                                              : response->body);
}

void
pp_engine_events_open (EngineEvents *events)
{
  if (events->stream != NULL)
    return;
  events->opened_at = g_get_monotonic_time ();
  events->stream
      = pp_engine_get (events->engine, EVENTS_PATH, on_events_data, on_events_end, events);
}
