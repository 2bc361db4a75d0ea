/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dns: asks recursive name servers (RFC 1035, RFC 2181), by libresolv's thread-safe calls only
 * (res_n*): no search list, no /etc/hosts. What may be asked is in mail_exchangers.h, addresses.h
 * and records.h. Answers are hostile input.
 */
#ifndef RB_DNS_DNS_H
#define RB_DNS_DNS_H

#include "base/clock.h"
#include "ringback.h"

enum {
    DNS_RESOLVERS_MAX = 3,      /* libresolv's MAXNS */
    DNS_SILENT_AFTER_MS = 30000 /* name servers that answer nothing for so long are told of */
};

/* What a look-up comes to. */
enum dns_outcome {
    DNS_FOUND,
    DNS_NO_DOMAIN, /* NXDOMAIN */
    DNS_NO_DATA,   /* the name exists, but has no such record */
    DNS_NULL_MX,   /* RFC 7505: one MX, "."; of dns_mail_exchangers alone */
    DNS_FAILURE,   /* SERVFAIL, REFUSED, time-out, no answer, a broken answer */
};

/*
 * Who is told when no name server answers any more, whatever it is asked, and when one does again.
 * Called once at each change, from the thread whose look-up has found it out, with no lock held; it
 * must be quick. Where both happen at one moment, the calls may come in either order. They are
 * silent from when the first look-up began that got no answer of any kind (SERVFAIL is one) to when
 * the latest such look-up ended. A look-up counts that had a second at least, or was turned away by
 * every server's host; not one that was cancelled.
 */
struct dns_watch {
    void (*silent)(void *arg, int64_t silent_ms);
    void (*answered)(void *arg);
    void *arg;
    bool is_told; /* silence has been told already, of the dns before this one: an answer is news */
};

struct dns; /* opaque; any number of threads may ask at once */

/*
 * servers: "127.0.0.1:5353", "[::1]:53", "192.0.2.1", count of them, asked in this order; none:
 * those of resolv.conf. Copied; the clock must outlive the dns. RB_ERR_ARGUMENT on a malformed one
 * or more than DNS_RESOLVERS_MAX; RB_ERR_NOMEM. cancel_fd: from when it is readable on, look-ups
 * end at once with DNS_FAILURE; -1: none.
 */
enum rb_error dns_open(const char *const *servers, size_t count, const struct rb_clock *clock,
                       int cancel_fd, struct dns **dns) __attribute__((warn_unused_result));

/* Nobody may ask any more. NULL is fine. */
void dns_close(struct dns *dns);

/* Before the first look-up. The watch is copied; all its functions must be there. */
void dns_set_watch(struct dns *dns, const struct dns_watch *watch);

/* What is thought of the name servers, without asking any. */
struct dns_servers_view {
    unsigned count;    /* as of the last look-up, where resolv.conf names them */
    unsigned silent;   /* of these: that have not answered since another did in their place */
    int64_t silent_ms; /* since the first look-up that no server answered; 0: the last was */
};

/* Any thread. */
void dns_look(const struct dns *dns, struct dns_servers_view *view);

#endif
