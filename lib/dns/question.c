/* SPDX-License-Identifier: BSD-2-Clause */
/* question: see the header. It must not know what an answer means. */
#include "config.h"

#include "dns/question.h"

#include <string.h>

#include "base/random.h"
#include "base/text.h"

/* A header (RFC 1035 4.1.1), behind its id. */
enum {
    ID_SIZE = 2,
    FLAGS_AT = 2,
    FLAG_QR = 0x80,
    FLAG_TC = 0x02,
    FLAG_RD = 0x01,
    RCODE_AT = 3,
    RCODE_MASK = 0x0f,
    QDCOUNT_AT = 4,
    ARCOUNT_AT = 10,
};

bool dns_question_make(struct dns_question *question, const char *name, ns_type type)
{
    uint8_t *at = question->octets;
    int len;

    memset(at, 0, NS_HFIXEDSZ);
    if (!random_octets(at, ID_SIZE))
        return false;
    at[FLAGS_AT] = FLAG_RD;
    ns_put16(1, at + QDCOUNT_AT);
    at += NS_HFIXEDSZ;
    len = ns_name_compress(name, at, NS_MAXCDNAME, NULL, NULL);
    if (len < 0)
        return false;
    at += len;
    ns_put16(type, at);
    ns_put16(ns_c_in, at + NS_INT16SZ);
    question->len = (size_t)(at + NS_QFIXEDSZ - question->octets);
    return true;
}

/* The root's name (one zero octet), the type, the size that we take, and zeros. */
size_t dns_question_with_edns(const struct dns_question *question,
                              uint8_t octets[DNS_QUESTION_EDNS_MAX])
{
    const size_t opt_size = DNS_QUESTION_EDNS_MAX - DNS_QUESTION_MAX;
    uint8_t *opt = octets + question->len;

    memcpy(octets, question->octets, question->len);
    memset(opt, 0, opt_size);
    ns_put16(ns_t_opt, opt + 1);
    ns_put16(DNS_DATAGRAM_MAX, opt + 1 + NS_INT16SZ);
    ns_put16(1, octets + ARCOUNT_AT);
    return question->len + opt_size;
}

bool dns_question_is_cut_off(const uint8_t *octets)
{
    return (octets[FLAGS_AT] & FLAG_TC) != 0;
}

bool dns_question_is_not_understood(const uint8_t *octets)
{
    const int rcode = octets[RCODE_AT] & RCODE_MASK;

    return rcode == ns_r_formerr || rcode == ns_r_notimpl;
}

bool dns_question_is_answered(const struct dns_question *question, const uint8_t *octets,
                              size_t len)
{
    if (len < NS_HFIXEDSZ || memcmp(octets, question->octets, ID_SIZE) != 0 ||
        (octets[FLAGS_AT] & FLAG_QR) == 0)
        return false;
    if (ns_get16(octets + QDCOUNT_AT) == 0)
        return dns_question_is_not_understood(octets);
    if (len < question->len)
        return false;
    for (size_t i = NS_HFIXEDSZ; i < question->len; i++)
        if (char_lower((char)octets[i]) != char_lower((char)question->octets[i]))
            return false;
    return true;
}
