/* SPDX-License-Identifier: Apache-2.0 */
/* driver.c - runs a fuzz target where there is no fuzzing engine.
 *
 *   fuzz-x [-n COUNT] [-s SEED] [FILE|DIRECTORY...]
 *
 * First each file as one input, then COUNT inputs derived from them and from
 * random bytes.  The seed is printed, and the last input is left in a file when
 * the target crashes, so that a failure can be run again.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <glib.h>

#define MAX_LEN 6000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input in hand, for the signal handler. */
static GByteArray *input;

static void on_crash(int signal_number)
{
	static const char name[] = "fuzz-crash";
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd >= 0 && write(fd, input->data, input->len) == (ssize_t)input->len)
		(void)!write(STDERR_FILENO, "# the input is in fuzz-crash\n", 29);
	signal(signal_number, SIG_DFL);
	raise(signal_number);
}

static void input_set(const guint8 *data, gsize len)
{
	g_byte_array_set_size(input, 0);
	g_byte_array_append(input, data, (guint)len);
}

/* A copy without a byte to spare, so that a sanitizer sees each overrun. */
static void input_run(void)
{
	g_autofree guint8 *exact = g_memdup2(input->data, input->len);

	LLVMFuzzerTestOneInput(exact, input->len);
}

/* Reads FILE, or each file in the directory, into CORPUS. */
static void corpus_add(GPtrArray *corpus, const gchar *path)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	const gchar *name;
	gchar *data;
	gsize len;

	if (!dir) {
		if (!g_file_get_contents(path, &data, &len, &error))
			g_error("%s", error->message);
		g_ptr_array_add(corpus, g_bytes_new_take(data, len));
		return;
	}
	while ((name = g_dir_read_name(dir))) {
		g_autofree gchar *file = g_build_filename(path, name, NULL);

		corpus_add(corpus, file);
	}
}

/* Half of the inputs begin as one of the corpus. */
static void input_begin(GRand *random, const GPtrArray *corpus)
{
	gsize len;
	const guint8 *data;

	input_set(NULL, 0);
	if (corpus->len == 0 || g_rand_boolean(random))
		return;
	data = g_bytes_get_data(corpus->pdata[g_rand_int_range(random, 0, (gint32)corpus->len)],
				&len);
	input_set(data, MIN(len, MAX_LEN));
}

/* One change: bytes from anywhere, a byte repeated, a piece taken away, a bit. */
static void input_mutate(GRand *random)
{
	guint at = (guint)g_rand_int_range(random, 0, (gint32)input->len + 1);
	guint n = (guint)g_rand_int_range(random, 1, g_rand_int_range(random, 0, 8) ? 16 : 600);
	guint8 byte = (guint8)g_rand_int(random);

	switch (g_rand_int_range(random, 0, 4)) {
	case 0:
		for (guint i = 0; i < n; i++) {
			byte = (guint8)g_rand_int(random);
			g_byte_array_append(input, &byte, 1);
		}
		break;
	case 1:
		for (guint i = 0; i < n; i++)
			g_byte_array_append(input, &byte, 1);
		break;
	case 2:
		g_byte_array_remove_range(input, at, MIN(n, input->len - at));
		break;
	default:
		if (at < input->len)
			input->data[at] ^= (guint8)(1U << (byte & 7));
	}
	if (input->len > MAX_LEN)
		g_byte_array_set_size(input, MAX_LEN);
}

static void corpus_run(const GPtrArray *corpus)
{
	for (guint i = 0; i < corpus->len; i++) {
		gsize len;
		const guint8 *data = g_bytes_get_data(corpus->pdata[i], &len);

		input_set(data, len);
		input_run();
	}
}

static void random_run(GRand *random, const GPtrArray *corpus, gint count)
{
	for (gint i = 0; i < count; i++) {
		gint32 changes = g_rand_int_range(random, 1, 12);

		input_begin(random, corpus);
		while (changes-- > 0)
			input_mutate(random);
		input_run();
	}
}

int main(int argc, char **argv)
{
	gint count = 20000, seed = 0;
	g_auto(GStrv) paths = NULL;
	const GOptionEntry entries[] = {
	    {"count", 'n', 0, G_OPTION_ARG_INT, &count, "Random inputs", "COUNT"},
	    {"seed", 's', 0, G_OPTION_ARG_INT, &seed, "Of the random inputs", "SEED"},
	    {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &paths, NULL, "FILE..."},
	    {NULL},
	};
	g_autoptr(GOptionContext) context = g_option_context_new(NULL);
	g_autoptr(GPtrArray) corpus = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
	g_autoptr(GError) error = NULL;
	g_autoptr(GRand) random = NULL;

	g_option_context_add_main_entries(context, entries, NULL);
	if (!g_option_context_parse(context, &argc, &argv, &error))
		g_error("%s", error->message);
	if (seed == 0)
		seed = g_random_int_range(1, G_MAXINT32);
	random = g_rand_new_with_seed((guint32)seed);
	input = g_byte_array_new();
	signal(SIGABRT, on_crash);
	signal(SIGSEGV, on_crash);
	for (gchar **path = paths; path && *path; path++)
		corpus_add(corpus, *path);
	g_print("# %u inputs, then %d random ones from seed %d\n", corpus->len, count, seed);
	corpus_run(corpus);
	random_run(random, corpus, count);
	g_byte_array_unref(input);
	return 0;
}
