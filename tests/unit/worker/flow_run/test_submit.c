/* SPDX-License-Identifier: Apache-2.0 */
/* Tests the messages from a run's claim to its container. */
#include "config.h"

#include "worker/flow_run/flow_run_inside-private.h"

#include "tests/unit/tap.h"

static void
test_sentence (void)
{
  static const struct
  {
    const char *words;
    const char *sentence;
  } cases[] = {
    { "connection refused", "connection refused." },
    { "the engine gave no reason (Podman answered 503)",
      "the engine gave no reason (Podman answered 503)." },
    { "Start it.", "Start it." },
    { "Is it there?", "Is it there?" },
    { "waiting\xe2\x80\xa6", "waiting\xe2\x80\xa6" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *sentence = pp_flow_run_sentence (cases[i].words);

      g_assert_cmpstr (sentence, ==, cases[i].sentence);
    }
}

static void
add (void)
{
  g_test_add_func ("/submit/sentence", test_sentence);
}

int
main (int argc, char **argv)
{
  return pp_test_main (argc, argv, add);
}
