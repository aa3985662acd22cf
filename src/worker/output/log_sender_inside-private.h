/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the log sender, for log_sender.c (what waits, and who waits for it) and log_post.c
 * (what is under way) only. */
#pragma once

#include "log_sender-private.h"

#include "waiters-private.h"

G_BEGIN_DECLS

/* One POST: small enough that its JSON and the server's answering stay cheap. */
#define PP_LOG_BATCH_RECORDS 1000
#define PP_LOG_UUID_LENGTH 36

typedef struct
{
  char flow_run_id[PP_LOG_UUID_LENGTH + 1];
  const char *logger;
  gint64 timestamp; /* UNIX microseconds */
  gsize length;
  int level;
  gboolean is_output;
  char message[];
} PpLogRecord;

typedef struct
{
  PpWaiter base;
  gboolean room;
  guint64 position; /* of the last record that has to be delivered */
} Waiter;

struct PpLogSender
{
  PpApi *api;
  GQueue records; /* of PpLogRecord, oldest first; those in flight are at its head */
  gsize bytes;    /* estimated JSON size of records */
  guint64 added;
  guint64 delivered;
  guint64 flush_until; /* what was added until the last flush goes without waiting */
  guint in_flight;     /* records of the POST under way */
  guint max_records;   /* of the next POST; halved when the server refuses a batch for good */
  gboolean refused;    /* the last batch was, and that was said */
  guint failed_alone;  /* how often the server failed at the first record, sent alone */
  gboolean dropped;    /* the last record that the server failed at was; none was taken since */
  guint unanswered;    /* POSTs, one after the other */
  gboolean unsure;     /* those in flight got no answer: are they there? */
  gint64 sent;         /* monotonic microseconds: when the POST under way was asked for */
  gint64 look_until;   /* monotonic: those in flight are looked for */
  gsize batch_bytes;
  gsize max_message;
  guint interval_ms;
  gint64 last_timestamp;
  GHashTable
      *ahead; /* of runs whose records are ahead of the clock: id -> gint64, the last one's */
  PpLogDeliveredFunc on_delivered; /* or NULL */
  gpointer delivered_data;
  PpLogSendingFunc on_sending; /* or NULL */
  gpointer sending_data;
  PpJournal *journal;
  PpJournalPut *noting; /* that those in flight are about to be sent */
  gint64 timeout;       /* microseconds: PREFECT_API_REQUEST_TIMEOUT */
  PpApiCall *call;
  guint timer;
  guint wake;
  GList *waiters;
};

/* Estimated bytes of RECORD's JSON. */
gsize pp_log_record_size (const PpLogRecord *record);

/* log_sender.c: makes sure that what waits is sent, now when a batch is full, else at the end of
 * the interval; and calls those who wait for what has come. */
void pp_log_schedule (PpLogSender *sender);
void pp_log_wake (PpLogSender *sender);

/* log_post.c: sends what waits, unless something is under way. */
void pp_log_send_batch (PpLogSender *sender);

G_END_DECLS
