#define G_LOG_DOMAIN "prefect.worker.podman"

#include "prefect-podman/worker/log_sender.h"

#include "prefect-podman/prefect/resources.h"

#include "look.h"
#include "waiters.h"

#include "failpoint.h"

#include <string.h>

/* What may wait before producers are told to; with room again at half of it. */
#define HIGH_WATER (1024 * 1024)
/* One POST: small enough that its JSON and the server's answering stay cheap. */
#define BATCH_BYTES (256 * 1024)
#define BATCH_RECORDS 1000
#define UUID_LENGTH 36
/* Logs that are refused for a reason that is none of theirs are offered again. */
#define REFUSED_RETRY_SECONDS 30
/* That nothing is answered is said at this try. */
#define SAY_UNANSWERED 5
/* What got no answer in the time that the server has for it may be done for so much longer. */
#define LATE_US (60 * G_USEC_PER_SEC)
/* How long a batch waits for a slow disk to take a note of it. */
#define NOTE_SECONDS 1
/* JSON around a message: names, timestamp, the run's id. */
#define RECORD_OVERHEAD 256

typedef struct
{
  char flow_run_id[UUID_LENGTH + 1];
  const char *logger;
  gint64 timestamp; /* UNIX microseconds */
  gsize length;
  int level;
  gboolean is_output;
  char message[];
} Record;

typedef struct
{
  PpWaiter base;
  gboolean room;
  guint64 position; /* of the last record that has to be delivered */
} Waiter;

