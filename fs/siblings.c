/* SPDX-License-Identifier: Apache-2.0 */
#include "siblings.h"

static guint64 mix(guint64 x)
{
	/* The finaliser of splitmix64: every bit of the input moves half of the output. */
	x = (x ^ (x >> 30)) * G_GUINT64_CONSTANT(0xBF58476D1CE4E5B9);
	x = (x ^ (x >> 27)) * G_GUINT64_CONSTANT(0x94D049BB133111EB);
	return x ^ (x >> 31);
}

static guint64 priority(const Node *node)
{
	return mix(node->offset + node_seed());
}

/* Splits the subtree at *ROOT into what is below OFFSET and what is above. */
static void split(Node *root, guint64 offset, Node **ret_below, Node **ret_above)
{
	while (root) {
		if (root->offset < offset) {
			*ret_below = root;
			ret_below = &root->right;
			root = root->right;
		} else {
			*ret_above = root;
			ret_above = &root->left;
			root = root->left;
		}
	}
	*ret_below = NULL;
	*ret_above = NULL;
}

/* Joins two subtrees at *LINK; every offset in BELOW is smaller than in ABOVE. */
static void join(Node **link, Node *below, Node *above)
{
	while (below && above) {
		if (priority(below) > priority(above)) {
			*link = below;
			link = &below->right;
			below = below->right;
		} else {
			*link = above;
			link = &above->left;
			above = above->left;
		}
	}
	*link = below ? below : above;
}

/* The link that leads to NODE. */
static Node **find_link(Node **root, const Node *node)
{
	Node **link = root;
	while (*link != node) {
		g_assert(*link);
		link = (*link)->offset < node->offset ? &(*link)->right : &(*link)->left;
	}
	return link;
}

void siblings_insert(Node **root, Node *node)
{
	guint64 own = priority(node);
	Node **link = root;
	while (*link && priority(*link) >= own)
		link = (*link)->offset < node->offset ? &(*link)->right : &(*link)->left;

	Node *rest = *link;
	*link = node;
	split(rest, node->offset, &node->left, &node->right);
}

void siblings_remove(Node **root, Node *node)
{
	Node **link = find_link(root, node);
	join(link, node->left, node->right);
	node->left = node->right = NULL;
}

void siblings_replace(Node **root, Node *node, Node *with)
{
	Node **link = find_link(root, node);
	*link = with;
	with->left = node->left;
	with->right = node->right;
	node->left = node->right = NULL;
}

void siblings_seek(SiblingsIter *iter, Node *root, guint64 offset)
{
	iter->depth = 0;
	while (root) {
		if (root->offset > offset) {
			g_assert(iter->depth < G_N_ELEMENTS(iter->stack));
			iter->stack[iter->depth++] = root;
			root = root->left;
		} else {
			root = root->right;
		}
	}
}

Node *siblings_next(SiblingsIter *iter)
{
	if (iter->depth == 0)
		return NULL;
	Node *next = iter->stack[--iter->depth];
	for (Node *n = next->right; n; n = n->left) {
		g_assert(iter->depth < G_N_ELEMENTS(iter->stack));
		iter->stack[iter->depth++] = n;
	}
	return next;
}
