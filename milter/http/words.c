/* SPDX-License-Identifier: BSD-2-Clause */
/* words: one table each; see words.h. */
#include "config.h"

#include "http/words.h"

#include <stddef.h>

static const char *at(const char *const *words, size_t count, unsigned index)
{
    return index < count && words[index] != NULL ? words[index] : "";
}

#define AT(words, index) at(words, sizeof(words) / sizeof((words)[0]), (unsigned)(index))

const char *words_of_reason(enum rb_reason reason)
{
    static const char *const words[RB_REASON_MAX] = {
        [RB_REASON_ACCEPTED] = "The mail host takes mail for this address.",
        [RB_REASON_MAILBOX_FULL] = "The mailbox exists, and is full.",
        [RB_REASON_CORRESPONDENT] = "One of our users has written to this address.",
        [RB_REASON_NO_SUCH_USER] = "The mail host says that there is no such mailbox.",
        [RB_REASON_DISABLED] = "The mail host says that the mailbox is no longer in use.",
        [RB_REASON_NO_DOMAIN] = "The domain does not exist.",
        [RB_REASON_NO_MAIL_HOST] = "The domain has no mail host.",
        [RB_REASON_NULL_MX] = "The domain says that it takes no mail at all.",
        [RB_REASON_BOGUS_MX] = "Every mail host of the domain is where no mail can go.",
        [RB_REASON_BAD_ADDRESS] = "It cannot be anybody’s address.",
        [RB_REASON_CATCH_ALL] = "The domain accepts every address, so its word says nothing.",
        [RB_REASON_GREYLISTED] = "The mail host wants to be asked again later (greylisting).",
        [RB_REASON_TEMPFAIL] = "The mail host could not say for now.",
        [RB_REASON_BLOCKED] = "The mail host refused us, and said nothing of the mailbox.",
        [RB_REASON_NULL_SENDER_REFUSED] = "The mail host takes no mail from the null sender.",
        [RB_REASON_REJECTED] = "The mail host refused, and it is not clear what.",
        [RB_REASON_TLS_REQUIRED] = "The mail host wants TLS, and none could be had.",
        [RB_REASON_UNREACHABLE] = "No mail host could be reached.",
        [RB_REASON_DNS_FAILURE] = "The domain’s name servers gave no usable answer.",
        [RB_REASON_PROTOCOL_ERROR] = "What answered does not speak SMTP.",
        [RB_REASON_TIMEOUT] =
            "There was no answer in time. The question goes on without the client.",
        [RB_REASON_LIMITED] = "Nobody was asked: one of our own limits held the question back.",
        [RB_REASON_BUSY] = "Nobody was asked: too many questions were waiting.",
        [RB_REASON_SPF_FAIL] = "The domain says that this client may not send for it (SPF).",
        [RB_REASON_EXEMPT] = "Nobody was to be asked.",
        [RB_REASON_INTERNAL_ERROR] = "Something went wrong here. The log says what.",
        [RB_REASON_SPF_SOFTFAIL] =
            "The domain says that this client is probably not its own (SPF).",
        [RB_REASON_NOT_VOUCHED] = "Nobody vouches that this client sends for the domain.",
        [RB_REASON_TOO_LARGE] = "The mail store takes no message as large as this.",
    };

    return AT(words, reason);
}

const char *words_of_exemption(enum exemption exemption)
{
    static const char *const words[EXEMPT_MAX] = {
        [EXEMPT_LOCAL_SUBMISSION] = "Submitted on this machine.",
        [EXEMPT_TRUSTED_NETWORKS] = "The client is in a trusted network.",
        [EXEMPT_AUTHENTICATED] = "The client has logged in.",
        [EXEMPT_NULL_SENDER] = "The null sender: a bounce, or somebody’s callout.",
        [EXEMPT_OWN_CALLOUT_SENDER] = "It goes to the sender of our own callouts.",
        [EXEMPT_POLICY] = "The policy does not verify senders.",
    };

    return AT(words, exemption);
}

const char *words_of_client(enum rb_client_result result)
{
    static const char *const words[RB_CLIENT_MAX] = {
        [RB_CLIENT_UNKNOWN] = "Whether the client is who it claims to be was not found out.",
        [RB_CLIENT_UNREACHABLE] = "The host that the client claims to be cannot be reached.",
        [RB_CLIENT_UNSUPPORTED] =
            "The host that the client claims to be does not know the question.",
        [RB_CLIENT_REACHABLE] = "The host that the client claims to be answers, and cannot say.",
        [RB_CLIENT_MAYBE] = "The host that the client claims to be has some connection to us.",
        [RB_CLIENT_DENIED] = "The host that the client claims to be says: that is not me.",
        [RB_CLIENT_CONFIRMED] = "The host that the client claims to be says: that is me.",
    };

    return AT(words, result);
}

const char *words_of_limit(enum rb_limit limit)
{
    static const char *const words[RB_LIMIT_MAX] = {
        [RB_LIMIT_HOST] = "calls to this mail host failed again and again",
        [RB_LIMIT_SHIELD] = "this domain is being forged in bulk",
        [RB_LIMIT_DOMAIN_RATE] = "questions about this domain have used up its rate",
        [RB_LIMIT_CLIENT_RATE] = "this client has used up its rate of questions",
        [RB_LIMIT_GLOBAL_RATE] = "the rate of all questions is used up",
    };

    return AT(words, limit);
}

const char *words_of_action(enum action action)
{
    static const char *const words[] = {
        [ACTION_ACCEPT] = "let in",   [ACTION_TAG] = "let in, tagged",
        [ACTION_QUARANTINE] = "held", [ACTION_TEMPFAIL] = "told to come again",
        [ACTION_REJECT] = "refused",
    };

    return AT(words, action);
}
