/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * page: see page.h. In the order of what an admin asks: is anything wrong, how much mail is there,
 * does anybody wait, is somebody held back, what was decided.
 */
#include "config.h"

#include "http/page.h"

#include <string.h>

#include "daemon/history.h"
#include "daemon/metrics.h"
#include "daemon/service.h"
#include "http/chart.h"
#include "http/decisions.h"
#include "http/frame.h"
#include "http/html.h"
#include "http/words.h"

enum {
    HOUR = 60, /* minutes */
    DAY = HISTORY_MINUTES,
    HELD_MAX = 50, /* that are shown; the rest is counted */
    RETRIES_MAX = 20,
};

/* What the whole page is made of: one moment's. */
struct state {
    const struct config *config;
    int64_t now_s;
    struct rb_stats stats;
    struct history_sum hour, day;
};

static uint64_t sum_of(const struct history_sum *sum)
{
    uint64_t all = 0;

    for (unsigned kind = 0; kind < HISTORY_KINDS; kind++)
        all += sum->decisions[kind];
    return all;
}

/* --- What is wrong ---------------------------------------------------------- */

static void write_warning(FILE *out, const char *title, const char *text)
{
    html_markup(out, "<li><strong>");
    html_text(out, title);
    html_markup(out, "</strong> ");
    html_stranger(out, text);
    html_markup(out, "</li>");
}

static void write_identity(FILE *out)
{
    static const char title[] = "Who we are";
    struct identity identity;

    if (!service_identity(&identity))
        return;
    for (size_t i = 0; i < identity.count; i++)
        write_warning(out, title, identity.warning[i]);
}

/* What the library has told of, and not told the end of. */
static void write_troubles(FILE *out)
{
    const struct service_troubles troubles = service_troubles();

    if (troubles.dns_is_silent)
        write_warning(
            out, "Name servers",
            "None of them answers, so nobody can be asked about addresses that are not known.");
    if (troubles.store_is_lost)
        write_warning(out, "Cache", "Its store is lost, and cannot be opened. The log says why.");
    if (troubles.writes_are_lost)
        write_warning(out, "Cache", "What is learned cannot be written. The log says why.");
}

static bool has_warnings(const struct config *config)
{
    const struct service_troubles troubles = service_troubles();
    struct identity identity;

    return troubles.dns_is_silent || troubles.store_is_lost || troubles.writes_are_lost ||
           config_warnings(config, 0) != NULL || service_config_changed() ||
           (service_identity(&identity) && identity.count > 0);
}

static void write_warnings(FILE *out, const struct config *config)
{
    const char *warning;

    html_markup(out, "<div id=\"warnings\" data-live>");
    if (has_warnings(config)) {
        html_markup(out, "<ul class=\"warnings\" aria-label=\"Warnings\">");
        write_troubles(out);
        if (service_config_changed())
            write_warning(
                out, "Configuration",
                "The file has been written since it was read. `ringback reload` takes it.");
        for (size_t i = 0; (warning = config_warnings(config, i)) != NULL; i++)
            write_warning(out, "Configuration", warning);
        write_identity(out);
        html_markup(out, "</ul>");
    }
    html_markup(out, "</div>");
}

/* --- How much there is ------------------------------------------------------ */

static void write_part(FILE *out, const struct history_sum *sum, enum history_kind kind,
                       const char *before)
{
    if (sum->decisions[kind] == 0)
        return;
    html_text(out, before);
    html_markup(out, "<b class=\"");
    html_text(out, history_kind_name(kind));
    html_markup(out, "\">");
    html_number(out, sum->decisions[kind]);
    html_markup(out, "</b> ");
    html_text(out, history_kind_name(kind));
}

static void write_within(FILE *out, int64_t wait_ms)
{
    html_text(out, wait_ms == 0 ? "" : "within ");
    html_markup(out, "<b>");
    if (wait_ms == 0)
        html_text(out, "at once");
    else
        html_wait(out, wait_ms);
    html_markup(out, "</b>");
}

static void write_waits_in_words(FILE *out, const struct history_sum *sum)
{
    if (sum->waits_ms.total == 0)
        return;
    html_text(out, " Half of the answers came ");
    write_within(out, histogram_quantile(&sum->waits_ms, 0.5));
    html_text(out, ", 95 in 100 ");
    write_within(out, histogram_quantile(&sum->waits_ms, 0.95));
    html_text(out, ".");
}

