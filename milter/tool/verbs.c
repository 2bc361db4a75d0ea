/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * verbs: `ringback verbs`: asks a mail host which verbs beyond SMTP it knows (extension/verbs), and
 * shows the dialogue. Keeps nothing of the answer.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/json.h"
#include "base/text.h"
#include "extension/verbs.h"
#include "tool/load.h"
#include "tool/say.h"
#include "tool/syntax.h"
#include "tool/tool.h"
#include "tool/transcript.h"

struct request {
    const char *config_path;
    bool json;
};

static const struct syntax_option verbs_options[] = {
    SYNTAX_CONFIG(struct request),
    {.name = "json", SYNTAX_SETS(struct request, json, SYNTAX_FLAG), .help = "one JSON object"},
    {0}};

static const struct syntax syntax = {
    .name = "verbs",
    .options = verbs_options,
    .arguments = "HOST[:PORT]",
    .arguments_required = true,
    .help = "Asks a mail host which verbs beyond SMTP it knows, shows the dialogue, and prints a "
            "line each:\n"
            "yes, no, or \"not known\" where it could not be asked.\n"
            "Exit status: 0 asked, 69 it could not be, 64 usage, 78 configuration.\n",
};

enum { WAIT_MS = 10 * 60 * 1000 }; /* the callout ends by itself long before */

/* --- Showing -------------------------------------------------------------- */

/* Whether the host knows the verb; `unknown` is said by hosts that do. */
static bool knows_ayttm(const struct rb_client_answer *answer)
{
    const char *reply = answer->reply;

    if (answer->result >= RB_CLIENT_MAYBE)
        return true;
    reply += strspn(reply, "0123456789"); /* its code */
    reply += strspn(reply, " -");
    return verbs_reply_word(verbs_verb_name(VERBS_AYTTM), answer->code, reply) != VERBS_NONE;
}

static bool was_asked(const struct rb_client_answer *answer)
{
    return answer->result != RB_CLIENT_UNKNOWN && answer->result != RB_CLIENT_UNREACHABLE;
}

static const char *word_for(const struct rb_client_answer *answer)
{
    if (!was_asked(answer))
        return "not known";
    return knows_ayttm(answer) ? "yes" : "no";
}

static void print_answer(const struct rb_client_answer *answer, const char *host)
{
    transcript_print(stdout, answer->transcript);
    if (answer->ip[0] != '\0')
        printf("%s[%s] port %u%s%s\n", answer->host, answer->ip, answer->port,
               answer->tls[0] != '\0' ? ", " : "", answer->tls);
    else
        printf("%s\n", host);
    printf("%s %s", verbs_verb_name(VERBS_AYTTM), word_for(answer));
    if (!was_asked(answer))
        printf(": %s%s%s", rb_client_result_name(answer->result),
               answer->rule[0] != '\0' ? ", " : "", answer->rule);
    puts("");
}

static json_t *answer_object(const struct rb_client_answer *answer, const char *host)
{
    json_t *knows = was_asked(answer) ? json_boolean(knows_ayttm(answer)) : json_null();

    return json_pack("{s:o, s:o, s:i, s:o, s:s, s:o, s:i, s:o, s:I, s:{s:o}, s:o}", "host",
                     json_text(answer->host[0] != '\0' ? answer->host : host), "ip",
                     json_text(answer->ip), "port", (int)answer->port, "tls",
                     json_text(answer->tls), "result", rb_client_result_name(answer->result),
                     "reply", json_text(answer->reply), "code", answer->code, "rule",
                     json_text(answer->rule), "elapsed_ms", (json_int_t)answer->elapsed_ms, "verbs",
                     verbs_verb_name(VERBS_AYTTM), knows, "transcript",
                     json_transcript(answer->transcript));
}

/* --- Asking --------------------------------------------------------------- */

static int ask(struct rb_verifier *verifier, const struct request *request, const char *host)
{
    struct rb_client_question question;
    struct rb_client_answer answer;
    struct rb_ticket *ticket;
    enum rb_error error;
    int status;

    rb_client_question_init(&question);
    rb_client_answer_init(&answer);
    question.host = host;
    question.is_peer = true; /* by whoever has typed it */
    question.transcript = true;
    error = rb_ask_client(verifier, &question, &ticket);
    if (error == RB_ERR_ARGUMENT)
        return syntax_fail(&syntax, "\"%s\" is not HOST or HOST:PORT", host);
    if (error != RB_OK)
        return say_line(EX_OSERR, "%s", rb_error_text(error));
    (void)rb_wait_client(ticket, rb_now_ms(verifier) + WAIT_MS, &answer);
    rb_ticket_free(ticket);
    if (request->json)
        say_json(answer_object(&answer, host));
    else
        print_answer(&answer, host);
    status = was_asked(&answer) ? EX_OK : EX_UNAVAILABLE;
    rb_client_answer_fini(&answer);
    return status;
}

static int ask_with(const struct config *config, const struct request *request, const char *host)
{
    struct rb_verifier *verifier;
    struct rb_options options;
    char detail[300] = "";
    enum rb_error error;
    int status;

    config_options(config, &options);
    options.store = NULL;
    options.greylist.retry = false;
    error = rb_verifier_open(&options, &verifier, detail, sizeof detail);
    if (error != RB_OK)
        return say_line(error == RB_ERR_ARGUMENT ? EX_CONFIG : EX_OSERR, "%s",
                        detail[0] != '\0' ? detail : rb_error_text(error));
    status = ask(verifier, request, host);
    (void)rb_verifier_close(verifier);
    return status;
}

int verbs_run(int argc, char **argv)
{
    struct request request = {0};
    struct config *config;
    char **hosts;
    int status = syntax_parse(&syntax, argc, argv, &request, &hosts);

    if (status >= 0)
        return status;
    if (hosts[1] != NULL)
        return syntax_fail(&syntax, "\"%s\" is one host too many", hosts[1]);
    status = load_config(request.config_path, CONFIG_CALLOUTS, &config);
    if (status != EX_OK)
        return status;
    status = ask_with(config, &request, hosts[0]);
    config_put(config);
    return status;
}
