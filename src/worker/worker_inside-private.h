/* SPDX-License-Identifier: Apache-2.0 */
/* The worker's internals, for the source files of src/worker only. */
#pragma once

#include "context-private.h"
#include "worker/flow_run/flow_run-private.h"
#include "health-private.h"
#include "host_lookup-private.h"
#include "prefect-podman/prefect/resources.h"
#include "prefect-podman/infrastructure/kinds.h"
#include "prefect-podman/state/identity.h"
#include "prefect-podman/state/state_fallback.h"
#include "prefect-podman/worker/worker.h"

typedef struct PpOrphan PpOrphan;
typedef struct PpFreeIdentitiesLook PpFreeIdentitiesLook;
typedef struct PpLabelsLook PpLabelsLook;
typedef struct PpQueues PpQueues;
typedef struct PpPollParts PpPollParts;

typedef enum
{
  PP_WORKER_RUNNING,
  PP_WORKER_DRAINING, /* takes no new runs and waits for those in flight */
  PP_WORKER_STOPPING, /* flushes logs and output, then exits; containers keep running */
} PpWorkerPhase;

typedef struct
{
  const PpSettings *settings;
  const PpWorkerOptions *options;
  PpWorkerContext context;
  GMainLoop *loop;
  PpWorkerPhase phase;
  int exit_code;
  guint signals; /* number of signals received */

  PpHttp *http;
  PpHealth *health;       /* NULL until it listens, or if not enabled */
  guint health_timer;     /* the timer for the next attempt to listen */
  gint64 health_deadline; /* monotonic microseconds: the end of the retries */
  gboolean health_warned; /* the retries were announced in the log */
  PpHostLookup *health_lookup;
  struct addrinfo *health_addresses; /* addresses to listen on; NULL if not known yet */
  char *place;                       /* the place of the jobs (pp_kind_find_place()) */

  PpIdentity *identity;
  char *name;    /* options->name, or a generated name, perhaps that of an earlier start */
  char *boot_id; /* of the host */
  char *state_dir;
  PpStateFallback *state_fallback; /* in use if the default directory is not writable */
  gboolean has_served; /* this worker, or an earlier one with this identity, has served the pool */
  GPtrArray *to_recover;        /* ids of runs to recover that wait for the list of containers */
  GPtrArray *free_identities;   /* names of identities without a worker at the last check */
  PpJournalPut *identities_put; /* the check in progress, or NULL */
  PpFreeIdentitiesLook *identities_look; /* the data of identities_put */
  GHashTable *adopted;                   /* names of identities whose runs were taken over; a set */
  gboolean unknown_said;
  GList *orphans;   /* of PpOrphan: orphaned containers being checked (orphans.c) */
  GHashTable *held; /* names of identities -> our locks on them while their orphaned containers are
                       checked */
  GList *late_containers; /* containers being checked (late_containers.c) */
  PpInfrastructureCall *late_list_call;
  guint late_timer;       /* the next check for late requests */
  GPtrArray *late_claims; /* claims whose containers are still to be listed, or NULL */
  gboolean list_is_old;   /* a list was requested while list_call or list_put was under way, so list
                             again */
  PpInfrastructureCall *list_call;
  PpJournalPut *list_put;   /* the check of the listed containers' labels, or NULL */
  PpLabelsLook *list_look;  /* the data of list_put */
  GPtrArray *listed;        /* the listed containers, of PpJob */
  PpListScope list_scope;   /* the scope of that list */
  gboolean list_is_cut;     /* logged: lists leave out containers that have ended */
  guint list_failures;      /* failed lists in a row */
  gboolean list_is_refused; /* the engine answers but refuses to list */
  guint list_timer;
  guint identities_timer;

  gboolean engine_asked; /* the worker connects, or has connected, to the engine of its kind */
  gboolean engine_ready;
  gboolean pool_ready;
  gboolean started; /* engine and pool were both ready; the banner was printed */
  gboolean pool_missing_said;
  gboolean pool_is_paused; /* as last read */
  char *engine_absence;    /* why the start waits for the engine, or NULL */
  char *pool_absence;      /* why the start waits for the API or the work pool, or NULL */
  guint engine_failures;   /* failed connects in a row */
  guint sync_failures;
  guint engine_timer;
  guint sync_timer;
  PpApiCall *sync_call;
  PpApiCall *heartbeat_call;
  char *worker_id;  /* Prefect Cloud's id of this worker, or NULL */
  gboolean asks_id; /* heartbeat_call asks for an id */
  gboolean id_missing_said;

  guint cancel_timer;
  guint look_turn; /* which runs the next check reads */
  PpApiCall *cancel_call;
  gint64 cancel_asked_at;   /* monotonic microseconds; when cancel_call was sent */
  GHashTable *cancel_heard; /* ids of the runs that the server has returned in this check */
  PpApiCall *count_call;
  json_int_t counted;  /* number of runs that count_call asks for */
  gboolean unheard;    /* the last cancel_call got no answer */
  GList *cancel_looks; /* reads of single runs (cancellation.c) */

  GHashTable *runs; /* id -> PpFlowRun */
  guint slots_used;
  guint poll_failures;
  guint asked;                  /* number of runs that the current poll asks for */
  guint poll_cap;               /* the most runs to ask for; lowered while answers are too large */
  gboolean polls_without_limit; /* the server refused a limit, so polls have none */
  guint poll_timer;
  gboolean bad_members_said;
  gboolean old_answer_said;      /* the last poll's answer was old, and a warning said so */
  guint old_entries;             /* runs in that answer that were skipped because it was old */
  PpQueues *queues;              /* queues to poll; NULL before the first poll */
  PpWorkQueuesRead *queues_read; /* the current check of queues, or NULL */
  PpApiCall *poll_call;
  PpPollParts
      *poll_parts; /* the current poll if it goes queue by queue (poll_parts.c), else NULL */
  gboolean polls_in_parts;  /* the last answered poll went queue by queue */
  PpApiCall *suspects_call; /* the request for due runs (spoilers.c) */
  GList *suspects;          /* runs that are being checked */
  GHashTable *unread;       /* id -> number of polls in a row in which it was unreadable; or NULL */
  gint64 polled_before;     /* latest start time that the last poll asked for; UNIX microseconds */
  gint64 polled_at;         /* monotonic microseconds of the last poll */
  gint64 last_poll;         /* monotonic microseconds of the last answered poll, or of the start */
  gboolean poll_is_stale;   /* a warning about the stale poll was logged */
  gboolean more_waits;      /* more runs may be due than this worker has taken */
  json_t *polled;           /* the poll's answer, while the engine is pinged */
  PpInfrastructureCall *ping_call;
  char *engine_silence; /* why no runs are taken while the engine is away, or NULL */
  char *shortage;       /* why no runs are taken because of the worker's own shortage, or NULL */

  gint64 stop_deadline; /* monotonic microseconds */
  guint stop_timer;
  gboolean end_begun; /* the worker stops or drains; the event about it was sent */
  guint memory_timer; /* set after a run has ended, until free heap is given back */
} PpWorker;

