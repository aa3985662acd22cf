/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the source files that follow a container through its log file. */
#pragma once

#include "engine_api-private.h"

#include "log_thread-private.h"

G_BEGIN_DECLS

struct EngineEvents
{
  Engine *engine;
  PpHttpCall *stream; /* GET /events */
  gint64 opened_at;   /* monotonic microseconds of the request */
  GString *line;
  GHashTable *by_id; /* container id -> FileFollow */

  PpLogThread *thread; /* NULL if the system cannot start it */
  guint64 last_number;
  GHashTable *by_number; /* FileFollow.number -> FileFollow */
  GHashTable *refused;   /* ids of containers whose log file must not be read */
  guint watchdog;        /* a timer source */
  char *trouble;         /* a sentence for the health check if the disk hangs, else NULL */
  gboolean unwatched_said;
};

struct FileFollow
{
  EngineCall *call;
  guint64 number; /* the log's number in the thread */
  PpLogFile *log; /* NULL until it is open */
  PpLogPlace place;
  GQueue pieces;     /* of PpLogNews, pieces that were not taken yet */
  guint request;     /* number of the last request for a piece */
  guint end_request; /* the first request after the container's end; 0: none yet */
  char *id;
  char *path;
  guint turn; /* source that continues the delivery */
  guint look; /* source of the next check of the container */
  guint look_ms;
  PpHttpCall *looking;
  gboolean ended;     /* the container has ended: the file has all its output */
  gboolean finished;  /* the container has ended, and the file was read completely */
  gboolean succeeded; /* the engine reported exit code 0 */
};

/* Opens the event stream if it is not open. */
void pp_engine_events_open (EngineEvents *events);

/* Tells FOLLOW that its container has ended. */
void pp_file_follow_ended (FileFollow *follow, gboolean succeeded);
/* Checks if the container has ended. */
void pp_file_follow_look (FileFollow *follow);

G_END_DECLS
