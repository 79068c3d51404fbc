/* SPDX-License-Identifier: Apache-2.0 */
/* trace.h - what the state machine was fed, if FUZZ_TRACE is set: the input lines of a
 * transcript (tests/unit/transcript.h).
 */
#ifndef TRACE_H
#define TRACE_H

#include "resume.h"

void trace_input(const ResumeInput *input);

#endif
