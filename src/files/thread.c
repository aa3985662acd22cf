/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "prefect-podman/files/thread.h"

#include <signal.h>

int
pp_file_thread_start (void *(*func) (void *), void *data, gsize stack_bytes, pthread_t *thread)
{
  pthread_attr_t attributes;
  pthread_t started;
  sigset_t all, before;
  int failed;

  pthread_attr_init (&attributes);
  pthread_attr_setstacksize (&attributes, stack_bytes);
  if (thread == NULL)
    pthread_attr_setdetachstate (&attributes, PTHREAD_CREATE_DETACHED);
  sigfillset (&all);
  pthread_sigmask (SIG_SETMASK, &all, &before);
  failed = pthread_create (thread != NULL ? thread : &started, &attributes, func, data);
  pthread_sigmask (SIG_SETMASK, &before, NULL);
  pthread_attr_destroy (&attributes);
  return failed;
}
