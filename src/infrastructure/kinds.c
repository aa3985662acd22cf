/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "kind-private.h"

/* To add a kind, write a file with a PpInfrastructureKind, and add it to this table. The first kind
 * is the default. */
static const PpInfrastructureKind *const kinds[] = { &pp_engine_api_kind };

/* Returns the pool type with the name TYPE, or NULL if there is none. Sets *KIND (KIND may be NULL)
 * to its kind. */
static const PpPoolType *
find_pool (const char *type, const PpInfrastructureKind **kind)
{
  for (gsize i = 0; i < G_N_ELEMENTS (kinds); i++)
    for (const PpPoolType *pool = kinds[i]->pools; pool->type != NULL; pool++)
      if (g_strcmp0 (type, pool->type) == 0)
        {
          if (kind != NULL)
            *kind = kinds[i];
          return pool;
        }
  return NULL;
}

const PpInfrastructureKind *
pp_kind_for_pool (const char *type)
{
  const PpInfrastructureKind *kind = NULL;

  find_pool (type, &kind);
  return kind;
}

const PpInfrastructureKind *
pp_kind_for_place (const char *place)
{
  for (gsize i = 0; place != NULL && i < G_N_ELEMENTS (kinds); i++)
    if (kinds[i]->has_place != NULL ? kinds[i]->has_place (place)
                                    : g_str_equal (kinds[i]->place, place))
      return kinds[i];
  return NULL;
}

const PpInfrastructureKind *
pp_kind_default (void)
{
  return kinds[0];
}

const char *const *
pp_kind_pool_types (void)
{
  static GPtrArray *types;

  if (types != NULL)
    return (const char *const *)types->pdata;
  types = g_ptr_array_new ();
  for (gsize i = 0; i < G_N_ELEMENTS (kinds); i++)
    for (const PpPoolType *pool = kinds[i]->pools; pool->type != NULL; pool++)
      g_ptr_array_add (types, (gpointer)pool->type);
  g_ptr_array_add (types, NULL);
  return (const char *const *)types->pdata;
}

char *
pp_kind_show_pool_types (void)
{
  const char *const *types = pp_kind_pool_types ();
  GString *text = g_string_new (NULL);

  for (guint i = 0; types[i] != NULL; i++)
    g_string_append_printf (text, "%s'%s'",
                            i == 0                 ? ""
                            : types[i + 1] != NULL ? ", "
                                                   : " and ",
                            types[i]);
  return g_string_free (text, FALSE);
}

const char *
pp_kind_worker_word (const char *type)
{
  const PpPoolType *pool = find_pool (type, NULL);

  return pool != NULL ? pool->worker_word : "PodmanWorker";
}

char *
pp_kind_find_place (const PpInfrastructureKind *kind, const char *engine_url, GError **error)
{
  return kind->find_place != NULL ? kind->find_place (engine_url, error) : g_strdup (kind->place);
}

json_t *
pp_kind_default_template (const char *type)
{
  const PpPoolType *pool = find_pool (type, NULL);

  return pool != NULL ? pool->template_of (type) : NULL;
}
