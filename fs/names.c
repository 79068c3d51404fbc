/* SPDX-License-Identifier: Apache-2.0 */
/* names.c - key bytes to path components and back.
 *
 * etcd takes any byte string as a key; a file name is 1 to 255 bytes without
 * slash and NUL, and neither "." nor "..".  The body of a key (less the mount's
 * prefix, less one leading slash) is split at its slashes, and each component is
 * escaped only where it must be:
 *
 *   %                                   %25
 *   NUL                                 %00
 *   nothing (a//b, a/)                  %
 *   . and .. and .value                 %2E and %2E. and %2Evalue
 *   .etcdfs as the first component      %2Eetcdfs
 *   a leading slash that is kept        %2F, in front of the first component
 *   anything else, UTF-8 or not         itself
 *
 * A body of no bytes at all has no components: it is the root's own value.
 *
 * Two limits make a name lossy: it ends in "%~" and 32 hexadecimal digits, and
 * the bytes it stands for are kept beside it.
 *
 *   L1  A component that is over 255 bytes once encoded: its encoded head and
 *       the hash of its raw bytes.
 *   L2  A path over NAMES_PATH_MAX.  A directory may be entered only if the path
 *       up to and with its name, a slash and 34 bytes more ("%~" and the digits)
 *       fit.  If not, or if the last component does not fit, the path ends there
 *       in a file: the component's encoded head and the hash of all raw bytes
 *       that are left, slashes and further components included.
 *
 * A head is as many whole units as fit: escapes and valid UTF-8 sequences are
 * never cut in two.  The hash is the first half of a SHA-256.  128 bits, because
 * with 64 somebody who may write to etcd could build two keys with one name.
 *
 * Why each body has one path and each path one body.
 *
 * (1) Within a directory, the name of a component tells its bytes.  In a name
 *     that is not lossy each "%" is followed by 00, 25, 2E or 2F, or is the whole
 *     name; so reading from the left undoes the table, and it never contains
 *     "%~".  A lossy name tells its bytes by their hash.
 * (2) Whether a component is entered, and under which name, depends on it and
 *     on the length of the names before it, on nothing that follows.  So by
 *     induction equal directories have equal components.
 * (3) It remains to compare two different bodies at the first name where their
 *     components differ, or where one of them ends.
 *     - Both names encode a component (plain or L1): if these differ, so do the
 *       names, by (1).  If they are equal, one is the last of its body and the
 *       other is a directory: key "a" beside "a/...", the ordinary
 *       file-and-directory rule, and the only way to meet.
 *     - Both are L2: they hash all that is left, which differs.
 *     - One is L2, of the bytes R that are left, the other encodes the component
 *       C.  They could only meet if that one is L1 and R equals C; then R has no
 *       slash in it and is the last component of its body.  R is L2, so it does
 *       not fit as a last component; then C, which has the same encoded length,
 *       does not fit as a last component either, and still less as a directory,
 *       which needs 35 bytes more.  So C is L2 as well: a contradiction.  (That
 *       is why a directory must never be allowed more room than a file.)
 *
 *     The first component always fits (255 + 35 < NAMES_PATH_MAX), so bytes with
 *     a kept slash in front are never hashed as L2 and never taken for two
 *     components.
 * (4) Two rests have one body only if they are "x" and "/x", and "x" does not
 *     itself begin with a slash: "//x" has the body "/x" and no twin.  %2F is
 *     written in front of a kept slash only, so %2Fx is nobody else's.
 *
 * What must fit below a directory always fits: it was entered with 35 bytes to
 * spare, and the longest thing that is needed is a slash and an L2 name of 34
 * bytes with an empty head.  Its own value, "/" and ".value", takes 7.
 *
 * A path has at most 1904 components (a body of slashes alone): whoever walks the
 * tree must not recurse.
 */
#include "names.h"

#include <string.h>

#define HASH_DIGITS 32
#define TAIL_LEN (2 + HASH_DIGITS)    /* "%~" and the digits */
#define DIRECTORY_ROOM (1 + TAIL_LEN) /* what a directory must leave: a slash, a tail */

G_STATIC_ASSERT(DIRECTORY_ROOM >= sizeof("/" NAMES_VALUE) - 1);
G_STATIC_ASSERT(NAMES_COMPONENT_MAX + DIRECTORY_ROOM <= NAMES_PATH_MAX);

/* Raw bytes: a component, or all that is left of a rest. */
typedef struct {
	const guint8 *data;
	gsize len;
} Raw;

static gboolean raw_equals(Raw raw, const gchar *text)
{
	return raw.len == strlen(text) && memcmp(raw.data, text, raw.len) == 0;
}

/* Names that the kernel or we have taken: their dot is escaped. */
static gboolean raw_is_taken(Raw raw, gboolean first)
{
	if (raw.len == 0 || raw.data[0] != '.')
		return FALSE;
	return raw_equals(raw, ".") || raw_equals(raw, "..") || raw_equals(raw, NAMES_VALUE) ||
	       (first && raw_equals(raw, NAMES_CONTROL));
}

