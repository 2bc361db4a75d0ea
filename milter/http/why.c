/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * why: see why.h. All is read from the cache and from memory; nobody is asked. What strangers have
 * said is quoted, with the rule that read it, so that who disagrees knows where to look.
 */
#include "config.h"

#include "http/why.h"

#include <string.h>

#include "base/text.h"
#include "daemon/history.h"
#include "daemon/service.h"
#include "http/command.h"
#include "http/decisions.h"
#include "http/frame.h"
#include "http/html.h"
#include "http/words.h"

enum { ANSWERS_MAX = 8 }; /* the world's, a correspondent's, and those of some relays */

/* An answer that is kept, and who gave it. */
struct kept {
    struct rb_answer answer;
    char relay[RB_DOMAIN_MAX + 1]; /* "": the domain's mail hosts */
};

/* Whether it will be asked again, as its host said "later". */
struct again {
    bool is_due;
    int64_t due_s, first_s; /* since 1970 */
    unsigned tries;
};

/* All that one page tells. */
struct inquest {
    const struct config *config;
    int64_t now_s;
    const char *asked; /* as it was typed */
    char key[RB_ADDRESS_MAX + 1];
    struct kept kept[ANSWERS_MAX];
    size_t count;
    struct rb_domain_facts facts;
    struct rb_prospect prospect;
    struct rb_answer answer; /* what a client would hear */
    struct again again;
};

/* --- Looking ---------------------------------------------------------------- */

static bool keep(void *arg, const struct rb_answer *answer, const char *relay)
{
    struct inquest *inquest = arg;
    struct kept *kept = &inquest->kept[inquest->count];

    kept->answer = *answer;
    (void)snprintf(kept->relay, sizeof kept->relay, "%s", relay);
    return ++inquest->count < ANSWERS_MAX;
}

static bool note_retry(void *arg, const struct rb_retry *retry)
{
    struct inquest *inquest = arg;

    if (strcmp(retry->address, inquest->key) != 0)
        return true;
    inquest->again = (struct again){
        .is_due = true, .due_s = retry->due_s, .first_s = retry->first_s, .tries = retry->tries};
    return false;
}

static const char *domain_of(const char *key)
{
    const char *at = strrchr(key, '@');

    return at != NULL ? at + 1 : "";
}

/* What a question would come to at this moment, without DNS: no client is known. */
static void look_ahead(struct inquest *inquest, struct rb_verifier *verifier)
{
    struct rb_question question;

    rb_question_init(&question);
    question.address = inquest->key;
    question.address_len = strlen(inquest->key);
    if (rb_peek(verifier, &question, rb_now_ms(verifier), &inquest->prospect, &inquest->answer) !=
        RB_OK)
        inquest->prospect.would_call = true;
}

/* False: it is no address. */
static bool look(struct inquest *inquest)
{
    struct rb_verifier *verifier = service_world()->verifier;

    rb_domain_facts_init(&inquest->facts);
    rb_prospect_init(&inquest->prospect);
    rb_answer_init(&inquest->answer);
    if (rb_address_key(inquest->asked, strlen(inquest->asked), inquest->key) != RB_OK)
        return false;
    (void)rb_cache_find(verifier, inquest->key, strlen(inquest->key), keep, inquest);
    (void)rb_cache_facts(verifier, domain_of(inquest->key), &inquest->facts);
    (void)rb_retries_walk(verifier, note_retry, inquest);
    look_ahead(inquest, verifier);
    return true;
}

static bool is_known(const struct inquest *inquest)
{
    return !inquest->prospect.would_call && !inquest->prospect.is_asked;
}

/* --- The answer ------------------------------------------------------------- */

static void write_pill(FILE *out, enum rb_verdict verdict, enum rb_reason reason)
{
    html_markup(out, "<span class=\"pill ");
    html_text(out, rb_verdict_name(verdict));
    html_markup(out, "\">");
    html_text(out, rb_reason_name(reason));
    html_markup(out, "</span> ");
}

