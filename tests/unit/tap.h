/* SPDX-License-Identifier: Apache-2.0 */
/* The main() of unit tests: prints TAP for automake's driver, which passes no arguments. */
#pragma once

#include <glib.h>

/* Runs the tests that ADD registers with g_test_add_func() and similar functions. Returns main()'s
 * result. */
static inline int
pp_test_main (int argc, char **argv, void (*add) (void))
{
  g_autoptr (GPtrArray) arguments = g_ptr_array_new ();
  gboolean tap = FALSE;

  for (int i = 0; i < argc; i++)
    {
      tap = tap || g_str_equal (argv[i], "--tap");
      g_ptr_array_add (arguments, argv[i]);
    }
  if (!tap)
    g_ptr_array_add (arguments, (gpointer) "--tap");
  int count = (int)arguments->len;
  g_ptr_array_add (arguments, NULL);

  char **with_tap = (char **)arguments->pdata;
  g_test_init (&count, &with_tap, NULL);
  add ();
  return g_test_run ();
}
