/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the worker, for the files of its loops only: worker.c (life, signals), sync.c
 * (engine, pool, heartbeat), poll.c. */
#pragma once

#include "context-private.h"
#include "worker/flow_run/flow_run-private.h"
#include "health-private.h"
#include "host_lookup-private.h"
#include "prefect-podman/prefect/resources.h"
#include "prefect-podman/state/identity.h"
#include "prefect-podman/state/state_fallback.h"
#include "prefect-podman/worker/worker.h"

typedef struct PpStray PpStray;
typedef struct PpOrphansLook PpOrphansLook;
typedef struct PpLabelsLook PpLabelsLook;
typedef struct PpQueues PpQueues;
typedef struct PpPollParts PpPollParts;

typedef enum
{
  PP_WORKER_RUNNING,
  PP_WORKER_DRAINING, /* takes no more runs, waits for those in flight */
  PP_WORKER_STOPPING, /* says what is buffered and goes, containers stay */
} PpWorkerPhase;

typedef struct
{
  const PpSettings *settings;
  const PpWorkerOptions *options;
  PpWorkerContext context;
  GMainLoop *loop;
  PpWorkerPhase phase;
  int exit_code;
  guint signals; /* how many came */

  PpHttp *http;
  PpHealth *health;       /* NULL until it listens, and where nobody wants it */
  guint health_timer;     /* set while it is tried to listen */
  gint64 health_deadline; /* monotonic microseconds: for so long */
  gboolean health_warned; /* that it is tried was said */
  PpHostLookup *health_lookup;
  struct addrinfo *health_addresses; /* to listen on; NULL: not known yet */
  char *engine_url;

  PpIdentity *identity;
  char *name;    /* options->name, or one made up, now or by an earlier self */
  char *boot_id; /* of the host */
  char *state_dir;
  PpStateFallback *state_fallback; /* where there is none in the user's home */
  gboolean has_served;             /* this worker, or one before it with this identity */
  GPtrArray *taken_up;             /* ids of runs that wait for the engine's list of containers */
  GPtrArray *orphans;              /* names of identities that were free at the last look */
  PpJournalPut *orphans_put;       /* the next look under way, or NULL */
  PpOrphansLook *orphans_look;     /* what orphans_put asks and finds */
  GHashTable *adopted;             /* names of free identities that were taken over: a set */
  gboolean unknown_said;
  GList *strays;          /* of PpStray: containers that are being looked at (strays.c) */
  GHashTable *held;       /* names of identities whose strays they are -> locks on them */
  GList *late_containers; /* that are being looked at (late_containers.c) */
  PpInfrastructureCall *late_list_call;
  guint late_timer;       /* of the next look at what was carried out late */
  GPtrArray *late_claims; /* still to be listed one by one; or NULL */
  gboolean list_is_old;   /* list_call, list_put: it was asked for once more since */
  PpInfrastructureCall *list_call;
  PpJournalPut *list_put;   /* the look at the labels of LISTED, or NULL */
  PpLabelsLook *list_look;  /* what list_put asks and finds */
  GPtrArray *listed;        /* containers (PpJob), */
  PpListScope list_scope;   /* and which */
  gboolean list_is_cut;     /* that those that have ended are too many was said */
  guint list_failures;      /* in a row */
  gboolean list_is_refused; /* the engine answers, and gives none */
  guint list_timer;
  guint orphans_timer;

  gboolean engine_ready;
  gboolean pool_ready;
  gboolean started; /* both were ready once; the banner is out */
  gboolean pool_missing_said;
  char *engine_absence;  /* why the start still waits for it, or NULL */
  char *pool_absence;    /* the same, of the API and the work pool */
  guint engine_failures; /* in a row */
  guint sync_failures;
  guint engine_timer;
  guint sync_timer;
  PpApiCall *sync_call;
  PpApiCall *heartbeat_call;
  char *worker_id;  /* what Prefect Cloud knows this worker by, or NULL */
  gboolean asks_id; /* the heartbeat under way does */
  gboolean id_missing_said;

  guint cancel_timer;
  PpApiCall *cancel_call;
  PpApiCall *count_call;
  json_int_t counted;  /* runs that count_call asks for */
  gboolean unheard;    /* cancel_call got no answer last */
  GList *cancel_looks; /* reads of single runs under way (cancellation.c) */

  GHashTable *runs; /* id -> PpFlowRun */
  guint slots_used;
  guint poll_failures;
  guint asked;    /* for how many runs the poll under way asks */
  guint poll_cap; /* the most runs a poll asks for, while larger answers are too much */
  gboolean polls_without_limit; /* the server refused one */
  guint poll_timer;
  gboolean bad_members_said;
  PpQueues *queues;              /* that are polled; NULL before the first poll */
  PpWorkQueuesRead *queues_read; /* the look at QUEUES under way, or NULL */
  PpApiCall *poll_call;
  PpPollParts *poll_parts;  /* the poll goes on queue by queue (poll_parts.c), or NULL */
  gboolean polls_in_parts;  /* the last poll that was answered went so */
  PpApiCall *suspects_call; /* spoilers.c: which runs are due */
  GList *suspects;          /* those that are being looked at */
  GHashTable *unread;       /* id -> in how many polls in a row it could not be read; or NULL */
  gint64 polled_at;         /* monotonic microseconds of the last call */
  gint64 last_poll;         /* monotonic microseconds of the last answer, or of the start */
  gboolean poll_is_stale;   /* that it is too long ago was said */
  gboolean more_waits;      /* the last poll left runs behind for want of a slot */
  json_t *polled;           /* the last answer, while the engine is asked whether it is there */
  PpInfrastructureCall *ping_call;
  char *engine_silence; /* why no runs are taken, or NULL */
  char *shortage;       /* the same, where the worker itself is short of something */

  gint64 stop_deadline; /* monotonic microseconds */
  guint stop_timer;
  guint memory_timer; /* set after a run has ended, until free heap is given back */
} PpWorker;

