/* SPDX-License-Identifier: Apache-2.0 */
/* A kind of infrastructure is a struct of functions with the contracts of infrastructure.h. A new
 * kind is one file with such a struct, and its row in kinds.c
 * (docs/internals/new-infrastructure.md). Private to src/infrastructure. */
#pragma once

#include "prefect-podman/infrastructure/capabilities.h"
#include "prefect-podman/infrastructure/infrastructure.h"
#include "prefect-podman/infrastructure/kinds.h"

G_BEGIN_DECLS

/* A type of work pools. */
typedef struct
{
  const char *type;                          /* NULL: the end of a list */
  const char *worker_word;                   /* see pp_kind_worker_word() */
  json_t *(*template_of) (const char *type); /* see pp_kind_default_template() */
} PpPoolType;

struct PpInfrastructureKind
{
  const PpPoolType *pools;
  /* See pp_kind_find_place(). A kind with only one place names it here ("process:"). Any other kind
   * has NULL here and two functions: find_place finds the place, and has_place returns TRUE if
   * PLACE is a place of this kind. */
  const char *place;
  char *(*find_place) (const char *engine_url, GError **error);
  gboolean (*has_place) (const char *place);
  PpInfrastructure *(*new_) (PpHttp *http, const char *place, GError **error);
  void (*free) (PpInfrastructure *infrastructure);
  PpJobSpec *(*prepare) (PpInfrastructure *infrastructure, const json_t *configuration,
                         PpRunPolicy *policy, GPtrArray *warnings, GError **error);
  PpInfrastructureCall *(*submit) (PpInfrastructure *infrastructure, PpJobSpec *spec, gboolean anew,
                                   const PpSubmitFuncs *funcs, gpointer user_data);
  PpInfrastructureCall *(*start) (PpInfrastructure *infrastructure, const char *container_id,
                                  PpInfrastructureDoneFunc done, gpointer user_data);
  PpInfrastructureCall *(*inspect) (PpInfrastructure *infrastructure, const char *container_id,
                                    PpJobFunc inspected, gpointer user_data);
  PpInfrastructureCall *(*stop) (PpInfrastructure *infrastructure, const char *container_id,
                                 guint timeout_seconds, PpInfrastructureDoneFunc done,
                                 gpointer user_data);
  PpInfrastructureCall *(*remove) (PpInfrastructure *infrastructure, const char *container_id,
                                   gboolean force, PpInfrastructureDoneFunc done,
                                   gpointer user_data);

  /* Each field below may be NULL if the kind has nothing to report or to do. The fields `follow`
   * and `read_log` are NULL if jobs have no output. `connect`, `ping` and `heard` are NULL if the
   * infrastructure is always there. `set_owner` is NULL if jobs need not know their owner, `list`
   * if jobs cannot be listed. If `words` is NULL, the jobs are called jobs. If `watch` is NULL, a
   * job is inspected every second. If `pid` is NULL, the infrastructure_pid is PLACE and the job's
   * id. If `free_spec` is NULL, g_free() frees a PpJobSpec. */
  void (*free_spec) (PpJobSpec *spec);
  char *(*pid) (const PpInfrastructure *infrastructure, const char *job_id);
  PpInfrastructureCall *(*watch) (PpInfrastructure *infrastructure, const char *container_id,
                                  PpWatchFunc news, PpWatchedFunc watched, gpointer user_data);
  const PpKindWords *words;
  char *(*explain_no_end) (const PpJobEnd *end);
  PpInfrastructureAbout (*about) (const PpInfrastructure *infrastructure);
  PpCapabilities (*capabilities) (const PpInfrastructure *infrastructure);
  gint64 (*heard) (const PpInfrastructure *infrastructure);
  const char *(*trouble) (const PpInfrastructure *infrastructure);
  PpInfrastructureCall *(*connect) (PpInfrastructure *infrastructure, PpInfrastructureDoneFunc done,
                                    gpointer user_data);
  PpInfrastructureCall *(*ping) (PpInfrastructure *infrastructure, PpInfrastructureDoneFunc done,
                                 gpointer user_data);
  void (*set_owner) (PpJobSpec *spec, const PpJobRef *owner);
  PpInfrastructureCall *(*follow) (PpInfrastructure *infrastructure, const char *container_id,
                                   gboolean tty, const PpLogPlace *place, PpOutputFunc on_output,
                                   PpFollowedFunc followed, gpointer user_data);
  PpInfrastructureCall *(*read_log) (PpInfrastructure *infrastructure, const char *container_id,
                                     gboolean tty, const PpLogPlace *place, PpOutputFunc on_output,
                                     PpFollowedFunc followed, gpointer user_data);
  void (*follow_finish) (PpInfrastructureCall *call);
  PpInfrastructureCall *(*keep) (PpInfrastructure *infrastructure, const char *container_id,
                                 const char *name, PpInfrastructureDoneFunc done,
                                 gpointer user_data);
  PpInfrastructureCall *(*unpause) (PpInfrastructure *infrastructure, const char *container_id,
                                    PpInfrastructureDoneFunc done, gpointer user_data);
  PpInfrastructureCall *(*list) (PpInfrastructure *infrastructure, PpListScope scope,
                                 const char *claim, PpJobsFunc listed, gpointer user_data);
  void (*call_resume) (PpInfrastructureCall *call);
  void (*call_cancel) (PpInfrastructureCall *call);
};

/* The first members of what a kind allocates. */
struct PpInfrastructure
{
  const PpInfrastructureKind *kind;
};

struct PpInfrastructureCall
{
  PpInfrastructure *infrastructure;
  void (*cancel) (PpInfrastructureCall *call); /* NULL: use the kind's call_cancel */
};

/* Podman and Docker over their socket (engine_api.c). */
extern const PpInfrastructureKind pp_engine_api_kind;

G_END_DECLS
