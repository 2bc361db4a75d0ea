/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * counters: see counters.h. The log is a ring; what falls out of it is counted in
 * totals.log_dropped.
 */
#include "config.h"

#include "counters.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOG_TEXT_MAX 320 /* octets of one text of a log entry; the rest is cut */

struct entry {
    int64_t time_ms;
    char host_ip[ADDRESS_TEXT_SIZE];
    char client_ip[INET6_ADDRSTRLEN];
    unsigned client_port;
    unsigned code;
    bool tls;
    bool has_rcpt;
    char *texts; /* helo, sender, parameters and recipient, each with its NUL */
};

struct counters {
    struct host_stats *hosts;
    struct host_stats totals;
    struct entry *log;
    size_t log_first;
    size_t log_count;
    uint64_t log_dropped;
    int64_t started_ms;
};

static const char *const names[COUNT_MAX] = {
    [COUNT_CONNECTIONS] = "connections",
    [COUNT_TURNED_AWAY] = "turned_away",
    [COUNT_EHLO] = "ehlo",
    [COUNT_HELO] = "helo",
    [COUNT_STARTTLS] = "starttls",
    [COUNT_TLS_DONE] = "tls_handshakes",
    [COUNT_TLS_FAILED] = "tls_failures",
    [COUNT_MAIL] = "mail",
    [COUNT_RCPT] = "rcpt",
    [COUNT_RSET] = "rset",
    [COUNT_DATA] = "data",
    [COUNT_QUIT] = "quit",
    [COUNT_NOOP] = "noop",
    [COUNT_VRFY] = "vrfy",
    [COUNT_OTHER] = "other",
    [COUNT_RCPT_ACCEPTED] = "rcpt_accepted",
    [COUNT_RCPT_REFUSED] = "rcpt_refused",
    [COUNT_GREYLISTED] = "greylisted",
    [COUNT_EARLY_TALKERS] = "early_talkers",
    [COUNT_PIPELINING] = "pipelining_violations",
    [COUNT_ORDER] = "order_violations",
    [COUNT_BARE_LF] = "bare_lf",
    [COUNT_LONG_LINES] = "long_lines",
    [COUNT_SYNTAX] = "syntax_violations",
    [COUNT_MESSAGES] = "messages",
};

static int64_t wall_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct counters *counters_new(void)
{
    struct counters *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    c->log = calloc(LOG_MAX, sizeof *c->log);
    c->started_ms = wall_ms();
    if (c->log == NULL) {
        free(c);
        return NULL;
    }
    return c;
}

static void empty_log(struct counters *c)
{
    for (size_t i = 0; i < c->log_count; i++)
        free(c->log[(c->log_first + i) % LOG_MAX].texts);
    c->log_first = 0;
    c->log_count = 0;
    c->log_dropped = 0;
}

void counters_free(struct counters *c)
{
    if (c == NULL)
        return;
    struct host_stats *stats = c->hosts;
    HASH_CLEAR(hh, c->hosts); /* leaves the elements and their order alone */
    while (stats != NULL) {
        struct host_stats *next = stats->hh.next;
        free(stats);
        stats = next;
    }
    empty_log(c);
    free(c->log);
    free(c);
}

/* NOLINTNEXTLINE(readability-function-size): most of it is within uthash's macro */
struct host_stats *counters_host(struct counters *c, const char *ip)
{
    struct host_stats *stats = NULL;
    HASH_FIND_STR(c->hosts, ip, stats);
    if (stats != NULL)
        return stats;
    stats = calloc(1, sizeof *stats);
    if (stats == NULL)
        return NULL;
    memcpy(stats->ip, ip, strnlen(ip, sizeof stats->ip - 1));
    HASH_ADD_STR(c->hosts, ip, stats);
    if (stats->hh.tbl == NULL) {
        free(stats);
        return NULL;
    }
    return stats;
}

static void enter_one(struct host_stats *stats)
{
    stats->counts[COUNT_CONNECTIONS]++;
    if (++stats->concurrent > stats->concurrent_max)
        stats->concurrent_max = stats->concurrent;
}

void counters_enter(struct counters *c, struct host_stats *stats)
{
    enter_one(stats);
    enter_one(&c->totals);
}

void counters_leave(struct counters *c, struct host_stats *stats)
{
    stats->concurrent--;
    c->totals.concurrent--;
}

void counters_hold(struct counters *c, const char *ip, struct hold hold)
{
    for (struct host_stats *stats = c->hosts; stats != NULL; stats = stats->hh.next)
        if (ip == NULL || strcmp(ip, stats->ip) == 0)
            stats->hold = hold;
}

