/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the tests of a flow run's life: a run on a fake infrastructure, and a server that plays
 * Prefect for this one run. Nothing waits for the real clock. When the run, the server and the
 * journal have nothing to do, the script's next step is made; after the last step, the clock is set
 * forward to the next timer. */
#pragma once

#include "prefect-podman/json.h"
#include "tests/unit/clock.h"
#include "tests/unit/fake_kind.h"
#include "tests/unit/server.h"
#include "tests/unit/state_test.h"
#include "tests/unit/tap.h"
#include "worker/flow_run/flow_run-private.h"

#define RUN "11111111-1111-4111-8111-111111111111"
#define DEPLOYMENT "22222222-2222-4222-8222-222222222222"
#define FLOW "33333333-3333-4333-8333-333333333333"
#define QUEUE "77777777-7777-4777-8777-777777777777"
/* Transition ids: of the worker that a recovered run belonged to, and of another worker. */
#define CLAIM "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
#define RUNNING_ID "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"
#define OTHER "cccccccc-cccc-4ccc-8ccc-cccccccccccc"
/* The id of a state that a worker has restored. */
#define RESTORED "dddddddd-dddd-8ddd-8ddd-dddddddddddd"

#define REJECTED "{\"status\": \"REJECT\", \"state\": {\"type\": \"COMPLETED\"}, \"details\": {}}"
#define ABORTED "{\"status\": \"ABORT\", \"state\": null, \"details\": {\"reason\": \"no\"}}"
#define WAITS                                                                                      \
  "{\"status\": \"WAIT\", \"state\": null, \"details\": {\"delay_seconds\": 0.1, \"reason\": "     \
  "\"later\"}}"
/* An answer that is nested too deep to be read. */
#define X8(text) text text text text text text text text
#define TOO_MUCH X8 (X8 (X8 ("[[[[[")))
#define DETAIL(words) "{\"detail\": \"" words "\"}"

/* A job whose end the worker reports, and one in which Prefect reports it. */
#define IMAGE "\"image\": \"busybox:1\", \"command\": \"true\", \"auto_remove\": true"
#define PLAIN_JOB                                                                                  \
  "{" IMAGE ", \"image_pull_policy\": \"IfNotPresent\", \"infrastructure_retries\": 1}"
#define PREFECT_JOB                                                                                \
  "{" IMAGE ", \"image_pull_policy\": \"IfNotPresent\", \"state_reporting\": \"engine\"}"

typedef struct Fixture Fixture;
typedef void (*Step) (Fixture *fixture);

/* How the server answers some requests, in place of its own answer. */
typedef struct
{
  const char *to;   /* the type of a proposed state, or a part of "METHOD PATH" */
  guint after;      /* so many of these requests are answered as usual first */
  guint times;      /* and then so many are answered like this */
  int status;       /* 0: 200, or 503 without a BODY */
  const char *body; /* NULL: the words of a 503 */
  gboolean is_done; /* the request is carried out all the same */
  guint seconds;    /* the request is carried out and answered so much later */
  /* States that the run gets before and after the request is carried out: "TYPE TYPE/ID". */
  const char *before;
  const char *behind;
  gboolean is_on_top; /* the proposed state stays the run's state, in spite of BEHIND */
} Answer;

/* One run. A string that is NULL is not checked, unless its comment says otherwise. */
typedef struct
{
  const char *variables;  /* the job variables; NULL: PLAIN_JOB */
  gint64 exit_code;       /* of the job */
  gboolean keeps_running; /* the job does not end by itself after the steps */
  gboolean queue_is_gone; /* the run's work queue was deleted on the server */
  gboolean limit_is_gone; /* its deployment has lost its concurrency limit */
  FakeCall fails;         /* this call of the engine fails FAILURES times, with CODE */
  guint failures;
  PpInfrastructureError code;
  FakeCall held; /* this call ends only with go_on(), HOLDS times */
  guint holds;
  Answer answers[4];
  guint seen_before; /* seconds since the poll */
  guint starts_in;   /* seconds from the claim to the run's time */
  Step prepare;      /* called before the run begins */
  Step steps[8];
  const char *states; /* types of accepted proposals, a blank after each */
  const char *calls;  /* calls of the engine, a blank after each */
  const char *log;    /* a line, or a part of one, that the run's log has */
  const char *absent; /* and one that the log does not have */
  const char *words;  /* a part of the message of the run's last state */
  Step check;         /* more checks at the end */
} Script;

