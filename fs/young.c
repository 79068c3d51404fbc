/* SPDX-License-Identifier: Apache-2.0 */
#include "young.h"

/* Ten times what inotifywait needs to hear, list and watch. */
#define CHILDHOOD_US 10000

void young_init(Young *young)
{
	young->dirs = g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify)young_dir_free);
	g_queue_init(&young->told);
}

void young_clear(Young *young)
{
	g_clear_pointer(&young->dirs, g_hash_table_unref);
}

void young_dir_free(YoungDir *dir)
{
	if (!dir)
		return;
	g_ptr_array_unref(dir->born);
	node_unref(dir->dir);
	g_free(dir);
}

void young_add(Young *young, Node *dir)
{
	YoungDir *new = g_new0(YoungDir, 1);

	new->dir = node_ref(dir);
	new->born = g_ptr_array_new_with_free_func((GDestroyNotify)node_unref);
	new->in_told.data = new;
	g_hash_table_insert(young->dirs, dir, new);
}

static YoungDir *find_untold(const Young *young, const Node *dir)
{
	YoungDir *found = g_hash_table_lookup(young->dirs, dir);
	return found && !found->told ? found : NULL;
}

gboolean young_born(Young *young, Node *node)
{
	YoungDir *dir = find_untold(young, node->parent);

	if (!dir)
		return FALSE;
	g_ptr_array_add(dir->born, node_ref(node));
	if (node->kind == NODE_DIR)
		young_add(young, node);
	return TRUE;
}

void young_told(Young *young, const Node *dir, gint64 now_us)
{
	YoungDir *found = find_untold(young, dir);

	if (!found)
		return;
	found->told = TRUE;
	found->until_us = now_us + CHILDHOOD_US;
	g_queue_push_tail_link(&young->told, &found->in_told);
	/* As deep as paths are long. */
	for (guint i = 0; i < found->born->len; i++)
		young_told(young, found->born->pdata[i], now_us);
}

gint64 young_next(const Young *young)
{
	const YoungDir *first = g_queue_peek_head((GQueue *)&young->told);
	return first ? first->until_us : G_MAXINT64;
}

YoungDir *young_take(Young *young, gint64 now_us)
{
	if (young_next(young) > now_us)
		return NULL;
	YoungDir *dir = g_queue_pop_head_link(&young->told)->data;
	g_hash_table_steal(young->dirs, dir->dir);
	return dir;
}
