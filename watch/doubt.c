/* SPDX-License-Identifier: Apache-2.0 */
#include "doubt.h"

#define VOICES_MIN 2

void doubt_settle(Doubt *doubt)
{
	doubt->asked = doubt->voices = 0;
}

void doubt_miss(Doubt *doubt)
{
	if (doubt->voices > 0)
		doubt->asked++;
}

gboolean doubt_raise(Doubt *doubt)
{
	doubt->asked++;
	doubt->voices++;
	if (doubt->voices < VOICES_MIN || doubt->asked < doubt->n_endpoints)
		return FALSE;
	doubt_settle(doubt);
	return TRUE;
}
