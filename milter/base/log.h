/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log: the daemon's log, to syslog or to stderr, one printable line at a time. Whatever a
 * stranger's text holds, a line stays one line. All functions but log_open may be called from any
 * thread.
 */
#ifndef RB_MILTER_BASE_LOG_H
#define RB_MILTER_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>

enum {
    LOG_LINE_MAX = 2700, /* octets of a line: no decision is longer; syslog daemons take 8 kB */
    LOG_VALUE_MAX = 600, /* octets of one value, before quoting: a reply and some more */
};

enum log_level { LOG_LEVEL_ERROR = 0, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Names in the order of the numbers, NULL at the end. */
extern const char *const log_level_names[]; /* error warning info debug */
extern const char
    *const log_facility_names[]; /* mail daemon user auth authpriv news local0…local7 */

/* Static; "?" for a number out of range. */
const char *log_level_name(enum log_level level);

/* By name; false, and nothing is written, when there is none. Facilities are syslog(3)'s numbers.
 */
bool log_level_from_name(const char *name, enum log_level *level);
bool log_facility_from_name(const char *name, int *facility);

/*
 * Says where lines go from now on, and from which level; before the first call to stderr, from
 * info. May be called again, but not while other threads log.
 */
void log_open(bool to_stderr, int facility, enum log_level level);

void log_set_level(enum log_level level);

/* Whether a line of that level would be written: to save the work of building one. */
bool log_wants(enum log_level level);

/*
 * Writes one line: printable ASCII, anything else as "?", cut at LOG_LINE_MAX with "...". Errors
 * and warnings begin with "error: " and "warning: ". On stderr behind "ringback-milter[PID]: ", in
 * one write(2); where stderr is systemd's journal, behind "<PRIORITY>". errno stays.
 */
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * A line of key=value pairs in the making; plain data, one thread at a time. What does not fit is
 * left out, and the text ends in " ...". Values are quoted where they are empty or hold white
 * space, a quote or a backslash; quote and backslash are escaped with a backslash.
 */
struct log_fields {
    char text[LOG_LINE_MAX + 1]; /* always terminated */
    size_t len;
    bool cut;
};

/* Begins with text that stays as it is ("4Xyz12:"); "" for none. */
void log_fields_init(struct log_fields *fields, const char *lead);

/* A value of more than LOG_VALUE_MAX octets is cut with "...". NULL is "". The key is ours and must
 * be a plain word. */
void log_field(struct log_fields *fields, const char *key, const char *value);
void log_fieldf(struct log_fields *fields, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* log_line of what was gathered. */
void log_fields_write(enum log_level level, const struct log_fields *fields);

#endif
