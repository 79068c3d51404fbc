/* SPDX-License-Identifier: Apache-2.0 */
#include "lag.h"

/* The first release of each line whose answer comes in order, and comes. */
static const struct {
	guint minor, patch;
} right[] = {{4, 31}, {5, 13}, {6, 0}};

/* FALSE: not three numbers, whatever comes behind them. */
static gboolean version_parse(const char *version, guint64 ret[3])
{
	const char *text = version;

	for (int i = 0; i < 3; i++) {
		char *end;

		if (!g_ascii_isdigit(*text))
			return FALSE;
		ret[i] = g_ascii_strtoull(text, &end, 10);
		if (i < 2 && *end != '.')
			return FALSE;
		text = end + 1;
	}
	return TRUE;
}

gboolean lag_version_asks(const char *version)
{
	guint64 number[3];

	if (!version_parse(version, number) || number[0] < 3)
		return FALSE;
	for (gsize i = 0; i < G_N_ELEMENTS(right); i++)
		if (number[0] == 3 && number[1] == right[i].minor)
			return number[2] >= right[i].patch;
	return number[0] > 3 || number[1] > right[G_N_ELEMENTS(right) - 1].minor;
}

void lag_reset(Lag *lag, gint64 bearable_us)
{
	*lag = (Lag){.bearable_us = bearable_us};
}

gboolean lag_probed(Lag *lag, gint64 revision, gint64 applied, gint64 now_us)
{
	if (applied >= lag->revision)
		lag->revision = 0;
	if (revision <= applied)
		return FALSE;
	if (lag->revision == 0) {
		lag->revision = revision;
		lag->since_us = now_us;
	}
	lag->asked = lag->asks;
	return lag->asks;
}

gboolean lag_answered(Lag *lag)
{
	if (!lag->asked)
		return FALSE;
	lag->asked = FALSE;
	lag->answers = TRUE;
	return TRUE;
}

gboolean lag_is_behind(const Lag *lag, gint64 applied)
{
	return lag->answers && applied < lag->revision;
}

gboolean lag_bearable(Lag *lag, gint64 applied, gint64 now_us)
{
	return !lag_is_behind(lag, applied) || now_us - lag->since_us < lag->bearable_us;
}
