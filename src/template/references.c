/* SPDX-License-Identifier: Apache-2.0 */
/* Resolves {{ prefect.blocks.* }}, {"$ref": {"block_document_id": ...}} and {{ prefect.variables.*
 * }} (resolve_block_document_references and resolve_variables of prefect/utilities/templating). */
#include "config.h"

#include "template-private.h"

#include <string.h>

/* Removes every PREFIX in TEXT, wherever it is, like Prefect's name.replace (prefix, ""). */
static char *
without_prefix (const char *text, const char *prefix)
{
  g_auto (GStrv) parts = g_strsplit (text, prefix, -1);
  return g_strjoinv ("", parts);
}

/* Splits "prefect.blocks.slug.name[.path]" into {slug, name[, path]}. NULL if a name is missing. */
static char **
split_block_name (const char *placeholder_name)
{
  g_autofree char *name = without_prefix (placeholder_name, PP_BLOCK_PREFIX);
  g_auto (GStrv) parts = g_strsplit (name, ".", 3);
  return g_strv_length (parts) < 2 ? NULL : g_steal_pointer (&parts);
}

/* Reads block_document_id of {"$ref": {"block_document_id": ...}}. *ID gets NULL if OBJECT is not
 * such a reference. */
static gboolean
referenced_id (const json_t *object, const char **id, GError **error)
{
  *id = NULL;
  const json_t *reference = json_object_get (object, "$ref");
  if (reference == NULL)
    return TRUE;
  if (!json_is_object (reference))
    return pp_template_invalid (error, "$ref: {\"block_document_id\": ...} is needed, not %s",
                                pp_json_type_name (reference));
  const json_t *value = json_object_get (reference, "block_document_id");
  if (!pp_json_truthy (value))
    return TRUE;
  if (!json_is_string (value))
    return pp_template_invalid (error, "$ref.block_document_id: an id is needed, not %s",
                                pp_json_type_name (value));
  *id = json_string_value (value);
  return TRUE;
}

/* The references found so far, each once: keys of objects, in order of appearance. */
typedef struct
{
  json_t *blocks;
  json_t *block_ids;
  json_t *variables;
  gsize *spent;
} Found;

static void
find_in_string (const char *text, const Found *found)
{
  g_autoptr (GPtrArray) placeholders = pp_placeholders_find (text);
  for (guint i = 0; i < placeholders->len; i++)
    {
      const PpPlaceholder *placeholder = g_ptr_array_index (placeholders, i);
      if (placeholder->type == PP_PLACEHOLDER_VARIABLE)
        {
          g_autofree char *name = without_prefix (placeholder->name, PP_VARIABLE_PREFIX);
          json_object_set_new (found->variables, name, json_null ());
        }
      if (placeholder->type != PP_PLACEHOLDER_BLOCK)
        continue;
      g_auto (GStrv) parts = split_block_name (placeholder->name);
      if (parts == NULL)
        continue;
      g_autofree char *key = g_strconcat (parts[0], "/", parts[1], NULL);
      json_object_set_new (found->blocks, key, json_null ());
    }
}

static void
find_references (const json_t *value, const Found *found, guint depth)
{
  const char *key;
  const char *id = NULL;
  size_t i;
  json_t *member;

  /* An exceeded limit is not an error here. It becomes one when the references are resolved. */
  if (depth > PP_TEMPLATE_MAX_DEPTH || !pp_template_spend (found->spent, value, NULL))
    return;
  if (json_is_string (value))
    find_in_string (json_string_value (value), found);
  if (json_is_object (value) && referenced_id (value, &id, NULL) && id != NULL)
    {
      json_object_set_new (found->block_ids, id, json_null ());
      return;
    }
  json_object_foreach ((json_t *)value, key, member) { find_references (member, found, depth + 1); }
  json_array_foreach (value, i, member) { find_references (member, found, depth + 1); }
}

static json_t *
keys_of (json_t *object)
{
  json_t *keys = json_array ();
  const char *key;
  json_t *value;
  json_object_foreach (object, key, value) { json_array_append_new (keys, json_string (key)); }
  return keys;
}

json_t *
pp_template_references (const json_t *configuration)
{
  json_auto_t *blocks = json_object ();
  json_auto_t *block_ids = json_object ();
  json_auto_t *variables = json_object ();
  gsize spent = 0;
  const Found found = { blocks, block_ids, variables, &spent };

  find_references (configuration, &found, 0);
  return json_pack ("{s:o, s:o, s:o}", "blocks", keys_of (blocks), "block_ids", keys_of (block_ids),
                    "variables", keys_of (variables));
}

