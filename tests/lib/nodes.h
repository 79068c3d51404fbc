/* SPDX-License-Identifier: Apache-2.0 */
/* nodes.h - nodes for unit tests, made without a tree.
 */
#ifndef NODES_H
#define NODES_H

#include <string.h>

#include "entries.h"

static inline NodeName nodes_name(const char *name)
{
	return (NodeName){name, strlen(name), {NULL, 0}};
}

static inline Node *nodes_root(void)
{
	NodeName name = nodes_name("");
	Node *root = node_new_dir(NULL, &name);
	root->nodeid = ENTRIES_ROOT_NODEID;
	return root;
}

/* A revision of the key that was created at CREATE_REVISION. */
static inline Node *nodes_file(Node *parent, const char *text, gint64 create_revision)
{
	NodeName name = nodes_name(text);
	NodeRevisions revisions = {.create_revision = create_revision};
	Node *node = node_new_file(parent, &name, &revisions, (KvBytes){NULL, 0});
	node->nodeid = entries_next_nodeid();
	return node;
}

static inline Node *nodes_dir(Node *parent, const char *text)
{
	NodeName name = nodes_name(text);
	Node *node = node_new_dir(parent, &name);
	node->nodeid = entries_next_nodeid();
	return node;
}

#endif