/* The bytes that are always escaped.  A slash inside a component is one that was
 * kept. */
static gboolean byte_is_escaped(guint8 byte)
{
	return byte == '%' || byte == '\0' || byte == '/';
}

/* What must not be cut in two: one byte, or the bytes of one UTF-8 sequence. */
static gsize unit_raw_len(const guint8 *at, gsize len)
{
	gunichar c;

	if (at[0] < 0x80)
		return 1;
	c = g_utf8_get_char_validated((const gchar *)at, (gssize)MIN(len, 4));
	if (c == (gunichar)-1 || c == (gunichar)-2)
		return 1;
	return (gsize)g_unichar_to_utf8(c, NULL);
}

static void escape_write(gchar *to, guint8 byte)
{
	static const gchar digits[] = "0123456789ABCDEF";

	to[0] = '%';
	to[1] = digits[byte >> 4];
	to[2] = digits[byte & 15];
}

/* Writes the units of RAW that fit into ROOM; sets how many raw bytes they are. */
static gsize head_write(gchar *to, gsize room, Raw raw, gboolean taken, gsize *ret_raw_len)
{
	gsize i = 0, len = 0;

	while (i < raw.len) {
		gboolean escaped = byte_is_escaped(raw.data[i]) || (taken && i == 0);
		gsize raw_len = unit_raw_len(raw.data + i, raw.len - i);
		gsize unit_len = escaped ? 3 : raw_len;

		if (len + unit_len > room)
			break;
		if (escaped)
			escape_write(to + len, raw.data[i]);
		else
			memcpy(to + len, raw.data + i, raw_len);
		i += raw_len;
		len += unit_len;
	}
	*ret_raw_len = i;
	return len;
}

static gsize tail_write(gchar *to, Raw raw)
{
	g_autoptr(GChecksum) checksum = g_checksum_new(G_CHECKSUM_SHA256);

	g_checksum_update(checksum, raw.data, (gssize)raw.len);
	memcpy(to, "%~", 2);
	memcpy(to + 2, g_checksum_get_string(checksum), HASH_DIGITS);
	return TAIL_LEN;
}

/* Writes a lossy name: the head of COMPONENT and the hash of HASHED. */
static gsize lossy_write(gchar *to, gsize room, Raw component, gboolean first, Raw hashed)
{
	gboolean taken = raw_is_taken(component, first);
	gsize raw_len, len;

	len = head_write(to, room - TAIL_LEN, component, taken, &raw_len);
	return len + tail_write(to + len, hashed);
}

/* Writes the name of COMPONENT without regard to the path before it. */
static gsize component_write(gchar *to, Raw component, gboolean first, gboolean *ret_lossy)
{
	gsize raw_len, len;

	*ret_lossy = FALSE;
	if (component.len == 0) {
		to[0] = '%';
		return 1;
	}
	len = head_write(to, NAMES_COMPONENT_MAX, component, raw_is_taken(component, first),
			 &raw_len);
	if (raw_len == component.len)
		return len;
	*ret_lossy = TRUE;
	return lossy_write(to, NAMES_COMPONENT_MAX, component, first, component);
}

/* Whether RAW, which has no byte to escape, is its own name. */
static gboolean raw_is_plain(Raw raw)
{
	return raw.len > 0 && raw.len <= NAMES_COMPONENT_MAX && raw.data[0] != '.';
}

static NamesComponent *path_grow(NamesPath *path)
{
	if (path->n_components == path->n_allocated) {
		path->n_allocated = MAX(16, 2 * path->n_allocated);
		path->components = g_renew(NamesComponent, path->components, path->n_allocated);
	}
	return &path->components[path->n_components++];
}

/* Adds the LEN bytes that were written at the end of the text; RAW of no data if
 * the name is not lossy. */
static void path_add(NamesPath *path, gsize len, Raw raw)
{
	NamesComponent *component = path_grow(path);
	gchar *name = path->text + path->used;

	name[len] = '\0';
	component->name = name;
	component->len = (guint8)len;
	component->raw = raw.data;
	component->raw_len = raw.len;
	path->used += len + 1;
}

/* Adds COMPONENT, with which LEFT begins.  FALSE: the path ends here, though
 * there may be more in LEFT. */
static gboolean path_step(NamesPath *path, Raw component, Raw left, gboolean clean)
{
	gboolean first = path->n_components == 0, last = component.len == left.len;
	gsize room = NAMES_PATH_MAX - path->used;
	gchar *to = path->text + path->used;
	gboolean lossy = FALSE;
	gsize len;

	if (clean && raw_is_plain(component)) {
		memcpy(to, component.data, component.len);
		len = component.len;
	} else {
		len = component_write(to, component, first, &lossy);
	}
	if (len + (last ? 0 : DIRECTORY_ROOM) <= room) {
		path_add(path, len, lossy ? component : (Raw){NULL, 0});
		return !last;
	}
	len = lossy_write(to, MIN(room, NAMES_COMPONENT_MAX), component, first, left);
	path_add(path, len, left);
	return FALSE;
}