/* One pass over the configuration, which replaces strings and some objects. */
typedef struct
{
  /* Returns the new value of a string with PLACEHOLDERS, or NULL with ERROR. */
  json_t *(*resolve_string) (const json_t *string, const GPtrArray *placeholders,
                             gconstpointer data, GError **error);
  /* Sets *RESOLVED (a new reference) if OBJECT is a reference to another value. May be NULL. */
  gboolean (*resolve_object) (const json_t *object, gconstpointer data, json_t **resolved,
                              GError **error);
  gconstpointer data;
  gsize *spent;
} Pass;

static json_t *run_pass (const Pass *pass, const json_t *value, guint depth, GError **error);

static json_t *
run_pass_on_object (const Pass *pass, const json_t *object, guint depth, GError **error)
{
  json_t *resolved = NULL;
  if (pass->resolve_object != NULL && !pass->resolve_object (object, pass->data, &resolved, error))
    return NULL;
  if (resolved != NULL)
    return resolved;

  json_auto_t *out = json_object ();
  const char *key;
  json_t *member;
  json_object_foreach ((json_t *)object, key, member)
  {
    json_t *value = run_pass (pass, member, depth + 1, error);
    if (value == NULL)
      return NULL;
    json_object_set_new (out, key, value);
  }
  return g_steal_pointer (&out);
}

static json_t *
run_pass_on_array (const Pass *pass, const json_t *array, guint depth, GError **error)
{
  json_auto_t *out = json_array ();
  size_t i;
  json_t *member;
  json_array_foreach (array, i, member)
  {
    json_t *value = run_pass (pass, member, depth + 1, error);
    if (value == NULL)
      return NULL;
    json_array_append_new (out, value);
  }
  return g_steal_pointer (&out);
}

static json_t *
run_pass (const Pass *pass, const json_t *value, guint depth, GError **error)
{
  if (!pp_template_check_depth (depth, error) || !pp_template_spend (pass->spent, value, error))
    return NULL;
  if (json_is_object (value))
    return run_pass_on_object (pass, value, depth, error);
  if (json_is_array (value))
    return run_pass_on_array (pass, value, depth, error);
  if (!json_is_string (value))
    return pp_json_share (value);

  g_autoptr (GPtrArray) placeholders = pp_placeholders_find (json_string_value (value));
  json_auto_t *resolved = pass->resolve_string (value, placeholders, pass->data, error);
  if (resolved == NULL || !pp_template_spend (pass->spent, resolved, error))
    return NULL;
  return g_steal_pointer (&resolved);
}

typedef struct
{
  const json_t *blocks;
  const json_t *block_ids;
} FetchedBlocks;

/* Returns the data of DOCUMENT, a block document. If the only member of the data is "value", and
 * PATH (may be NULL) does not begin with it, returns that member. */
static const json_t *
block_data (const json_t *document, const char *path)
{
  const json_t *data = json_object_get (document, "data");
  const json_t *value = json_object_get (data, "value");
  if (json_object_size (data) != 1 || value == NULL)
    return data;
  gboolean names_value = path != NULL
                         && (strcmp (path, "value") == 0 || g_str_has_prefix (path, "value.")
                             || g_str_has_prefix (path, "value["));
  return names_value ? data : value;
}

/* _resolve_single_placeholder: returns a new reference, or NULL with ERROR. */
static json_t *
block_value (const FetchedBlocks *fetched, const PpPlaceholder *placeholder, GError **error)
{
  g_auto (GStrv) parts = split_block_name (placeholder->name);
  if (parts == NULL)
    {
      pp_template_invalid (error, "%s: name a block as prefect.blocks.<type slug>.<name>",
                           placeholder->full_match);
      return NULL;
    }

  g_autofree char *key = g_strconcat (parts[0], "/", parts[1], NULL);
  const json_t *document = json_object_get (fetched->blocks, key);
  if (!json_is_object (json_object_get (document, "data")))
    {
      pp_template_invalid (error,
                           "%s: there is no block '%s' of type '%s'; create it or correct "
                           "the job variables or the work pool's base job template",
                           placeholder->full_match, parts[1], parts[0]);
      return NULL;
    }

  const json_t *data = block_data (document, parts[2]);
  json_t *value = parts[2] == NULL ? pp_json_share (data) : pp_path_get (data, parts[2]);
  if (value == NULL)
    pp_template_invalid (error, "%s: block '%s' of type '%s' has nothing at '%s'",
                         placeholder->full_match, parts[1], parts[0], parts[2]);
  return value;
}

