/* SPDX-License-Identifier: Apache-2.0 */
/* Journal operations that write no file but keep their order with the puts. */
#include "config.h"

#include "journal-private.h"

PpJournalPut *
pp_journal_after (PpJournal *journal, PpJournalDoneFunc done, gpointer user_data)
{
  PpJournalPut *put = pp_journal_queue (journal, journal->runs.fd, PP_JOURNAL_NOTHING, "");

  put->done = done;
  put->user_data = user_data;
  return put;
}

PpJournalPut *
pp_journal_work (PpJournal *journal, PpJournalWorkFunc work, gpointer data,
                 GDestroyNotify free_data, PpJournalDoneFunc done, gpointer user_data)
{
  PpJournalPut *put = pp_journal_queue (journal, journal->runs.fd, PP_JOURNAL_WORK, "");

  put->work = work;
  put->data = data;
  put->free_data = free_data;
  put->done = done;
  put->user_data = user_data;
  return put;
}
