/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of a flow run's life share: a run on a fake infrastructure, and a server that
 * plays Prefect for this one run. Nothing waits for the clock: when the run, the server and the
 * journal are at rest, the next thing of the script happens, and after the last one the clock is
 * set forward to the next timer. */
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
/* Ids of proposals: of the worker that a recovered run was of, and of another one. */
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
/* An answer that cannot be read: it is nested too deep. */
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

/* How the server answers some requests, in place of what it says otherwise. */
typedef struct
{
  const char *to;   /* the type of a state that is proposed, or a part of "METHOD PATH" */
  guint after;      /* so many of these are answered as usual first */
  guint times;      /* and then so many like this */
  int status;       /* 0: 200, or 503 without a BODY */
  const char *body; /* NULL: that it is not available */
  gboolean is_done; /* what is asked for is done all the same */
  guint seconds;    /* it is done and answered as usual, but so late */
  /* Meanwhile the run gets these states, before it is done or after: "TYPE TYPE/TRANSITION_ID". */
  const char *before;
  const char *behind;
  gboolean is_on_top; /* what is asked for stays the run's state, in spite of BEHIND */
} Answer;

/* One run. All strings may be NULL: none, or not looked at. */
typedef struct
{
  const char *variables;  /* the job variables; NULL: PLAIN_JOB */
  gint64 exit_code;       /* of the job */
  gboolean keeps_running; /* the job does not end by itself after the steps */
  FakeCall fails;         /* this call of the engine fails so often, with CODE */
  guint failures;
  PpInfrastructureError code;
  FakeCall held; /* this one ends with go_on() only, so often */
  guint holds;
  Answer answers[4];
  guint seen_before; /* seconds: the poll was so long ago */
  guint starts_in;   /* seconds: the run is claimed so long before its time */
  Step prepare;      /* before the run begins */
  Step steps[8];
  const char *states; /* types that were proposed and accepted, a blank after each */
  const char *calls;  /* of the engine, the same */
  const char *log;    /* a line that the run's log has, or a part of it */
  const char *absent; /* and one that it does not have */
  const char *words;  /* a part of the message of the run's last state */
  Step check;         /* looks at what else there is to see */
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
  gboolean logs_sent; /* all of them */
  GMutex mutex;       /* of what the server's thread has to do with */
  json_t *states;     /* of the run, oldest first */
  gint64 top;         /* index of the run's state; -1: the last one */
  GString *told;      /* types of what was proposed and accepted */
  GString *log;       /* lines of the run's log */
  json_t *policy;     /* the run's empirical policy; NULL: none */
  json_int_t run_count;
  const char *lease; /* that the server gives with a PENDING or a RUNNING; NULL: none */
  guint renewals;    /* of it */
  const char *pid;   /* the run's infrastructure_pid; NULL: none */
  gboolean is_deleted;
  gboolean is_unlisted; /* the engine gives no list of what there is */
  guint answered[4];
  guint step;
  gint64 waits_since; /* of let_minute_pass(); 0: it does not wait */
  Server *server;
  char *url;
  PpHttp *http;
  PpSettings settings;
  char *root;
  PpIdentity *identity;
  json_t *environment;
  int null_device; /* where the output goes */
};

/* For g_test_add(); the data of set_up() is a Script. */
void set_up (Fixture *fixture, gconstpointer data);
void tear_down (Fixture *fixture, gconstpointer data);

/* A run that a poll has seen, to its end; then what the script says is looked at. */
void run_script (Fixture *fixture, gconstpointer data);

typedef struct
{
  const char *name;
  Script script;
} Case;

/* main() of a test that runs COUNT CASES, each as a test FOLDER/NAME. */
int run_cases (int argc, char **argv, const char *folder, const Case *cases, gsize count);

/* The parts of that. */
void new_run (Fixture *fixture);
void finish_run (Fixture *fixture);
void check_script (Fixture *fixture);

/* The API's object of the run, as the server has it. New. */
json_t *run_now (const Fixture *fixture);

/* The server has a state of TYPE for the run now, asked for by TRANSITION_ID (NULL: nobody's). */
void add_state (Fixture *fixture, const char *type, const char *transition_id);

/* The worker hears what the server says of the run now. */
void hear (Fixture *fixture);

/* Steps. */
void end_job (Fixture *fixture);    /* with the script's exit_code */
void cancel_run (Fixture *fixture); /* it is CANCELLING, and its worker has heard so */
void delete_run (Fixture *fixture); /* on the server */
void let_pass (Fixture *fixture);   /* until the next timer */
void let_minute_pass (Fixture *fixture);
void go_on (Fixture *fixture);           /* the calls of the engine that are held end */
void ask_to_cancel (Fixture *fixture);   /* the run is CANCELLING; its worker has not heard so */
void end_by_hand (Fixture *fixture);     /* somebody sets the run to COMPLETED */
void crash_by_hand (Fixture *fixture);   /* or to CRASHED */
void retry_by_hand (Fixture *fixture);   /* or retries it */
void begin_elsewhere (Fixture *fixture); /* another worker claims the run's next attempt */
void complete_inside (Fixture *fixture); /* Prefect inside the job sets COMPLETED */
void vanish (Fixture *fixture);          /* somebody removes the job */
void refuse_removal (Fixture *fixture);  /* the engine refuses the next removal */
void refuse_removals (Fixture *fixture); /* and the five after it */
void lose_removals (Fixture *fixture);   /* the engine does not answer the next six */

/* The run is SCHEDULED, asked for by TRANSITION_ID (NULL: nobody's), with POLICY, which is taken.
 */
void schedule_again (Fixture *fixture, const char *transition_id, json_t *policy);

/* Checks that the job was killed, without time for the stop signal. */
void check_killed (Fixture *fixture);

/* An entry as a worker before this one wrote it in PHASE. Its strings are static. */
PpJournalEntry make_entry (PpJournalPhase phase);

/* The one job of ENTRY's run, in PHASE. New. */
PpJob *make_job (const PpJournalEntry *entry, PpJobPhase phase, gint64 exit_code);

/* Recovers the run of ENTRY, whose job the engine has in PHASE; PP_JOB_ABSENT: it has none. */
void recover_run (Fixture *fixture, const PpJournalEntry *entry, PpJobPhase phase);
