/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * question: a message with one question as it goes out (RFC 1035 4.1), with EDNS or without (RFC
 * 6891), and whether a message that comes in answers it. Pure but for the id, which is random.
 */
#ifndef RB_DNS_QUESTION_H
#define RB_DNS_QUESTION_H

#include <arpa/nameser.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    DNS_DATAGRAM_MAX = 1232, /* octets that we take (EDNS): what fits any path (dnsflagday.net) */
    DNS_QUESTION_MAX = NS_HFIXEDSZ + NS_MAXCDNAME + NS_QFIXEDSZ,
    DNS_QUESTION_EDNS_MAX = DNS_QUESTION_MAX + 11, /* with an OPT behind it */
};

struct dns_question {
    uint8_t octets[DNS_QUESTION_MAX];
    size_t len;
};

/*
 * With a fresh id (RFC 5452 4.2). The name is in presentation form. False: it is no name, or the
 * kernel gives no random number.
 */
bool dns_question_make(struct dns_question *question, const char *name, ns_type type);

/* Copies the question with an OPT (RFC 6891 6.1.2) behind it; the length. */
size_t dns_question_with_edns(const struct dns_question *question,
                              uint8_t octets[DNS_QUESTION_EDNS_MAX]);

/*
 * Whether a message answers the question, whatever it says: the same id, the same question behind
 * the header, in whatever case. Forgers know neither the id nor our port (RFC 5452 9). Who does not
 * understand the question need not repeat it.
 */
bool dns_question_is_answered(const struct dns_question *question, const uint8_t *octets,
                              size_t len);

/* Of a message that answers a question: it is to be had over TCP in full (RFC 1035 4.2.1). */
bool dns_question_is_cut_off(const uint8_t *octets);

/* Of the same: FORMERR or NOTIMP, as a server says that does not know EDNS (RFC 6891 7). */
bool dns_question_is_not_understood(const uint8_t *octets);

#endif
