/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dkim_signature: how a field DKIM-Signature (RFC 6376 3.5) names its signer. Verifies nothing.
 * Pure. Any thread. Input is hostile.
 */
#ifndef RB_MAIL_DKIM_SIGNATURE_H
#define RB_MAIL_DKIM_SIGNATURE_H

#include "base/span.h"

#include <stdbool.h>

/*
 * Whether a verifier can write the values of a, d, i and s into Authentication-Results as they are,
 * and i as decoded from dkim-quoted-printable (RFC 6376 2.11), without a word of theirs being read
 * as a result of its own: "i=x=3B=20dkim=3Dpass…" is "x; dkim=pass…" there. OpenDKIM does so.
 */
bool dkim_signature_is_plain(struct span value);

#endif
