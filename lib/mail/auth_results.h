/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * auth_results: whom a field Authentication-Results (RFC 8601) vouches for: the domains whose DKIM
 * signature (RFC 6376) or DMARC check (RFC 7489) has passed, as whoever wrote the field says. Who
 * that is, and whether he is believed, is the caller's business. Pure. Any thread. Input is
 * hostile: each octet is read once.
 */
#ifndef RB_MAIL_AUTH_RESULTS_H
#define RB_MAIL_AUTH_RESULTS_H

#include "mail/lexical.h"
#include "ringback.h"

enum {
    AUTH_RESULTS_DOMAINS_MAX = 8, /* kept of one field; those behind are not vouched for */
    AUTH_RESULTS_MAX = 16,        /* results of a field that is read, and */
    AUTH_RESULTS_LEN_MAX = 4000,  /* its octets: filters that know their own leave longer ones */
};

struct auth_results {
    struct lexical_word authserv_id;                           /* points into the field's value */
    char domains[AUTH_RESULTS_DOMAINS_MAX][RB_DOMAIN_MAX + 1]; /* canonical, each once */
    bool is_author[AUTH_RESULTS_DOMAINS_MAX]; /* by DMARC alone: what the filter took From for */
    size_t count;
};

/* The authserv-id that a field's value begins with. False: it cannot be read. */
bool auth_results_authserv_id(struct span value, struct lexical_word *authserv_id);

/*
 * Reads a whole value. A domain is vouched for by dkim=pass with header.d, or with header.i where
 * there is no header.d, and by dmarc=pass with header.from; not by a result that names two for one
 * property, nor by one whose header.i is not within header.d (RFC 6376 3.5). False, with no
 * domains: it is not what RFC 8601 2.2 says, of a version other than 1, or too long.
 */
bool auth_results_read(struct span value, struct auth_results *results);

#endif
