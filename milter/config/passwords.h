/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * passwords: the file that `http_password_file` names: who may look, a line "USER:HASH" each, the
 * hash as crypt(5) writes it. Empty lines and those that begin with "#" count for nothing.
 */
#ifndef RB_MILTER_CONFIG_PASSWORDS_H
#define RB_MILTER_CONFIG_PASSWORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "config/scan.h"

enum {
    PASSWORDS_MAX = 1000,
    PASSWORDS_FILE_MAX = 512 * 1024, /* octets */
    PASSWORDS_USER_MAX = 64,         /* octets of a name */
};

struct password {
    char *user; /* printable ASCII without ":" */
    char *hash; /* of a method that crypt(3) here has, and that is not a legacy */
};

/* Plain data: a zeroed one is empty. */
struct password_list {
    struct password *items; /* no two of one user */
    size_t count;
};

/*
 * Reads the file. True: there is at least one user in it. False: the fault is written, "FILE:LINE:
 * what is wrong, what would be right", and the list is empty: RB_ERR_SYSTEM when it cannot be read,
 * RB_ERR_ARGUMENT when something in it is wrong, nobody is in it, or everybody may read it. Hashes
 * are never in a fault.
 */
bool passwords_read(const char *path, struct password_list *list, struct fault *fault)
    __attribute__((warn_unused_result));

void passwords_fini(struct password_list *list);

#endif