/* Returns the milliseconds until the next turn of a loop with an interval of SECONDS. Adds 30 %
 * jitter and backs off after FAILURES in a row, up to a minute (critical_service_loop in
 * prefect/utilities/services.py). */
guint pp_worker_interval_ms (double seconds, guint failures);

/* Logs one line with the reason and ends the worker with EXIT_CODE. */
void pp_worker_fail (PpWorker *worker, int exit_code, const char *format, ...) G_GNUC_PRINTF (3, 4);

/* Stops the worker as SIGTERM does. Logs MESSAGE as the reason and exits with EXIT_CODE. */
void pp_worker_stop (PpWorker *worker, int exit_code, const char *message);

/* The PpHealthFunc of the worker USER_DATA. */
const char *pp_worker_find_illness (gpointer user_data);

/* poll_age.c */

/* Records that a poll was answered or that none is due. */
void pp_worker_note_poll (PpWorker *worker);
/* True if the last poll is too long ago. Logs each change once. */
gboolean pp_worker_poll_is_stale (PpWorker *worker);
/* Returns a sentence about a stale poll, or NULL if the last poll is recent. Before the first poll,
 * the sentence says what the start waits for. */
const char *pp_worker_poll_trouble (PpWorker *worker);
/* Sets *ABSENCE (engine_absence or pool_absence) to a copy of WHY. NULL means that the engine or
 * pool is available. */
void pp_worker_note_absence (char **absence, const char *why);

/* worker_identity.c */

/* Takes an identity and opens its journal. After a restart, takes the earlier identity. Returns
 * FALSE with ERROR; its message says what to do. */
gboolean pp_worker_take_identity (PpWorker *worker, GError **error);

/* Records in the state directory that this worker has served its pool. After a restart, an
 * answer at the API's address that is not the API's then counts as a temporary fault, not as a
 * wrong URL. */
void pp_worker_note_served (PpWorker *worker);

/* Shows other processes that this worker is stopping. */
void pp_worker_say_stopping (PpWorker *worker);

/* health_start.c */

/* Starts the health check, or starts retrying. Returns FALSE with ERROR if a retry cannot help. */
gboolean pp_worker_health_start (PpWorker *worker, GError **error);
void pp_worker_health_stop (PpWorker *worker);

/* worker.c: ends the main loop if a draining or stopping worker can exit. */
void pp_worker_check_done (PpWorker *worker);

/* pool.c */
void pp_worker_sync_start (PpWorker *worker);
void pp_worker_sync_stop (PpWorker *worker);

