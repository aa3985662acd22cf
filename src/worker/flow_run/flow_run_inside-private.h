/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a flow run, for the files of its state machine only:
 *
 * - flow_run.c: the table of states, and the one function that moves between them;
 * - recover.c, resubmit.c, find_container.c, attach.c: a run that an earlier worker began;
 * - claim.c, run_ownership.c, submit.c, start.c: up to the start of the container;
 * - watch.c, delivered_lines.c, stop.c, stop_reason.c: while the container runs;
 * - report.c, report_answer.c, report_message.c, tail.c, reschedule.c, put_back.c: the final state
 *   on the server;
 * - cleanup.c: the removal of the container, and the end;
 * - journal_entry.c, late.c: what is kept across restarts, and late requests. */
#pragma once

#include "flow_run_struct-private.h"

#include "prefect-podman/prefect/resources.h"

/* flow_run.c: moves RUN to STATE. No other function enters a state. */
void pp_flow_run_move (PpFlowRun *run, PpFlowRunState state);

/* Called when something has happened that RUN may wait for in its state (RECOVERED, PENDING,
 * CREATED or REPORTED). The state checks again what it can do. RUN moves, or stays in the state and
 * keeps its retry count. */
void pp_flow_run_go_on (PpFlowRun *run);

/* Writes a line to the run's log and to the console, without secrets. */
void pp_flow_run_log (PpFlowRun *run, PpLogLevel level, const char *format, ...)
    G_GNUC_PRINTF (3, 4);

/* Returns TEXT (may be NULL) without the secrets of the worker and of the run's blocks, because an
 * error message may quote a refused value. Takes ownership of TEXT. New string, or NULL. */
char *pp_flow_run_mask (const PpFlowRun *run, char *text);
/* Keeps the name from RUN's job configuration, and the same name without secrets (run->given). Call
 * this when the mask of the run's blocks is known. */
void pp_flow_run_learn_name (PpFlowRun *run);
/* Sets the name of RUN's container, and the name that is shown. NULL means that RUN has no
 * container name. */
void pp_flow_run_name_job (PpFlowRun *run, const char *name);
/* Sets the container's name that is shown. Takes ownership of SHOWN, which may be NULL. */
void pp_flow_run_show_name (PpFlowRun *run, char *shown);
/* Queues EVENT, one of run->words, as an event of RUN's container, or of the worker if there is no
 * container. Does nothing for a kind without such events. */
void pp_flow_run_emit (PpFlowRun *run, const char *event);

/* Calls NEXT after MILLISECONDS. Uses the state's only timer. */
void pp_flow_run_after (PpFlowRun *run, guint milliseconds, PpFlowRunNextFunc next);

/* Keeps the lease that STATE (from the server) names. Does nothing if it names none. */
void pp_flow_run_take_lease (PpFlowRun *run, const json_t *state);

/* Returns the related resources of the run's events; new array. */
json_t *pp_flow_run_related (const PpFlowRun *run);

/* Drops RUN, which is not ours after all: reports nothing, and removes the container if there is
 * one. */
void pp_flow_run_drop (PpFlowRun *run);

/* Keeps the lease LEASE_ID. */
void pp_flow_run_keep_lease (PpFlowRun *run, const char *lease_id);

/* journal_entry.c */

/* Writes to the journal that RUN is in PHASE, then calls NEXT. If the write fails, a run in state
 * CLAIMED is dropped; any other run goes on, with a warning. */
void pp_flow_run_write_down (PpFlowRun *run, PpJournalPhase phase, PpFlowRunNextFunc next);

/* Sets up RUN from its entry in the journal. */
void pp_flow_run_read_entry (PpFlowRun *run, const PpJournalEntry *entry);

/* Returns the policy of a run that has a container, from ENTRY; new, free with g_free(). */
PpRunPolicy *pp_flow_run_policy_from_entry (const PpJournalEntry *entry);

/* Saves the position of the output (standard output and container log) after a short delay,
 * together with later progress. */
void pp_flow_run_note_shown_soon (PpFlowRun *run);

/* Saves the position if there is unsaved progress, then closes its file. */
void pp_flow_run_close_position (PpFlowRun *run);

/* Fills ENTRY with the journal's fields of RUN. The strings are borrowed from RUN. */
void pp_flow_run_describe (const PpFlowRun *run, PpJournalEntry *entry);

/* late.c */

/* Notes that a request of RUN got no answer, or was given up: it may still be carried out. */
void pp_flow_run_expect_late (PpFlowRun *run);
/* The same for a request to the engine to create RUN's container. */
void pp_flow_run_expect_late_container (PpFlowRun *run);

/* Leaves a note, which outlives RUN, if a request of RUN may still be carried out, or if RUN's end
 * was accepted so late that somebody may have changed the run since it was read. */
