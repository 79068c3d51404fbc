/* SPDX-License-Identifier: Apache-2.0 */
#include "metering.h"

void metering_init(Metering *metering, KeyspaceMeter *meter)
{
	*metering = (Metering){.meter = meter};
}

gint64 metering_heard(Metering *metering, gsize len)
{
	gint64 now_us = g_get_monotonic_time();

	if (metering->meter) {
		meter_set(&metering->meter->heard_us, (guint64)now_us);
		meter_add(&metering->meter->received_bytes, len);
	}
	return now_us;
}

void metering_response(Metering *metering, const EtcdWatch *response)
{
	KeyspaceMeter *meter = metering->meter;

	if (!meter)
		return;
	meter_add(&meter->received_messages, 1);
	if (!response->created && !response->canceled && !response->fragment &&
	    response->n_events == 0)
		meter_add(&meter->progress, 1);
}

void metering_token(Metering *metering)
{
	if (metering->meter)
		meter_add(&metering->meter->tokens, 1);
}

void metering_audit(Metering *metering)
{
	if (metering->meter)
		meter_add(&metering->meter->audits, 1);
}

void metering_probe(Metering *metering, gint64 revision)
{
	KeyspaceMeter *meter = metering->meter;

	if (!meter)
		return;
	meter_add(&meter->probes, 1);
	meter_set(&meter->probe_revision, (guint64)revision);
	meter_set(&meter->probe_us, (guint64)g_get_monotonic_time());
}

void metering_seed_begin(Metering *metering)
{
	metering->began_us = g_get_monotonic_time();
	metering->keys = metering->bytes = 0;
}

void metering_page(Metering *metering, gsize n_keys, gsize len)
{
	metering->keys += n_keys;
	metering->bytes += len;
	if (metering->meter)
		meter_add(&metering->meter->pages, 1);
}

void metering_seed_end(Metering *metering)
{
	KeyspaceMeter *meter = metering->meter;

	if (!meter)
		return;
	meter_add(&meter->seeds, 1);
	meter_set(&meter->seed_took_us, (guint64)(g_get_monotonic_time() - metering->began_us));
	meter_set(&meter->seed_keys, metering->keys);
	meter_set(&meter->seed_bytes, metering->bytes);
}