/* Milliseconds until the next turn of a loop of SECONDS: jittered by 30 %, backed off after
 * FAILURES in a row (as prefect/utilities/services.py critical_service_loop, up to a minute). */
guint pp_worker_interval_ms (double seconds, guint failures);

/* Ends the worker with EXIT_CODE and one line that says why. */
void pp_worker_fail (PpWorker *worker, int exit_code, const char *format, ...) G_GNUC_PRINTF (3, 4);

/* Stops the worker as SIGTERM does, with EXIT_CODE and MESSAGE as the reason in its log. */
void pp_worker_stop (PpWorker *worker, int exit_code, const char *message);

/* PpHealthFunc of the worker USER_DATA. */
const char *pp_worker_find_illness (gpointer user_data);

/* poll_age.c */

/* A poll was answered, or none is due. */
void pp_worker_note_poll (PpWorker *worker);
/* Whether the last one is too long ago. A change is logged, once. */
gboolean pp_worker_poll_is_stale (PpWorker *worker);
/* What to say of it, a sentence: before the first poll, what the start waits for. NULL: nothing. */
const char *pp_worker_poll_trouble (PpWorker *worker);
/* *ABSENCE (engine_absence, pool_absence) becomes a copy of WHY; NULL: it is there. */
void pp_worker_note_absence (char **absence, const char *why);

/* worker_identity.c */

/* Finds out who this worker is (what it was before it was restarted, if it was), and opens its
 * journal. FALSE with ERROR, whose message says what to do. */
gboolean pp_worker_take_identity (PpWorker *worker, GError **error);

/* Notes in the state directory that this worker has served its pool: the next one need not take a
 * page in the API's place for a wrong URL. */
void pp_worker_note_served (PpWorker *worker);

/* Lets other processes see that this worker is stopping. */
void pp_worker_say_stopping (PpWorker *worker);

/* health_start.c */

/* Starts the health check, or to try so. FALSE with ERROR where trying again is of no use. */
gboolean pp_worker_health_start (PpWorker *worker, GError **error);
void pp_worker_health_stop (PpWorker *worker);

/* Looks whether a draining or stopping worker is done. */
void pp_worker_check_done (PpWorker *worker);

/* sync.c */
void pp_worker_sync_start (PpWorker *worker);
void pp_worker_sync_stop (PpWorker *worker);

/* Called by sync.c when engine and pool are both there for the first time. */
void pp_worker_ready (PpWorker *worker);

