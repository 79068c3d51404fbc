/* SPDX-License-Identifier: Apache-2.0 */
/* status.h - the text of .etcdfs/status.
 */
#ifndef STATUS_H
#define STATUS_H

#include "announce.h"
#include "keyspace.h"

typedef struct {
	const KeyspaceStatus *connection;
	TreeTotals tree;
	InodeTotals inodes;
	AnnouncerTotals announcer;
} Status;

/* JSON with a newline at its end; the README documents the fields. */
char *status_to_json(const Status *status);

#endif
