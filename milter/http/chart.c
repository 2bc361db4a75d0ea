/* SPDX-License-Identifier: BSD-2-Clause */
/* chart: see chart.h. Text stands beside the drawing, which is stretched, and not in it. */
#include "config.h"

#include "http/chart.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "http/html.h"

enum {
    COLUMN_WIDTH = 10, /* of the drawing's units, the gap included */
    COLUMN_GAP = 2,
    HEIGHT = 1000,
    LABELS = 4, /* spaces between times below the drawing */
};

/* From the ground up: what is most often, and least interesting, lies below. */
static const enum history_kind order[HISTORY_KINDS] = {HISTORY_EXEMPT, HISTORY_VALID,
                                                       HISTORY_UNKNOWN, HISTORY_INVALID};

void chart_fill(struct chart *chart, unsigned count, unsigned minutes_each)
{
    struct history_minute minute;

    chart->count = count < CHART_COLUMNS_MAX ? count : CHART_COLUMNS_MAX;
    chart->minutes_each = minutes_each;
    memset(chart->columns, 0, sizeof chart->columns);
    for (unsigned ago = 0; ago < chart->count * minutes_each; ago++) {
        struct chart_column *column = &chart->columns[chart->count - 1 - ago / minutes_each];

        history_minute(ago, &minute);
        column->begin_s = minute.minute * 60;
        for (unsigned kind = 0; kind < HISTORY_KINDS; kind++)
            column->decisions[kind] += minute.decisions[kind];
    }
}

uint64_t chart_scale(uint64_t most)
{
    static const unsigned steps[] = {1, 2, 3, 4, 5, 6, 8};
    uint64_t power = 1;

    for (; power <= UINT64_MAX / 10 && 10 * power <= most; power *= 10)
        continue;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        if (most <= power * steps[i])
            return power * steps[i];
    return power <= UINT64_MAX / 10 ? 10 * power : most;
}

static uint64_t column_sum(const struct chart_column *column)
{
    uint64_t sum = 0;

    for (unsigned kind = 0; kind < HISTORY_KINDS; kind++)
        sum += column->decisions[kind];
    return sum;
}

static uint64_t highest(const struct chart *chart)
{
    uint64_t most = 0;

    for (unsigned i = 0; i < chart->count; i++)
        if (column_sum(&chart->columns[i]) > most)
            most = column_sum(&chart->columns[i]);
    return most;
}

static void write_clock(FILE *out, int64_t moment_s)
{
    const time_t moment = (time_t)moment_s;
    struct tm local;
    char text[16] = "";

    if (localtime_r(&moment, &local) != NULL)
        (void)strftime(text, sizeof text, "%H:%M", &local);
    html_text(out, text);
}

/* "14:03: 12 valid, 1 invalid", shown where the pointer rests. */
static void write_title(FILE *out, const struct chart_column *column)
{
    const char *between = ": ";

    html_markup(out, "<title>");
    write_clock(out, column->begin_s);
    for (unsigned i = HISTORY_KINDS; i-- > 0;) {
        const enum history_kind kind = order[i];

        if (column->decisions[kind] == 0)
            continue;
        html_text(out, between);
        html_number(out, column->decisions[kind]);
        html_text(out, " ");
        html_text(out, history_kind_name(kind));
        between = ", ";
    }
    html_markup(out, "</title>");
}

static void write_column(FILE *out, const struct chart_column *column, unsigned place,
                         uint64_t scale)
{
    double below = 0;

    html_markup(out, "<g>");
    write_title(out, column);
    for (unsigned i = 0; i < HISTORY_KINDS; i++) {
        const double height = (double)column->decisions[order[i]] * HEIGHT / (double)scale;

        if (height > 0)
            (void)fprintf(out,
                          "<rect class=\"%s\" x=\"%u\" y=\"%.1f\" width=\"%d\" height=\"%.1f\"/>",
                          history_kind_name(order[i]), place * COLUMN_WIDTH + COLUMN_GAP / 2,
                          HEIGHT - below - height, COLUMN_WIDTH - COLUMN_GAP, height);
        below += height;
    }
    html_markup(out, "</g>");
}

