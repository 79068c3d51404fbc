/* SPDX-License-Identifier: Apache-2.0 */
#include "patience.h"

#include <glib-unix.h>
#include <signal.h>

static gboolean on_signal(gpointer data)
{
	Patience *patience = data;

	patience->leave = TRUE;
	g_main_loop_quit(patience->loop);
	return G_SOURCE_CONTINUE;
}

static gboolean on_readable(gint fd, GIOCondition condition, gpointer data)
{
	g_main_loop_quit(((Patience *)data)->loop);
	return G_SOURCE_CONTINUE;
}

void patience_init(Patience *patience, int fd)
{
	*patience = (Patience){.loop = g_main_loop_new(NULL, FALSE)};
	patience->sources[0] = g_unix_signal_add(SIGTERM, on_signal, patience);
	patience->sources[1] = g_unix_signal_add(SIGINT, on_signal, patience);
	patience->sources[2] = g_unix_fd_add(fd, G_IO_IN, on_readable, patience);
}

void patience_clear(Patience *patience)
{
	for (gsize i = 0; patience->loop && i < G_N_ELEMENTS(patience->sources); i++)
		g_source_remove(patience->sources[i]);
	g_clear_pointer(&patience->loop, g_main_loop_unref);
}

gboolean patience_wait(Patience *patience)
{
	if (!patience->leave)
		g_main_loop_run(patience->loop);
	return !patience->leave;
}
