/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * path: the argument of MAIL and RCPT, strictly (RFC 5321 section 4.1.2).
 *
 *   FROM:<path> [SP parameters]     TO:<path> [SP parameters]
 */
#ifndef SMTPD_PATH_H
#define SMTPD_PATH_H

#include <stddef.h>

enum path_result {
    PATH_OK,
    PATH_SLOPPY, /* blanks where none belong; understood all the same */
    PATH_BAD
};

/*
 * Takes args apart. keyword is "FROM:" or "TO:". address gets what stands between the brackets,
 * params points into args (to its end where there are none).
 */
enum path_result path_parse(const char *args, const char *keyword, char *address, size_t size,
                            const char **params);

#endif