static void write_lead(FILE *out, const struct inquest *inquest)
{
    html_markup(out, "<h1>");
    html_stranger(out, inquest->key);
    if (is_known(inquest)) {
        html_markup(out, " is <span class=\"");
        html_text(out, rb_verdict_name(inquest->answer.verdict));
        html_markup(out, "\">");
        html_text(out, rb_verdict_name(inquest->answer.verdict));
        html_markup(out, "</span>");
    }
    html_markup(out, "</h1><p class=\"lead\">");
    if (is_known(inquest))
        html_text(out, words_of_reason(inquest->answer.reason));
    else if (inquest->prospect.is_asked)
        html_text(out, "It is being asked about at this moment.");
    else
        html_text(out, "Nothing is known that would answer: its mail host is asked when it next "
                       "sends.");
    html_markup(out, "</p>");
}

static void write_fact(FILE *out, const char *name, const char *value)
{
    if (value[0] == '\0')
        return;
    html_markup(out, "<div><dt>");
    html_text(out, name);
    html_markup(out, "</dt><dd>");
    html_stranger(out, value);
    html_markup(out, "</dd></div>");
}

static void write_speaker(FILE *out, const struct rb_answer *answer)
{
    if (answer->ip[0] == '\0')
        return;
    html_markup(out, "<div><dt>said by</dt><dd>");
    html_stranger(out, answer->mx);
    html_text(out, " [");
    html_stranger(out, answer->ip);
    (void)fprintf(out, "]:%u", answer->port);
    html_text(out, answer->tls[0] != '\0' ? ", " : ", in clear");
    html_text(out, answer->tls);
    html_markup(out, "</dd></div>");
}

/* "14:03:12, 2 h ago" */
static void write_said(FILE *out, const struct rb_answer *answer, int64_t now_s)
{
    if (answer->age_s < 0)
        return;
    html_markup(out, "<div><dt>learned</dt><dd>");
    html_time(out, now_s - answer->age_s, now_s);
    html_text(out, ", ");
    html_span(out, answer->age_s);
    html_markup(out, " ago</dd></div>");
}

static void write_until(FILE *out, int64_t expires_s, int64_t now_s)
{
    html_markup(out, "<div><dt>counts until</dt><dd>");
    if (expires_s < 0) {
        html_text(out, "it counts no more");
    } else {
        html_time(out, now_s + expires_s, now_s);
        html_text(out, ", for ");
        html_span(out, expires_s);
        html_text(out, " more");
    }
    html_markup(out, "</dd></div>");
}

static void write_title(FILE *out, const struct kept *kept)
{
    html_markup(out, "<h3>");
    if (kept->answer.reason == RB_REASON_CORRESPONDENT)
        html_text(out, "What our own mail says");
    else if (kept->relay[0] == '\0')
        html_text(out, "What its mail host says");
    else {
        html_text(out, "What our mail store says: ");
        html_stranger(out, kept->relay);
    }
    html_markup(out, "</h3>");
}

static void write_record(FILE *out, const struct kept *kept, int64_t now_s)
{
    const struct rb_answer *answer = &kept->answer;

    html_markup(out, "<div class=\"record\">");
    write_title(out, kept);
    html_markup(out, "<p>");
    write_pill(out, answer->verdict, answer->reason);
    html_text(out, words_of_reason(answer->reason));
    html_markup(out, "</p>");
    if (answer->reply[0] != '\0') {
        html_markup(out, "<blockquote>");
        html_stranger(out, answer->reply);
        html_markup(out, "</blockquote>");
    }
    html_markup(out, "<dl>");
    write_speaker(out, answer);
    if (answer->stage != RB_STAGE_NONE)
        write_fact(out, "at the stage", rb_stage_name(answer->stage));
    write_fact(out, "read by the rule", answer->rule);
    if (answer->mail_from_known)
        write_fact(out, "asked as", answer->mail_from[0] != '\0' ? answer->mail_from : "<>");
    write_said(out, answer, now_s);
    write_until(out, answer->expires_s, now_s);
    html_markup(out, "</dl></div>");
}

