/* SPDX-License-Identifier: Apache-2.0 */
/* metrics.h - the text of .etcdfs/metrics, as Prometheus reads it.
 *
 * The names stay as they are: people's dashboards and alerts have them.
 * tools/prometheus/README.md tells of each.
 */
#ifndef METRICS_H
#define METRICS_H

#include "process.h"
#include "status.h"

char *metrics_to_text(const Status *status, const Process *process);

#endif