void pp_flow_run_leave_note (const PpFlowRun *run);

/* True if STATE, an object of the API, was set by a late request of an earlier attempt of RUN. The
 * run will be set back to its earlier state. STATE says nothing about the current attempt. */
gboolean pp_flow_run_is_late_word (const PpFlowRun *run, const json_t *state);

/* True if a late request of an earlier attempt of RUN may change its state. */
gboolean pp_flow_run_has_late_words (const PpFlowRun *run);

/* run_ownership.c */

/* True if a run would stay forever in STATE, from the server, unless the worker reports a state
 * after the container's end. */
gboolean pp_flow_run_state_is_left_behind (const json_t *state);

/* Notes RUN's run_count from FLOW_RUN, an object of the API. Also notes ASKED_AT, the time when
 * that object was requested, in monotonic microseconds. */
void pp_flow_run_note_seen (PpFlowRun *run, const json_t *flow_run, gint64 asked_at);

/* Calls NEXT, unless another worker ran RUN before our claim, or a user ended RUN. In these two
 * cases, drops RUN. If a request of ours overwrote the final state that the other worker or the
 * user had set, puts that state back first. */
void pp_flow_run_check_contest (PpFlowRun *run, PpFlowRunNextFunc next);

/* Like pp_flow_run_check_contest(), but always reads RUN's states on the server. Call this if
 * nothing is known about RUN from the time before its claim. */
void pp_flow_run_check_history (PpFlowRun *run, PpFlowRunNextFunc next);

/* Finds out who made RUN's last claim, then calls KNOWN. The check may run in parallel to the
 * request that the state waits for. A later check replaces a check that is under way. */
void pp_flow_run_check_claim (PpFlowRun *run, PpClaimKnownFunc known);

/* Cancels a pp_flow_run_check_claim() that is under way. */
void pp_flow_run_forget_claim_check (PpFlowRun *run);

/* Cancels a pp_flow_run_check_history() that waits for the server to return the states. */
void pp_flow_run_forget_history (PpFlowRun *run);

/* put_back.c: sets RUN back to STATE (borrowed), an earlier final state, in one call. PUT_BACK is a
 * member of RUN. If the call fails and the failure may pass, AGAIN is called after a delay. AGAIN
 * reads RUN's states and calls this function again only if they still require it. OVER is called
 * after success, or after the last attempt, with a warning. */
void pp_flow_run_put_back (PpFlowRun *run, PpPutBack *put_back, json_t *state,
                           PpFlowRunNextFunc again, PpFlowRunNextFunc over);

/* Called if RUN's final state was to be put back, but RUN's states no longer require it or cannot
 * be read. Warns and moves RUN to REPORTED. */
void pp_flow_run_give_up_end (PpFlowRun *run);

/* claim.c: moves RUN, which is already claimed on the server, to PENDING, and continues from
 * there. */
void pp_flow_run_resubmit (PpFlowRun *run);

/* find_container.c */

/* Gives RUN's container its own name back. An unstarted container gets another name before the
 * worker removes it. But this container has run after all. If the engine carries out the removal
 * late, it then finds no container of that other name. Nothing waits for the engine's answer. */
void pp_flow_run_keep_container (PpFlowRun *run);

/* Calls pp_flow_run_keep_container() if two things are true. An earlier worker gave RUN's container
 * that other name, in order to begin RUN anew. And JOB, the container as the engine describes it
 * now, has been started after all. Must be called as soon as JOB is known: the removal may be
 * carried out at any time. */
void pp_flow_run_keep_found (PpFlowRun *run, const PpJob *job);

/* start.c */

/* Reports the id of RUN's container to the server (infrastructure_pid). */
void pp_flow_run_tell_pid (PpFlowRun *run);

/* Cancels pp_flow_run_tell_pid(). Its request may still be carried out. */
void pp_flow_run_drop_pid (PpFlowRun *run);

/* submit.c */

/* True if JOB is a container that this worker created for this claim of RUN, and that was never
 * started. The engine created it, but its answer was lost (libcurl repeats a request by itself if a
 * reused connection breaks). */
gboolean pp_flow_run_is_unstarted (const PpFlowRun *run, const PpJob *job);

/* flow_run.c: writes a new UUID to ID. */
void pp_flow_run_make_transition (char *id);

/* reschedule.c */

/* Called if RUN's state on the server could not be read or changed (ERROR), so that its final state
 * is not settled yet. If ERROR is the API's own 404, moves RUN to REPORTED. After any other error,
 * frees RUN's slot and calls AGAIN in 15 s. Warns once. */
void pp_flow_run_on_unread (PpFlowRun *run, const GError *error, PpFlowRunNextFunc again);

/* Changes RUN on the server so that a poll returns it again. Call this after RUN's failure has
 * become AwaitingRetry: the server expected Prefect to wait for the retry in the container. Then
 * moves RUN to REPORTED. */