void names_path_init(NamesPath *path)
{
	path->components = NULL;
	path->n_components = 0;
	path->n_allocated = 0;
	path->slash = FALSE;
	path->used = 0;
}

void names_path_clear(NamesPath *path)
{
	g_free(path->components);
	names_path_init(path);
}

/* The component at the beginning of LEFT.  Its first KEPT bytes are no
 * separators. */
static Raw raw_component(Raw left, gsize kept)
{
	const guint8 *slash = NULL;

	if (left.len > kept)
		slash = memchr(left.data + kept, '/', left.len - kept);
	return (Raw){left.data, slash ? (gsize)(slash - left.data) : left.len};
}

void names_path_set(NamesPath *path, const guint8 *rest, gsize len, NamesSlash slash)
{
	gboolean leading = len > 0 && rest[0] == '/';
	gsize kept = leading && slash == NAMES_KEEP_SLASH ? 1 : 0;
	Raw left = {rest, len}, component;
	gboolean clean;

	path->n_components = 0;
	path->used = 0;
	path->slash = leading && !kept;
	if (path->slash)
		left = (Raw){rest + 1, len - 1};
	if (left.len == 0)
		return;
	/* Most keys have nothing to escape: two quick searches, then copies. */
	clean = !kept && !memchr(left.data, '%', left.len) && !memchr(left.data, '\0', left.len);
	component = raw_component(left, kept);
	while (path_step(path, component, left, clean)) {
		left.data += component.len + 1;
		left.len -= component.len + 1;
		component = raw_component(left, 0);
	}
}

gboolean names_is_lossy(const gchar *name, gsize len)
{
	const gchar *tail;

	if (len < TAIL_LEN || len > NAMES_COMPONENT_MAX)
		return FALSE;
	tail = name + len - TAIL_LEN;
	if (tail[0] != '%' || tail[1] != '~')
		return FALSE;
	for (gsize i = 2; i < TAIL_LEN; i++) {
		if (!g_ascii_isxdigit(tail[i]) || g_ascii_isupper(tail[i]))
			return FALSE;
	}
	return TRUE;
}

/* The byte that the escape at NAME stands for; -1 if it is none of ours. */
static int escape_read(const gchar *name, gsize len)
{
	if (len < 3)
		return -1;
	for (const gchar *byte = "%./"; *byte; byte++) {
		gchar escape[3];

		escape_write(escape, (guint8)*byte);
		if (memcmp(name, escape, 3) == 0)
			return (guint8)*byte;
	}
	return memcmp(name, "%00", 3) == 0 ? '\0' : -1;
}

static gboolean name_unescape(const gchar *name, gsize len, GByteArray *raw)
{
	for (;;) {
		const gchar *escape = memchr(name, '%', len);
		gsize n_plain = escape ? (gsize)(escape - name) : len;
		int unescaped;
		guint8 byte;

		g_byte_array_append(raw, (const guint8 *)name, (guint)n_plain);
		if (!escape)
			return TRUE;
		unescaped = escape_read(escape, len - n_plain);
		if (unescaped < 0)
			return FALSE;
		byte = (guint8)unescaped;
		g_byte_array_append(raw, &byte, 1);
		name = escape + 3;
		len -= n_plain + 3;
	}
}

/* Whether NAME is what RAW is encoded as: an escape where none belongs, a name
 * that is taken and a slash in the wrong place are not. */
static gboolean name_is_encoding_of(const gchar *name, gsize len, Raw raw, gboolean first)
{
	gchar encoded[NAMES_COMPONENT_MAX];
	gboolean lossy;
	gsize kept = first && raw.len > 0 && raw.data[0] == '/' ? 1 : 0;

	if (raw.len > kept && memchr(raw.data + kept, '/', raw.len - kept))
		return FALSE;
	return component_write(encoded, raw, first, &lossy) == len && !lossy &&
	       memcmp(encoded, name, len) == 0;
}

gboolean names_decode(const gchar *name, gsize len, gboolean first, GByteArray *raw)
{
	guint start = raw->len;
	Raw decoded;

	if (len == 0 || len > NAMES_COMPONENT_MAX)
		return FALSE;
	if (len == 1 && name[0] == '%')
		return TRUE;
	if (name_unescape(name, len, raw)) {
		decoded = (Raw){raw->data + start, raw->len - start};
		if (name_is_encoding_of(name, len, decoded, first))
			return TRUE;
	}
	g_byte_array_set_size(raw, start);
	return FALSE;
}