static size_t cut_len(const char *text)
{
    return text != NULL ? strnlen(text, LOG_TEXT_MAX) : 0;
}

void counters_log(struct counters *c, const struct transaction *t)
{
    const char *const texts[] = {t->helo, t->mail_from, t->mail_params, t->rcpt};
    size_t size = 0;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        size += cut_len(texts[i]) + 1;
    char *copy = calloc(1, size);
    if (copy == NULL) {
        c->log_dropped++;
        return;
    }
    char *to = copy;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (texts[i] != NULL)
            memcpy(to, texts[i], cut_len(texts[i]));
        to += cut_len(texts[i]) + 1;
    }
    if (c->log_count == LOG_MAX) {
        free(c->log[c->log_first].texts);
        c->log_first = (c->log_first + 1) % LOG_MAX;
        c->log_count--;
        c->log_dropped++;
    }
    struct entry *entry = &c->log[(c->log_first + c->log_count++) % LOG_MAX];
    *entry = (struct entry){.time_ms = wall_ms(),
                            .client_port = t->client_port,
                            .code = t->code,
                            .tls = t->tls,
                            .has_rcpt = t->rcpt != NULL,
                            .texts = copy};
    memcpy(entry->host_ip, t->host_ip, strnlen(t->host_ip, sizeof entry->host_ip - 1));
    memcpy(entry->client_ip, t->client_ip, strnlen(t->client_ip, sizeof entry->client_ip - 1));
}

static void reset_one(struct host_stats *stats)
{
    memset(stats->counts, 0, sizeof stats->counts);
    stats->concurrent_max = stats->concurrent;
}

void counters_reset(struct counters *c)
{
    for (struct host_stats *stats = c->hosts; stats != NULL; stats = stats->hh.next)
        reset_one(stats);
    reset_one(&c->totals);
    empty_log(c);
}

static void counts_json(const uint64_t *counts, const struct host_stats *stats, struct buf *out)
{
    buf_str(out, "{");
    for (size_t i = 0; i < COUNT_MAX; i++)
        buf_printf(out, "\"%s\": %" PRIu64 ", ", names[i], counts[i]);
    buf_printf(out, "\"concurrent\": %u, \"concurrent_max\": %u", stats->concurrent,
               stats->concurrent_max);
}

void counters_stats_json(const struct counters *c, const char *ip, struct buf *out)
{
    uint64_t sums[COUNT_MAX] = {0};
    const char *comma = "";
    buf_str(out, "{\"hosts\": {");
    for (const struct host_stats *stats = c->hosts; stats != NULL; stats = stats->hh.next) {
        for (size_t i = 0; i < COUNT_MAX; i++)
            sums[i] += stats->counts[i];
        if (ip != NULL && strcmp(ip, stats->ip) != 0)
            continue;
        buf_printf(out, "%s\"%s\": ", comma, stats->ip);
        counts_json(stats->counts, stats, out);
        buf_str(out, "}");
        comma = ", ";
    }
    buf_str(out, "}, \"totals\": ");
    counts_json(sums, &c->totals, out);
    buf_printf(out, ", \"logged\": %zu, \"log_dropped\": %" PRIu64 ", \"uptime_ms\": %" PRId64 "}}",
               c->log_count, c->log_dropped, wall_ms() - c->started_ms);
}

static void entry_json(const struct entry *entry, struct buf *out)
{
    static const char *const keys[] = {"helo", "mail_from", "mail_params", "rcpt"};
    buf_printf(out,
               "{\"time_ms\": %" PRId64 ", \"host\": \"%s\", \"client_ip\": \"%s\", "
               "\"client_port\": %u, \"tls\": %s, \"code\": %u",
               entry->time_ms, entry->host_ip, entry->client_ip, entry->client_port,
               entry->tls ? "true" : "false", entry->code);
    const char *text = entry->texts;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++, text += strlen(text) + 1) {
        buf_printf(out, ", \"%s\": ", keys[i]);
        if (i == 3 && !entry->has_rcpt)
            buf_str(out, "null");
        else
            buf_json(out, text);
    }
    buf_str(out, "}");
}

void counters_log_json(const struct counters *c, struct buf *out)
{
    buf_str(out, "[");
    for (size_t i = 0; i < c->log_count; i++) {
        if (i > 0)
            buf_str(out, ", ");
        entry_json(&c->log[(c->log_first + i) % LOG_MAX], out);
    }
    buf_str(out, "]");
}
