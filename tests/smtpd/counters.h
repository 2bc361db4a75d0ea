/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * counters: what each address of the lab has seen, and the log of the last transactions. Counts
 * belong to an address, whatever its port, and outlive a scenario that is read anew. Bounded:
 * LOG_MAX entries.
 */
#ifndef SMTPD_COUNTERS_H
#define SMTPD_COUNTERS_H

#include "buf.h"
#include "base/hash.h"
#include "scenario.h"

#include <netinet/in.h>
#include <stdint.h>

#define LOG_MAX 65536

enum count {
    COUNT_CONNECTIONS,
    COUNT_TURNED_AWAY, /* by max_connections */
    COUNT_EHLO,
    COUNT_HELO,
    COUNT_STARTTLS,
    COUNT_TLS_DONE,
    COUNT_TLS_FAILED,
    COUNT_MAIL,
    COUNT_RCPT,
    COUNT_RSET,
    COUNT_DATA,
    COUNT_QUIT,
    COUNT_NOOP,
    COUNT_VRFY,
    COUNT_OTHER,
    COUNT_RCPT_ACCEPTED,
    COUNT_RCPT_REFUSED,
    COUNT_GREYLISTED,
    COUNT_EARLY_TALKERS,
    COUNT_PIPELINING,
    COUNT_ORDER,
    COUNT_BARE_LF,
    COUNT_LONG_LINES,
    COUNT_SYNTAX,
    COUNT_MESSAGES,
    COUNT_MAX
};

/* Replies that are not to begin before they are let go. */
struct hold {
    bool on;
    enum stage stage; /* STAGE_COUNT: of each */
    unsigned nth;     /* 0: each of that kind in a session */
};

struct host_stats {
    char ip[ADDRESS_TEXT_SIZE];
    uint64_t counts[COUNT_MAX];
    unsigned concurrent;
    unsigned concurrent_max;
    struct hold hold;
    UT_hash_handle hh;
};

/* One MAIL that was not accepted (rcpt is NULL), or one RCPT. Texts are copied. */
struct transaction {
    const char *host_ip;
    const char *client_ip;
    unsigned client_port;
    const char *helo;
    bool tls;
    const char *mail_from;
    const char *mail_params;
    const char *rcpt;
    unsigned code; /* 0: there was no reply with a code */
};

struct counters;

struct counters *counters_new(void);
void counters_free(struct counters *c);

/* The counts of an address, made at first sight; they stay until the end. NULL: no memory. */
struct host_stats *counters_host(struct counters *c, const char *ip);

/* A connection begins, or ends. */
void counters_enter(struct counters *c, struct host_stats *stats);
void counters_leave(struct counters *c, struct host_stats *stats);

/* Holds replies of an address, or lets them go; ip NULL: of each that is known. */
void counters_hold(struct counters *c, const char *ip, struct hold hold);

void counters_log(struct counters *c, const struct transaction *t);

/* All counts to 0, but for the connections that are open now; the log is emptied. */
void counters_reset(struct counters *c);

/* {"hosts": {IP: {...}}, "totals": {...}}; ip: only that one, NULL: all. */
void counters_stats_json(const struct counters *c, const char *ip, struct buf *out);

/* An array, oldest first. */
void counters_log_json(const struct counters *c, struct buf *out);

#endif
