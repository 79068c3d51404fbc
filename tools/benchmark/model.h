/* SPDX-License-Identifier: Apache-2.0 */
/* model.h - all of the program but its threads: what a watch delivers to ends in a tree.
 */
#ifndef MODEL_H
#define MODEL_H

#include "keyspace.h"

typedef struct Model Model;

/* Of the keys that begin with PREFIX. */
Model *model_new(const char *prefix);
void model_free(Model *model);

/* Borrowed. */
Keyspace *model_keyspace(Model *model);

#endif