/* The whole in one sentence. */
static void write_lead(FILE *out, const struct state *state)
{
    const struct history_sum *hour = &state->hour;
    static const enum history_kind order[] = {HISTORY_VALID, HISTORY_INVALID, HISTORY_UNKNOWN,
                                              HISTORY_EXEMPT};
    const char *before = ": ";

    html_markup(out, "<p class=\"lead\" id=\"lead\" data-live>");
    if (sum_of(hour) == 0) {
        html_text(out, "Nothing was decided in the last hour.");
    } else {
        html_text(out, "In the last hour ");
        html_markup(out, "<b>");
        html_number(out, sum_of(hour));
        html_markup(out, "</b>");
        html_text(out, sum_of(hour) == 1 ? " decision" : " decisions");
        for (size_t i = 0; i < HISTORY_KINDS; i++) {
            write_part(out, hour, order[i], before);
            if (hour->decisions[order[i]] > 0)
                before = ", ";
        }
        html_text(out, ".");
        write_waits_in_words(out, hour);
    }
    html_markup(out, "</p>");
}

static void write_legend(FILE *out, const struct history_sum *day)
{
    static const enum history_kind order[] = {HISTORY_VALID, HISTORY_INVALID, HISTORY_UNKNOWN,
                                              HISTORY_EXEMPT};

    html_markup(out, "<ul class=\"legend\" aria-label=\"Decisions of the last day\">");
    for (size_t i = 0; i < HISTORY_KINDS; i++) {
        html_markup(out, "<li><span class=\"swatch ");
        html_text(out, history_kind_name(order[i]));
        html_markup(out, "\"></span>");
        html_text(out, history_kind_name(order[i]));
        html_markup(out, " <b>");
        html_number(out, day->decisions[order[i]]);
        html_markup(out, "</b></li>");
    }
    html_markup(out, "<li class=\"quiet\">in the last day</li></ul>");
}

static void write_charts(FILE *out, const struct state *state)
{
    struct chart chart;

    html_markup(out, "<section aria-labelledby=\"mails-title\"><h2 id=\"mails-title\">Decisions "
                     "over time</h2><div id=\"charts\" class=\"charts\" data-live>");
    chart.id = "chart-hour";
    chart.title = "Last hour, a minute each";
    chart_fill(&chart, HOUR, 1);
    chart_write(out, &chart);
    chart.id = "chart-day";
    chart.title = "Last day, a quarter of an hour each";
    chart_fill(&chart, DAY / 15, 15);
    chart_write(out, &chart);
    write_legend(out, &state->day);
    html_markup(out, "</div></section>");
}

/* --- Numbers ---------------------------------------------------------------- */

static void write_number(FILE *out, const char *name, uint64_t number)
{
    html_markup(out, "<div><dt>");
    html_text(out, name);
    html_markup(out, "</dt><dd>");
    html_number(out, number);
    html_markup(out, "</dd></div>");
}

static void write_waits_row(FILE *out, const char *name, const struct history_sum *sum)
{
    static const double shares[] = {0.5, 0.95, 0.99};

    html_markup(out, "<tr><th scope=\"row\">");
    html_text(out, name);
    html_markup(out, "</th>");
    for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++) {
        html_markup(out, "<td>");
        html_wait(out, histogram_quantile(&sum->waits_ms, shares[i]));
        html_markup(out, "</td>");
    }
    html_markup(out, "</tr>");
}

static void write_waits(FILE *out, const struct state *state)
{
    html_markup(out,
                "<div class=\"card\"><h3>How long clients waited</h3><table class=\"numbers\">"
                "<thead><tr><th scope=\"col\"><span class=\"hidden\">Time</span></th>"
                "<th scope=\"col\">p50</th><th scope=\"col\">p95</th><th scope=\"col\">p99</th>"
                "</tr></thead><tbody>");
    write_waits_row(out, "Last hour", &state->hour);
    write_waits_row(out, "Last day", &state->day);
    html_markup(out, "</tbody></table><p class=\"quiet\">");
    html_count(out, state->day.waits_ms.total, "answer", "answers");
    html_markup(out, " in the last day</p></div>");
}

static void write_callouts(FILE *out, const struct state *state)
{
    const struct rb_stats *stats = &state->stats;
    uint64_t total = 0;

    for (int reason = 0; reason < RB_STATS_REASONS; reason++)
        total += stats->callouts[reason];
    html_markup(out, "<div class=\"card\"><h3>Callouts</h3><dl>");
    write_number(out, "under way", stats->running);
    write_number(out, "waiting for their turn", stats->pending);
    write_number(out, "kept waiting by a mail host", stats->held);
    write_number(out, "to be asked again later", stats->retries_scheduled);
    write_number(out, "made since the start", total);
    html_markup(out, "</dl></div>");
}

/* In tenths of a percent, of all that was looked up. */
static void write_hit_rate(FILE *out, const struct rb_stats *stats)
{
    const uint64_t hits = stats->cache_hit + stats->cache_stale, all = hits + stats->cache_miss;

    html_markup(out, "<div><dt>answered from it</dt><dd>");
    if (all == 0)
        html_text(out, "–");
    else
        (void)fprintf(out, "%.1f&nbsp;%%", 100.0 * (double)hits / (double)all);
    html_markup(out, "</dd></div>");
}

