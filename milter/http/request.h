/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * request: the target of a request (RFC 9112 3.2) taken apart: the path, and the arguments of its
 * query, decoded. Pure. Input is hostile.
 */
#ifndef RB_MILTER_HTTP_REQUEST_H
#define RB_MILTER_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "http/resource.h"

enum {
    REQUEST_TARGET_MAX = 4096, /* octets: an address of 254, each octet as "%XX", and some more */
    REQUEST_ARGUMENTS_MAX = 16,
};

/* Plain data; pointers go into `text`. */
struct http_request {
    const char *authority; /* of a target in absolute form, "host:port"; "" of any other */
    const char *path;      /* decoded; from "/" on */
    size_t argument_count;
    struct {
        const char *name, *value; /* valid UTF-8 */
    } arguments[REQUEST_ARGUMENTS_MAX];
    char text[REQUEST_TARGET_MAX + 1];
};

/*
 * Reads a target in origin form or absolute form. Arguments are decoded as forms encode them: "+"
 * is a space, "%XX" an octet. False: it is neither, is too long, has too many arguments, or comes
 * to what is no UTF-8 or holds a NUL.
 */
bool request_read(struct http_request *request, const char *target)
    __attribute__((warn_unused_result));

#endif
