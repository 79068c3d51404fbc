/* SPDX-License-Identifier: Apache-2.0 */
/* xattr.h - the extended attributes user.etcd.*
 *
 * Any thread, no lock held.
 */
#ifndef XATTR_H
#define XATTR_H

#include "control.h"

/* The value of the attribute NAME of NODE; NULL if it has none.  A whole key or prefix may
 * be longer than Linux takes (XATTR_SIZE_MAX). */
GByteArray *xattr_get(Tree *tree, Control *control, const Node *node, const char *name);

/* The names of all attributes of NODE, each with its NUL, as listxattr wants. */
GByteArray *xattr_list(Tree *tree, Control *control, const Node *node);

#endif
