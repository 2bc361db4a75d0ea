/* SPDX-License-Identifier: BSD-2-Clause */
/* answers: a memo of messages by type and name, and how long each may be kept; see the header. */
#include "config.h"

#include "dns/answers.h"

#include <stdlib.h>
#include <string.h>

#include "base/memo.h"
#include "dns/question.h"
#include "ringback.h"

enum { KEY_MAX = sizeof(uint16_t) + RB_DOMAIN_MAX };

struct dns_answers {
    struct dns_answers_terms terms;
    struct memo *memo;
};

const struct dns_answers_terms dns_answers_of_hosts = {
    .most_ms = DNS_HOSTS_KEPT_S * 1000LL,
    .entries_max = DNS_HOSTS_KEPT_MAX,
    .size_max = DNS_DATAGRAM_MAX,
    .octets_max = SIZE_MAX,
};

const struct dns_answers_terms dns_answers_of_records = {
    .least_ms = DNS_RECORDS_KEPT_LEAST_S * 1000LL,
    .most_ms = DNS_RECORDS_KEPT_MOST_S * 1000LL,
    .nothing_ms = DNS_RECORDS_KEPT_LEAST_S * 1000LL,
    .entries_max = DNS_RECORDS_KEPT_MAX,
    .size_max = DNS_ANSWERS_SIZE_MAX,
    .octets_max = DNS_RECORDS_KEPT_OCTETS_MAX,
};

struct dns_answers *dns_answers_new(const struct rb_clock *clock,
                                    const struct dns_answers_terms *terms)
{
    struct dns_answers *answers = calloc(1, sizeof *answers);

    if (answers == NULL)
        return NULL;
    answers->terms = *terms;
    answers->memo = memo_new(clock, terms->entries_max, terms->octets_max);
    if (answers->memo != NULL)
        return answers;
    free(answers);
    return NULL;
}

void dns_answers_free(struct dns_answers *answers)
{
    if (answers == NULL)
        return;
    memo_free(answers->memo);
    free(answers);
}

/* The type and the name; 0: a name that is too long. */
static size_t make_key(ns_type type, const char *name, uint8_t key[KEY_MAX])
{
    const uint16_t number = (uint16_t)type;
    const size_t len = strlen(name);

    if (len > RB_DOMAIN_MAX)
        return 0;
    memcpy(key, &number, sizeof number);
    /* The key is octets with a length, not a string.
     * NOLINTNEXTLINE(bugprone-not-null-terminated-result) */
    memcpy(key + sizeof number, name, len);
    return sizeof number + len;
}

size_t dns_answers_find(struct dns_answers *answers, ns_type type, const char *name,
                        uint8_t octets[DNS_ANSWERS_SIZE_MAX])
{
    uint8_t key[KEY_MAX];
    const size_t key_len = make_key(type, name, key);

    return key_len > 0 ? memo_find(answers->memo, key, key_len, octets, DNS_ANSWERS_SIZE_MAX) : 0;
}

/* --- For how long ---------------------------------------------------------- */

/* RFC 2181 8: a TTL with the highest bit set is none. */
static int64_t ttl_ms(const ns_rr *rr)
{
    const uint32_t ttl_s = ns_rr_ttl(*rr);

    return ttl_s > INT32_MAX ? 0 : (int64_t)ttl_s * 1000;
}

/*
 * RFC 2308 5: "no data" holds for the least of the SOA's own TTL and its last number; without an
 * SOA not at all.
 */
static int64_t no_data_ms(ns_msg *msg)
{
    ns_rr rr;

    for (int i = 0; i < ns_msg_count(*msg, ns_s_ns); i++) {
        if (ns_parserr(msg, ns_s_ns, i, &rr) != 0)
            return 0;
        if (ns_rr_type(rr) == ns_t_soa && ns_rr_rdlen(rr) > sizeof(uint32_t)) {
            const uint8_t *end = ns_rr_rdata(rr) + ns_rr_rdlen(rr);
            const int64_t minimum_ms = (int64_t)ns_get32(end - sizeof(uint32_t)) * 1000;

            return minimum_ms < ttl_ms(&rr) ? minimum_ms : ttl_ms(&rr);
        }
    }
    return 0;
}

/* The least TTL of all records of the answer, those of a chain of CNAMEs too. */
static int64_t time_to_live_ms(ns_msg *msg)
{
    int64_t least_ms = INT64_MAX;
    ns_rr rr;

    for (int i = 0; i < ns_msg_count(*msg, ns_s_an); i++) {
        if (ns_parserr(msg, ns_s_an, i, &rr) != 0)
            return 0;
        if (ttl_ms(&rr) < least_ms)
            least_ms = ttl_ms(&rr);
    }
    return least_ms;
}

static int64_t clamp_ms(int64_t ms, int64_t least_ms, int64_t most_ms)
{
    if (ms < least_ms)
        return least_ms;
    return ms < most_ms ? ms : most_ms;
}

/* For how long it holds that there are no such records. */
static int64_t nothing_for_ms(const struct dns_answers_terms *terms, ns_msg *msg)
{
    if (terms->nothing_ms > 0)
        return terms->nothing_ms;
    return ns_msg_getflag(*msg, ns_f_rcode) == ns_r_nxdomain
               ? 0
               : clamp_ms(no_data_ms(msg), 0, terms->most_ms);
}

/* For how long an answer is kept; 0: not at all. */
static int64_t lifetime_ms(const struct dns_answers_terms *terms, ns_msg *msg)
{
    const bool is_nothing =
        ns_msg_getflag(*msg, ns_f_rcode) == ns_r_nxdomain || ns_msg_count(*msg, ns_s_an) == 0;

    return is_nothing ? nothing_for_ms(terms, msg)
                      : clamp_ms(time_to_live_ms(msg), terms->least_ms, terms->most_ms);
}

void dns_answers_keep(struct dns_answers *answers, ns_type type, const char *name, ns_msg *msg)
{
    const int64_t for_ms = lifetime_ms(&answers->terms, msg);
    const size_t len = (size_t)ns_msg_size(*msg);
    uint8_t key[KEY_MAX];
    const size_t key_len = make_key(type, name, key);

    if (for_ms > 0 && len <= answers->terms.size_max && len <= DNS_ANSWERS_SIZE_MAX && key_len > 0)
        memo_keep(answers->memo, key, key_len, ns_msg_base(*msg), len, for_ms);
}
