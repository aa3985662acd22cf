/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the log sender, for log_sender.c (what waits, and who waits for it), log_post.c
 * (what is under way) and log_refusal.c (what is not let through) only. */
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
  guint64 flush_until;   /* what was added until the last flush goes without waiting */
  guint in_flight;       /* records of the POST under way */
  guint max_records;     /* of the next POST; halved when the server refuses a batch for good */
  gboolean refused;      /* whatever its text, and that was said */
  gboolean resting;      /* TIMER is that of the next try */
  guint failed_alone;    /* how often the first record, sent alone, was refused */
  PpLogRecord *original; /* whose place a placeholder has taken, which is under way; or NULL */
  gboolean text_refused; /* the last record that was refused was so for its text */
  GError *why;           /* the last refusal of a record; or NULL */
  guint check;           /* a timer: is anything taken? 0: nothing waits */
  guint check_seconds;   /* of it */
  gint64 checked;        /* monotonic microseconds */
  gboolean taken;        /* something was, since then */
  guint stalled;         /* seconds in which nothing was, and other calls were answered */
  guint patience;        /* seconds of that, after which logs are given up */
  guint64 given_up;      /* records dropped since anything was taken */
  gboolean abandoned;    /* the records of the POST under way were dropped */
  guint unanswered;      /* POSTs, one after the other */
  gboolean unsure;       /* those in flight got no answer: are they there? */
  gint64 sent;           /* monotonic microseconds: when the POST under way was asked for */
  gint64 look_until;     /* monotonic: those in flight are looked for */
  gsize batch_bytes;
  gsize max_message;
  guint interval_ms;
  GHashTable *last;                /* run id -> gint64, the time stamp of its last record */
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

/* log_post.c: takes those in flight for delivered. */
void pp_log_drop_in_flight (PpLogSender *sender);

/* log_refusal.c: the batch in flight was refused with ERROR, while other calls are answered well:
 * one record may be the reason. It is looked for by halves and tried alone for a while; then a
 * placeholder takes its place, for good if that is taken. */
void pp_log_batch_refused (PpLogSender *sender, const GError *error);

/* The batch in flight was refused with ERROR for no reason of its own: offers it again later. */
void pp_log_wait_out_refusal (PpLogSender *sender, const GError *error);

/* Something was taken. */
void pp_log_note_taken (PpLogSender *sender);

/* Has what waits be given up when nothing is taken for very long. */
void pp_log_watch (PpLogSender *sender);

G_END_DECLS
