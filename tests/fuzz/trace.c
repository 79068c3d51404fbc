/* SPDX-License-Identifier: Apache-2.0 */
#include "trace.h"

static void print_kv(const char *name, const KeyValue *kv)
{
	if (kv)
		g_printerr(" %s%.*s@%" G_GINT64_FORMAT, name, (int)kv->key.len,
			   (const char *)kv->key.data, kv->mod_revision);
}

static void print_header(const char *name, const EtcdHeader *header)
{
	g_printerr("> %s %" G_GINT64_FORMAT " cluster=%" G_GUINT64_FORMAT
		   " term=%" G_GUINT64_FORMAT,
		   name, header->revision, header->cluster_id, header->raft_term);
}

static void print_events(const EtcdWatch *response)
{
	g_printerr("> events header=%" G_GINT64_FORMAT, response->header.revision);
	if (response->fragment)
		g_printerr(" fragment");
	for (gsize i = 0; i < response->n_events; i++)
		print_kv(response->events[i].type == KV_PUT ? "+" : "-", &response->events[i].kv);
}

static void print_canceled(const EtcdWatch *response)
{
	g_printerr("> canceled compact=%" G_GINT64_FORMAT " reason=%s", response->compact_revision,
		   response->cancel_reason);
}

static void print_response(const EtcdWatch *response)
{
	if (response->canceled)
		print_canceled(response);
	else if (response->n_events > 0)
		print_events(response);
	else
		g_printerr("> %s %" G_GINT64_FORMAT, response->created ? "created" : "progress",
			   response->header.revision);
	g_printerr(" id=%" G_GINT64_FORMAT, response->watch_id);
}

static void print_failure(const char *name, EtcdFailure failure)
{
	static const char *const names[] = {"away", "compacted", "future", "refused"};

	g_printerr("> %s %s", name, names[failure]);
}

static void print_input(const ResumeInput *input)
{
	switch (input->type) {
	case RESUME_START:
		g_printerr("> start");
		break;
	case RESUME_PAGED:
		print_header("page", &input->page.header);
		g_printerr("%s", input->page.more ? " more" : "");
		print_kv("newest=", input->page.newest);
		break;
	case RESUME_PROBED:
		print_header("probed", &input->probe.header);
		print_kv("kv=", input->probe.anchor);
		break;
	case RESUME_FAILED:
		print_failure("failed", input->failure.failure);
		break;
	case RESUME_VERSION:
		g_printerr("> version %s", input->version ? input->version : "");
		break;
	case RESUME_AUDITED:
		g_printerr("> audited %s", input->audit ? input->audit : "");
		break;
	case RESUME_RESPONSE:
		print_response(input->response);
		break;
	case RESUME_ENDED:
		print_failure("ended", input->failure.failure);
		break;
	case RESUME_EVENT_LOST:
		g_printerr("> lost");
		break;
	case RESUME_TIMER:
		g_printerr("> timer");
		break;
	case RESUME_TICK:
		g_printerr("> tick");
		break;
	case RESUME_RELOAD:
		g_printerr("> reload");
		break;
	case RESUME_WANTED:
		g_printerr("> wanted %" G_GINT64_FORMAT, input->wanted);
		break;
	case RESUME_CONFIRMED:
		print_header("confirmed", &input->confirmed.header);
		g_printerr("%s", input->confirmed.same ? " same" : "");
		break;
	}
}

void trace_input(const ResumeInput *input)
{
	static gint64 before_us;
	gint64 waited_us = input->now_us - before_us;

	if (!g_getenv("FUZZ_TRACE"))
		return;
	before_us = input->now_us;
	if (waited_us >= G_TIME_SPAN_SECOND && input->type != RESUME_START)
		g_printerr("> wait %" G_GINT64_FORMAT "\n", waited_us / G_TIME_SPAN_SECOND);
	print_input(input);
	g_printerr("\n");
}
