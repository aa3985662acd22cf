/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a flow run, for the files of its state machine only:
 *
 * - flow_run.c: the table of states, and the one place that moves between them;
 * - recover.c, find_container.c, attach.c: a run that an earlier worker began;
 * - claim.c, run_ownership.c, submit.c, start.c: up to the start of the container;
 * - watch.c, delivered_lines.c, stop.c, stop_reason.c: while the container runs;
 * - report.c, report_message.c, tail.c, reschedule.c, put_back.c: how the run ends on the server;
 * - cleanup.c: what is left after that;
 * - journal_entry.c, late.c: what is remembered across restarts, and of late requests. */
#pragma once

#include "flow_run_struct-private.h"

/* flow_run.c: the one place that moves. Nothing else enters a state. */
void pp_flow_run_move (PpFlowRun *run, PpFlowRunState state);

/* Something has happened that RUN may have waited for in its state (RECOVERED, PENDING, CREATED or
 * REPORTED): the state looks again what it can do. RUN stays in it, with its retries, or moves. */
void pp_flow_run_go_on (PpFlowRun *run);

/* A line in the run's log (and on the console), without secrets. */
void pp_flow_run_log (PpFlowRun *run, PpLogLevel level, const char *format, ...)
    G_GNUC_PRINTF (3, 4);

/* TEXT, of which ownership is taken and which may be NULL, without the secrets of the worker and of
 * the run's blocks:
 * what refuses a value shows it. New string. */
char *pp_flow_run_mask (const PpFlowRun *run, char *text);
/* Sets the name of RUN's container, and the name that may be shown. NULL: it has none. */
void pp_flow_run_name_job (PpFlowRun *run, const char *name);

/* Calls NEXT after MILLISECONDS; the state's one timer. */
void pp_flow_run_after (PpFlowRun *run, guint milliseconds, PpFlowRunNextFunc next);

/* Keeps the lease that STATE (the server's) names. */
void pp_flow_run_take_lease (PpFlowRun *run, const json_t *state);

/* Related resources of the run's events; new array. */
json_t *pp_flow_run_related (const PpFlowRun *run);

/* The run is not ours after all: nothing to report; removes a container if there is one. */
void pp_flow_run_drop (PpFlowRun *run);

/* Keeps the lease LEASE_ID. */
void pp_flow_run_keep_lease (PpFlowRun *run, const char *lease_id);

/* journal_entry.c */

/* Has the journal say that RUN is in PHASE; then NEXT. */
void pp_flow_run_write_down (PpFlowRun *run, PpJournalPhase phase, PpFlowRunNextFunc next);

/* Sets RUN up from what was written down of it. */
void pp_flow_run_read_entry (PpFlowRun *run, const PpJournalEntry *entry);

/* What the worker does with a run whose container is there, from ENTRY; new, for g_free(). */
PpRunPolicy *pp_flow_run_policy_from_entry (const PpJournalEntry *entry);

/* Keeps how far the output has got, to standard output and in the container's log: in a moment,
 * together with what comes meanwhile. */
void pp_flow_run_note_shown_soon (PpFlowRun *run);

/* What is to be noted is, and no more. */
void pp_flow_run_close_position (PpFlowRun *run);

/* Fills ENTRY with what the journal keeps of RUN; the strings are borrowed from RUN. */
void pp_flow_run_describe (const PpFlowRun *run, PpJournalEntry *entry);

/* late.c */

/* A request of RUN got no answer, or was given up: it may be carried out yet. */
void pp_flow_run_expect_late (PpFlowRun *run);
/* The same of the engine's making RUN's container. */
void pp_flow_run_expect_late_container (PpFlowRun *run);

/* Has a note of RUN's requests, if one of them may be carried out yet, outlive RUN. */
void pp_flow_run_leave_note (const PpFlowRun *run);

/* Whether STATE, the API's object, was set by a late request of an earlier attempt of RUN: it will
 * be put back, and says nothing of this attempt. */
gboolean pp_flow_run_is_late_word (const PpFlowRun *run, const json_t *state);

/* Whether a late request of an earlier attempt of RUN may change its state. */
gboolean pp_flow_run_has_late_words (const PpFlowRun *run);

/* run_ownership.c */

/* True if STATE, the server's, is one that nobody leaves any more once the container is over. */
gboolean pp_flow_run_state_is_left_behind (const json_t *state);

/* Keeps what FLOW_RUN, the API's object, says of RUN; ASKED_AT: when it was asked for, monotonic
 * microseconds. */
void pp_flow_run_note_seen (PpFlowRun *run, const json_t *flow_run, gint64 asked_at);

/* NEXT, unless another worker has run RUN before our claim of it: then its end is put back, and RUN
 * dropped. */
void pp_flow_run_check_contest (PpFlowRun *run, PpFlowRunNextFunc next);

