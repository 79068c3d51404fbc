/* SPDX-License-Identifier: Apache-2.0 */
/* Linux takes an attribute of at most 64 KiB, and etcd a key of more.  Such a key (and
 * the prefix of a directory likewise) is shown in pieces instead: user.etcd.key.0,
 * user.etcd.key.1 and so on, all of 64 KiB but the last.  The whole one is not listed,
 * so that programs which copy every attribute do not stumble over it.
 */
#include "xattr.h"

#include <linux/limits.h>
#include <string.h>

#include "entries.h"

typedef struct {
	Tree *tree;
	Control *control;
	const Node *node;
} Subject;

static GByteArray *bytes_from_text(const char *text)
{
	GByteArray *bytes = g_byte_array_new();
	return g_byte_array_append(bytes, (const guint8 *)text, (guint)strlen(text));
}

static GByteArray *bytes_from_int(gint64 value)
{
	char text[24];
	g_snprintf(text, sizeof(text), "%" G_GINT64_FORMAT, value);
	return bytes_from_text(text);
}

/* Without leading zeros, as etcdctl prints leases and ids. */
static GByteArray *bytes_from_hex(guint64 value)
{
	char text[24];
	g_snprintf(text, sizeof(text), "%" G_GINT64_MODIFIER "x", value);
	return bytes_from_text(text);
}

static GByteArray *get_key(const Subject *s)
{
	return tree_node_key(s->tree, s->node);
}

static GByteArray *get_create_revision(const Subject *s)
{
	return bytes_from_int(node_revisions(s->node).create_revision);
}

static GByteArray *get_mod_revision(const Subject *s)
{
	return bytes_from_int(node_revisions(s->node).mod_revision);
}

static GByteArray *get_version(const Subject *s)
{
	return bytes_from_int(node_revisions(s->node).version);
}

static GByteArray *get_lease(const Subject *s)
{
	gint64 lease = node_revisions(s->node).lease;
	return lease ? bytes_from_hex((guint64)lease) : NULL;
}

static GByteArray *get_revision(const Subject *s)
{
	return bytes_from_int(control_revision(s->control));
}

static GByteArray *get_cluster_id(const Subject *s)
{
	guint64 id = control_cluster_id(s->control);
	return id ? bytes_from_hex(id) : NULL;
}

static GByteArray *get_state(const Subject *s)
{
	return bytes_from_text(control_state(s->control));
}

typedef enum { ON_FILE = 1, ON_DIR = 2, ON_ROOT = 4 } Where;

static const struct {
	const char *name;
	guint where;
	GByteArray *(*get)(const Subject *s);
} attributes[] = {
    {"user.etcd.key", ON_FILE, get_key},
    {"user.etcd.create_revision", ON_FILE, get_create_revision},
    {"user.etcd.mod_revision", ON_FILE, get_mod_revision},
    {"user.etcd.version", ON_FILE, get_version},
    {"user.etcd.lease", ON_FILE, get_lease},
    {"user.etcd.prefix", ON_DIR | ON_ROOT, get_key},
    {"user.etcd.revision", ON_ROOT, get_revision},
    {"user.etcd.cluster_id", ON_ROOT, get_cluster_id},
    {"user.etcd.state", ON_ROOT, get_state},
};

static guint where_is(const Subject *s)
{
	const Node *node = s->node;

	if (control_is_dir(s->control, node) || node->parent == control_dir(s->control))
		return 0; /* no key of etcd's */
	if (node->kind == NODE_FILE)
		return ON_FILE;
	return node->nodeid == ENTRIES_ROOT_NODEID ? ON_ROOT : ON_DIR;
}

/* Piece N of VALUE; NULL if there is none. */
static GByteArray *piece(const GByteArray *value, guint64 n)
{
	if (value->len <= XATTR_SIZE_MAX || n > (value->len - 1) / XATTR_SIZE_MAX)
		return NULL;
	guint start = (guint)n * XATTR_SIZE_MAX;
	GByteArray *bytes = g_byte_array_new();
	return g_byte_array_append(bytes, value->data + start,
				   MIN(XATTR_SIZE_MAX, value->len - start));
}

/* NAME is that of an attribute, perhaps with the number of a piece behind it. */
static GByteArray *get(const Subject *s, guint i, const char *name)
{
	gsize len = strlen(attributes[i].name);
	guint64 n;

	if (strncmp(attributes[i].name, name, len) != 0)
		return NULL;
	if (name[len] == '\0')
		return attributes[i].get(s);
	if (name[len] != '.' ||
	    !g_ascii_string_to_unsigned(name + len + 1, 10, 0, G_MAXUINT32, &n, NULL))
		return NULL;
	g_autoptr(GByteArray) value = attributes[i].get(s);
	return value ? piece(value, n) : NULL;
}

GByteArray *xattr_get(Tree *tree, Control *control, const Node *node, const char *name)
{
	Subject s = {tree, control, node};
	guint where = where_is(&s);
	GByteArray *value = NULL;

	for (guint i = 0; i < G_N_ELEMENTS(attributes) && !value; i++)
		if (attributes[i].where & where)
			value = get(&s, i, name);
	return value;
}

static void append_name(GByteArray *names, const char *name)
{
	g_byte_array_append(names, (const guint8 *)name, (guint)strlen(name) + 1);
}

static void append_names(GByteArray *names, const char *name, const GByteArray *value)
{
	if (value->len <= XATTR_SIZE_MAX) {
		append_name(names, name);
		return;
	}
	for (guint n = 0; n <= (value->len - 1) / XATTR_SIZE_MAX; n++) {
		g_autofree char *numbered = g_strdup_printf("%s.%u", name, n);
		append_name(names, numbered);
	}
}

GByteArray *xattr_list(Tree *tree, Control *control, const Node *node)
{
	Subject s = {tree, control, node};
	guint where = where_is(&s);
	GByteArray *names = g_byte_array_new();

	for (guint i = 0; i < G_N_ELEMENTS(attributes); i++) {
		g_autoptr(GByteArray) value = attributes[i].where & where ? attributes[i].get(&s)
									  : NULL;
		if (value)
			append_names(names, attributes[i].name, value);
	}
	return names;
}
