/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tool_explain: `ringback explain`: what the milter would do with a transaction, and why: the same
 * session, policy and reply code as the milter's own, with every step told.
 */
#include "config.h"

#include "tool.h"
#include "tool_syntax.h"

#include "address.h"
#include "session.h"
#include "text.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

struct transaction_arguments {
    const char *config_path, *client, *helo, *from, *to;
    bool authenticated;
};

static void tell_exemptions(const struct session *session, const char *recipient_key)
{
    enum exemption found = session_exempt(session, recipient_key);

    for (int exemption = EXEMPT_NOT + 1; exemption < EXEMPT_POLICY; exemption++) {
        bool is = exemption == (int)found;

        printf("exempt      %s: %s\n", exemption_name(exemption), is ? "yes" : "no");
        if (is)
            return; /* the first decides */
    }
}

static void tell_policies(const struct session *session, const char *recipient_key)
{
    const struct config *config = session->config;
    const struct transaction transaction = {
        .client = (const struct sockaddr *)&session->client,
        .helo = session->helo,
        .authenticated = session->authenticated,
        .sender = session_policy_sender(session),
        .recipient = recipient_key,
    };
    const struct policy *match = policy_match(config, &transaction);

    for (size_t i = 0; i < config->policy_count && &config->policies[i] != match; i++)
        printf("policy      %s: no, %s does not match\n", config->policies[i].name,
               policy_mismatch(&config->policies[i], &transaction));
    printf("policy      %s: matches, verify = %s\n", match->name,
           policy_verify_name(match->verify));
}

static void tell_verdict(const struct session *session, const struct decision *decision)
{
    const struct rb_answer *answer = session_answer(session, decision);
    char age[64];

    printf("verdict     %s, reason %s\n", rb_verdict_name(decision->verdict),
           rb_reason_name(decision->reason));
    if (decision->exemption != EXEMPT_NOT) {
        printf("because     exempt: %s\n", exemption_name(decision->exemption));
        return;
    }
    if (answer->rule[0] != '\0')
        printf("because     rule %s\n", answer->rule);
    if (answer->mx[0] != '\0')
        printf("host        %s[%s] port %u%s%s\n", answer->mx, answer->ip, answer->port,
               answer->tls[0] != '\0' ? ", " : "", answer->tls);
    if (answer->reply[0] != '\0')
        printf("it said     %s (at %s)\n", answer->reply, rb_stage_name(answer->stage));
    if (answer->cached) {
        tool_duration(answer->age_s, age, sizeof age);
        printf("from        the cache, %s old\n", age);
    } else {
        printf("from        a callout, %lld ms\n", (long long)answer->elapsed_ms);
    }
}

static void tell_action(const struct session *session, const struct decision *decision)
{
    struct smtp_reply reply;

    printf("action      %s\n", action_name(decision->action));
    if (decision->action != decision->wanted)
        printf("            (dry_run; otherwise %s)\n", action_name(decision->wanted));
    if (decision->wanted != ACTION_REJECT && decision->wanted != ACTION_TEMPFAIL)
        return;
    session_reply(session, decision, decision->wanted, &reply);
    printf("reply       %s %s %s\n", reply.code, reply.enhanced, reply.text);
}

/* Where the recipient is asked about, and what came of it. */
static void tell_recipient(const struct session *session, const struct address *recipient)
{
    const struct relay *relay = config_relay(session->config, recipient->domain);
    const struct decision *decision = &session->rcpt.decision;

    printf("recipient   verified at %s\n",
           relay != NULL ? relay->list : "the mail hosts preferred over this one");
    tell_verdict(session, decision);
    tell_action(session, decision);
}

static int explain(const struct transaction_arguments *arguments, struct session *session)
{
    char recipient_key[RB_ADDRESS_MAX + 1] = "";
    struct address recipient;
    const struct decision *decision;

    session_helo(session, arguments->helo);
    if (session_mail(session, arguments->from, arguments->authenticated) != RB_OK)
        return tool_fail(EX_OSERR, "out of memory");
    if (address_parse(arguments->to, session_argument_len(arguments->to), true, &recipient) ==
        ADDRESS_OK)
        (void)!address_key(&recipient, recipient_key, sizeof recipient_key);
    printf("client      %s, HELO %s\n", session->client_text, session->helo);
    printf("sender      <%s>\n", session->sender_text);
    printf("recipient   <%s>\n", recipient_key[0] != '\0' ? recipient_key : "not an address");
    tell_exemptions(session, recipient_key);
    tell_policies(session, recipient_key);
    decision = session_rcpt(session, arguments->to);
    (void)session_collect(session, session->config->max_wait_ms, NULL, NULL);
    if (session->rcpt.decided)
        tell_recipient(session, &recipient);
    if (decision->of == OF_SENDER) {
        tell_verdict(session, decision);
        tell_action(session, decision);
    }
    return EX_OK;
}

#define SETS(field, how) SYNTAX_SETS(struct transaction_arguments, field, how)

static const struct syntax_option explain_options[] = {
    SYNTAX_CONFIG(struct transaction_arguments),
    {.name = "client",
     .value = "IP",
     SETS(client, SYNTAX_TEXT),
     .required = true,
     .help = "the client's address"},
    {.name = "helo",
     .value = "NAME",
     SETS(helo, SYNTAX_TEXT),
     .required = true,
     .help = "what it says after EHLO"},
    {.name = "from",
     .value = "ADDRESS",
     SETS(from, SYNTAX_TEXT),
     .required = true,
     .help = "the envelope sender; \"<>\" for the null sender"},
    {.name = "to",
     .value = "ADDRESS",
     SETS(to, SYNTAX_TEXT),
     .required = true,
     .help = "the recipient"},
    {.name = "authenticated",
     SETS(authenticated, SYNTAX_FLAG),
     .help = "as if the client had logged in"},
    {0}};

static const struct syntax syntax = {
    .name = "explain",
    .options = explain_options,
    .help = "Says, without a message, what the milter would do with such a transaction and why:\n"
            "each exemption tested, the policy that matched, the verdict, the action, the reply.\n"
            "Asks the mail hosts where the cache does not know.\n",
};

static int explain_with(const struct transaction_arguments *arguments, struct config *config,
                        const struct sockaddr *client)
{
    struct session_world world = {0};
    struct session session;
    struct rb_options options;
    char detail[300] = "";
    enum rb_error error;
    int status;

    config_options(config, &options);
    options.store_owner_fix = true;
    options.greylist.retry = false; /* the daemon's business */
    error = rb_verifier_open(&options, &world.verifier, detail, sizeof detail);
    if (error != RB_OK)
        return tool_fail(error == RB_ERR_STORE ? EX_IOERR : EX_OSERR, "%s%s",
                         detail[0] != '\0' ? detail : rb_error_text(error), tool_hint(errno));
    session_init(&session, &world, config, client);
    status = explain(arguments, &session);
    session_fini(&session);
    rb_verifier_close(world.verifier);
    return status;
}

int tool_explain(int argc, char **argv)
{
    struct transaction_arguments arguments = {0};
    struct sockaddr_storage client;
    struct config *config;
    char **none;
    int status = syntax_parse(&syntax, argc, argv, &arguments, &none);

    if (status >= 0)
        return status;
    if (!tool_client(arguments.client, &client))
        return syntax_fail(&syntax, "--client: \"%s\" is not an IP address", arguments.client);
    status = tool_load(arguments.config_path, CONFIG_WHOLE, &config);
    if (status != EX_OK)
        return status;
    status = explain_with(&arguments, config, (const struct sockaddr *)&client);
    config_put(config);
    return status;
}
