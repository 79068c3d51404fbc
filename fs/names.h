/* SPDX-License-Identifier: Apache-2.0 */
/* names.h - key bytes to path components and back.
 *
 * The "rest" of a key is the key less the mount's prefix.  Pure functions of
 * their arguments: no lock, any thread, no failure.
 */
#ifndef NAMES_H
#define NAMES_H

#include <glib.h>

/* The longest name, as NAME_MAX: bytes without the NUL. */
#define NAMES_COMPONENT_MAX 255

/* The longest path below the mount: PATH_MAX less 256 bytes, which leaves 254
 * for the mount point, one for the slash behind it and one for the NUL.  So an
 * absolute path works as well. */
#define NAMES_PATH_MAX 3840

/* The file that shows a directory's own value. */
#define NAMES_VALUE ".value"

/* The control directory at the root. */
#define NAMES_CONTROL ".etcdfs"

/* What becomes of a rest's leading slash. */
typedef enum {
	NAMES_DROP_SLASH, /* it is left out: "/a/b" is a/b */
	NAMES_KEEP_SLASH, /* it is encoded: "/a/b" is %2Fa/b, beside "a/b" */
} NamesSlash;

/* One step of a path. */
typedef struct {
	const gchar *name; /* LEN bytes, neither NUL nor slash among them, then a NUL */
	/* A lossy name (NAMES_COMPONENT_MAX or NAMES_PATH_MAX cut it) stands for
	 * RAW_LEN bytes at RAW, inside the rest: a component or, if it is the last
	 * one, perhaps several with their slashes.  Else NULL and 0. */
	const guint8 *raw;
	gsize raw_len;
	guint8 len; /* 1 to NAMES_COMPONENT_MAX */
} NamesComponent;

/* The path of one key.  Kept by the caller and set again for the next key: once
 * it has seen the deepest path, names_path_set allocates nothing for a name that
 * is not lossy.  Only the fields above PRIVATE are for readers. */
typedef struct {
	NamesComponent *components;
	gsize n_components; /* 0: the value of the root, in the file NAMES_VALUE */
	gboolean slash;	    /* a leading slash was dropped */

	/* PRIVATE */
	gsize n_allocated;
	gsize used;					      /* of text */
	gchar text[NAMES_PATH_MAX + NAMES_COMPONENT_MAX + 1]; /* each name and its NUL */
} NamesPath;

void names_path_init(NamesPath *path);
void names_path_clear(NamesPath *path);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(NamesPath, names_path_clear)

/* Makes PATH the path of REST.  Names are valid until the next call, raw bytes
 * as long as REST is.  NAMES_KEEP_SLASH without a leading slash is the same. */
void names_path_set(NamesPath *path, const guint8 *rest, gsize len, NamesSlash slash);

/* Whether the name was cut, so that the name alone does not tell its bytes. */
gboolean names_is_lossy(const gchar *name, gsize len);

/* Appends the bytes that NAME stands for to RAW.  FIRST: it is the first
 * component of its path, where .etcdfs is escaped and %2F may stand.  FALSE, and
 * RAW untouched, for a lossy name and for one that no key has (such as %zz). */
gboolean names_decode(const gchar *name, gsize len, gboolean first, GByteArray *raw);

#endif
