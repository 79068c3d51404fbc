/* SPDX-License-Identifier: Apache-2.0 */
#include "waitattr.h"

#include <errno.h>

#include "entries.h"

#define PREFIX "user.etcd.wait."

static gboolean parse_number(const char *name, const char *word, guint64 *ret_number)
{
	return g_str_has_prefix(name, word) &&
	       g_ascii_string_to_unsigned(name + strlen(word), 10, 0, G_MAXINT64, ret_number, NULL);
}

static gboolean parse(const char *name, Wait *ret_wait)
{
	*ret_wait = (Wait){0};
	if (strcmp(name, "live") == 0)
		ret_wait->kind = WAIT_LIVE;
	else if (parse_number(name, "revision.", &ret_wait->number))
		ret_wait->kind = WAIT_REVISION;
	else if (parse_number(name, "change.", &ret_wait->number))
		ret_wait->kind = WAIT_CHANGE;
	else
		return FALSE;
	return TRUE;
}

static void reply_standing(const Fs *fs, fuse_req_t req, size_t size)
{
	g_autofree char *text = control_standing(fs->control);

	if (size == 0)
		fuse_reply_xattr(req, strlen(text));
	else if (size < strlen(text))
		fuse_reply_err(req, ERANGE);
	else
		fuse_reply_buf(req, text, strlen(text));
}

static void park(const Fs *fs, fuse_req_t req, const Wait *wait, size_t size)
{
	int r = waiting_add(fs->waiting, req, wait, size);

	if (r < 0)
		fuse_reply_err(req, -r);
	else
		waiting_settle(fs->waiting, req, control_revision(fs->control));
}

gboolean waitattr_get(const Fs *fs, fuse_req_t req, guint64 nodeid, const char *name, size_t size)
{
	Wait wait;

	if (nodeid != ENTRIES_ROOT_NODEID || !g_str_has_prefix(name, PREFIX))
		return FALSE;
	name += strlen(PREFIX);
	if (strcmp(name, "standing") == 0)
		reply_standing(fs, req, size);
	else if (parse(name, &wait))
		park(fs, req, &wait, size);
	else
		return FALSE;
	return TRUE;
}