/* take_up.c */

/* Takes the runs in the journal into this worker's hands, so that no poll does. */
void pp_worker_load_journal (PpWorker *worker);

/* Goes on with them; and, from time to time, with those of workers that do not come back. */
void pp_worker_take_up (PpWorker *worker);
void pp_worker_stop_taking_up (PpWorker *worker);

/* Whether what does not look like the API, or refuses the key, may pass: it was there before, and
 * nobody waits for this worker's end. */
gboolean pp_worker_is_patient (const PpWorker *worker);

/* Takes the run of which the journal says ENTRY into this worker's hands. Borrowed. Its turn comes
 * with pp_flow_run_take_up(). */
PpFlowRun *pp_worker_take_into_hands (PpWorker *worker, const PpJournalEntry *entry);

/* Takes into this worker's hands those of ENTRIES that are not there yet; they go on once
 * containers are listed. */
void pp_worker_take_entries (PpWorker *worker, const GPtrArray *entries);

/* Has containers listed, now or once more. */
void pp_worker_list_containers (PpWorker *worker);

/* Has containers listed once more, after a while. */
void pp_worker_list_later (PpWorker *worker);

/* Has RUN, which is in this worker's hands, gone on with once containers are listed anew. */
void pp_worker_take_up_run (PpWorker *worker, const char *flow_run_id);

/* orphans.c: takes over, from time to time, what identities have left whose worker does not come
 * back. */
void pp_worker_watch_orphans (PpWorker *worker);
void pp_worker_leave_orphans (PpWorker *worker);

/* late_containers.c: to be called from time to time. Removes containers that the engine has made
 * late, and that nobody will start, for the runs of which there are notes. */
void pp_worker_look_for_late_containers (PpWorker *worker);
void pp_worker_leave_late_containers (PpWorker *worker);

/* late.c: reads the notes of requests that may outlive their runs, and has such be watched for. */
void pp_worker_expect_late_requests (PpWorker *worker);

/* Looks now, and from time to time, what late requests have done, also while the worker is
 * draining: runs in its hands wait for what they have changed to be put back. To be called once. */
void pp_worker_watch_late_requests (PpWorker *worker);
void pp_worker_leave_late_requests (PpWorker *worker);

/* strays.c */

/* To be called before the first look. */
void pp_worker_expect_strays (PpWorker *worker);

/* Takes up the containers of our identity, and of free ones, that no journal knows of and that the
 * server still waits for. GROUPS: flow run id -> array of the engine's list entries of the
 * containers that bear it. LOOK: at their labels; its locks are taken over. */
void pp_worker_look_at_strays (PpWorker *worker, GHashTable *groups, PpLabelsLook *look);

/* Whether the lock of the identity that CONTAINER is labelled with has to be held before the
 * container can be looked at. */
gboolean pp_worker_has_to_hold (const PpWorker *worker, const PpJob *job);
void pp_worker_leave_strays (PpWorker *worker);

/* PpFlowRunNotifyFunc of all runs (poll.c). */
void pp_worker_on_run_notify (PpFlowRun *run, gboolean slot_free, gpointer user_data);

/* poll.c */

/* The latest time of what is asked for now (UNIX microseconds), and the most runs of it; 0: as many
 * as the server gives. */
gint64 pp_worker_poll_before (const PpWorker *worker);
guint pp_worker_poll_limit (const PpWorker *worker);

/* Polls as soon as what is under way allows. */
void pp_worker_poll_soon (PpWorker *worker);

/* Whether one more run may be taken. */
gboolean pp_worker_has_slot (const PpWorker *worker);

void pp_worker_poll_start (PpWorker *worker);
void pp_worker_poll_stop (PpWorker *worker);

/* shortage.c */

/* To be called once, before the first call of worker->http. */
void pp_worker_expect_shortages (PpWorker *worker);

/* Looks whether the worker has what it takes to take a run on; says in the log when that changes,
 * and in worker->shortage. */
gboolean pp_worker_is_short (PpWorker *worker);

/* cancellation.c */
void pp_worker_watch_cancellations (PpWorker *worker);
void pp_worker_stop_watching_cancellations (PpWorker *worker);
