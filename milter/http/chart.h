/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * chart: decisions over time as stacked columns (SVG 1.1 in HTML), with what they say as a table
 * for those who do not see them. Pure but for what history is asked. Any thread.
 */
#ifndef RB_MILTER_HTTP_CHART_H
#define RB_MILTER_HTTP_CHART_H

#include <stdint.h>
#include <stdio.h>

#include "daemon/history.h"

enum { CHART_COLUMNS_MAX = 144 };

/* How many decisions of each kind a column stands for, and when that began. */
struct chart_column {
    int64_t begin_s;
    uint64_t decisions[HISTORY_KINDS];
};

struct chart {
    const char *id, *title; /* ours */
    unsigned minutes_each;
    unsigned count;
    struct chart_column columns[CHART_COLUMNS_MAX]; /* the oldest first */
};

/* The last count times minutes_each minutes of the history, this one included. */
void chart_fill(struct chart *chart, unsigned count, unsigned minutes_each);

/* The scale's end: at least `most`, and a number that people count by: 1, 2, 3, 4, 5, 6, 8, 10, 20... */
uint64_t chart_scale(uint64_t most);

void chart_write(FILE *out, const struct chart *chart);

#endif
