/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * answer: what is said to a request: whether it is one that we answer, meant for us and by somebody
 * who may ask (RFC 9110 15), and then what its resource writes. Of the server's thread.
 */
#ifndef RB_MILTER_HTTP_ANSWER_H
#define RB_MILTER_HTTP_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include "config/configuration.h"
#include "http/connections.h"
#include "http/login.h"

enum { ANSWER_HEADERS_MAX = 8192 }; /* octets of a request's line and header fields */

/* What of a request decides, beside its connection. NULL: there is no such field. */
struct question {
    const char *method, *version;
    const char *host, *authorization;
    unsigned host_count;
    size_t header_size;
    bool has_content;
};

/* The body is the caller's (free). */
struct answer {
    unsigned status;
    const char *type;         /* of the body */
    const char *name, *value; /* a header field that this status wants; NULL: none */
    bool closes;              /* the connection, after it */
    char *body;
    size_t len;
};

/* False: no memory. */
bool answer_make(const struct question *question, const struct connection *connection,
                 const struct config *config, struct login_memory *logins, struct answer *answer)
    __attribute__((warn_unused_result));

#endif
