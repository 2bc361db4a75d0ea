/* SPDX-License-Identifier: BSD-2-Clause */
/* envelope: the names of exemptions, and how an address is shown in logs; see envelope.h. */
#include "config.h"

#include "session/envelope.h"

#include "base/text.h"

const char *exemption_name(enum exemption exemption)
{
    static const char *const names[EXEMPT_MAX] = {
        [EXEMPT_NOT] = "",
        [EXEMPT_LOCAL_SUBMISSION] = "local_submission",
        [EXEMPT_TRUSTED_NETWORKS] = "trusted_networks",
        [EXEMPT_AUTHENTICATED] = "authenticated",
        [EXEMPT_NULL_SENDER] = "null_sender",
        [EXEMPT_OWN_CALLOUT_SENDER] = "own_callout_sender",
        [EXEMPT_POLICY] = "policy",
    };

    return (unsigned)exemption < EXEMPT_MAX ? names[exemption] : "?";
}

const struct sockaddr *envelope_client(const struct session *session)
{
    return session->client_known ? (const struct sockaddr *)&session->client : NULL;
}

static const struct inquiry *inquiry_of(const struct session *session,
                                        const struct decision *decision)
{
    return decision->inquiry != NULL ? decision->inquiry : &session->plain;
}

const struct rb_answer *envelope_answer(const struct session *session,
                                        const struct decision *decision)
{
    if (decision->of == OF_RECIPIENT)
        return &session->rcpt.answer;
    return &inquiry_of(session, decision)->answer;
}

int64_t envelope_waited_ms(const struct session *session, const struct decision *decision)
{
    if (decision->of == OF_HEADER) /* none, where the envelope sender's answer was it */
        return session->originators[decision->field].inquiry.waited_ms;
    return decision->of == OF_SENDER ? inquiry_of(session, decision)->waited_ms
                                     : session->rcpt.answer.elapsed_ms;
}

const char *envelope_address(const struct session *session, const struct decision *decision)
{
    if (decision->of == OF_HEADER)
        return session->originators[decision->field].text;
    return decision->of == OF_SENDER ? session->sender_text : decision->recipient;
}

const char *envelope_role(const struct decision *decision)
{
    static const char *const fields[ORIGINATORS] = {[ORIGINATOR_FROM] = "From",
                                                    [ORIGINATOR_REPLY_TO] = "Reply-To",
                                                    [ORIGINATOR_SENDER] = "Sender"};

    if (decision->of == OF_HEADER)
        return fields[decision->field];
    return decision->of == OF_SENDER ? "sender" : "recipient";
}

void envelope_show_address(char *text, size_t size, const char *argument, size_t len)
{
    if (len >= 2 && argument[0] == '<' && argument[len - 1] == '>') {
        argument++;
        len -= 2;
    }
    text_printable(text, size, argument, len);
}
