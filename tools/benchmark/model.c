/* SPDX-License-Identifier: Apache-2.0 */
#include "model.h"

#include "keyspace_tree.h"

struct Model {
	StatusAbout about;
	Meters meters;
	Withheld withheld;
	Tree *tree;
	InodeTable *inodes;
	View *view;
	Waiting *waiting;
	Announcer *announcer;
	Control *control;
	Seeding *seeding;
	KeyspaceTree *keyspace;
};

Model *model_new(const char *prefix)
{
	Model *model = g_new0(Model, 1);

	model->about = (StatusAbout){.source = "", .mountpoint = ""};
	model->tree = tree_new((KvBytes){(const guint8 *)prefix, strlen(prefix)});
	model->inodes = inode_table_new(tree_root(model->tree));
	model->view = view_new();
	model->waiting = waiting_new();
	model->announcer = announcer_new(model->tree, model->inodes, model->view, &model->meters,
					 model->waiting);
	model->control = control_new(model->tree, model->inodes, model->announcer, model->waiting,
				     &model->meters, &model->about);
	model->seeding = seeding_new();
	model->keyspace = keyspace_tree_new(model->tree, model->inodes, model->announcer,
					    model->control, model->seeding, &model->meters,
					    &model->withheld);
	return model;
}

void model_free(Model *model)
{
	keyspace_tree_free(model->keyspace);
	seeding_free(model->seeding);
	control_free(model->control);
	announcer_free(model->announcer);
	waiting_free(model->waiting);
	view_free(model->view);
	inode_table_free(model->inodes);
	tree_free(model->tree);
	g_free(model);
}

Keyspace *model_keyspace(Model *model)
{
	return keyspace_tree_keyspace(model->keyspace);
}
