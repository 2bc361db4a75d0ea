/* SPDX-License-Identifier: BSD-2-Clause */
/* spf_words: see spf_words.h. */
#include "config.h"

#include "session/spf_words.h"

#include <stdio.h>

void spf_words_of_result(const struct rb_spf_answer *answer, char *text, size_t size)
{
    const char *fault = answer->fault != NULL ? answer->fault : "";
    const char *colon = answer->fault != NULL ? ": " : "";

    if (answer->result == RB_SPF_NONE)
        (void)snprintf(text, size, "%s has no SPF record", answer->sender_domain);
    else if (answer->term[0] != '\0')
        (void)snprintf(text, size, "%s%s\"%s\" in the record of %s", fault, colon, answer->term,
                       answer->domain);
    else if (answer->fault != NULL)
        (void)snprintf(text, size, "%s: %s", fault, answer->domain);
    else
        (void)snprintf(text, size, "no term in the record of %s is for it", answer->domain);
}

void spf_words_of_voucher(const struct rb_spf_answer *answer, char *text, size_t size)
{
    switch (answer->voucher) {
    case RB_VOUCHER_SPF:
        (void)snprintf(text, size, "spf: %s lets it send", answer->sender_domain);
        break;
    case RB_VOUCHER_MX:
        (void)snprintf(text, size, "mx: it is, or is next to, %s, a host of %s",
                       answer->voucher_host, answer->sender_domain);
        break;
    case RB_VOUCHER_PTR:
        (void)snprintf(text, size, "ptr: its name is %s, which leads back to it",
                       answer->voucher_host);
        break;
    default:
        (void)snprintf(text, size, "nobody: %s",
                       answer->why_nobody != NULL ? answer->why_nobody : "nobody was asked to");
        break;
    }
}