struct Fixture
{
  const Script *script;
  const PpJournalEntry *entry; /* of a run that is recovered */
  PpWorkerContext context;
  Fake *fake; /* NULL: another kind was put in its place */
  PpFlowRun *run;
  gboolean over;
  gboolean slot_free;
  gboolean logs_sent; /* all logs are sent */
  GMutex mutex;       /* protects what the server's thread uses */
  json_t *states;     /* of the run, oldest first */
  gint64 top;         /* index of the run's state; -1: the last one */
  GString *told;      /* types of accepted proposals; "(slot)" where a slot was given back */
  GString *log;       /* lines of the run's log */
  json_t *policy;     /* the run's empirical policy; NULL: none */
  json_int_t run_count;
  const char *lease; /* the server's lease for a PENDING or a RUNNING; NULL: none */
  guint renewals;    /* of the lease */
  const char *pid;   /* the run's infrastructure_pid; NULL: none */
  gboolean is_deleted;
  gboolean is_unlisted; /* the engine does not list its jobs */
  guint answered[4];
  guint step;
  gint64 waits_since; /* when let_minute_pass() began to wait; 0: it does not wait */
  Server *server;
  char *url;
  PpHttp *http;
  PpSettings settings;
  char *root;
  PpIdentity *identity;
  json_t *environment;
  int null_device; /* where standard output goes */
};

/* For g_test_add(); the data of set_up() is a Script. */
void set_up (Fixture *fixture, gconstpointer data);
void tear_down (Fixture *fixture, gconstpointer data);

/* Runs a flow run from the poll to its end, and then checks what the script expects. */
void run_script (Fixture *fixture, gconstpointer data);

typedef struct
{
  const char *name;
  Script script;
} Case;

/* main() of a test that runs COUNT CASES, each as a test FOLDER/NAME. */
int run_cases (int argc, char **argv, const char *folder, const Case *cases, gsize count);

/* The three parts of run_script(), in their order. */
void new_run (Fixture *fixture);
void finish_run (Fixture *fixture);
void check_script (Fixture *fixture);

/* Returns the run as the server's API shows it now; new object. */
json_t *run_now (const Fixture *fixture);

/* Gives the run a state of TYPE on the server, with TRANSITION_ID (NULL: none). */
void add_state (Fixture *fixture, const char *type, const char *transition_id);

/* Tells the worker the run's present state on the server. */
void hear (Fixture *fixture);

/* Steps. */
void end_job (Fixture *fixture);    /* with the script's exit_code */
void cancel_run (Fixture *fixture); /* the run is CANCELLING, and the worker has been told */
void delete_run (Fixture *fixture); /* deletes the run on the server */
void let_pass (Fixture *fixture);   /* sets the clock forward to the next timer */
void let_minute_pass (Fixture *fixture);
void go_on (Fixture *fixture);         /* ends the held calls of the engine */
void ask_to_cancel (Fixture *fixture); /* the run is CANCELLING; the worker has not been told */
void end_by_hand (Fixture *fixture);   /* somebody sets the run to COMPLETED */
void crash_by_hand (Fixture *fixture); /* somebody sets the run to CRASHED */
void retry_by_hand (Fixture *fixture); /* somebody retries the run */
/* Somebody forces the run's state: with the UI or the API (no transition id), or with Prefect's
 * client (an id). */
void force_pending (Fixture *fixture);
void force_pending_with_id (Fixture *fixture);
void force_running (Fixture *fixture);
void begin_elsewhere (Fixture *fixture); /* another worker claims the run's next attempt */
void complete_inside (Fixture *fixture); /* Prefect inside the job sets COMPLETED */
void vanish (Fixture *fixture);          /* somebody removes the job */
void refuse_removal (Fixture *fixture);  /* the engine refuses the next removal */
void refuse_removals (Fixture *fixture); /* the engine refuses the next six removals */
void lose_removals (Fixture *fixture);   /* the engine does not answer the next six removals */

/* Gives the run a state SCHEDULED with TRANSITION_ID (NULL: none), and sets its policy to POLICY,
 * which is taken. */
void schedule_again (Fixture *fixture, const char *transition_id, json_t *policy);

/* Checks that the job was killed, without time for the stop signal. */
void check_killed (Fixture *fixture);

/* Returns an entry as an earlier worker wrote it in PHASE. Its strings are static. */
PpJournalEntry make_entry (PpJournalPhase phase);

/* Returns the only job of ENTRY's run, in PHASE; new. */
PpJob *make_job (const PpJournalEntry *entry, PpJobPhase phase, gint64 exit_code);

/* Recovers the run of ENTRY. The engine has its job in PHASE; PP_JOB_ABSENT: it has no job. */
void recover_run (Fixture *fixture, const PpJournalEntry *entry, PpJobPhase phase);
