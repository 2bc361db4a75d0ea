/* SPDX-License-Identifier: BSD-2-Clause */
/* classify_wait: see classify_wait.h. */
#include "config.h"

#include "smtp/classify_wait.h"

#include "smtp/classify_words.h"
#include "smtp/span.h"

#include <stdint.h>

/* Seconds in a unit's name; 0: not a unit. */
static int unit_s(struct span unit)
{
    static const struct {
        const char *name;
        int seconds;
    } units[] = {
        {"s", 1},       {"sec", 1},      {"secs", 1},   {"second", 1},  {"seconds", 1},
        {"m", 60},      {"min", 60},     {"mins", 60},  {"minute", 60}, {"minutes", 60},
        {"h", 3600},    {"hr", 3600},    {"hrs", 3600}, {"hour", 3600}, {"hours", 3600},
        {"day", 86400}, {"days", 86400},
    };

    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (span_is(unit, units[i].name))
            return units[i].seconds;
    return 0;
}

/* Words in front of a length of time that make it a wait. */
static bool leads_to_wait(struct span word)
{
    static const char *const leads[] = {
        "in",    "after",         "for",   "wait",  "another", "least",
        "about", "approximately", "again", "delay", "back",    "next",
    };

    if (span_begins(word, "greylist") || span_begins(word, "graylist"))
        return true;
    for (size_t i = 0; i < sizeof leads / sizeof leads[0]; i++)
        if (span_is(word, leads[i]))
            return true;
    return false;
}

/* Digits at the beginning; a number too large to be a wait stays at its ceiling. */
static size_t read_number(struct span span, int64_t *number)
{
    size_t len = 0;

    *number = 0;
    for (; len < span.len && char_is_digit(span.at[len]); len++)
        if (*number < 10000000)
            *number = *number * 10 + (span.at[len] - '0');
    return len;
}

/* "00:29:59". -1: it is not. */
static int64_t read_clock(struct span span)
{
    int64_t total = 0, part;
    unsigned parts = 0;

    while (span.len > 0 && parts < 3) {
        size_t len = read_number(span, &part);

        if (len == 0 || len > 2 || (parts > 0 && part > 59))
            return -1;
        total = total * 60 + part;
        parts++;
        span.at += len;
        span.len -= len;
        if (span.len > 0 && parts < 3 && *span.at != ':')
            return -1;
        if (span.len > 0 && parts < 3) {
            span.at++;
            span.len--;
        }
    }
    return parts == 3 && span.len == 0 ? total : -1;
}

/*
 * One part of a length of time, "4 minutes" or "60s", in front of `rest`, which goes behind it. The
 * number, and its unit in seconds; false: there is none.
 */
static bool read_part(struct span *rest, int64_t *number, int *seconds)
{
    struct span token = span_trim(span_next_token(rest)), unit;
    size_t digits = read_number(token, number);

    unit = (struct span){token.at + digits, token.len - digits};
    if (digits > 0 && unit.len == 0)
        unit = span_trim(span_next_token(rest));
    *seconds = digits > 0 ? unit_s(unit) : 0;
    return *seconds > 0;
}

/*
 * A length of time at the beginning: "00:29:59", "300 seconds", "4 minutes and 30 seconds". -1:
 * there is none.
 */
static int64_t read_length(struct span rest)
{
    struct span ahead = rest, behind;
    int64_t number, total = read_clock(span_trim(span_next_token(&ahead)));
    int seconds, larger = INT32_MAX;

    if (total >= 0)
        return total;
    /* Each unit is smaller than the one before: days, hours, minutes, seconds. */
    for (; read_part(&rest, &number, &seconds) && seconds < larger; larger = seconds) {
        total = (total < 0 ? 0 : total) + number * seconds;
        behind = rest;
        if (span_is(span_trim(span_next_token(&behind)), "and"))
            rest = behind;
    }
    return total;
}

int wait_asked_s(const struct reply *reply, int min_s, int max_s)
{
    struct span rest = {reply->text, reply->text_len}, before = {"", 0}, raw;
    int64_t wait_s;

    if (rest.len > TEXT_OCTETS_MAX)
        rest.len = TEXT_OCTETS_MAX;
    while (rest.len > 0) {
        wait_s = read_length(rest);
        raw = span_next_token(&rest);
        if (raw.len > 0 && wait_s >= 0 && (leads_to_wait(before) || raw.at[0] == '('))
            return (int)(wait_s < min_s ? min_s : wait_s > max_s ? max_s : wait_s);
        before = span_trim(raw);
    }
    return 0;
}
