/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * answers: what name servers said a while ago, as they said it, so that a burst of questions
 * about few domains asks them once. An answer is kept for its time to live (RFC 2181 8), within
 * what those who ask allow. Failures, what was cut off and what is broken are never kept.
 *
 * Any thread may call at any time.
 */
#ifndef RB_DNS_ANSWERS_H
#define RB_DNS_ANSWERS_H

#include "base/clock.h"

#include <arpa/nameser.h>
#include <stddef.h>
#include <stdint.h>

enum {
    DNS_ANSWERS_SIZE_MAX = 4096, /* octets of one, whatever the terms say */
    DNS_HOSTS_KEPT_S = 30,
    DNS_HOSTS_KEPT_MAX = 4096,
    DNS_RECORDS_KEPT_LEAST_S = 300,
    DNS_RECORDS_KEPT_MOST_S = 3600,
    DNS_RECORDS_KEPT_MAX = 16384,
    DNS_RECORDS_KEPT_OCTETS_MAX = 8 * 1024 * 1024,
};

/* For how long, and how much. What is beyond a ceiling makes the oldest go. */
struct dns_answers_terms {
    int64_t least_ms, most_ms; /* whatever the time to live is; 0: no least */
    /*
     * That there are no such records, or no such name; 0: the former as RFC 2308 5 has it, the
     * latter not at all.
     */
    int64_t nothing_ms;
    size_t entries_max;
    size_t size_max;   /* octets of one; a larger one is not kept */
    size_t octets_max; /* of all together */
};

/* Of mail hosts and their addresses: what changes there is to be seen soon. */
extern const struct dns_answers_terms dns_answers_of_hosts;

/* Of what others publish: what is there, and what is not, is asked for with each of their mails. */
extern const struct dns_answers_terms dns_answers_of_records;

struct dns_answers; /* opaque */

/* NULL: no memory. The clock must outlive them; the terms are copied. */
struct dns_answers *dns_answers_new(const struct rb_clock *clock,
                                    const struct dns_answers_terms *terms);

/* Nobody may call any more. NULL is fine. */
void dns_answers_free(struct dns_answers *answers);

/*
 * The answer about a name, as it came from the wire, but for its id; its length, 0 where none is
 * kept that still holds. The name is in lower case and at most RB_DOMAIN_MAX octets long, here and
 * below.
 */
size_t dns_answers_find(struct dns_answers *answers, ns_type type, const char *name,
                        uint8_t octets[DNS_ANSWERS_SIZE_MAX]);

/*
 * Keeps an answer that has been read and is good, if it may be kept: in the place of an older one,
 * and for no time at all where memory runs out.
 */
void dns_answers_keep(struct dns_answers *answers, ns_type type, const char *name, ns_msg *msg);

#endif
