/* SPDX-License-Identifier: Apache-2.0 */
#include "exposition.h"

static void append_label(GString *text, const char *name, const char *value)
{
	g_autofree char *valid = g_utf8_make_valid(value, -1);

	g_string_append_printf(text, "%s=\"", name);
	for (const char *c = valid; *c; c++) {
		if (*c == '\n')
			g_string_append(text, "\\n");
		else if (*c == '\\' || *c == '"')
			g_string_append_printf(text, "\\%c", *c);
		else
			g_string_append_c(text, *c);
	}
	g_string_append_c(text, '"');
}

void exposition_init(Exposition *exposition, const char *label, const char *value)
{
	GString *text = g_string_new(NULL);

	append_label(text, label, value);
	*exposition = (Exposition){
	    .text = g_string_new(NULL),
	    .label = g_string_free(text, FALSE),
	};
}

void exposition_clear(Exposition *exposition)
{
	if (exposition->text)
		g_string_free(exposition->text, TRUE);
	g_clear_pointer(&exposition->label, g_free);
	exposition->text = NULL;
}

void exposition_family(Exposition *exposition, ExpositionType type, const char *name,
		       const char *help)
{
	static const char *const types[] = {"counter", "gauge", "histogram"};

	exposition->name = name;
	g_string_append_printf(exposition->text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name,
			       types[type]);
}

/* All of a sample but its value.  SUFFIX: to the name. */
static void begin_sample(Exposition *exposition, const char *suffix, const char *label,
			 const char *value)
{
	GString *text = exposition->text;

	g_string_append_printf(text, "%s%s{%s", exposition->name, suffix, exposition->label);
	if (label) {
		g_string_append_c(text, ',');
		append_label(text, label, value);
	}
	g_string_append(text, "} ");
}

static void end_count(Exposition *exposition, guint64 n)
{
	g_string_append_printf(exposition->text, "%" G_GUINT64_FORMAT "\n", n);
}

static void end_time(Exposition *exposition, gint64 us)
{
	g_string_append_printf(exposition->text, "%" G_GINT64_FORMAT ".%06d\n", us / G_USEC_PER_SEC,
			       (int)(us % G_USEC_PER_SEC));
}

void exposition_count(Exposition *exposition, const char *label, const char *value, guint64 n)
{
	begin_sample(exposition, "", label, value);
	end_count(exposition, n);
}

void exposition_time(Exposition *exposition, gint64 us)
{
	begin_sample(exposition, "", NULL, NULL);
	end_time(exposition, us);
}

void exposition_info(Exposition *exposition, ...)
{
	GString *text = exposition->text;
	const char *name;
	va_list args;

	g_string_append_printf(text, "%s{%s", exposition->name, exposition->label);
	va_start(args, exposition);
	while ((name = va_arg(args, const char *))) {
		const char *value = va_arg(args, const char *);
		g_string_append_c(text, ',');
		append_label(text, name, value ? value : "");
	}
	va_end(args);
	g_string_append(text, "} 1\n");
}

void exposition_histogram(Exposition *exposition, const Histogram *histogram)
{
	char bound[G_ASCII_DTOSTR_BUF_SIZE];
	guint64 n = 0;

	for (guint i = 0; i < HISTOGRAM_N_BOUNDS; i++) {
		n += histogram->buckets[i];
		g_ascii_formatd(bound, sizeof(bound), "%g", (double)histogram_bound_us(i) / 1e6);
		begin_sample(exposition, "_bucket", "le", bound);
		end_count(exposition, n);
	}
	n += histogram->buckets[HISTOGRAM_N_BOUNDS];
	begin_sample(exposition, "_bucket", "le", "+Inf");
	end_count(exposition, n);
	begin_sample(exposition, "_sum", NULL, NULL);
	end_time(exposition, (gint64)histogram->sum_us);
	begin_sample(exposition, "_count", NULL, NULL);
	end_count(exposition, n);
}
