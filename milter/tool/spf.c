/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spf: `ringback spf`: what the sender's domain says by SPF (RFC 7208) of a client, and by
 * which term of whose record; then who else vouches for it. Asks DNS alone.
 */
#include "config.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "session/session.h"
#include "session/spf_words.h"
#include "tool/load.h"
#include "tool/say.h"
#include "tool/syntax.h"
#include "tool/tool.h"

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
            "Where SPF says neither yes nor no: whether a host or a name of the domain vouches, or "
            "why nobody does.\n"
            "Exit status: 0 for a result; 75 for temperror: DNS gives no answer now.\n",
};

enum { TIME_MS = 20000 }; /* RFC 7208 4.6.4 */

static void tell_answer(const char *client, const struct rb_spf_answer *answer)
{
    char why[SPF_WORDS_MAX + 1];

    printf("%s ", rb_spf_name(answer->result));
    if (answer->result == RB_SPF_PASS)
        printf("%s vouches for %s: ", answer->sender_domain, client);
    else if (answer->result == RB_SPF_FAIL)
        printf("%s disowns %s: ", answer->sender_domain, client);
    else if (answer->voucher == RB_VOUCHER_NOBODY)
        printf("nobody vouches for %s: ", client);
    else
        printf("%s does not vouch for %s: ", answer->sender_domain, client);
    spf_words_of_result(answer, why, sizeof why);
    puts(why);
    if (answer->result == RB_SPF_PASS || answer->result == RB_SPF_FAIL)
        return;
    spf_words_of_voucher(answer, why, sizeof why);
    printf("%s%s\n", answer->voucher == RB_VOUCHER_NOBODY ? "" : "vouched by ", why);
}

static int check_client(struct rb_verifier *verifier, const struct rb_spf_question *question,
                        const char *client)
{
    struct rb_spf_answer answer;
    enum rb_error error;

    rb_spf_answer_init(&answer);
    error = rb_spf_check(verifier, question, rb_now_ms(verifier) + TIME_MS, &answer);
    if (error == RB_ERR_ARGUMENT)
        return syntax_fail(&syntax, "the null sender needs --helo");
    if (error != RB_OK)
        return say_line(EX_OSERR, "%s", rb_error_text(error));
    tell_answer(client, &answer);
    return answer.result == RB_SPF_TEMPERROR ? EX_TEMPFAIL : EX_OK;
}

/* With a verifier that calls nobody, keeps nothing and knows only whom to ask. */
static int check_with(const struct text_list *resolvers, const struct rb_spf_question *question,
                      const char *client)
{
    struct rb_verifier *verifier;
    struct rb_options options;
    int status;

    rb_options_init(&options);
    options.helo_name = "localhost.localdomain";
    options.resolvers = (const char *const *)resolvers->items;
    options.resolver_count = resolvers->count;
    if (rb_verifier_open(&options, &verifier, NULL, 0) != RB_OK)
        return say_line(EX_OSERR, "out of memory");
    status = check_client(verifier, question, client);
    (void)rb_verifier_close(verifier);
    return status;
}

static int check_sender(const struct spf_arguments *arguments, const struct sockaddr *client)
{
    const struct rb_spf_question question = {.size = sizeof question,
                                             .client = client,
                                             .helo = arguments->helo,
                                             .sender = arguments->from,
                                             .sender_len = strlen(arguments->from)};
    struct config *config;
    int status = load_config(arguments->config_path, CONFIG_RESOLVERS, &config);

    if (status == EX_OK) {
        status = check_with(&config->resolvers, &question, arguments->client);
        config_put(config);
    }
    return status;
}

int spf_run(int argc, char **argv)
{
    struct spf_arguments arguments = {0};
    struct sockaddr_storage client;
    char **none;
    int status = syntax_parse(&syntax, argc, argv, &arguments, &none);

    if (status >= 0)
        return status;
    if (!session_client_from_text(arguments.client, &client))
        return syntax_fail(&syntax, "--client: \"%s\" is not an IP address", arguments.client);
    return check_sender(&arguments, (const struct sockaddr *)&client);
}