static void write_again(FILE *out, const struct again *again, int64_t now_s)
{
    if (!again->is_due)
        return;
    html_markup(out, "<p>Its host said “later”, for the first time ");
    html_span(out, now_s - again->first_s);
    html_text(out, " ago. It has been asked again ");
    if (again->tries == 0)
        html_text(out, "not yet");
    else
        html_count(out, again->tries, "time", "times");
    html_text(out, ", and will be ");
    if (again->due_s > now_s) {
        html_text(out, "in ");
        html_span(out, again->due_s - now_s);
    } else {
        html_text(out, "now");
    }
    html_markup(out, ".</p>");
}

/* What is known of its domain, or of one-time addresses of its kind, may answer all the same. */
static void write_none(FILE *out, const struct inquest *inquest)
{
    html_markup(out, "<p class=\"quiet\">Nothing is kept about this address.");
    if (is_known(inquest) && inquest->answer.rule[0] != '\0') {
        html_text(out, " What answers is the rule ");
        html_text(out, inquest->answer.rule);
        html_text(out, ".");
    }
    html_markup(out, "</p>");
}

static void write_records(FILE *out, const struct inquest *inquest)
{
    html_markup(out, "<section><h2>Who said what</h2>");
    for (size_t i = 0; i < inquest->count; i++)
        write_record(out, &inquest->kept[i], inquest->now_s);
    if (inquest->count == 0)
        write_none(out, inquest);
    write_again(out, &inquest->again, inquest->now_s);
    html_markup(out, "</section>");
}

/* --- Its domain ------------------------------------------------------------- */

static void write_domain_fact(FILE *out, const struct rb_domain_fact *fact, const char *yes,
                              const char *no, int64_t now_s)
{
    if (!fact->is_known)
        return;
    html_markup(out, "<li>");
    html_text(out, fact->holds ? yes : no);
    html_markup(out, " <span class=\"until\">");
    html_span(out, fact->age_s);
    html_text(out, fact->expires_s < 0 ? " ago; it counts no more" : " ago; it counts until ");
    if (fact->expires_s >= 0)
        html_time(out, now_s + fact->expires_s, now_s);
    html_markup(out, "</span></li>");
}

static void write_domain(FILE *out, const struct inquest *inquest)
{
    const struct rb_domain_facts *facts = &inquest->facts;

    if (!facts->catch_all.is_known && !facts->null_sender_refused.is_known && !facts->dead.is_known)
        return;
    html_markup(out, "<section><h2>Its domain, ");
    html_stranger(out, domain_of(inquest->key));
    html_markup(out, "</h2><ul class=\"policies\">");
    write_domain_fact(out, &facts->catch_all,
                      "It accepts every address, so that its word says nothing.",
                      "It tells addresses that exist from those that do not.", inquest->now_s);
    write_domain_fact(out, &facts->null_sender_refused,
                      "It takes no mail from the null sender: we ask as another.",
                      "It takes mail from the null sender.", inquest->now_s);
    write_domain_fact(out, &facts->dead, words_of_reason(facts->dead_reason),
                      "It can be delivered to.", inquest->now_s);
    html_markup(out, "</ul></section>");
}

/* --- What would be done ----------------------------------------------------- */

/* Whether the policy asks for more than the sender's address. */
static bool depends(const struct policy *policy)
{
    return policy->client.text.count > 0 || policy->recipient.text.count > 0 ||
           policy->helo.text.count > 0 || policy->authenticated != AUTHENTICATED_ANY;
}

static bool may_match(const struct policy *policy, const char *key)
{
    return policy->sender.text.count == 0 || pattern_list_has_address(&policy->sender, key);
}

