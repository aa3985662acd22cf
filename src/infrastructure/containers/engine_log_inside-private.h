/* SPDX-License-Identifier: Apache-2.0 */
/* What the sources that follow a container through its log file share. */
#pragma once

#include "engine_api-private.h"

#include "log_thread-private.h"

G_BEGIN_DECLS

struct EngineEvents
{
  Engine *engine;
  PpHttpCall *stream; /* GET /events */
  gint64 opened_at;   /* when that was asked for, monotonic microseconds */
  GString *line;
  GHashTable *by_id; /* container id -> FileFollow */

  PpLogThread *thread; /* NULL where the system gives none */
  guint64 last_number;
  GHashTable *by_number; /* FileFollow.number -> FileFollow */
  GHashTable *refused;   /* ids of containers whose log is not to be read from its file */
  guint watchdog;        /* source */
  char *trouble;         /* the thread hangs: a sentence for health, or NULL */
  gboolean unwatched_said;
};

struct FileFollow
{
  EngineCall *call;
  guint64 number; /* the thread's word for the log */
  PpLogFile *log; /* NULL until it is open */
  PpLogPlace place;
  GQueue pieces;     /* of PpLogNews with a piece, not taken yet */
  guint request;     /* number of the last request for a piece */
  guint end_request; /* the first after the container's end; 0: none yet */
  char *id;
  char *path;
  guint turn; /* source that delivers on */
  guint look; /* source of the next look at the container */
  guint look_ms;
  PpHttpCall *looking;
  gboolean ended;     /* the container has: what is in the file is all there is */
  gboolean finished;  /* and was read to its end */
  gboolean succeeded; /* with exit code 0, the engine says */
};

/* Opens the stream of events where it is not open. */
void pp_engine_events_open (EngineEvents *events);

/* FOLLOW's container has ended. */
void pp_file_follow_ended (FileFollow *follow, gboolean succeeded);
/* It may have: asks the engine. */
void pp_file_follow_look (FileFollow *follow);

G_END_DECLS
