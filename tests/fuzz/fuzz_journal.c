/* SPDX-License-Identifier: Apache-2.0 */
/* Reads any bytes as an entry and as a position. What the journal accepts must be written in the
 * same way again. */
#include "prefect-podman/state/journal_entry.h"
#include "prefect-podman/state/journal_position.h"
#include "prefect-podman/state/state_dir.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CONTAINER "0123456789abcdef"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void
check_entry (const char *text, gsize length)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (PpJournalEntry) entry = pp_journal_entry_parse (text, length, &error);

  if ((entry == NULL) != (error != NULL))
    abort ();
  if (entry == NULL)
    return;
  g_autofree char *written = pp_journal_entry_to_text (entry);
  g_autoptr (PpJournalEntry) again = pp_journal_entry_parse (written, strlen (written), &error);
  if (again == NULL)
    g_error ("%s: %s", written, error->message);
  g_autofree char *rewritten = pp_journal_entry_to_text (again);
  if (!g_str_equal (written, rewritten) || !g_uuid_string_is_valid (again->flow_run_id))
    abort ();
}

static void
check_position (const char *text, gsize length)
{
  char record[PP_POSITION_BYTES];
  PpPosition position;
  gboolean same = FALSE;

  if (!pp_position_parse (text, length, CONTAINER, &position, &same) || !same)
    return;
  pp_position_format (&position, CONTAINER, record);
  if (memcmp (record, text, sizeof record) != 0)
    abort ();
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  check_entry ((const char *)data, size);
  check_position ((const char *)data, size);
  return 0;
}