/* The same by RUN's states on the server, where nothing is known of the time before the claim. */
void pp_flow_run_check_history (PpFlowRun *run, PpFlowRunNextFunc next);

/* Calls KNOWN once it is known whose the last claim of RUN is. May be asked beside what the state
 * waits for; a later check takes the place of one under way. */
void pp_flow_run_check_claim (PpFlowRun *run, PpClaimKnownFunc known);

/* Ends a pp_flow_run_check_claim() under way. */
void pp_flow_run_forget_claim_check (PpFlowRun *run);

/* Ends a pp_flow_run_check_history() that waits for the server to tell the states. */
void pp_flow_run_forget_history (PpFlowRun *run);

/* put_back.c: sets RUN back to STATE (borrowed), an end that it had, in one call; PUT_BACK is one
 * of RUN's. Where that failed and may pass, AGAIN is called after a while: it reads RUN's states
 * and comes here once more only if they still ask for it. OVER follows success, and a warning after
 * the last try. */
void pp_flow_run_put_back (PpFlowRun *run, PpPutBack *put_back, json_t *state,
                           PpFlowRunNextFunc again, PpFlowRunNextFunc over);

/* The states of RUN, whose end was to be put back, do not ask for it any more, or are not known:
 * says so; then REPORTED. */
void pp_flow_run_give_up_end (PpFlowRun *run);

/* claim.c: from PENDING on, of a run that is PENDING already. */
void pp_flow_run_resubmit (PpFlowRun *run);

/* start.c */

/* Tells the server which container is RUN's. */
void pp_flow_run_tell_pid (PpFlowRun *run);

/* Gives up pp_flow_run_tell_pid(), which may be carried out yet. */
void pp_flow_run_drop_pid (PpFlowRun *run);

/* submit.c */

/* True if JOB is a container that this worker has made for this claim of RUN, and that was never
 * started: the engine made it, but its answer was lost (curl asks again by itself where a kept
 * connection broke). */
gboolean pp_flow_run_is_unstarted (const PpFlowRun *run, const PpJob *job);

/* flow_run.c: a new UUID into ID. */
void pp_flow_run_make_transition (char *id);

/* reschedule.c */

/* What RUN's end waits for, its state on the server, could not be read or changed (ERROR). Only the
 * API's own 404 is an end, REPORTED; after anything else RUN holds no slot any more, and AGAIN is
 * called in 15 s. Warns once. */
void pp_flow_run_on_unread (PpFlowRun *run, const GError *error, PpFlowRunNextFunc again);

/* Gives the run back to the poll, where its failure has become
 * AwaitingRetry, which it was to wait for in its container; then REPORTED. */
void pp_flow_run_reschedule (PpFlowRun *run);

/* recover.c */
void pp_flow_run_enter_recovered (PpFlowRun *run);

/* Whether the server's STATE is one that this worker, or one before it, has asked for on RUN's way
 * to its start. */
gboolean pp_flow_run_is_own_state (const PpFlowRun *run, const json_t *state);

/* As pp_flow_run_is_own_state(), or a state without a transition's id: an old server's, or set by
 * Prefect inside the container. */
gboolean pp_flow_run_may_be_own_state (const PpFlowRun *run, const json_t *state);

/* attach.c */

/* Follows RUN's container, which is there, by the description that was found. */
void pp_flow_run_attach (PpFlowRun *run);

/* Follows JOB, RUN's container: an earlier worker started it and could not write that down. */
void pp_flow_run_attach_started (PpFlowRun *run, const PpJob *job);

/* The same where none can be had (WHY): by what the container says of itself. It stays when it has
 * ended. */
void pp_flow_run_attach_undescribed (PpFlowRun *run, const char *why);

/* Stops the container, if it runs, of a run that is over for the server. */
void pp_flow_run_stop_ended (PpFlowRun *run);

/* delivered_lines.c: asks the server how much of the output it has beyond the position; then
 * follows. */
void pp_flow_run_count_delivered (PpFlowRun *run, PpFlowRunNextFunc next);

/* submit.c: what the engine refused by ERROR is tried again by AGAIN, after a while, when
 * it may pass and RUN has tries left; else RUN has failed. */
void pp_flow_run_retry_or_fail (PpFlowRun *run, const GError *error, PpFlowRunNextFunc again);

/* Frees RUN's job as its kind has it, if there is one. */
void pp_flow_run_drop_spec (PpFlowRun *run);

/* MESSAGE, the engine's about RUN's container, which it knows by its id, with the container's name;
 * new string. */
char *pp_flow_run_name_container (const PpFlowRun *run, const char *message);

/* WORDS, an engine's, with a full stop where they do not end a sentence; new string. */
char *pp_flow_run_sentence (const char *words);

/* claim.c, submit.c, start.c: what each state does to be left. */
void pp_flow_run_enter_claimed (PpFlowRun *run);
void pp_flow_run_enter_pending (PpFlowRun *run);
void pp_flow_run_enter_resolved (PpFlowRun *run);
void pp_flow_run_enter_rendered (PpFlowRun *run);
void pp_flow_run_enter_submitting (PpFlowRun *run);
void pp_flow_run_enter_created (PpFlowRun *run);

