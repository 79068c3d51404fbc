/* SPDX-License-Identifier: Apache-2.0 */
/* discovery.h - where etcd listens, as the domain's SRV records tell.
 *
 *   _etcd-client-ssl[-NAME]._tcp.DOMAIN   with TLS; if there are any, no others count
 *   _etcd-client[-NAME]._tcp.DOMAIN       without
 *
 * Any thread; starts threads, so call it after the last fork.
 */
#ifndef DISCOVERY_H
#define DISCOVERY_H

#include <glib.h>

typedef enum {
	DISCOVERY_TLS = 1 << 0,
	DISCOVERY_PLAIN = 1 << 1,
} DiscoveryKinds;

typedef struct {
	const char *domain;
	const char *name; /* of the service; may be NULL */
	DiscoveryKinds kinds;
	guint timeout_ms; /* for all of it */
} DiscoveryQuery;

/* HOST:PORT..., at least one, in the order that the records wish for; RET_KIND is which
 * they are.  Owned by the caller.  NULL and ERROR (of G_RESOLVER_ERROR or G_IO_ERROR),
 * one line for a person. */
GStrv discovery_find(const DiscoveryQuery *query, DiscoveryKinds *ret_kind, GError **error);

#endif