static void write_drawing(FILE *out, const struct chart *chart, uint64_t scale)
{
    const unsigned width = chart->count * COLUMN_WIDTH;

    (void)fprintf(out,
                  "<svg viewBox=\"0 0 %u %d\" preserveAspectRatio=\"none\" role=\"img\" "
                  "aria-labelledby=\"%s\" aria-describedby=\"%s-table\">",
                  width, HEIGHT, chart->id, chart->id);
    for (unsigned quarter = 0; quarter <= 2; quarter++)
        (void)fprintf(out, "<line x1=\"0\" x2=\"%u\" y1=\"%u\" y2=\"%u\"/>", width,
                      quarter * HEIGHT / 2, quarter * HEIGHT / 2);
    for (unsigned i = 0; i < chart->count; i++)
        if (column_sum(&chart->columns[i]) > 0)
            write_column(out, &chart->columns[i], i, scale);
    html_markup(out, "</svg>");
}

static void write_times(FILE *out, const struct chart *chart)
{
    html_markup(out, "<div class=\"times\" aria-hidden=\"true\">");
    for (unsigned i = 0; i < LABELS; i++) {
        html_markup(out, "<span>");
        write_clock(out, chart->columns[i * chart->count / LABELS].begin_s);
        html_markup(out, "</span>");
    }
    html_markup(out, "<span>now</span></div>");
}

/* How much the topmost line stands for. */
static void write_scale(FILE *out, uint64_t scale)
{
    html_markup(out, "<div class=\"scale\" aria-hidden=\"true\"><span>");
    html_number(out, scale);
    html_markup(out, "</span><span>");
    if (scale > 1)
        (void)fprintf(out, scale % 2 != 0 ? "%" PRIu64 ".5" : "%" PRIu64, scale / 2);
    html_markup(out, "</span><span>0</span></div>");
}

static void write_row(FILE *out, const struct chart_column *column)
{
    html_markup(out, "<tr><th scope=\"row\">");
    write_clock(out, column->begin_s);
    html_markup(out, "</th>");
    for (unsigned kind = 0; kind < HISTORY_KINDS; kind++) {
        html_markup(out, "<td>");
        html_number(out, column->decisions[kind]);
        html_markup(out, "</td>");
    }
    html_markup(out, "</tr>");
}

/* The same in numbers: where there are any. */
static void write_table(FILE *out, const struct chart *chart)
{
    (void)fprintf(out, "<details id=\"%s-table\"><summary>In numbers</summary>", chart->id);
    html_markup(out, "<div class=\"wide\"><table class=\"numbers\"><thead><tr>"
                     "<th scope=\"col\">From</th>");
    for (unsigned kind = 0; kind < HISTORY_KINDS; kind++) {
        html_markup(out, "<th scope=\"col\">");
        html_text(out, history_kind_name((enum history_kind)kind));
        html_markup(out, "</th>");
    }
    html_markup(out, "</tr></thead><tbody>");
    for (unsigned i = chart->count; i-- > 0;)
        if (column_sum(&chart->columns[i]) > 0)
            write_row(out, &chart->columns[i]);
    html_markup(out, "</tbody></table></div></details>");
}

void chart_write(FILE *out, const struct chart *chart)
{
    const uint64_t scale = chart_scale(highest(chart));

    html_markup(out, "<figure class=\"chart\"><figcaption");
    html_attribute(out, "id", chart->id);
    html_markup(out, ">");
    html_text(out, chart->title);
    html_markup(out, "</figcaption><div class=\"plot\">");
    write_scale(out, scale);
    write_drawing(out, chart, scale);
    html_markup(out, "</div>");
    write_times(out, chart);
    write_table(out, chart);
    html_markup(out, "</figure>");
}
