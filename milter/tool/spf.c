/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spf: `ringback spf`: what the sender's domain says by SPF (RFC 7208) of a client, and by
 * which term of whose record. Asks DNS alone.
 */
#include "config.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/text.h"
#include "mail/address.h"
#include "session/session.h"
#include "spf/check.h"
#include "tool/load.h"
#include "tool/say.h"
#include "tool/syntax.h"
#include "tool/verbs.h"

struct spf_arguments {
    const char *config_path, *client, *helo, *from;
};

#define SETS(field, how) SYNTAX_SETS(struct spf_arguments, field, how)

static const struct syntax_option spf_options[] = {
    SYNTAX_CONFIG(struct spf_arguments),
    {.name = "client",
     .value = "IP",
     SETS(client, SYNTAX_TEXT),
     .required = true,
     .help = "the client's address"},
    {.name = "helo",
     .value = "NAME",
     SETS(helo, SYNTAX_TEXT),
     .help = "what it says after EHLO; for the null sender, and where a record asks for it"},
    {.name = "from",
     .value = "ADDRESS",
     SETS(from, SYNTAX_TEXT),
     .required = true,
     .help =
         "the sender; \"\" or \"<>\" is the null sender, which stands for the EHLO name's domain"},
    {.name = NULL},
};

static const struct syntax syntax = {
    .name = "spf",
    .options = spf_options,
    .help = "Prints what the sender's domain says by SPF (RFC 7208) of a client that sends for it: "
            "none, pass, fail,\n"
            "softfail, neutral, temperror or permerror; then who vouches for the client, by which "
            "term of whose record.\n"
            "Exit status: 0 for a result; 75 for temperror: DNS gives no answer now.\n",
};

/* Whom the client sends for. */
struct sender {
    char *local;
    const char *domain;
    struct address address;
};

/*
 * What is no address by the grammar is still what a client may have said: the domain is behind the
 * last "@", or all of it (RFC 7208 4.3).
 */
static void split_sender(const char *from, struct sender *sender)
{
    const char *at = strrchr(from, '@');

    sender->domain = at != NULL ? at + 1 : from;
    sender->local = strndup(from, at != NULL ? (size_t)(at - from) : 0);
}

/* EX_OK, or the exit status. */
static int read_sender(const struct spf_arguments *arguments, struct sender *sender)
{
    switch (address_parse(arguments->from, strlen(arguments->from), true, &sender->address)) {
    case ADDRESS_OK:
        sender->domain = sender->address.domain;
        sender->local = strdup(sender->address.local);
        break;
    case ADDRESS_NULL: /* RFC 7208 2.4 */
        if (arguments->helo == NULL)
            return syntax_fail(&syntax, "the null sender needs --helo");
        sender->domain = arguments->helo;
        sender->local = strdup("");
        break;
    default:
        split_sender(arguments->from, sender);
        break;
    }
    return sender->local != NULL ? EX_OK : say_line(EX_OSERR, "out of memory");
}

/* By what: a term, and what is wrong with it; or what else there is to say of a record. */
static void tell_why(const char *sender_domain, const struct spf_result *answer)
{
    if (answer->outcome == SPF_OUTCOME_NONE) {
        printf("%s has no SPF record\n", sender_domain);
        return;
    }
    if (answer->fault != NULL)
        printf("%s: ", answer->fault);
    if (answer->term[0] != '\0')
        printf("\"%s\" in the record of %s\n", answer->term, answer->domain);
    else if (answer->fault != NULL)
        printf("%s\n", answer->domain);
    else
        printf("no term in the record of %s is for it\n", answer->domain);
}

static void tell_answer(const char *client, const char *sender_domain,
                        const struct spf_result *answer)
{
    char domain[RB_DOMAIN_MAX + 1];

    text_printable(domain, sizeof domain, sender_domain, strlen(sender_domain));
    printf("%s ", spf_outcome_name(answer->outcome));
    if (answer->outcome == SPF_OUTCOME_PASS)
        printf("%s vouches for %s: ", domain, client);
    else if (answer->outcome == SPF_OUTCOME_FAIL)
        printf("%s disowns %s: ", domain, client);
    else
        printf("nobody vouches for %s: ", client);
    tell_why(domain, answer);
}

static int check_client(const struct spf_question *question, const char *client,
                        const struct text_list *resolvers)
{
    struct spf_result answer;
    struct dns *dns;

    if (dns_open((const char *const *)resolvers->items, resolvers->count, clock_system(), -1,
                 &dns) != RB_OK)
        return say_line(EX_OSERR, "out of memory");
    spf_check(dns, deadline_in(clock_system(), SPF_TIME_MS), question, &answer);
    dns_close(dns);
    tell_answer(client, question->domain, &answer);
    return answer.outcome == SPF_OUTCOME_TEMPERROR ? EX_TEMPFAIL : EX_OK;
}

static int check_sender(const struct spf_arguments *arguments, const struct sockaddr *client,
                        struct sender *sender)
{
    const struct spf_question question = {.client = client,
                                          .helo = arguments->helo,
                                          .local = sender->local,
                                          .domain = sender->domain};
    struct config *config;
    int status = load_config(arguments->config_path, CONFIG_RESOLVERS, &config);

    if (status == EX_OK) {
        status = check_client(&question, arguments->client, &config->resolvers);
        config_put(config);
    }
    free(sender->local);
    return status;
}

int spf_run(int argc, char **argv)
{
    struct spf_arguments arguments = {0};
    struct sockaddr_storage client;
    struct sender sender;
    char **none;
    int status = syntax_parse(&syntax, argc, argv, &arguments, &none);

    if (status >= 0)
        return status;
    if (!session_client_from_text(arguments.client, &client))
        return syntax_fail(&syntax, "--client: \"%s\" is not an IP address", arguments.client);
    status = read_sender(&arguments, &sender);
    return status == EX_OK ? check_sender(&arguments, (const struct sockaddr *)&client, &sender)
                           : status;
}