void pp_flow_run_reschedule (PpFlowRun *run);

/* resubmit.c: submits RUN again. Call this only if nothing of RUN was executed. */
void pp_flow_run_resubmit_unstarted (PpFlowRun *run);

/* recover.c */
void pp_flow_run_enter_recovered (PpFlowRun *run);

/* Follows RUN's container, or reads its log if it has ended. */
void pp_flow_run_follow_recovered (PpFlowRun *run);

/* Logs WHAT about the recovery of RUN. */
void pp_flow_run_say_recovery (PpFlowRun *run, const char *what);

/* Like pp_flow_run_say_recovery(), with the message BEFORE, "its container" and REST. */
void pp_flow_run_say_recovery_of_job (PpFlowRun *run, const char *before, const char *rest);

/* True if STATE, from the server, is RUN's claim, its "Submitting" or its RUNNING, as requested by
 * this worker or an earlier one. */
gboolean pp_flow_run_is_own_state (const PpFlowRun *run, const json_t *state);

/* Like pp_flow_run_is_own_state(), but also true for a state without a transition id: from an old
 * server, or set by Prefect inside the container. */
gboolean pp_flow_run_may_be_own_state (const PpFlowRun *run, const json_t *state);

/* attach.c */

/* Follows RUN's container, which exists. RUN has its policy from the description that was found. */
void pp_flow_run_attach (PpFlowRun *run);

/* Follows JOB, RUN's container. An earlier worker started it, but could not write this to the
 * journal. */
void pp_flow_run_attach_started (PpFlowRun *run, const PpJob *job);

/* Follows RUN's container by what the container itself reports, because no description was found
 * (WHY). The container is kept at its end, unless the run is over on the server. */
void pp_flow_run_attach_undescribed (PpFlowRun *run, const char *why);

/* If RUN is over on the server, and its container runs, stops the container. */
void pp_flow_run_stop_ended (PpFlowRun *run);

/* delivered_lines.c: counts the records of the output that the server has after the saved position,
 * then calls NEXT. */
void pp_flow_run_count_delivered (PpFlowRun *run, PpFlowRunNextFunc next);

/* submit.c: if ERROR, from the engine, may pass and RUN has retries left, calls AGAIN after a
 * delay. Otherwise RUN has failed. A cancelled run is reported as CANCELLED instead. */
void pp_flow_run_retry_or_fail (PpFlowRun *run, const GError *error, PpFlowRunNextFunc again);

/* Frees RUN's job description, if there is one. */
void pp_flow_run_drop_spec (PpFlowRun *run);

/* Returns MESSAGE, from the engine about RUN's container. Puts the container's name before it if
 * MESSAGE lacks the name, because the engine writes the container's id. New string. */
char *pp_flow_run_name_container (const PpFlowRun *run, const char *message);

/* Returns WORDS, from an engine. Adds a full stop if WORDS do not end with a punctuation mark that
 * ends a sentence. New string. */
char *pp_flow_run_sentence (const char *words);

/* claim.c, submit.c, start.c: the entry function of each state. */
void pp_flow_run_enter_claimed (PpFlowRun *run);
void pp_flow_run_enter_pending (PpFlowRun *run);
void pp_flow_run_enter_resolved (PpFlowRun *run);
void pp_flow_run_enter_rendered (PpFlowRun *run);
void pp_flow_run_enter_submitting (PpFlowRun *run);
void pp_flow_run_enter_created (PpFlowRun *run);

/* watch.c */

/* Calls AGAIN after MILLISECONDS, doubled with each of RUN's retries, up to 15 s. Counts a
 * retry. */
void pp_flow_run_later (PpFlowRun *run, guint milliseconds, PpFlowRunNextFunc again);

/* Inspects RUN's container. Uses run->engine_call, the state's only engine call. */
void pp_flow_run_inspect (PpFlowRun *run, PpJobFunc inspected);

/* True if the engine has answered pp_flow_run_inspect(): ERROR is NULL or "not found". Otherwise
 * calls pp_flow_run_ask_again(). */
gboolean pp_flow_run_is_inspected (PpFlowRun *run, const GError *error, PpFlowRunNextFunc again);

/* Calls AGAIN after a delay, because the engine did not report the status of RUN's container
 * (ERROR). The container may run. There is no time limit: an unknown status does not mean that the
 * run is over. Logs this once, after 15 minutes. */
void pp_flow_run_ask_again (PpFlowRun *run, const GError *error, PpFlowRunNextFunc again);

/* Called when RUN's container has ended, but the engine does not report it. Ends the run without
 * asking the engine for the exit status. */
void pp_flow_run_end_without_status (PpFlowRun *run);

void pp_flow_run_enter_started (PpFlowRun *run);