static void write_size(FILE *out, uint64_t bytes)
{
    static const char *const units[] = {"B", "KB", "MB", "GB", "TB"};
    double size = (double)bytes;
    size_t unit = 0;

    while (size >= 1000 && unit + 1 < sizeof units / sizeof units[0]) {
        size /= 1000;
        unit++;
    }
    (void)fprintf(out, unit == 0 || size >= 100 ? "%.0f&nbsp;%s" : "%.1f&nbsp;%s", size,
                  units[unit]);
}

static void write_cache(FILE *out, const struct state *state)
{
    html_markup(out, "<div class=\"card\"><h3>Cache</h3><dl>");
    write_hit_rate(out, &state->stats);
    write_number(out, "records", state->stats.cache_entries);
    html_markup(out, "<div><dt>size</dt><dd>");
    write_size(out, state->stats.cache_bytes);
    html_markup(out, "</dd></div>");
    write_number(out, "joined a question under way", state->stats.coalesced);
    if (state->stats.dropped_writes > 0)
        write_number(out, "writes lost", state->stats.dropped_writes);
    html_markup(out, "</dl></div>");
}

static uint64_t done(enum action action)
{
    uint64_t sum = 0;

    for (int reason = RB_REASON_NONE + 1; reason < RB_REASON_MAX; reason++)
        sum += metrics_decisions((enum rb_reason)reason, action);
    return sum;
}

static void write_done(FILE *out)
{
    html_markup(out, "<div class=\"card\"><h3>Since the start</h3><dl>");
    write_number(out, "SMTP sessions", metrics_sessions_total());
    write_number(out, "of them open", metrics_sessions_open());
    for (int action = ACTION_ACCEPT; action <= ACTION_REJECT; action++)
        if (action == ACTION_ACCEPT || action == ACTION_REJECT || done((enum action)action) > 0)
            write_number(out, words_of_action((enum action)action), done((enum action)action));
    html_markup(out, "</dl></div>");
}

static void write_numbers(FILE *out, const struct state *state)
{
    html_markup(out, "<section aria-labelledby=\"now-title\"><h2 id=\"now-title\">Now</h2>"
                     "<div id=\"numbers\" class=\"cards\" data-live>");
    write_waits(out, state);
    write_callouts(out, state);
    write_cache(out, state);
    write_done(out);
    html_markup(out, "</div></section>");
}

/* --- Who is held back ------------------------------------------------------- */

struct holding {
    FILE *out;
    int64_t now_s;
    unsigned count;
};

static void write_host_failures(FILE *out, const struct rb_held_back *held, int64_t now_s)
{
    html_text(out, ": ");
    html_count(out, held->failures, "failure", "failures");
    html_text(out, " in a row, the last ");
    html_span(out, now_s - held->failed_s);
    html_text(out, " ago. ");
    html_text(out, words_of_reason(held->reason));
}

static bool write_held(void *arg, const struct rb_held_back *held)
{
    struct holding *holding = arg;
    FILE *out = holding->out;

    if (holding->count++ >= HELD_MAX)
        return true;
    html_markup(out, "<li><span class=\"address\">");
    html_stranger(out, held->what[0] != '\0' ? held->what : "Everybody");
    html_markup(out, "</span> <span class=\"until\">for ");
    html_span(out, (held->left_ms + 999) / 1000);
    html_markup(out, " more</span><span class=\"more\">");
    html_text(out, words_of_limit(held->by));
    if (held->by == RB_LIMIT_HOST)
        write_host_failures(out, held, holding->now_s);
    html_markup(out, "</span></li>");
    return true;
}

/* Those behind the first `most`. */
static void write_rest(FILE *out, unsigned count, unsigned most)
{
    if (count == 0)
        html_markup(out, "<p class=\"quiet\">Nobody.</p>");
    if (count <= most)
        return;
    html_markup(out, "<p class=\"quiet\">and ");
    html_number(out, count - most);
    html_markup(out, " more</p>");
}

static void write_held_back(FILE *out, const struct state *state)
{
    struct holding holding = {.out = out, .now_s = state->now_s};

    html_markup(out, "<div class=\"card\"><h3>Held back</h3><ul class=\"list\">");
    (void)rb_held_back_walk(service_world()->verifier, write_held, &holding);
    html_markup(out, "</ul>");
    write_rest(out, holding.count, HELD_MAX);
    html_markup(out, "</div>");
}

/* --- Who is asked again ------------------------------------------------------ */

