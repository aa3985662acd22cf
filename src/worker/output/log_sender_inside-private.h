/* SPDX-License-Identifier: Apache-2.0 */
/* The log sender's internals, only for log_sender.c (the queue and its waiters), log_post.c (the
 * batch in flight), log_refusal.c (refused records) and log_apart.c (runs whose records are
 * refused).
 *
 * The worker's own sender is the root. If the server refuses the records of a run but accepts those
 * of other runs, the run is set apart: it gets a sender of its own. Waiters, timestamps and
 * callbacks stay in the root. */
#pragma once

#include "log_sender-private.h"

#include "waiters-private.h"

G_BEGIN_DECLS

/* The most records of a batch: few enough that its JSON and the server's work stay cheap. */
#define PP_LOG_BATCH_RECORDS 1000
#define PP_LOG_UUID_LENGTH 36

typedef struct
{
  char flow_run_id[PP_LOG_UUID_LENGTH + 1];
  const char *logger;
  gint64 timestamp;  /* UNIX microseconds */
  guint64 number;    /* numbers the records of all runs in the order of pp_log_sender_add() */
  gint64 late_until; /* monotonic microseconds: an attempt without an answer may deliver the record
                        until then; 0: there was none */
  gsize length;
  int level;
  gboolean is_output;
  gboolean is_part; /* a part of a split record, but not the last: only the last part is counted */
  char message[];
} PpLogRecord;

typedef struct
{
  PpWaiter base;
  gboolean room;
  char flow_run_id[PP_LOG_UUID_LENGTH + 1]; /* "": all runs */
  guint64 number; /* call func when the run's records up to this number were delivered */
} Waiter;

struct PpLogSender
{
  PpApi *api;
  PpLogSender *root;                        /* the worker's own sender, which points to itself */
  char flow_run_id[PP_LOG_UUID_LENGTH + 1]; /* the run that is set apart; "" in the root */
  GHashTable *apart;                        /* root only: flow run id -> PpLogSender */
  GPtrArray *suspects;   /* root only: flow run ids whose record was refused alone, in this round */
  gboolean others_tried; /* the last round has tried several runs, in vain */
  gint64 last_taken;     /* monotonic microseconds of the last accepted batch; 0: none */
  gint64 refused_at; /* monotonic microseconds of the last refusal that is followed by a retry */
  gboolean barred;   /* set apart, and records of the run that are refused are dropped */
  guint idle;        /* seconds without a record, for a sender of a run set apart */
  guint64 numbers;   /* root only: the last record's number */
  GQueue records;    /* of PpLogRecord, oldest first; begins with the records in flight */
  gsize bytes;       /* estimated JSON size of records */
  guint64 added;
  guint64 delivered;
  guint64 flush_until; /* value of `added` at the last flush; the records up to then are sent
                          without waiting */
  guint in_flight;     /* number of records in the current POST */
  guint max_records; /* the most records of the next POST; halved when the server refuses a batch */
  gboolean refused;  /* logs are refused whatever their text, and a warning was logged */
  gboolean resting;  /* the field timer is the delay before the next attempt */
  guint failed_alone;    /* how often the first record was refused when sent alone */
  PpLogRecord *original; /* the record that the placeholder in flight replaces, or NULL */
  gboolean text_refused; /* the last refused record was refused because of its text */
  GError *why;           /* the last refusal, or NULL */
  guint check;           /* the timer for on_check(), or 0 */
  guint check_seconds;   /* its interval */
  gint64 checked;        /* monotonic microseconds of the last on_check() */
  gboolean taken;        /* a record was accepted since the last on_check() */
  guint stalled;         /* seconds without an accepted record while other requests were answered */
  guint patience;        /* the limit of the field stalled, in seconds */
  guint64 given_up;      /* records dropped since the last accepted one */
  gboolean abandoned;    /* the records of the current POST were dropped */
  guint unanswered;      /* POSTs without an answer, in a row */
  gboolean unsure;       /* the records in flight got no answer and may have arrived */
  gint64 sent;           /* monotonic microseconds of the current POST */
  gint64 look_until;     /* monotonic microseconds until which to look for the records in flight */
  gsize batch_bytes;
  gsize max_message;
  guint interval_ms;
  GHashTable *last;                /* flow run id -> gint64, the timestamp of its last record */
  PpLogDeliveredFunc on_delivered; /* or NULL */
  gpointer delivered_data;
  PpLogSendingFunc on_sending; /* or NULL */
  gpointer sending_data;
  PpJournal *journal;
  PpJournalPut *noting; /* the journal note that precedes the current POST */
  gint64 timeout;       /* PREFECT_API_REQUEST_TIMEOUT in microseconds */
  PpApiCall *call;
  guint timer;
  guint wake;
  GList *waiters;
};

