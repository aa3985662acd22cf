/* SPDX-License-Identifier: Apache-2.0 */
/* Tests the content of the journal's files, and what is done with files that have other content. */
#include "prefect-podman/state/journal_entry.h"
#include "prefect-podman/state/journal_position.h"
#include "prefect-podman/state/state_dir.h"
#include "tests/unit/tap.h"

#include <string.h>

#define ID "11111111-2222-3333-4444-555555555555"
#define HEAD "{\"version\": 1, \"flow_run_id\": \"" ID "\", \"claimed_at\": 1, "

static void
test_round_trip (void)
{
  PpJournalEntry entry = {
    .flow_run_id = (char *)ID,
    .flow_run_name = (char *)"sweet-jaguarundi",
    .phase = PP_JOURNAL_REPORTING,
    .report_transition_id = (char *)ID,
    .report_type = (char *)"FAILED",
    .report_message = (char *)"Its last lines:\n\"no such file\"",
    .report_force = TRUE,
    .container_id = (char *)"0123456789ab",
    .stop_timeout = 30,
    .timeout_seconds = 1.5,
    .claimed_at = 1763800000000000,
    .started_at = 1763800000000001,
    .started_uptime = 86400000001,
    .seen_run_count = 2,
    .attempt = 3,
    .forward_output = TRUE,
  };
  g_autofree char *text = pp_journal_entry_to_text (&entry);
  g_autoptr (GError) error = NULL;
  g_autoptr (PpJournalEntry) read = pp_journal_entry_parse (text, strlen (text), &error);

  g_assert_no_error (error);
  g_assert_cmpstr (read->flow_run_id, ==, ID);
  g_assert_cmpstr (read->flow_run_name, ==, entry.flow_run_name);
  g_assert_cmpint (read->phase, ==, PP_JOURNAL_REPORTING);
  g_assert_cmpstr (read->report_message, ==, entry.report_message);
  g_assert_true (read->report_force && read->forward_output && !read->auto_remove);
  g_assert_cmpint (read->stop_timeout, ==, 30);
  g_assert_cmpfloat (read->timeout_seconds, ==, 1.5);
  g_assert_cmpint (read->started_at, ==, entry.started_at);
  g_assert_cmpint (read->started_uptime, ==, 86400000001);
  g_assert_cmpint (read->seen_run_count, ==, 2);
  g_assert_cmpint (read->attempt, ==, 3);
  g_assert_null (read->lease_id);
  g_autofree char *again = pp_journal_entry_to_text (read);
  g_assert_cmpstr (again, ==, text);
}

static void
test_long_and_broken_text (void)
{
  g_autofree char *escapes = g_strnfill (2 * 1024 * 1024, '\001');
  g_autofree char *name = g_strconcat (escapes, NULL);
  PpJournalEntry entry = {
    .flow_run_id = (char *)ID,
    .flow_run_name = name,
    .report_message = escapes,
    .container_name = name,
    .engine_url = name,
    .boot_id = (char *)"gr\xfc\xdf",
  };
  g_autoptr (GError) error = NULL;

  /* The longest possible entry is read again; a string is cut between characters. */
  memcpy (name + 4096 - 2, "\xe2\x82\xac", 3);
  g_autofree char *text = pp_journal_entry_to_text (&entry);
  g_autoptr (PpJournalEntry) read = pp_journal_entry_parse (text, strlen (text), &error);
  g_assert_no_error (error);
  g_assert_cmpuint (strlen (read->flow_run_name), <=, 4096);
  g_assert_true (g_utf8_validate (read->flow_run_name, -1, NULL));
  g_assert_cmpuint (strlen (read->report_message), ==, 65536);
  g_assert_cmpstr (read->boot_id, ==, "gr\xef\xbf\xbd\xef\xbf\xbd");
}

/* A time-out of a thousand years, and a time that could not be read. */
static void
test_odd_numbers (void)
{
  PpJournalEntry entry = {
    .flow_run_id = (char *)ID,
    .claimed_at = 1,
    .scheduled_time = -1,
    .timeout_seconds = 1e300,
    .startup_timeout_seconds = -1,
  };
  g_autofree char *text = pp_journal_entry_to_text (&entry);
  g_autoptr (GError) error = NULL;
  g_autoptr (PpJournalEntry) read = pp_journal_entry_parse (text, strlen (text), &error);

  g_assert_no_error (error);
  g_assert_cmpint (read->scheduled_time, ==, 0);
  g_assert_cmpfloat (read->timeout_seconds, >, 1e9);
  g_assert_cmpfloat (read->startup_timeout_seconds, ==, 0);
}

