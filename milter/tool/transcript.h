/* SPDX-License-Identifier: BSD-2-Clause */
/* transcript: dialogues with mail hosts, for people. */
#ifndef RB_MILTER_TOOL_TRANSCRIPT_H
#define RB_MILTER_TOOL_TRANSCRIPT_H

#include <stdio.h>

#include "ringback.h"

/* A line each; nothing for NULL. Errors are left for ferror(3). */
void transcript_print(FILE *out, const struct rb_transcript *transcript);

#endif
