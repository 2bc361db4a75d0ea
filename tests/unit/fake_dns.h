/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fake_dns: a scripted DNS server in a thread of the test, on one ephemeral port of the loopback,
 * UDP and TCP. It answers from a table, and can be made to answer badly. Over UDP an answer is cut
 * off where it is longer than the question allows (RFC 1035 4.2.1, RFC 6891 6.2.3). A name that is
 * not in the table does not exist (NXDOMAIN); one that is, but not with the type asked for, has no
 * such data.
 */
#ifndef RB_FAKE_DNS_H
#define RB_FAKE_DNS_H

#include <arpa/nameser.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One record of an answer. */
struct fake_dns_answer {
    const char *owner; /* NULL: the name asked for */
    ns_type type;      /* ns_t_a, ns_t_aaaa, ns_t_mx, ns_t_ptr, ns_t_txt or ns_t_cname */
    uint16_t preference;
    const char *data; /* an IP address; a name in presentation form ("\\000" for odd octets, "." for
                         the root); TXT: any text, whose strings a line feed ends (255 octets do
                         too) */
};

enum fake_dns_flag {
    FAKE_DNS_DROP = 1 << 0,     /* no answer at all */
    FAKE_DNS_TRUNCATE = 1 << 1, /* UDP: TC and no records; the other flags are for TCP alone */
    FAKE_DNS_GARBAGE = 1 << 2,  /* the right id, and octets that mean nothing */
    FAKE_DNS_CUT = 1 << 3,      /* the message ends in the middle of its last record */
    FAKE_DNS_WRONG_ID = 1 << 4, /* an answer to somebody else */
    FAKE_DNS_WRONG_QUESTION = 1 << 5, /* an answer about another name */
    FAKE_DNS_TCP_SILENT = 1 << 6,     /* over TCP, takes the question and says nothing */
    FAKE_DNS_TCP_CLOSE = 1 << 7,      /* over TCP, takes the question and closes */
    FAKE_DNS_BAD_DATA = 1 << 8,       /* each record's data lack their last octet */
    FAKE_DNS_LONG_DATA = 1 << 9,      /* each record's data have an octet too many */
    FAKE_DNS_STRAYS = 1 << 10,        /* over UDP, answers to somebody else come before ours */
    FAKE_DNS_TTL_0 = 1 << 11,         /* its records are not to be kept */
    FAKE_DNS_AFTER_NEXT = 1 << 12,    /* over UDP, goes out behind the answer to another question */
    FAKE_DNS_TWICE = 1 << 13,         /* over UDP, comes twice */
    FAKE_DNS_STRANGER = 1 << 14,      /* over UDP, comes from another port */
    FAKE_DNS_FIRST_LOST = 1 << 15,    /* over UDP, no answer to the first such question */
    FAKE_DNS_NO_EDNS = 1 << 16,       /* FORMERR to a question with an OPT, and nothing else */
    FAKE_DNS_EDNS_LOST = 1 << 17,     /* no answer to a question with an OPT */
    FAKE_DNS_BADVERS = 1 << 18, /* an OPT that says so (RFC 6891 9), and NOERROR in the header */
};

/* What is said of a name and a type. The first row that fits is used. */
struct fake_dns_row {
    const char *name;
    ns_type type; /* ns_t_invalid (0): any */
    int rcode;    /* ns_r_noerror, ns_r_servfail… */
    const struct fake_dns_answer *answers;
    size_t count;
    unsigned flags;                    /* enum fake_dns_flag */
    unsigned ttl_s;                    /* of its records; 0: 300 */
    unsigned soa_ttl_s, soa_minimum_s; /* of the SOA in the authority section; 0: there is none */
};

struct fake_dns;

/*
 * Starts a server. The table must outlive it (or its replacement by fake_dns_set). NULL when the
 * family is not to be had here. Ends the test run when it cannot start for another reason.
 */
struct fake_dns *fake_dns_start(int family, const struct fake_dns_row *rows, size_t count);

/* Another table from now on. */
void fake_dns_set(struct fake_dns *fake, const struct fake_dns_row *rows, size_t count);

/*
 * While held, it hears what it is asked over UDP, and answers when it is let go, in turn: 64
 * questions at most.
 */
void fake_dns_hold(struct fake_dns *fake, bool held);

/* NULL is fine. */
void fake_dns_stop(struct fake_dns *fake);

/* "127.0.0.1:45123" or "[::1]:45123", as dns_open and the configuration take it. */
const char *fake_dns_server(const struct fake_dns *fake);

/* A question as it came over UDP. */
struct fake_dns_question {
    ns_type type;
    uint16_t id;
    unsigned port;     /* where it came from */
    unsigned edns_max; /* octets of an answer that it allows; 0: it has no OPT */
};

/* The questions that came over UDP so far, as many as there is room for; returns their number. */
size_t fake_dns_questions(struct fake_dns *fake, struct fake_dns_question *questions, size_t room);

/* How often a name was asked for with this type (ns_t_invalid: any), over UDP or TCP. */
unsigned fake_dns_asked_udp(struct fake_dns *fake, const char *name, ns_type type);
unsigned fake_dns_asked_tcp(struct fake_dns *fake, const char *name, ns_type type);

#endif
