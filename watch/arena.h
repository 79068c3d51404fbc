/* SPDX-License-Identifier: Apache-2.0 */
/* arena.h - memory for one answer: many small pieces, freed at once.
 *
 * A page of 100,000 keys takes 300,000 pieces; malloc for each would cost more
 * than reading them from the network.
 */
#ifndef ARENA_H
#define ARENA_H

#include <glib.h>

typedef struct ArenaChunk ArenaChunk;

typedef struct {
	ArenaChunk *chunks; /* newest first; pieces come from the first */
	gsize used;	    /* of its bytes */
	gsize size;
	gsize next_size; /* of the next chunk */
} Arena;

/* HINT: how many bytes it will probably hold, 0 if unknown. */
void arena_init(Arena *arena, gsize hint);

/* Frees every piece.  All zero is fine, and so is a second time. */
void arena_clear(Arena *arena);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Arena, arena_clear)

/* SIZE bytes, aligned for anything, not zeroed; never NULL. */
gpointer arena_alloc(Arena *arena, gsize size);

#endif