static void write_condition(FILE *out, bool applies, const char *name, const char **before)
{
    if (!applies)
        return;
    html_text(out, *before);
    html_text(out, name);
    *before = ", ";
}

/* "where client, recipient match" */
static void write_conditions(FILE *out, const struct policy *policy)
{
    const char *before = ", where it matches by ";

    write_condition(out, policy->client.text.count > 0, "client", &before);
    write_condition(out, policy->recipient.text.count > 0, "recipient", &before);
    write_condition(out, policy->helo.text.count > 0, "helo", &before);
    write_condition(out, policy->authenticated != AUTHENTICATED_ANY, "authenticated", &before);
}

static void write_policy(FILE *out, const struct policy *policy, const struct inquest *inquest)
{
    html_markup(out, "<li><strong>");
    html_stranger(out, policy->name);
    html_markup(out, "</strong>");
    write_conditions(out, policy);
    html_text(out, ": ");
    if (!policy_verifies_sender(policy)) {
        html_text(out, "the sender is not verified");
    } else if (is_known(inquest)) {
        html_text(out, "the mail is ");
        html_text(out, words_of_action(
                           policy_action(policy, inquest->answer.verdict, inquest->answer.reason)));
    } else {
        html_text(out, "an invalid sender’s mail is ");
        html_text(out, words_of_action(policy->on_invalid));
    }
    html_markup(out, ".</li>");
}

/* Those that may come to be the one, in their order, up to the first that takes whatever comes. */
static void write_policies(FILE *out, const struct inquest *inquest)
{
    const struct config *config = inquest->config;
    const struct policy *policy = NULL;

    html_markup(out, "<section><h2>What is done with its mail</h2><ol class=\"policies\">");
    for (size_t i = 0; i < config->policy_count; i++) {
        policy = &config->policies[i];
        if (!may_match(policy, inquest->key))
            continue;
        write_policy(out, policy, inquest);
        if (!depends(policy))
            break;
        policy = NULL;
    }
    if (policy == NULL || depends(policy) || !may_match(policy, inquest->key))
        write_policy(out, &config->default_policy, inquest);
    html_markup(out, "</ol><p class=\"quiet\">The first policy that matches decides.");
    if (config->dry_run)
        html_text(out, " This is a dry run: whatever is said here, the mail is let in.");
    html_markup(out, "</p></section>");
}

/* --- When it was met, and what can be done ---------------------------------- */

static void write_met(FILE *out, const struct inquest *inquest)
{
    const struct decisions_filter filter = {
        .address = "", .key = inquest->key, .client = "", .verdict = ""};

    html_markup(out, "<section class=\"met\"><h2>When it was met lately</h2>");
    if (decisions_write_table(out, &filter, inquest->now_s) == 0)
        html_markup(out, "<p class=\"quiet\">Not among the last decisions.</p>");
    html_markup(out, "</section>");
}

static void write_command(FILE *out, const char *what, const struct command *command)
{
    if (command_text(command) == NULL)
        return;
    html_markup(out, "<div><dt>");
    html_text(out, what);
    html_markup(out, "</dt><dd><code>");
    html_text(out, command_text(command));
    html_markup(out, "</code></dd></div>");
}

static void write_verb(FILE *out, const struct inquest *inquest, const char *what, const char *verb)
{
    struct command command;

    command_begin(&command, verb, inquest->config);
    command_add(&command, "--");
    command_add_argument(&command, inquest->key);
    write_command(out, what, &command);
}

/* Whose mail it was that came with the address; "" where none was seen lately. */
struct encounter {
    const char *key;
    char client[46], helo[RB_DOMAIN_MAX + 1], recipient[HISTORY_TEXT_MAX + 1];
};