static void
test_damaged (void)
{
  static const struct
  {
    const char *text;
    PpStateError code;
    const char *says;
  } cases[] = {
    { "", PP_STATE_ERROR_DAMAGED, "line 1, column 0" },
    { "{\"version\": 1,\n \"flow_run_id\": \"11", PP_STATE_ERROR_DAMAGED, "line 2" },
    { "[]", PP_STATE_ERROR_DAMAGED, "not a JSON object" },
    { "{}", PP_STATE_ERROR_DAMAGED, "\"version\"" },
    { "{\"version\": \"1\"}", PP_STATE_ERROR_DAMAGED, "\"version\"" },
    { "{\"version\": 0}", PP_STATE_ERROR_DAMAGED, "\"version\"" },
    { "{\"version\": 2}", PP_STATE_ERROR_NEWER, "newer prefect-podman" },
    { "{\"version\": 99999999999999999999}", PP_STATE_ERROR_DAMAGED, "line 1" },
    { "{\"version\": 1, \"version\": 1}", PP_STATE_ERROR_DAMAGED, "duplicate" },
    { "{\"version\": 1, \"phase\": \"CLAIMED\", \"claimed_at\": 1}", PP_STATE_ERROR_DAMAGED,
      "\"flow_run_id\": is missing" },
    { "{\"version\": 1, \"phase\": \"CLAIMED\", \"flow_run_id\": \"" ID "\"}",
      PP_STATE_ERROR_DAMAGED, "\"claimed_at\": is missing" },
    { "{\"version\": 1, \"phase\": \"CLAIMED\", \"claimed_at\": 1, \"flow_run_id\": \"../x\"}",
      PP_STATE_ERROR_DAMAGED, "must be a UUID" },
    { HEAD "\"phase\": \"LOST\"}", PP_STATE_ERROR_DAMAGED, "\"phase\"" },
    { HEAD "\"phase\": 1}", PP_STATE_ERROR_DAMAGED, "\"phase\"" },
    { HEAD "\"phase\": \"CLAIMED\", \"tty\": 1}", PP_STATE_ERROR_DAMAGED, "\"tty\"" },
    { HEAD "\"phase\": \"CLAIMED\", \"started_at\": 1.5}", PP_STATE_ERROR_DAMAGED,
      "\"started_at\"" },
    { HEAD "\"phase\": \"CLAIMED\", \"started_at\": -1}", PP_STATE_ERROR_DAMAGED,
      "\"started_at\"" },
    { HEAD "\"phase\": \"CLAIMED\", \"timeout_seconds\": 1e300}", PP_STATE_ERROR_DAMAGED,
      "\"timeout_seconds\"" },
    { HEAD "\"phase\": \"CLAIMED\", \"container_name\": null}", PP_STATE_ERROR_DAMAGED,
      "\"container_name\": must be a string" },
    { HEAD "\"phase\": \"CLAIMED\", \"container_name\": \"a\\u0000b\"}", PP_STATE_ERROR_DAMAGED,
      "line 1" },
    { HEAD "\"phase\": \"REPORTING\"}", PP_STATE_ERROR_DAMAGED, "\"report_type\": is missing" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_null (pp_journal_entry_parse (cases[i].text, strlen (cases[i].text), &error));
      g_assert_error (error, PP_STATE_ERROR, (gint)cases[i].code);
      if (strstr (error->message, cases[i].says) == NULL)
        g_error ("%s: %s", cases[i].text, error->message);
    }
}

static void
test_tolerant (void)
{
  const char *text = HEAD "\"phase\": \"STARTING\", \"timeout_seconds\": 3, \"from_1_1\": [1]}";
  g_autoptr (GError) error = NULL;
  g_autoptr (PpJournalEntry) entry = pp_journal_entry_parse (text, strlen (text), &error);

  g_assert_no_error (error);
  g_assert_cmpfloat (entry->timeout_seconds, ==, 3);
  /* The entry is of a version that did not have these keys. */
  g_assert_cmpint (entry->started_uptime, ==, 0);
  g_assert_cmpint (entry->seen_run_count, ==, 0);
}

static void
test_position_record (void)
{
  const PpPosition cases[] = {
    { 0 },
    { 12, 1763800000000000, 345, 1763800000123456789, 1763800001123456789, 1763800001123456790, 11,
      340 },
    { G_MAXUINT64, G_MAXINT64, G_MAXUINT64, G_MAXINT64, G_MAXINT64, G_MAXINT64, G_MAXUINT64,
      G_MAXUINT64 },
  };
  char record[PP_POSITION_BYTES];
  PpPosition read;
  gboolean same;

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      pp_position_format (&cases[i], "0123456789abcdef", record);
      g_assert_true (pp_position_parse (record, sizeof record, "0123456789abcdef", &read, &same));
      g_assert_true (same && memcmp (&read, &cases[i], sizeof read) == 0);
      g_assert_true (pp_position_parse (record, sizeof record, "1123456789ab", &read, &same));
      g_assert_false (same);
    }
  /* A record with one changed byte is refused. */
  for (gsize i = 0; i < sizeof record; i++)
    {
      record[i] ^= 1;
      g_assert_false (pp_position_parse (record, sizeof record, "0123456789ab", &read, &same));
      record[i] ^= 1;
    }
  g_assert_false (pp_position_parse (record, sizeof record - 1, "0123456789ab", &read, &same));
}

static void
add_tests (void)
{
  g_test_add_func ("/journal-entry/round-trip", test_round_trip);
  g_test_add_func ("/journal-entry/long-and-broken-text", test_long_and_broken_text);
  g_test_add_func ("/journal-entry/odd-numbers", test_odd_numbers);
  g_test_add_func ("/journal-entry/damaged", test_damaged);
  g_test_add_func ("/journal-entry/tolerant", test_tolerant);
  g_test_add_func ("/journal-entry/position-record", test_position_record);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add_tests);
}
