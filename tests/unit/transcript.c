/* SPDX-License-Identifier: Apache-2.0 */
#include "transcript.h"

#include <string.h>

/* One input line, taken apart; what it points to lives as long. */
typedef struct {
	char **words;
	KeyValue kv;
	GArray *events;
	EtcdWatch response;
} Line;

static gint64 now_us = 1000 * G_TIME_SPAN_SECOND;
static gint64 asleep_us;

static const char *word_value(const Line *line, const char *name)
{
	gsize len = strlen(name);

	for (char **word = line->words + 1; *word; word++)
		if (g_str_has_prefix(*word, name) && (*word)[len] == '=')
			return *word + len + 1;
	return NULL;
}

static gint64 word_number(const Line *line, const char *name, gint64 otherwise)
{
	const char *value = word_value(line, name);

	return value ? g_ascii_strtoll(value, NULL, 10) : otherwise;
}

static gint64 word_revision(const Line *line)
{
	return line->words[1] ? g_ascii_strtoll(line->words[1], NULL, 10) : 0;
}

static gboolean word_there(const Line *line, const char *name)
{
	return g_strv_contains((const char *const *)line->words, name);
}

/* KEY@REVISION */
static KeyValue kv_parse(const char *text)
{
	const char *at = strchr(text, '@');

	g_assert_nonnull(at);
	return (KeyValue){
	    .key = {(const guint8 *)text, at - text},
	    .mod_revision = g_ascii_strtoll(at + 1, NULL, 10),
	};
}

static const KeyValue *word_kv(Line *line, const char *name)
{
	const char *value = word_value(line, name);

	if (!value)
		return NULL;
	line->kv = kv_parse(value);
	return &line->kv;
}

static EtcdHeader line_header(const Line *line)
{
	return (EtcdHeader){
	    .cluster_id = word_number(line, "cluster", 1),
	    .member_id = 7,
	    .revision = word_revision(line),
	    .raft_term = word_number(line, "term", 2),
	};
}

static void line_events(Line *line)
{
	for (char **word = line->words + 1; *word; word++) {
		KvEvent event = {.type = **word == '+' ? KV_PUT : KV_DELETE};

		if (**word != '+' && **word != '-')
			continue;
		event.kv = kv_parse(*word + 1);
		g_array_append_val(line->events, event);
	}
}

static ResumeInput line_response(Line *line)
{
	const char *reason = word_value(line, "reason");

	if (reason)
		g_strdelimit((char *)reason, "_", ' ');
	line_events(line);
	line->response = (EtcdWatch){
	    .header = line_header(line),
	    .watch_id = word_number(line, "id", RESUME_WATCH_ID),
	    .created = g_str_equal(line->words[0], "created"),
	    .canceled = g_str_equal(line->words[0], "canceled"),
	    .fragment = word_there(line, "fragment"),
	    .compact_revision = word_number(line, "compact", 0),
	    .cancel_reason = reason ? reason : "",
	    .events = (const KvEvent *)(gpointer)line->events->data,
	    .n_events = line->events->len,
	};
	if (line->events->len > 0)
		line->response.header.revision = word_number(line, "header", 99);
	return (ResumeInput){RESUME_RESPONSE, .response = &line->response};
}

static ResumeInput line_failure(const Line *line, ResumeInputType type)
{
	static const char *const names[] = {"away", "compacted", "future", "refused"};
	ResumeInput input = {type, .failure = {ETCD_AWAY, "a reason"}};

	for (guint i = 0; i < G_N_ELEMENTS(names); i++)
		if (word_there(line, names[i]))
			input.failure.failure = i;
	return input;
}

static ResumeInput line_input(Line *line)
{
	const char *word = line->words[0];

	if (g_str_equal(word, "start"))
		return (ResumeInput){RESUME_START};
	if (g_str_equal(word, "timer"))
		return (ResumeInput){RESUME_TIMER};
	if (g_str_equal(word, "tick"))
		return (ResumeInput){RESUME_TICK};
	if (g_str_equal(word, "reload"))
		return (ResumeInput){RESUME_RELOAD};
	if (g_str_equal(word, "lost"))
		return (ResumeInput){RESUME_EVENT_LOST};
	if (g_str_equal(word, "wanted"))
		return (ResumeInput){RESUME_WANTED, .wanted = word_revision(line)};
	if (g_str_equal(word, "confirmed"))
		return (ResumeInput){RESUME_CONFIRMED,
				     .confirmed = {line_header(line), word_there(line, "same")}};
	if (g_str_equal(word, "ended"))
		return line_failure(line, RESUME_ENDED);
	if (g_str_equal(word, "failed"))
		return line_failure(line, RESUME_FAILED);
	if (g_str_equal(word, "version"))
		return (ResumeInput){RESUME_VERSION, .version = line->words[1]};
	if (g_str_equal(word, "audited"))
		return (ResumeInput){RESUME_AUDITED, .audit = line->words[1]};
	if (g_str_equal(word, "page"))
		return (ResumeInput){
		    RESUME_PAGED,
		    .page = {line_header(line), word_kv(line, "newest"), word_there(line, "more")}};
	if (g_str_equal(word, "probed"))
		return (ResumeInput){RESUME_PROBED,
				     .probe = {line_header(line), word_kv(line, "kv")}};
	return line_response(line);
}

static void write_batch(GString *out, const char *name, const KvBatch *batch)
{
	g_string_append_printf(out, "%s %" G_GINT64_FORMAT, name, batch->revision);
	for (gsize i = 0; i < batch->n_events; i++) {
		const KvEvent *event = &batch->events[i];

		g_assert_cmpint(event->kv.mod_revision, ==, batch->revision);
		g_string_append_printf(out, " %c%.*s", event->type == KV_PUT ? '+' : '-',
				       (int)event->kv.key.len, (const char *)event->kv.key.data);
	}
	g_string_append_c(out, '\n');
}