static bool meet(void *arg, const struct history_decision *decision)
{
    struct encounter *encounter = arg;
    char key[RB_ADDRESS_MAX + 1];

    if (decision->of != OF_SENDER || strcmp(decision->client, "local") == 0 ||
        rb_address_key(decision->address, strlen(decision->address), key) != RB_OK ||
        strcmp(key, encounter->key) != 0)
        return true;
    (void)text_copy(encounter->client, sizeof encounter->client, decision->client);
    (void)text_copy(encounter->helo, sizeof encounter->helo, decision->helo);
    (void)text_copy(encounter->recipient, sizeof encounter->recipient, decision->other);
    return false;
}

static void add_option(struct command *command, const char *option, const char *value,
                       const char *placeholder)
{
    command_add(command, option);
    if (value[0] != '\0')
        command_add_argument(command, value);
    else
        command_add(command, placeholder);
}

/* As it was met last; else with words in the place of what must be filled in. */
static void write_explain(FILE *out, const struct inquest *inquest)
{
    struct encounter encounter = {.key = inquest->key};
    struct command command;

    history_walk(meet, &encounter);
    command_begin(&command, "explain", inquest->config);
    add_option(&command, "--client", encounter.client, "IP");
    add_option(&command, "--helo", encounter.helo, "NAME");
    add_option(&command, "--from", inquest->key, "");
    add_option(&command, "--to", encounter.recipient, "RECIPIENT");
    write_command(out, "Try what would be done with its mail, and why:", &command);
}

static void write_commands(FILE *out, const struct inquest *inquest)
{
    html_markup(out, "<section><h2>What can be done</h2><dl class=\"commands\">");
    write_explain(out, inquest);
    if (inquest->count > 0)
        write_verb(out, inquest, "Forget it, so that its next mail asks anew:", "cache delete");
    write_verb(out, inquest,
               "Ask its mail host now, and see what is said:", "verify --no-cache --transcript");
    write_verb(out, inquest, "All that is kept of it:", "cache get");
    html_markup(out, "</dl></section>");
}

/* --- The page --------------------------------------------------------------- */

static unsigned write_found(FILE *out, const struct inquest *inquest)
{
    write_lead(out, inquest);
    write_records(out, inquest);
    write_domain(out, inquest);
    write_policies(out, inquest);
    write_met(out, inquest);
    write_commands(out, inquest);
    return inquest->count > 0 || is_known(inquest) ? 200 : 404;
}

static unsigned write_refused(FILE *out, const struct inquest *inquest)
{
    html_markup(out, "<h1>");
    html_stranger(out, inquest->asked);
    html_markup(out, "</h1><p class=\"lead\">");
    html_text(out, words_of_reason(RB_REASON_BAD_ADDRESS));
    html_markup(out, "</p><p class=\"quiet\">An address has a local part, an @ and a domain: "
                     "user@example.org. Mail from what is none is judged as ");
    write_pill(out, RB_VERDICT_INVALID, RB_REASON_BAD_ADDRESS);
    html_markup(out, ".</p>");
    return 400;
}

static unsigned write_hint(FILE *out)
{
    html_markup(out,
                "<h1>Why was this sender refused?</h1><p class=\"lead\">Type the address above: "
                "what is known of it comes with who said so, when, and until when it counts."
                "</p><p class=\"quiet\">Nobody is asked for it, and nothing is changed.</p>");
    return 200;
}

unsigned why_write(const struct http_request *request, FILE *out)
{
    const char *address = http_argument(request, "address");
    struct config *config = service_config();
    struct inquest inquest = {
        .config = config, .now_s = frame_now_s(), .asked = address != NULL ? address : ""};
    unsigned status;

    frame_begin(out, config, FRAME_WHY, inquest.asked);
    html_markup(out, "<div class=\"answer\">");
    if (inquest.asked[0] == '\0')
        status = write_hint(out);
    else
        status = look(&inquest) ? write_found(out, &inquest) : write_refused(out, &inquest);
    html_markup(out, "</div>");
    frame_end(out);
    config_put(config);
    return status;
}
