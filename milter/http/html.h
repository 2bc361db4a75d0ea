/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * html: the only way into a page (HTML, encoding UTF-8). html_markup takes what stands in our
 * source; all else is text, and becomes nothing but text: what a reader could not see or would be
 * misled by (control characters, marks that turn the direction or have no width) is named,
 * U+202E, and octets that are no UTF-8 are U+FFFD. Errors are left for ferror(3). Any thread.
 */
#ifndef RB_MILTER_HTTP_HTML_H
#define RB_MILTER_HTTP_HTML_H

#include <stdint.h>
#include <stdio.h>

/* A literal of ours: nothing else compiles. */
#define html_markup(out, literal) ((void)fputs("" literal, out))

/* Text of ours between tags. */
void html_text(FILE *out, const char *text);

/* A stranger's: the same in a <bdi>, from left to right, so that its direction ends with it. */
void html_stranger(FILE *out, const char *text);

/* <tag class="class">text</tag>; class NULL: none. tag and class are literals of ours. */
void html_element(FILE *out, const char *tag, const char *class, const char *text);

/*
 * ` name="value"`, for attributes that nobody resolves or runs. Marks that turn the direction stay
 * themselves, as references: what a form sends back is what came.
 */
void html_attribute(FILE *out, const char *name, const char *value);

/* A part of a URL's query, "name=value", percent-encoded (RFC 3986 2.1), for within an attribute. */
void html_query(FILE *out, const char *name, const char *value);

/* "12,345". */
void html_number(FILE *out, uint64_t number);

/* A number and the word for so many: "1 failure", "12,345 failures". */
void html_count(FILE *out, uint64_t number, const char *one, const char *many);

/* A wait: "0", "143 ms", "1.43 s", "12 s"; "–" where it is negative, for there was none. */
void html_wait(FILE *out, int64_t wait_ms);

/* A span of seconds, as of text_duration, rounded to its larger unit: "3 min". */
void html_span(FILE *out, int64_t seconds);

/* A moment, in seconds since 1970, as <time> in local time: "14:03:12", with the day where that is
 * not today's by now_s. */
void html_time(FILE *out, int64_t moment_s, int64_t now_s);

#endif