/* Called by pool.c when the engine and the pool are both ready for the first time. */
void pp_worker_ready (PpWorker *worker);

/* recovery/recover.c */

/* Loads the runs of the journal into this worker, so that no poll claims them. */
void pp_worker_load_journal (PpWorker *worker);

/* worker.c: changes the worker to KIND, the kind of its pool, unless it already has that kind. At
 * the start the worker only assumes a likely kind. Call this before the worker is ready. Blocks for
 * a few small files. Returns FALSE with ERROR. */
gboolean pp_worker_use_kind (PpWorker *worker, const PpInfrastructureKind *kind, GError **error);

/* recovery/recover.c: recovers the loaded runs. Checks from time to time for workers that do not
 * come back, and takes over their runs. */
void pp_worker_recover (PpWorker *worker);
void pp_worker_stop_recovering (PpWorker *worker);

/* worker.c: true if the worker treats a refused key, or an answer that is not the API's, as
 * temporary: the API worked before, and this is not a --run-once worker. */
gboolean pp_worker_is_patient (const PpWorker *worker);

/* recovery/recover.c: adds the run of the journal entry ENTRY to this worker. Returns the run,
 * borrowed. The caller then calls pp_flow_run_recover(). */
PpFlowRun *pp_worker_take_into_hands (PpWorker *worker, const PpJournalEntry *entry);

/* Adds the runs of ENTRIES that this worker does not have yet. They are recovered when containers
 * are listed. */
void pp_worker_take_entries (PpWorker *worker, const GPtrArray *entries);

/* Lists containers now, after the current list, or when the delay before the next list is over. */
void pp_worker_list_containers (PpWorker *worker);

/* Lists containers again after a delay, unless a list is under way. */
void pp_worker_list_later (PpWorker *worker);

/* Recovers the run FLOW_RUN_ID, which this worker has, after a new list of containers. */
void pp_worker_recover_run (PpWorker *worker, const char *flow_run_id);

/* recovery/dead_workers.c: checks from time to time for identities whose worker does not come back,
 * and takes over their runs. */
void pp_worker_watch_dead_workers (PpWorker *worker);
void pp_worker_leave_dead_workers (PpWorker *worker);

/* recovery/late_containers.c: removes containers that the engine created late and that no worker
 * will start. Checks only runs that have a note of a late request. Call this from time to time. */
void pp_worker_look_for_late_containers (PpWorker *worker);
void pp_worker_leave_late_containers (PpWorker *worker);

/* recovery/late.c: loads the notes of requests that may outlive their runs. */
void pp_worker_expect_late_requests (PpWorker *worker);

/* Checks now, and then from time to time, what late requests have changed. Continues while the
 * worker drains, because its runs wait until such changes are undone. Call this once. */
void pp_worker_watch_late_requests (PpWorker *worker);
void pp_worker_leave_late_requests (PpWorker *worker);

/* recovery/orphans.c */

/* Call this before the first list of containers. */
void pp_worker_expect_orphans (PpWorker *worker);

/* Recovers orphaned containers. An orphaned container belongs to our identity, or to an identity
 * without a worker. No journal has its run, but the server still waits for the run's end. GROUPS
 * maps flow run ids to arrays of PpJob. LOOK is the check of their labels. Takes over the locks in
 * LOOK. */
void pp_worker_look_at_orphans (PpWorker *worker, GHashTable *groups, PpLabelsLook *look);

/* True if the identity in JOB's label must be locked before the container can be checked. */
gboolean pp_worker_has_to_hold (const PpWorker *worker, const PpJob *job);
void pp_worker_leave_orphans (PpWorker *worker);

/* The PpFlowRunNotifyFunc of all runs (poll.c). */
void pp_worker_on_run_notify (PpFlowRun *run, gboolean slot_free, gpointer user_data);

/* poll.c */

/* The bounds of a poll made now: the latest start time (UNIX microseconds), and the most runs. With
 * 0, the server chooses the number. */
gint64 pp_worker_poll_before (const PpWorker *worker);
guint pp_worker_poll_limit (const PpWorker *worker);

/* Polls as soon as requests in progress allow. */
void pp_worker_poll_soon (PpWorker *worker);

/* True if one more run may be taken. */
gboolean pp_worker_has_slot (const PpWorker *worker);

void pp_worker_poll_start (PpWorker *worker);
void pp_worker_poll_stop (PpWorker *worker);

/* shortage.c */

/* Call this once, before the first request of worker->http. */
void pp_worker_expect_shortages (PpWorker *worker);

/* True if the worker lacks a resource that it needs to take a run. Sets worker->shortage and logs
 * each change. */
gboolean pp_worker_is_short (PpWorker *worker);

/* cancellation.c */
void pp_worker_watch_cancellations (PpWorker *worker);
void pp_worker_stop_watching_cancellations (PpWorker *worker);
