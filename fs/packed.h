/* SPDX-License-Identifier: Apache-2.0 */
/* packed.h - four numbers in as few bytes as they need: each none where it is 0,
 * or four, or eight.
 *
 * Their widths, one byte, are the caller's to keep.  The numbers need not be aligned.
 * All inline: each change of a key reads and writes them.
 */
#ifndef PACKED_H
#define PACKED_H

#include <glib.h>
#include <string.h>

#define PACKED_N 4

/* A number's width, of two bits. */
enum { PACKED_NONE, PACKED_FOUR, PACKED_EIGHT };

static inline guint packed_width_of(guint64 number)
{
	if (number == 0)
		return PACKED_NONE;
	return number <= G_MAXUINT32 ? PACKED_FOUR : PACKED_EIGHT;
}

static inline guint packed_width_at(guint8 widths, guint i)
{
	return widths >> (2 * i) & 3;
}

static inline guint8 packed_widths(const guint64 numbers[PACKED_N])
{
	guint widths = 0;

	for (guint i = 0; i < PACKED_N; i++)
		widths |= packed_width_of(numbers[i]) << (2 * i);
	return (guint8)widths;
}

/* The bytes that numbers of these widths take. */
static inline gsize packed_size(guint8 widths)
{
	gsize size = 0;

	for (guint i = 0; i < PACKED_N; i++)
		size += 4 * packed_width_at(widths, i);
	return size;
}

/* Both return what comes after the numbers. */
static inline guint8 *packed_write(guint8 *to, const guint64 numbers[PACKED_N])
{
	for (guint i = 0; i < PACKED_N; i++) {
		guint width = packed_width_of(numbers[i]);
		guint32 four = (guint32)numbers[i];

		/* of sizes that the compiler knows: a store each, no call */
		if (width == PACKED_FOUR)
			memcpy(to, &four, sizeof(four));
		else if (width == PACKED_EIGHT)
			memcpy(to, &numbers[i], sizeof(numbers[i]));
		to += 4 * width;
	}
	return to;
}

static inline const guint8 *packed_read(const guint8 *from, guint8 widths,
					guint64 ret_numbers[PACKED_N])
{
	for (guint i = 0; i < PACKED_N; i++) {
		guint width = packed_width_at(widths, i);
		guint32 four = 0;

		if (width == PACKED_EIGHT) {
			memcpy(&ret_numbers[i], from, sizeof(ret_numbers[i]));
		} else {
			if (width == PACKED_FOUR)
				memcpy(&four, from, sizeof(four));
			ret_numbers[i] = four;
		}
		from += 4 * width;
	}
	return from;
}

#endif
