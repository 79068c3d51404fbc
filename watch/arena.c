/* SPDX-License-Identifier: Apache-2.0 */
#include "arena.h"

#define ALIGN (2 * sizeof(gpointer))
#define CHUNK_MIN 1024
#define CHUNK_MAX (1024 * 1024)

struct ArenaChunk {
	ArenaChunk *next;
	gpointer unused; /* the pieces begin aligned */
};
G_STATIC_ASSERT(sizeof(ArenaChunk) % ALIGN == 0);

void arena_init(Arena *arena, gsize hint)
{
	*arena = (Arena){.next_size = CLAMP(hint, CHUNK_MIN, CHUNK_MAX)};
}

void arena_clear(Arena *arena)
{
	while (arena->chunks) {
		ArenaChunk *chunk = arena->chunks;

		arena->chunks = chunk->next;
		g_free(chunk);
	}
	arena->used = arena->size = 0;
}

/* What is left of the chunk before is given up: at most one piece's worth. */
static void arena_grow(Arena *arena, gsize size)
{
	ArenaChunk *chunk;

	arena->size = MAX(size, arena->next_size);
	arena->next_size = MIN(MAX(arena->next_size, CHUNK_MIN) * 2, CHUNK_MAX);
	chunk = g_malloc(sizeof(*chunk) + arena->size);
	chunk->next = arena->chunks;
	arena->chunks = chunk;
	arena->used = 0;
}

gpointer arena_alloc(Arena *arena, gsize size)
{
	gpointer piece;

	g_assert(size <= G_MAXSSIZE);
	size = (size + ALIGN - 1) & ~(ALIGN - 1);
	if (!arena->chunks || size > arena->size - arena->used)
		arena_grow(arena, size);
	piece = (guint8 *)(arena->chunks + 1) + arena->used;
	arena->used += size;
	return piece;
}
