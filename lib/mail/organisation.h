/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * organisation: whose a domain name is, as far as names tell: the public suffix ("co.uk",
 * "github.io": whatever registrars and hosters give names under) and one label more (the
 * Organizational Domain of RFC 7489 3.2). Names are hostile input. Any thread.
 *
 * The list of public suffixes is read at the first call: Debian's (package publicsuffix) where it
 * is newer than the one that is built into libpsl. It is never freed.
 */
#ifndef RB_MAIL_ORGANISATION_H
#define RB_MAIL_ORGANISATION_H

#include "ringback.h"

#include <stdbool.h>

/*
 * The organisational domain of a name in A-labels, in lower case and without a dot at its end. That
 * of a public suffix is the name itself, and so is every name's where no list can be had. "": it is
 * no name (too long, an empty label).
 */
void organisation_of(const char *name, char organisation[RB_DOMAIN_MAX + 1]);

/* Whether both are names of one organisation: a public suffix is its own alone. */
bool organisation_is_same(const char *name, const char *other);

#endif
