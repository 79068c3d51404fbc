/* SPDX-License-Identifier: Apache-2.0 */
#include "backlog.h"

void backlog_init(Backlog *backlog)
{
	g_queue_init(&backlog->order);
	backlog->set = g_hash_table_new(NULL, NULL);
}

void backlog_clear(Backlog *backlog)
{
	g_queue_clear_full(&backlog->order, (GDestroyNotify)node_unref);
	g_clear_pointer(&backlog->set, g_hash_table_unref);
}

void backlog_push(Backlog *backlog, Node *node)
{
	if (g_hash_table_add(backlog->set, node))
		g_queue_push_tail(&backlog->order, node_ref(node));
}

Node *backlog_pop(Backlog *backlog)
{
	Node *node = g_queue_pop_head(&backlog->order);

	if (node)
		g_hash_table_remove(backlog->set, node);
	return node;
}

guint backlog_length(const Backlog *backlog)
{
	return g_queue_get_length((GQueue *)&backlog->order);
}