struct PpLogSender
{
  PpApi *api;
  GQueue records; /* of Record, oldest first; those in flight are at its head */
  gsize bytes;    /* estimated JSON size of records */
  guint64 added;
  guint64 delivered;
  guint64 flush_until; /* what was added until the last flush goes without waiting */
  guint in_flight;     /* records of the POST under way */
  guint max_records;   /* of the next POST; halved when the server refuses a batch for good */
  gboolean refused;    /* the last batch was, and that was said */
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

static void send_batch (PpLogSender *sender);

static gsize
record_size (const Record *record)
{
  return record->length + RECORD_OVERHEAD;
}

PpLogSender *
pp_log_sender_new (PpApi *api, const PpSettings *settings)
{
  PpLogSender *sender = g_new0 (PpLogSender, 1);
  gsize max_log = settings->logging_to_api_max_log_size;

  sender->api = api;
  sender->timeout = (gint64)(settings->api_request_timeout * G_USEC_PER_SEC);
  g_queue_init (&sender->records);
  sender->ahead = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  sender->max_records = BATCH_RECORDS;
  sender->batch_bytes = CLAMP (settings->logging_to_api_batch_size, 1, BATCH_BYTES);
  sender->max_message = max_log > 2 * RECORD_OVERHEAD ? max_log - RECORD_OVERHEAD : RECORD_OVERHEAD;
  sender->interval_ms = (guint)(CLAMP (settings->logging_to_api_batch_interval, 0.01, 60.0) * 1000);
  return sender;
}

void
pp_log_sender_free (PpLogSender *sender)
{
  if (sender == NULL)
    return;
  if (sender->call != NULL)
    pp_api_call_cancel (sender->call);
  if (sender->noting != NULL)
    pp_journal_put_cancel (sender->noting);
  if (sender->timer != 0)
    g_source_remove (sender->timer);
  if (sender->wake != 0)
    g_source_remove (sender->wake);
  while (!g_queue_is_empty (&sender->records))
    g_free (g_queue_pop_head (&sender->records));
  g_list_free_full (sender->waiters, g_free);
  g_hash_table_unref (sender->ahead);
  g_free (sender);
}

static gboolean
on_interval (gpointer user_data)
{
  PpLogSender *sender = user_data;

  sender->timer = 0;
  send_batch (sender);
  return G_SOURCE_REMOVE;
}

/* Makes sure that what waits is sent: now when a batch is full, else at the end of the interval. */
static void
schedule (PpLogSender *sender)
{
  if (sender->call != NULL || sender->refused || sender->unsure || sender->noting != NULL
      || g_queue_is_empty (&sender->records))
    return;
  if (sender->bytes >= sender->batch_bytes || sender->delivered < sender->flush_until)
    {
      send_batch (sender);
      return;
    }
  if (sender->timer == 0)
    sender->timer = g_timeout_add (sender->interval_ms, on_interval, sender);
}

static gboolean
waiter_is_due (const PpLogSender *sender, const Waiter *waiter)
{
  if (waiter->room)
    return sender->bytes < HIGH_WATER / 2;
  return sender->delivered >= waiter->position;
}

/* Runs the waiters whose time has come; each may add waiters or records. */
static gboolean
on_wake (gpointer user_data)
{
  PpLogSender *sender = user_data;
  gboolean found = TRUE;

  sender->wake = 0;
  while (found)
    {
      found = FALSE;
      for (GList *link = sender->waiters; link != NULL; link = link->next)
        {
          g_autofree Waiter *waiter = NULL;

          if (!waiter_is_due (sender, link->data))
            continue;
          waiter = link->data;
          sender->waiters = g_list_delete_link (sender->waiters, link);
          waiter->base.func (waiter->base.user_data);
          found = TRUE;
          break;
        }
    }
  return G_SOURCE_REMOVE;
}

static void
wake (PpLogSender *sender)
{
  if (sender->wake == 0 && sender->waiters != NULL)
    sender->wake = g_idle_add (on_wake, sender);
}

/* Tells for each run with output among those in flight that it is about to be SENT, or not. Returns
 * whether anybody was told. */
static gboolean
tell_sending (const PpLogSender *sender, gboolean sent)
{
  g_autoptr (GHashTable) last = g_hash_table_new (g_str_hash, g_str_equal); /* id -> Record */
  const GList *link = sender->records.head;
  GHashTableIter iter;
  gpointer record;

  if (sender->on_sending == NULL)
    return FALSE;
  for (guint i = 0; i < sender->in_flight; i++, link = link->next)
    if (((const Record *)link->data)->is_output)
      g_hash_table_insert (last, ((Record *)link->data)->flow_run_id, link->data);
  g_hash_table_iter_init (&iter, last);
  while (g_hash_table_iter_next (&iter, NULL, &record))
    sender->on_sending (((const Record *)record)->flow_run_id,
                        sent ? ((const Record *)record)->timestamp : 0, sender->sending_data);
  return g_hash_table_size (last) > 0;
}

/* Tells of the records of RECORD's run, of which it is the last of COUNT. */
static void
tell_delivered (const PpLogSender *sender, const Record *record, guint count)
{
  if (count > 0 && sender->on_delivered != NULL)
    sender->on_delivered (record->flow_run_id, count, record->timestamp, sender->delivered_data);
}

static void
drop_delivered (PpLogSender *sender)
{
  g_autofree Record *last = NULL; /* of a run's output, COUNT before it included */
  guint count = 0;

  for (guint i = 0; i < sender->in_flight; i++)
    {
      g_autofree Record *record = g_queue_pop_head (&sender->records);

      sender->bytes -= record_size (record);
      sender->delivered++;
      if (!record->is_output)
        continue;
      if (last != NULL && !g_str_equal (last->flow_run_id, record->flow_run_id))
        {
          tell_delivered (sender, last, count);
          count = 0;
        }
      count++;
      g_free (last);
      last = g_steal_pointer (&record);
    }
  tell_delivered (sender, last, count);
  sender->in_flight = 0;
}

static void
on_taken (PpLogSender *sender)
{
  drop_delivered (sender);
  pp_failpoint ("logs", "noted");
  sender->max_records = MIN (sender->max_records * 2, BATCH_RECORDS);
  sender->unanswered = 0;
  wake (sender);
  schedule (sender);
}

static gboolean on_look_timer (gpointer user_data);

/* The server takes a batch as a whole, so its last record speaks for it; timestamps are our own,
 * and no two of a run are the same. */
static void
on_looked (json_t *body, const GError *error, gpointer user_data)
{
  PpLogSender *sender = user_data;
  const Record *last = g_queue_peek_nth (&sender->records, sender->in_flight - 1);
  const char *timestamp = pp_json_string (json_array_get (body, 0), "timestamp");

  sender->call = NULL;
  if (error == NULL && timestamp != NULL && pp_api_parse_timestamp (timestamp) == last->timestamp)
    {
      sender->unsure = FALSE;
      on_taken (sender);
      return;
    }
  if (g_get_monotonic_time () < sender->look_until)
    {
      sender->timer = g_timeout_add (PP_LOOK_AGAIN_MS, on_look_timer, sender);
      return;
    }
  sender->unsure = FALSE;
  sender->in_flight = 0;
  send_batch (sender);
}

static gboolean
on_look_timer (gpointer user_data)
{
  PpLogSender *sender = user_data;
  const Record *last = g_queue_peek_nth (&sender->records, sender->in_flight - 1);

  sender->timer = 0;
  sender->call = pp_logs_read_after (sender->api, last->flow_run_id, last->timestamp - 1, 0, 1,
                                     on_looked, sender);
  return G_SOURCE_REMOVE;
}

/* Whether ERROR says that the server will not have a record of the batch, whenever it is sent. */
static gboolean
is_about_records (const GError *error)
{
  return g_error_matches (error, PP_API_ERROR, 400) || g_error_matches (error, PP_API_ERROR, 413)
         || g_error_matches (error, PP_API_ERROR, 422);
}

static void
on_sent (json_t *body, const GError *error, gpointer user_data)
{
  PpLogSender *sender = user_data;
  const Record *first = g_queue_peek_head (&sender->records);

  (void)body;
  pp_failpoint ("logs", "answered");
  sender->call = NULL;
  if (pp_api_error_is_transient (error))
    {
      gint64 now = g_get_monotonic_time ();

      sender->refused = FALSE;
      sender->unsure = TRUE;
      sender->look_until = now + pp_look_time (now - sender->sent);
      /* A server that was silent all the time may be at it for long. */
      if (now - sender->sent >= sender->timeout)
        sender->look_until = MAX (sender->look_until, sender->sent + sender->timeout + LATE_US);
      if (++sender->unanswered == SAY_UNANSWERED)
        g_warning ("Logs get no answer and wait: %s", error->message);
      sender->timer = g_timeout_add (pp_look_delay (sender->unanswered), on_look_timer, sender);
      return;
    }
  if (error != NULL && !is_about_records (error))
    {
      /* A key that was revoked, a server that is being moved: the records are all right. */
      if (!sender->refused)
        g_warning ("Logs are not taken and wait: %s", error->message);
      sender->refused = TRUE;
      tell_sending (sender, FALSE);
      sender->in_flight = 0;
      sender->timer = g_timeout_add_seconds (REFUSED_RETRY_SECONDS, on_interval, sender);
      return;
    }
  sender->refused = FALSE;
  if (error != NULL && sender->in_flight > 1)
    {
      /* One record the server will not have must not cost its neighbours: look for it by halves. */
      sender->max_records = sender->in_flight / 2;
      sender->in_flight = 0;
      send_batch (sender);
      return;
    }
  if (error != NULL)
    g_warning ("A log record of flow run %s was refused and is dropped: %s", first->flow_run_id,
               error->message);
  on_taken (sender);
}

static json_t *
record_to_json (const Record *record)
{
  g_autofree char *timestamp = pp_api_timestamp (record->timestamp);
  json_t *json = json_object ();

  json_object_set_new (json, "name", json_string (record->logger));
  json_object_set_new (json, "level", json_integer (record->level));
  json_object_set_new (json, "message", json_stringn (record->message, record->length));
  json_object_set_new (json, "timestamp", json_string (timestamp));
  json_object_set_new (json, "flow_run_id", json_string (record->flow_run_id));
  return json;
}

/* Sends those in flight. */
static void
post_batch (PpLogSender *sender)
{
  json_t *batch = json_array ();
  const GList *link = sender->records.head;

  for (guint i = 0; i < sender->in_flight; i++, link = link->next)
    json_array_append_new (batch, record_to_json (link->data));
  sender->sent = g_get_monotonic_time ();
  sender->call = pp_logs_create (sender->api, batch, on_sent, sender);
}

static void
on_noted (const GError *error G_GNUC_UNUSED, gpointer user_data)
{
  PpLogSender *sender = user_data;

  sender->noting = NULL;
  g_clear_handle_id (&sender->timer, g_source_remove);
  post_batch (sender);
}

static gboolean
on_note_timer (gpointer user_data)
{
  PpLogSender *sender = user_data;

  sender->timer = 0;
  pp_journal_put_cancel (g_steal_pointer (&sender->noting));
  post_batch (sender);
  return G_SOURCE_REMOVE;
}

static void
send_batch (PpLogSender *sender)
{
  gsize bytes = 0;

  if (sender->call != NULL || sender->unsure || sender->noting != NULL
      || g_queue_is_empty (&sender->records))
    return;
  g_clear_handle_id (&sender->timer, g_source_remove);
  for (GList *link = sender->records.head; link != NULL && sender->in_flight < sender->max_records;
       link = link->next)
    {
      bytes += record_size (link->data);
      if (bytes > sender->batch_bytes && sender->in_flight > 0)
        break;
      sender->in_flight++;
    }
  if (!tell_sending (sender, TRUE))
    {
      post_batch (sender);
      return;
    }
  sender->noting = pp_journal_after (sender->journal, on_noted, sender);
  sender->timer = g_timeout_add_seconds (NOTE_SECONDS, on_note_timer, sender);
}

void
pp_log_sender_on_delivered (PpLogSender *sender, PpLogDeliveredFunc func, gpointer user_data)
{
  sender->on_delivered = func;
  sender->delivered_data = user_data;
}

void
pp_log_sender_on_sending (PpLogSender *sender, PpJournal *journal, PpLogSendingFunc func,
                          gpointer user_data)
{
  sender->journal = journal;
  sender->on_sending = func;
  sender->sending_data = user_data;
}

void
pp_log_sender_go_on_after (PpLogSender *sender, const char *flow_run_id, gint64 timestamp)
{
  gint64 *ahead = g_hash_table_lookup (sender->ahead, flow_run_id);

  if (timestamp <= MAX (g_get_real_time (), sender->last_timestamp))
    return;
  if (ahead == NULL)
    {
      ahead = g_new0 (gint64, 1);
      g_hash_table_insert (sender->ahead, g_strdup (flow_run_id), ahead);
    }
  *ahead = MAX (*ahead, timestamp);
}

/* The time stamp of FLOW_RUN_ID's next record. A run that is ahead of the clock takes no other with
 * it. */
static gint64
next_timestamp (PpLogSender *sender, const char *flow_run_id)
{
  gint64 *ahead = g_hash_table_lookup (sender->ahead, flow_run_id);

  sender->last_timestamp = MAX (g_get_real_time (), sender->last_timestamp + 1);
  if (ahead != NULL && *ahead >= sender->last_timestamp)
    return ++*ahead;
  if (ahead != NULL)
    g_hash_table_remove (sender->ahead, flow_run_id);
  return sender->last_timestamp;
}

void
pp_log_sender_add (PpLogSender *sender, const char *flow_run_id, const char *logger,
                   gboolean is_output, PpLogLevel level, const char *message, gsize length)
{
  Record *record = g_malloc (sizeof *record + length + 1);

  g_strlcpy (record->flow_run_id, flow_run_id, sizeof record->flow_run_id);
  record->logger = logger;
  record->timestamp = next_timestamp (sender, flow_run_id);
  record->level = level;
  record->is_output = is_output;
  record->length = length;
  memcpy (record->message, message, length);
  record->message[length] = '\0';
  g_queue_push_tail (&sender->records, record);
  sender->bytes += record_size (record);
  sender->added++;
  schedule (sender);
}

gsize
pp_log_sender_max_message (const PpLogSender *sender)
{
  return sender->max_message;
}

gboolean
pp_log_sender_has_room (const PpLogSender *sender)
{
  return sender->bytes < HIGH_WATER;
}

void
pp_log_sender_when (PpLogSender *sender, gboolean room, void (*func) (gpointer), gpointer user_data)
{
  Waiter *waiter = g_new0 (Waiter, 1);

  waiter->room = room;
  waiter->position = sender->added;
  waiter->base.func = func;
  waiter->base.user_data = user_data;
  sender->waiters = g_list_append (sender->waiters, waiter);
  if (waiter_is_due (sender, waiter))
    wake (sender);
}

void
pp_log_sender_forget (PpLogSender *sender, gpointer user_data)
{
  sender->waiters = pp_waiters_forget (sender->waiters, user_data);
}

void
pp_log_sender_flush (PpLogSender *sender)
{
  sender->flush_until = sender->added;
  send_batch (sender);
}

guint
pp_log_sender_pending (const PpLogSender *sender)
{
  return g_queue_get_length ((GQueue *)&sender->records);
}
