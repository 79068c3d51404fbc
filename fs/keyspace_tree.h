/* SPDX-License-Identifier: Apache-2.0 */
/* keyspace_tree.h - the listener behind the watch: keeps the tree at etcd's state.
 */
#ifndef KEYSPACE_TREE_H
#define KEYSPACE_TREE_H

#include "announce.h"
#include "control.h"
#include "keyspace.h"
#include "seeding.h"
#include "withheld.h"

typedef struct KeyspaceTree KeyspaceTree;

/* Everything is borrowed and must outlive it. */
KeyspaceTree *keyspace_tree_new(Tree *tree, InodeTable *inodes, Announcer *announcer,
				Control *control, Seeding *seeding, Meters *meters,
				Withheld *withheld);
void keyspace_tree_free(KeyspaceTree *keyspace);

/* What watch_start wants; borrowed. */
Keyspace *keyspace_tree_keyspace(KeyspaceTree *keyspace);

#endif