/* cleanup.c */

/* Frees the slot of RUN, which waits for the server before its start or at its end, unless 100 such
 * runs already wait. Notifies the worker at once. */
void pp_flow_run_free_slot (PpFlowRun *run);

void pp_flow_run_enter_reported (PpFlowRun *run);
void pp_flow_run_go_on_reported (PpFlowRun *run);
void pp_flow_run_enter_removed (PpFlowRun *run);

/* stop_reason.c */

/* Sets REASON as the reason to stop RUN, unless RUN has a reason of higher precedence. */
void pp_flow_run_stop_because (PpFlowRun *run, PpStopReason reason);

/* True if RUN is being cancelled and must be reported as CANCELLED. */
gboolean pp_flow_run_is_cancelled (const PpFlowRun *run);

/* True if RUN was stopped for its timeout, even if it was cancelled since. */
gboolean pp_flow_run_is_timed_out (const PpFlowRun *run);

/* True if RUN is over on the server, so that this worker does not report its end. */
gboolean pp_flow_run_is_over_on_server (const PpFlowRun *run);

/* Stops the started container of RUN, which is cancelled. Prefect inside it gets a grace period. */
void pp_flow_run_stop_cancelled (PpFlowRun *run);

/* stop.c */

/* Starts the timer for timeout_seconds or startup_timeout_seconds. For a recovered run, the time
 * since its start counts. */
void pp_flow_run_start_timeout (PpFlowRun *run);

/* Stops the container after SECONDS, unless it has ended by then. */
void pp_flow_run_stop_container_in (PpFlowRun *run, guint seconds);

/* Returns the message of RUN's CANCELLED state; new string. */
char *pp_flow_run_describe_cancellation (const PpFlowRun *run);

/* tail.c */

/* True if FLOW_RUN, an object of the API, has not been RUNNING since RUN claimed it. */
gboolean pp_flow_run_never_ran (const PpFlowRun *run, const json_t *flow_run);

/* Writes the last lines of the container's output to the run's log, unless all output goes
 * there. */
void pp_flow_run_log_tail (PpFlowRun *run);

/* The same for a run that failed before it was RUNNING. TYPE is the type of its state on the
 * server. */
void pp_flow_run_log_tail_of_failure (PpFlowRun *run, const char *type);

/* Warns in the run's log if a process in its container was killed for lack of memory. If the
 * container failed, and the worker has a setting that the container may need but did not get, also
 * logs a hint about that setting. */
void pp_flow_run_explain_end (PpFlowRun *run);

/* report_message.c */

/* Notes that the server did not accept RUN's final state. It will be proposed again. ERROR is NULL
 * if the server has answered without an error. */
void pp_flow_run_note_refusal (PpFlowRun *run, const GError *error);

/* Called before RUN's final state is proposed again. Shortens its message if the message may be the
 * reason for the refusal. */
void pp_flow_run_reconsider_message (PpFlowRun *run);

/* Drops the message of RUN's final state if the API itself refused that state as invalid (ERROR).
 * Returns TRUE if it did; the state can then be proposed again. */
gboolean pp_flow_run_drop_invalid_message (PpFlowRun *run, const GError *error);

/* report_answer.c */

/* Warn after this many failed attempts to report the final state. */
#define PP_SAY_UNREPORTED 3

/* The PpSetStateDoneFunc of a proposed final state. USER_DATA is the run. Both RESULT and ERROR are
 * borrowed; ERROR with code 404 means that the run was deleted. */
void pp_flow_run_on_end_answered (const PpSetStateResult *result, const GError *error,
                                  gpointer user_data);

/* report.c */

/* Writes the proposed final state down in the journal, unless that was done already. Does not wait
 * for the disk. */
void pp_flow_run_write_report (PpFlowRun *run);

/* Checks on the server that RUN still needs its final state, and then proposes that state again. */
void pp_flow_run_look_before_report (PpFlowRun *run);

/* Reports CANCELLED, as the server requested. */
void pp_flow_run_report_cancelled (PpFlowRun *run);
void pp_flow_run_enter_exited (PpFlowRun *run);

/* Reports CRASHED for a run that cannot be started, with the Python worker's words and MESSAGE. Its
 * container is then removed, if there is one. */
void pp_flow_run_fail_submission (PpFlowRun *run, const char *message);

/* Reports RUN's failure as CRASHED. Call this only after the answer to "Submitting", because that
 * request must not set a CRASHED run to PENDING. */
void pp_flow_run_report_failure (PpFlowRun *run);

/* Reports CRASHED, because the container is gone. */
void pp_flow_run_report_vanished (PpFlowRun *run);

/* Reports CANCELLED, with force, because the run's deployment is gone. The Python worker does the
 * same. */
void pp_flow_run_cancel_for_deployment (PpFlowRun *run);