static json_t *
resolve_blocks_in_string (const json_t *string, const GPtrArray *placeholders, gconstpointer data,
                          GError **error)
{
  const FetchedBlocks *fetched = data;
  const char *text = json_string_value (string);
  const PpPlaceholder *whole = pp_placeholders_whole (placeholders, text, PP_PLACEHOLDER_BLOCK);
  if (whole != NULL)
    return block_value (fetched, whole, error);

  g_auto (PpRendering) rendering = { g_strdup (text), 0 };
  for (guint i = 0; i < placeholders->len; i++)
    {
      const PpPlaceholder *placeholder = g_ptr_array_index (placeholders, i);
      if (placeholder->type != PP_PLACEHOLDER_BLOCK)
        continue;
      json_auto_t *value = block_value (fetched, placeholder, error);
      if (value == NULL)
        return NULL;
      if (json_is_object (value) || json_is_array (value))
        {
          pp_template_invalid (error,
                               "%s is %s and cannot be part of a text; name one of its "
                               "members",
                               placeholder->full_match, pp_json_type_name (value));
          return NULL;
        }
      g_autofree char *with = pp_python_str (value, error);
      if (with == NULL || !pp_rendering_replace (&rendering, placeholder->full_match, with, error))
        return NULL;
    }
  return json_string (rendering.text);
}

static gboolean
resolve_block_id (const json_t *object, gconstpointer data, json_t **resolved, GError **error)
{
  const FetchedBlocks *fetched = data;
  const char *id;
  if (!referenced_id (object, &id, error))
    return FALSE;
  if (id == NULL)
    return TRUE;
  const json_t *document_data = json_object_get (json_object_get (fetched->block_ids, id), "data");
  if (!json_is_object (document_data))
    return pp_template_invalid (error,
                                "$ref: there is no block with the id %s; correct the job "
                                "variables or the work pool's base job template",
                                id);
  *resolved = pp_json_share (document_data);
  return TRUE;
}

/* *VALUE gets the variable's value (borrowed), or NULL if the variable does not exist. */
static gboolean
variable_value (const json_t *variables, const PpPlaceholder *placeholder, const json_t **value,
                GError **error)
{
  g_autofree char *name = without_prefix (placeholder->name, PP_VARIABLE_PREFIX);
  const json_t *variable = json_object_get (variables, name);
  *value = json_object_get (variable, "value");
  if (variable == NULL || json_is_null (variable) || *value != NULL)
    return TRUE;
  return pp_template_invalid (error, "%s: the API's answer has no value for this variable",
                              placeholder->full_match);
}

static json_t *
resolve_variables_in_string (const json_t *string, const GPtrArray *placeholders,
                             gconstpointer data, GError **error)
{
  const char *text = json_string_value (string);
  const json_t *value;
  const PpPlaceholder *whole = pp_placeholders_whole (placeholders, text, PP_PLACEHOLDER_VARIABLE);
  if (whole != NULL)
    {
      if (!variable_value (data, whole, &value, error))
        return NULL;
      return value != NULL ? pp_json_share (value) : json_string ("");
    }

  g_auto (PpRendering) rendering = { g_strdup (text), 0 };
  for (guint i = 0; i < placeholders->len; i++)
    {
      const PpPlaceholder *placeholder = g_ptr_array_index (placeholders, i);
      if (placeholder->type != PP_PLACEHOLDER_VARIABLE)
        continue;
      if (!variable_value (data, placeholder, &value, error))
        return NULL;
      g_autofree char *with = value != NULL ? pp_python_str (value, error) : g_strdup ("");
      if (with == NULL || !pp_rendering_replace (&rendering, placeholder->full_match, with, error))
        return NULL;
    }
  return json_string (rendering.text);
}

json_t *
pp_template_resolve_references (const json_t *configuration, const json_t *blocks,
                                const json_t *block_ids, const json_t *variables, GError **error)
{
  json_auto_t *resolved = pp_json_share (configuration);

  if (blocks != NULL || block_ids != NULL)
    {
      const FetchedBlocks fetched = { blocks, block_ids };
      gsize spent = 0;
      const Pass pass = { resolve_blocks_in_string, resolve_block_id, &fetched, &spent };
      json_t *next = run_pass (&pass, resolved, 0, error);
      if (next == NULL)
        return NULL;
      json_decref (resolved);
      resolved = next;
    }
  if (variables != NULL)
    {
      gsize spent = 0;
      const Pass pass = { resolve_variables_in_string, NULL, variables, &spent };
      json_t *next = run_pass (&pass, resolved, 0, error);
      if (next == NULL)
        return NULL;
      json_decref (resolved);
      resolved = next;
    }
  if (!json_is_object (resolved))
    {
      pp_template_invalid (error, "the job configuration is %s; an object is needed",
                           pp_json_type_name (resolved));
      return NULL;
    }
  return g_steal_pointer (&resolved);
}
