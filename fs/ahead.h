/* SPDX-License-Identifier: Apache-2.0 */
/* ahead.h - gives the kernel the values of the files that a reader comes to next.
 */
#ifndef AHEAD_H
#define AHEAD_H

#include "inode.h"
#include "tree.h"

struct fuse_session;

typedef struct Ahead Ahead;

/* TREE and INODES are borrowed. */
Ahead *ahead_new(Tree *tree, InodeTable *inodes);
void ahead_free(Ahead *ahead); /* NULL is fine, here and below */

/* Begins and ends to give; in between requests must be served.  The thread that mounts. */
void ahead_start(Ahead *ahead, struct fuse_session *session);
void ahead_stop(Ahead *ahead);

/* The kernel asks for the value of FILE, from its start; or for what comes after the last
 * entry of DIR.  They return when it has the values that are read next, or soon; so answer
 * after this.  Threads that answer requests, with no lock held. */
void ahead_read(Ahead *ahead, const Node *file);
void ahead_listed(Ahead *ahead, const Node *dir);

#endif
