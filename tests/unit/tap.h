/* SPDX-License-Identifier: Apache-2.0 */
/* The main() of unit tests: prints TAP for automake's driver, which passes no arguments. */
#pragma once

#include <glib.h>
#include <time.h>

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

/* Adds a test FOLDER/NAME that runs TEST for each of the COUNT structs of SIZE bytes at CASES. Each
 * struct begins with its NAME, a (const char *). */
static inline void
pp_test_add_structs (const char *folder, gconstpointer cases, gsize count, gsize size,
                     GTestDataFunc test)
{
  for (gsize i = 0; i < count; i++)
    {
      gconstpointer item = (const char *)cases + i * size;
      g_autofree char *path = g_strconcat (folder, "/", *(const char *const *)item, NULL);

      g_test_add_data_func (path, item, test);
    }
}

/* The same for CASES, an array. */
#define pp_test_add_cases(folder, cases, test)                                                     \
  pp_test_add_structs (folder, cases, G_N_ELEMENTS (cases), sizeof *(cases), test)

/* Returns the CPU time that this process has used, in seconds. Unlike the time of the clock, it
 * does not grow because other programs keep the machine busy. */
static inline double
pp_test_cpu_seconds (void)
{
  struct timespec now;

  clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}
