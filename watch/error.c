/* SPDX-License-Identifier: Apache-2.0 */
#include "watch.h"

G_DEFINE_QUARK(watch_error, watch_error)