/* watch.c */

/* Calls AGAIN after MILLISECONDS, twice as long at each of RUN's retries; at most 15 s. */
void pp_flow_run_later (PpFlowRun *run, guint milliseconds, PpFlowRunNextFunc again);

/* Asks the engine how RUN's container is: the state's one call. */
void pp_flow_run_inspect (PpFlowRun *run, PpJobFunc inspected);

/* True if the engine has answered pp_flow_run_inspect(), ERROR being NULL or "not found". Otherwise
 * pp_flow_run_ask_again(). */
gboolean pp_flow_run_is_inspected (PpFlowRun *run, const GError *error, PpFlowRunNextFunc again);

/* The engine does not say how RUN's container, which may run, is (ERROR): AGAIN after a while.
 * However long that lasts: a run is not over because nobody can know. After 15 minutes its log says
 * so, once. */
void pp_flow_run_ask_again (PpFlowRun *run, const GError *error, PpFlowRunNextFunc again);

/* RUN's container has ended, and the engine, which may not answer, is not asked how. */
void pp_flow_run_end_without_status (PpFlowRun *run);

void pp_flow_run_enter_started (PpFlowRun *run);

/* cleanup.c */

/* Has RUN, whose end waits for the server, hold no slot any more, unless 100 such runs wait
 * already. The worker is told at once. */
void pp_flow_run_free_slot (PpFlowRun *run);

void pp_flow_run_enter_reported (PpFlowRun *run);
void pp_flow_run_go_on_reported (PpFlowRun *run);
void pp_flow_run_enter_removed (PpFlowRun *run);

/* stop_reason.c */

/* RUN is stopped because of REASON, unless it is already for one that replaces that. */
void pp_flow_run_stop_because (PpFlowRun *run, PpStopReason reason);

/* True if RUN is being cancelled, and its end is to be reported so. */
gboolean pp_flow_run_is_cancelled (const PpFlowRun *run);

/* True if the time of RUN was up, whatever has stopped it since. */
gboolean pp_flow_run_is_timed_out (const PpFlowRun *run);

/* True if RUN is over for the server: its container is stopped, and nothing is reported. */
gboolean pp_flow_run_is_over_on_server (const PpFlowRun *run);

/* Stops the started container of RUN, which is cancelled; Prefect inside it is given a grace. */
void pp_flow_run_stop_cancelled (PpFlowRun *run);

/* stop.c */

/* Has timeout_seconds, or startup_timeout_seconds, end a container that has just started. */
void pp_flow_run_start_timeout (PpFlowRun *run);

/* Stops the container after SECONDS, unless it has ended by then. */
void pp_flow_run_stop_container_in (PpFlowRun *run, guint seconds);

/* tail.c */

/* Whether FLOW_RUN, the API's object, has not been Running since RUN took it. */
gboolean pp_flow_run_never_ran (const PpFlowRun *run, const json_t *flow_run);

/* Puts the last lines of the container's output into the run's log, unless its output goes there.
 */
void pp_flow_run_log_tail (PpFlowRun *run);

/* The same of a run that has failed before it was Running: TYPE is that of its state on the server.
 */
void pp_flow_run_log_tail_of_failure (PpFlowRun *run, const char *type);

/* Warns in the run's log of a process of its container that was killed for want of memory. */
void pp_flow_run_log_memory (PpFlowRun *run);

/* report_message.c */

/* RUN's end was not taken (ERROR), and is proposed again. */
void pp_flow_run_note_refusal (PpFlowRun *run, const GError *error);

/* Before RUN's end is proposed again: makes its message shorter where that may be what is refused.
 */
void pp_flow_run_reconsider_message (PpFlowRun *run);

/* Whether the API itself will not have RUN's end as it is (ERROR), and RUN's end now has no
 * message, for another try. */
gboolean pp_flow_run_drop_invalid_message (PpFlowRun *run, const GError *error);

/* report.c */
/* CANCELLED, as the server asked. */
void pp_flow_run_report_cancelled (PpFlowRun *run);
void pp_flow_run_enter_exited (PpFlowRun *run);

/* The run cannot be started: CRASHED with the peer's words and MESSAGE, then the rest is cleaned
 * up. */
void pp_flow_run_fail_submission (PpFlowRun *run, const char *message);

/* Goes on with a failure that waited for the answer to "Submitting": a CRASHED run must not be set
 * to PENDING after it. */
void pp_flow_run_report_failure (PpFlowRun *run);

/* Its container is gone: CRASHED. */
void pp_flow_run_report_vanished (PpFlowRun *run);

/* The run's deployment is gone: Cancelled, by force, as the peer does. */
void pp_flow_run_cancel_for_deployment (PpFlowRun *run);