static void write_probe(GString *out, const ResumeAction *action)
{
	if (action->anchor.revision == 0)
		g_string_append(out, "probe\n");
	else
		g_string_append_printf(
		    out, "probe %.*s@%" G_GINT64_FORMAT "\n", (int)action->anchor.key.len,
		    (const char *)action->anchor.key.data, action->anchor.revision);
}

static void write_audit(GString *out, const ResumeAction *action)
{
	g_string_append_printf(out, "audit %" G_GINT64_FORMAT, action->audit.revision);
	if (action->audit.since != 0)
		g_string_append_printf(out, " since %" G_GINT64_FORMAT, action->audit.since);
	g_string_append_c(out, '\n');
}

static void write_action(GString *out, const ResumeAction *action)
{
	static const char *const names[] = {
	    [RESUME_BLAME] = "blame",
	    [RESUME_CONNECT] = "connect",
	    [RESUME_CLOSE] = "close",
	    [RESUME_RECEIVE] = "receive",
	    [RESUME_SEED_PAGE] = "seed-page",
	    [RESUME_SEED_END] = "seed-end",
	    [RESUME_HANG_UP] = "hang-up",
	    [RESUME_ARM] = "arm",
	    [RESUME_OPEN] = "open",
	    [RESUME_SEED_BEGIN] = "seed-begin",
	    [RESUME_PROGRESS] = "tell-progress",
	    [RESUME_CONFIRM] = "confirm",
	    [RESUME_CURRENT] = "tell-current",
	    [RESUME_DELIVER] = "deliver",
	    [RESUME_VERIFY] = "verify",
	    [RESUME_ASK_VERSION] = "ask-version",
	    [RESUME_ASK_PROGRESS] = "ask-progress",
	};

	switch (action->type) {
	case RESUME_READ_PAGE:
		g_string_append(out, action->first ? "read-page first\n" : "read-page\n");
		break;
	case RESUME_PROBE:
		write_probe(out, action);
		break;
	case RESUME_DELIVER:
	case RESUME_VERIFY:
		write_batch(out, names[action->type], &action->batch);
		break;
	case RESUME_AUDIT:
		write_audit(out, action);
		break;
	case RESUME_OPEN:
	case RESUME_SEED_BEGIN:
	case RESUME_PROGRESS:
	case RESUME_CONFIRM:
	case RESUME_CURRENT:
		g_string_append_printf(out, "%s %" G_GINT64_FORMAT "\n", names[action->type],
				       action->revision);
		break;
	default:
		g_string_append_printf(out, "%s\n", names[action->type]);
	}
}

static void step(Resume *resume, Line *line, GString *out)
{
	static const char *const states[] = {"idle",	"seeding", "probing", "opening", "live",
					     "waiting", "frozen",  "asking",  "missing"};
	g_autoptr(GArray) actions = g_array_new(FALSE, FALSE, sizeof(ResumeAction));
	ResumeState before = resume->state;
	gboolean was_stale = resume->contact.stale;
	ResumeInput input = line_input(line);

	input.now_us = now_us;
	input.boot_us = now_us + asleep_us;
	resume_step(resume, &input, actions);
	for (guint i = 0; i < actions->len; i++)
		write_action(out, &g_array_index(actions, ResumeAction, i));
	if (resume->state != before)
		g_string_append_printf(out, " = %s\n", states[resume->state]);
	if (resume->contact.stale != was_stale)
		g_string_append(out, was_stale ? " = fresh\n" : " = stale\n");
}

static void run_line(Resume *resume, const char *text, GString *out)
{
	Line line = {.words = g_strsplit(text + 2, " ", -1)};

	g_string_append_printf(out, "%s\n", text);
	line.events = g_array_new(FALSE, FALSE, sizeof(KvEvent));
	if (g_str_equal(line.words[0], "wait"))
		now_us += word_revision(&line) * G_TIME_SPAN_SECOND;
	else if (g_str_equal(line.words[0], "suspend"))
		asleep_us += word_revision(&line) * G_TIME_SPAN_SECOND;
	else
		step(resume, &line, out);
	g_array_unref(line.events);
	g_strfreev(line.words);
}

void transcript_check(Resume *resume, const char *expected)
{
	g_auto(GStrv) lines = g_strsplit(expected, "\n", -1);
	g_autoptr(GString) out = g_string_new(NULL);

	for (char **line = lines; *line; line++)
		if (g_str_has_prefix(*line, "> "))
			run_line(resume, *line, out);
	g_assert_cmpstr(out->str, ==, expected);
}

void transcript_init(Resume *resume, guint n_endpoints, guint32 chance)
{
	resume_init(resume, &(ResumeConfig){n_endpoints, 10 * G_TIME_SPAN_SECOND, chance});
}

void transcript_run(const char *expected)
{
	Resume resume;

	transcript_init(&resume, 1, 1);
	transcript_check(&resume, expected);
	resume_clear(&resume);
}

void transcript_run_pinned(gint64 revision, const char *missing, const char *expected)
{
	Resume resume;

	transcript_init(&resume, 1, 1);
	resume.config.pinned = revision;
	transcript_check(&resume, expected);
	g_assert_cmpstr(resume.missing, ==, missing);
	resume_clear(&resume);
}

int transcript_main(int argc, char **argv, const TranscriptTest *tests, gsize n_tests)
{
	g_test_init(&argc, &argv, NULL);
	for (gsize i = 0; i < n_tests; i++)
		g_test_add_func(tests[i].name, tests[i].run);
	return g_test_run();
}
