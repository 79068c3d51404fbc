/* SPDX-License-Identifier: Apache-2.0 */
/* domain.h - the endpoints, where a domain tells them.
 */
#ifndef DOMAIN_H
#define DOMAIN_H

#include "discovery.h"
#include "options.h"

/* Nobody else's between domain_ask and the last domain_ask_again; its strings are those
 * of the options. */
typedef struct {
	DiscoveryQuery query;
} Domain;

/* Puts the endpoints into OPTIONS, and whether they are of TLS; asks as long as OPTIONS
 * are patient.  TRYING is called once, with the REASON, before it asks again.  FALSE and
 * ERROR as of discovery_find. */
gboolean domain_ask(Domain *domain, Options *options,
		    void (*trying)(gpointer data, const GError *reason), gpointer data,
		    GError **error);

/* A WatchFind.  DOMAIN has been asked before. */
char **domain_ask_again(gpointer domain);

#endif