/* Returns the estimated size of RECORD in JSON, in bytes. */
gsize pp_log_record_size (const PpLogRecord *record);

/* log_sender.c: pp_log_schedule() sends a full batch now, else schedules sending at the end of the
 * interval. pp_log_wake() calls the waiters that are due. */
void pp_log_schedule (PpLogSender *sender);
void pp_log_wake (PpLogSender *sender);

/* log_apart.c: returns the sender of FLOW_RUN_ID's records: ROOT, unless the run is set apart. */
PpLogSender *pp_log_sender_of (const PpLogSender *root, const char *flow_run_id);

/* Called when the first record was refused alone. If records of another run wait, sends one of
 * those now and returns TRUE. Returns FALSE if there is none, or if enough were tried in this
 * round. */
gboolean pp_log_try_others (PpLogSender *sender);
void pp_log_clear_suspects (PpLogSender *sender);

/* Called when the server has accepted a record of the run TAKEN. Sets apart the runs whose records
 * were refused just before. */
void pp_log_set_suspects_apart (PpLogSender *sender, const char *taken);

/* True if SENDER's run is set apart and no log of it is accepted, while those of others are. */
gboolean pp_log_run_is_cause (const PpLogSender *sender);

/* Called every CHECK_SECONDS while the queue of SENDER is empty. If its run was set apart and that
 * is no longer needed, frees SENDER. Returns FALSE if it is to be called again. */
gboolean pp_log_rejoin (PpLogSender *sender);

/* True if no record of FLOW_RUN_ID (NULL: of any run) up to NUMBER waits. */
gboolean pp_log_is_delivered (const PpLogSender *root, const char *flow_run_id, guint64 number);

/* log_post.c: sends queued records, unless a batch is in flight. */
void pp_log_send_batch (PpLogSender *sender);

/* log_post.c: counts the records in flight as delivered and removes them. */
void pp_log_drop_in_flight (PpLogSender *sender);

/* log_refusal.c: handles a batch that was refused with ERROR while other requests are answered. One
 * record may be the cause. Sends halves of the batch to find it, then sends it alone for a while,
 * and then sends a placeholder in its place. If the placeholder is accepted, the record is
 * dropped. */
void pp_log_batch_refused (PpLogSender *sender, const GError *error);

/* Handles a record that was refused for good with ERROR when sent alone. If it is too large (413),
 * sends it in halves, down to about 1 kB; else sends a placeholder in its place. */
void pp_log_record_refused (PpLogSender *sender, const GError *error);

/* Sends the batch in flight again later. It was refused with ERROR, but no record is the cause. */
void pp_log_wait_out_refusal (PpLogSender *sender, const GError *error);

/* Repeats the first record, which was refused alone, after a delay. */
void pp_log_repeat_first (PpLogSender *sender);

/* Called when the server has accepted a batch, or when a record that it refused is dropped. */
void pp_log_note_taken (PpLogSender *sender);

/* Starts checking that records are accepted. If none is accepted for a long time, drops all
 * records. */
void pp_log_watch (PpLogSender *sender);

G_END_DECLS