static bool write_retry(void *arg, const struct rb_retry *retry)
{
    struct holding *holding = arg;
    FILE *out = holding->out;

    if (holding->count++ >= RETRIES_MAX)
        return true;
    html_markup(out, "<li><a class=\"address\" href=\"/why?");
    html_query(out, "address", retry->address);
    html_markup(out, "\">");
    html_stranger(out, retry->address);
    html_markup(out, "</a> <span class=\"until\">");
    if (retry->due_s > holding->now_s) {
        html_text(out, "in ");
        html_span(out, retry->due_s - holding->now_s);
    } else {
        html_text(out, "now");
    }
    html_markup(out, "</span><span class=\"more\">");
    html_text(out, rb_reason_name(retry->reason));
    html_text(out, ", first ");
    html_span(out, holding->now_s - retry->first_s);
    html_text(out, " ago, asked again ");
    if (retry->tries == 0)
        html_text(out, "not yet");
    else
        html_count(out, retry->tries, "time", "times");
    html_markup(out, "</span></li>");
    return true;
}

static void write_retries(FILE *out, const struct state *state)
{
    struct holding holding = {.out = out, .now_s = state->now_s};

    html_markup(out, "<div class=\"card\" id=\"retries\"><h3>Will be asked again</h3>"
                     "<ul class=\"list\">");
    (void)rb_retries_walk(service_world()->verifier, write_retry, &holding);
    html_markup(out, "</ul>");
    write_rest(out, holding.count, RETRIES_MAX);
    html_markup(out, "</div>");
}

/* --- Since the start -------------------------------------------------------- */

static uint64_t decided(enum rb_reason reason)
{
    uint64_t sum = 0;

    for (int action = ACTION_ACCEPT; action <= ACTION_REJECT; action++)
        sum += metrics_decisions(reason, (enum action)action);
    return sum;
}

static void write_reason(FILE *out, enum rb_reason reason)
{
    const uint64_t refused =
        metrics_decisions(reason, ACTION_REJECT) + metrics_decisions(reason, ACTION_TEMPFAIL);

    html_markup(out, "<tr><th scope=\"row\"><span class=\"pill ");
    html_text(out,
              reason == RB_REASON_EXEMPT ? "exempt" : rb_verdict_name(rb_reason_verdict(reason)));
    html_markup(out, "\">");
    html_text(out, rb_reason_name(reason));
    html_markup(out, "</span></th><td>");
    html_number(out, decided(reason));
    html_markup(out, "</td><td>");
    html_number(out, refused);
    html_markup(out, "</td><td class=\"text\">");
    html_text(out, words_of_reason(reason));
    html_markup(out, "</td></tr>");
}

static void write_reasons(FILE *out)
{
    html_markup(out, "<div class=\"card\" id=\"reasons\"><h3>Reasons since the start</h3>"
                     "<table class=\"numbers\"><thead><tr><th scope=\"col\">Reason</th>"
                     "<th scope=\"col\">decisions</th><th scope=\"col\">refused</th>"
                     "<th scope=\"col\" class=\"text\">What it means</th></tr></thead><tbody>");
    for (int reason = RB_REASON_NONE + 1; reason < RB_REASON_MAX; reason++)
        if (decided((enum rb_reason)reason) > 0)
            write_reason(out, (enum rb_reason)reason);
    html_markup(out, "</tbody></table></div>");
}

/* --- The page --------------------------------------------------------------- */

static const char *argument_of(const struct http_request *request, const char *name)
{
    const char *value = http_argument(request, name);

    return value != NULL ? value : "";
}

static void write_content(FILE *out, const struct http_request *request, const struct state *state)
{
    const struct decisions_filter filter = {.address = argument_of(request, "address"),
                                            .client = argument_of(request, "client"),
                                            .verdict = argument_of(request, "verdict")};

    html_markup(out, "<h1 class=\"hidden\">Status</h1>");
    write_warnings(out, state->config);
    write_lead(out, state);
    write_charts(out, state);
    write_numbers(out, state);
    html_markup(out, "<div id=\"lists\" class=\"cards\" data-live>");
    html_markup(out, "<div class=\"stack\">");
    write_held_back(out, state);
    write_retries(out, state);
    html_markup(out, "</div>");
    write_reasons(out);
    html_markup(out, "</div>");
    decisions_write(out, &filter, state->now_s);
}

unsigned page_write(const struct http_request *request, FILE *out)
{
    struct config *config = service_config();
    struct state state = {
        .config = config, .now_s = frame_now_s(), .stats = {.size = sizeof state.stats}};

    rb_verifier_stats(service_world()->verifier, &state.stats);
    history_sum(HOUR, &state.hour);
    history_sum(DAY, &state.day);
    frame_begin(out, config, FRAME_STATUS, "");
    write_content(out, request, &state);
    frame_end(out);
    config_put(config);
    return 200;
}
