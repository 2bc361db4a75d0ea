/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * frame: what every page has around it: head, header with who this is and how it runs, navigation,
 * footer. Any thread.
 */
#ifndef RB_MILTER_HTTP_FRAME_H
#define RB_MILTER_HTTP_FRAME_H

#include <stdint.h>
#include <stdio.h>

#include "config/configuration.h"

enum frame_page { FRAME_STATUS, FRAME_WHY };

/*
 * Writes all up to the page's own content. address: what stands in the field that asks about one;
 * "": nothing does.
 */
void frame_begin(FILE *out, const struct config *config, enum frame_page page, const char *address);

void frame_end(FILE *out);

/* Seconds since 1970: all that one page tells is of one moment. */
int64_t frame_now_s(void);

#endif
