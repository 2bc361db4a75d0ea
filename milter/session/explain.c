/* SPDX-License-Identifier: BSD-2-Clause */
/* explain: see explain.h. Must not call anybody, nor change anything. */
#include "config.h"

#include "session/explain.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ip.h"
#include "base/json.h"
#include "base/text.h"
#include "mail/address.h"
#include "mail/organisation.h"
#include "mail/relay.h"
#include "session/claim.h"
#include "session/decide.h"
#include "session/originators.h"
#include "session/reply.h"
#include "session/session.h"
#include "session/spf_words.h"

enum { SUBJECTS = OF_RECIPIENT + 1 };

/* Where an answer comes from. */
enum source {
    FROM_NOBODY = 0, /* no mail host has to do with it */
    FROM_CACHE,
    FROM_ASKER, /* the request brought it: whoever explains has asked */
};

/* What a mail host would be asked now. */
struct wanted {
    bool is_any;
    enum decision_of of;
    char *address; /* malloc'ed */
    char relay[RELAY_MAX + 1];
    uint64_t message_size;
    bool under_way;
};

struct explanation {
    struct rb_verifier *verifier;
    struct config *config;
    FILE *out;

    /* the request: */
    char *helo, *from, *to; /* malloc'ed */
    struct sockaddr_storage client;
    bool authenticated;
    json_int_t message_size; /* octets; 0: not known */
    bool is_given[SUBJECTS]; /* by enum decision_of */
    struct rb_answer given[SUBJECTS];

    /* what came of it: */
    enum source sources[SUBJECTS];
    bool would_refresh[SUBJECTS];
    struct wanted wanted; /* the first of all questions */
};

/* --- Answers -------------------------------------------------------------- */

static void note_question(struct explanation *explanation, const struct rb_question *question,
                          enum decision_of of, bool under_way)
{
    struct wanted *wanted = &explanation->wanted;

    wanted->is_any = true;
    wanted->of = of;
    wanted->address = strndup(question->address, question->address_len);
    (void)text_copy(wanted->relay, sizeof wanted->relay,
                    question->relay != NULL ? question->relay : "");
    wanted->message_size = question->message_size;
    wanted->under_way = under_way;
}

/* How long a look-up may take: half of what a client would wait. */
static int64_t patience_until_ms(const struct explanation *explanation)
{
    return rb_now_ms(explanation->verifier) + explanation->config->max_wait_ms / 2;
}

/* Fills in what the verifier would answer; where it would ask a mail host, notes the question. */
static void peek_at_answer(struct explanation *explanation, const struct rb_question *question,
                           enum decision_of of, struct rb_answer *answer)
{
    struct rb_prospect prospect;
    struct rb_answer heard;
    enum rb_error error;

    rb_prospect_init(&prospect);
    rb_answer_init(&heard);
    error =
        rb_peek(explanation->verifier, question, patience_until_ms(explanation), &prospect, &heard);
    if (error != RB_OK) {
        answer->reason = RB_REASON_INTERNAL_ERROR;
        (void)text_copy(answer->rule, sizeof answer->rule, rb_error_text(error));
        return;
    }
    if (prospect.would_call || prospect.is_asked) {
        note_question(explanation, question, of, prospect.is_asked);
        return;
    }
    *answer = heard;
    explanation->sources[of] = answer->cached ? FROM_CACHE : FROM_NOBODY;
    explanation->would_refresh[of] = prospect.would_refresh;
}

/*
 * Answers the session's question. What is not known yet is a timeout to it, which tell_transaction
 * never shows.
 */
static void answer_question(void *arg, const struct rb_question *question, enum decision_of of,
                            struct rb_answer *answer)
{
    struct explanation *explanation = arg;

    *answer = (struct rb_answer){.reason = RB_REASON_TIMEOUT, .age_s = -1, .expires_s = -1};
    if (explanation->is_given[of]) {
        *answer = explanation->given[of];
        explanation->sources[of] = answer->cached ? FROM_CACHE : FROM_ASKER;
    } else if (!explanation->wanted.is_any) {
        peek_at_answer(explanation, question, of, answer);
    }
}

/* --- Telling -------------------------------------------------------------- */

static void tell_exemptions(const struct explanation *explanation, const struct session *session,
                            const char *recipient_key)
{
    enum exemption found = session_exempt(session, recipient_key);

    for (int exemption = EXEMPT_NOT + 1; exemption < EXEMPT_POLICY; exemption++) {
        bool is = exemption == (int)found;

        (void)fprintf(explanation->out, "exempt      %s: %s\n", exemption_name(exemption),
                      is ? "yes" : "no");
        if (is)
            return; /* the first decides */
    }
}

/* Which header fields would be verified; a message is not there to look at. */
static void tell_headers(const struct explanation *explanation, const struct policy *policy,
                         enum exemption exemption)
{
    const unsigned fields = originators_wanted(policy, exemption);
    const char *between = "";

    if (fields == 0)
        return;
    (void)fputs("header      ", explanation->out);
    for (unsigned i = 0; i < ORIGINATORS; i++) {
        if ((fields & 1U << i) == 0)
            continue;
        (void)fprintf(explanation->out, "%s%s", between, originator_names[i]);
        between = ", ";
    }
    (void)fprintf(explanation->out,
                  ": would be verified at the end of the message; action %s where invalid\n",
                  action_name(policy->on_header_invalid));
}

static void tell_policies(const struct explanation *explanation, const struct session *session,
                          const char *recipient_key)
{
    const struct config *config = session->config;
    const struct transaction transaction = {
        .client = envelope_client(session),
        .helo = session->helo,
        .authenticated = session->authenticated,
        .sender = session_policy_sender(session),
        .recipient = recipient_key,
    };
    const struct policy *match = config_policy(config, &transaction);

    for (size_t i = 0; i < config->policy_count && &config->policies[i] != match; i++)
        (void)fprintf(explanation->out, "policy      %s: no, %s does not match\n",
                      config->policies[i].name,
                      policy_mismatch(&config->policies[i], &transaction));
    (void)fprintf(explanation->out, "policy      %s: matches, verify = %s\n", match->name,
                  policy_verify_name(match->verify));
    tell_headers(explanation, match, session_exempt(session, recipient_key));
}

/* For whom the gate is open whatever SPF says, and why; NULL: SPF counts. Static. */
static const char *open_gate(const struct session *session, const struct policy *policy)
{
    struct ip ip;

    if (policy->vouched)
        return "policy: vouched = yes";
    if (session->config->spf.gate == RB_GATE_NO)
        return "nobody was asked to: spf.gate is \"no\"";
    return ip_from_sockaddr(envelope_client(session), &ip) && ip_is_loopback(&ip)
               ? "nobody was asked to: a client on the loopback passes"
               : NULL;
}

/* Who could open the gate. */
static void tell_who_could(const struct explanation *explanation, const struct session *session,
                           const struct rb_spf_answer *answer)
{
    const struct config *config = explanation->config;
    char organisation[RB_DOMAIN_MAX + 1];

    organisation_of(answer->sender_domain, organisation);
    if (answer->result == RB_SPF_FAIL || answer->result == RB_SPF_SOFTFAIL)
        (void)fprintf(explanation->out, "            the SPF record of %s could name it\n",
                      answer->sender_domain);
    else
        (void)fprintf(explanation->out,
                      "            the SPF record of %s could name it, or it could have a name in "
                      "%s that leads back to it (dig -x %s)\n",
                      answer->sender_domain, organisation, session->client_text);
    (void)fputs("            a policy with vouched = yes could match it\n", explanation->out);
    (void)fprintf(explanation->out, "            DKIM and DMARC results %s\n",
                  config->decide_at != DECIDE_EOM ? "do not count: decide_at is not \"eom\""
                  : config->trusted_authserv_ids.count == 0
                      ? "do not count: trusted_authserv_ids is empty"
                      : "are seen at the end of a message, and may vouch for it then");
}

/* What SPF says, who vouches for the client or why nobody does, and whether the gate is open. */
static void tell_gate(const struct explanation *explanation, const struct session *session,
                      const struct policy *policy)
{
    const struct rb_spf_question question = {.size = sizeof question,
                                             .client = envelope_client(session),
                                             .helo = session->helo,
                                             .sender = session->sender,
                                             .sender_len = strlen(session->sender)};
    const char *open = open_gate(session, policy);
    struct rb_spf_answer answer;
    char words[SPF_WORDS_MAX + 1];
    bool closed;

    if (open != NULL) {
        (void)fprintf(explanation->out, "vouched     %s\n", open);
        return;
    }
    rb_spf_answer_init(&answer);
    if (rb_spf_check(explanation->verifier, &question, patience_until_ms(explanation), &answer) !=
        RB_OK)
        return; /* no address: nobody is called */
    spf_words_of_result(&answer, words, sizeof words);
    (void)fprintf(explanation->out, "spf         %s: %s\n", rb_spf_name(answer.result), words);
    spf_words_of_voucher(&answer, words, sizeof words);
    (void)fprintf(explanation->out, "vouched     %s\n", words);
    closed = answer.held_back != RB_REASON_NONE;
    (void)fprintf(explanation->out, "gate        %s at \"%s\"\n", closed ? "closed" : "open",
                  config_gate_name(explanation->config));
    if (closed)
        tell_who_could(explanation, session, &answer);
}

static void tell_source(const struct explanation *explanation, const struct decision *decision,
                        const struct rb_answer *answer)
{
    enum source source = explanation->sources[decision->of];
    char age[64];

    if (source == FROM_ASKER && answer->port == 0)
        source = FROM_NOBODY; /* there is no mail host, or none may be called now */
    switch (source) {
    case FROM_CACHE:
        text_duration(answer->age_s, age, sizeof age);
        (void)fprintf(explanation->out, "from        the cache, %s old%s\n", age,
                      explanation->would_refresh[decision->of]
                          ? "; it would be asked about anew, and nobody would wait for that"
                          : "");
        break;
    case FROM_ASKER:
        (void)fprintf(explanation->out,
                      "from        a callout, %lld ms, made to explain: nothing of it is kept\n",
                      (long long)answer->elapsed_ms);
        break;
    default:
        (void)fputs("from        nobody: no mail host is called\n", explanation->out);
        break;
    }
}

static void tell_verdict(const struct explanation *explanation, const struct session *session,
                         const struct decision *decision)
{
    const struct rb_answer *answer = envelope_answer(session, decision);
    FILE *out = explanation->out;

    (void)fprintf(out, "verdict     %s, reason %s\n", rb_verdict_name(decision->verdict),
                  rb_reason_name(decision->reason));
    if (decision->exemption != EXEMPT_NOT) {
        (void)fprintf(out, "because     exempt: %s\n", exemption_name(decision->exemption));
        return;
    }
    if (answer->rule[0] != '\0')
        (void)fprintf(out, "because     rule %s\n", answer->rule);
    if (answer->mx[0] != '\0')
        (void)fprintf(out, "host        %s[%s] port %u%s%s\n", answer->mx, answer->ip, answer->port,
                      answer->tls[0] != '\0' ? ", " : "", answer->tls);
    if (answer->reply[0] != '\0')
        (void)fprintf(out, "it said     %s (at %s)\n", answer->reply, rb_stage_name(answer->stage));
    tell_source(explanation, decision, answer);
}

static void tell_action(const struct explanation *explanation, const struct session *session,
                        const struct decision *decision)
{
    struct smtp_reply reply;

    (void)fprintf(explanation->out, "action      %s\n", action_name(decision->action));
    if (decision->action != decision->wanted)
        (void)fprintf(explanation->out, "            (dry_run; otherwise %s)\n",
                      action_name(decision->wanted));
    if (decision->wanted != ACTION_REJECT && decision->wanted != ACTION_TEMPFAIL)
        return;
    reply_write(session, decision, decision->wanted, &reply);
    (void)fprintf(explanation->out, "reply       %s %s %s\n", reply.code, reply.enhanced,
                  reply.text);
}

/* False: the answer is not known yet, so nothing that comes after it is told. */
static bool tell_decision(const struct explanation *explanation, const struct session *session,
                          const struct decision *decision)
{
    const struct wanted *wanted = &explanation->wanted;

    if (wanted->is_any && wanted->of == decision->of) {
        (void)fprintf(explanation->out, "verdict     not known: %s\n",
                      wanted->under_way ? "a mail host is being asked just now"
                                        : "a mail host would be asked now");
        return false;
    }
    tell_verdict(explanation, session, decision);
    tell_action(explanation, session, decision);
    return true;
}

static void tell_decisions(const struct explanation *explanation, const struct session *session,
                           const struct decision *decision, const struct address *recipient)
{
    const struct relay *relay;
    char shown[RELAY_MAX + 1] = "the mail hosts preferred over this one";

    if (session->rcpt.decided) {
        relay = config_relay(session->config, recipient->domain);
        if (relay != NULL)
            text_printable(shown, sizeof shown, relay->list, strlen(relay->list));
        (void)fprintf(explanation->out, "recipient   verified at %s\n", shown);
        if (!tell_decision(explanation, session, &session->rcpt.decision))
            return;
    }
    if (decision->of == OF_SENDER && decision->exemption == EXEMPT_NOT &&
        decision->reason != RB_REASON_BAD_ADDRESS) /* it has no domain that could say anything */
        tell_gate(explanation, session, decision->policy);
    if (decision->of == OF_SENDER)
        (void)tell_decision(explanation, session, decision);
}

/* Whom the host that the client claims to be would be asked as, or what is known of it. */
static void tell_prospect(const struct explanation *explanation, const struct session *session,
                          const struct rb_client_prospect *prospect,
                          const struct rb_client_answer *answer)
{
    const char *host = claim_host(session, answer);
    FILE *out = explanation->out;

    if (prospect->is_asked)
        (void)fprintf(out, "claimed     %s is just being asked whether it is the client\n", host);
    else if (prospect->would_call)
        (void)fprintf(out, "claimed     %s would be asked \"%s\" at %s, %s\n", host, prospect->line,
                      session->config->decide_at == DECIDE_EOM ? "the end of the message" : "DATA",
                      prospect->shares ? "in a session that is open" : "over a connection to it");
    else
        (void)fprintf(out, "claimed     %s: nobody is called%s%s: %s; action %s\n", host,
                      answer->rule[0] != '\0' ? ", " : "", answer->rule,
                      rb_client_result_name(answer->result),
                      action_name(claim_action(session->config, answer->result)));
}

/* What would become of the question about the client. Its port, and ours, are not known here. */
static void tell_claim(const struct explanation *explanation, const struct session *session)
{
    const char *why_not = claim_why_not(session);
    struct sockaddr_storage client = session->client;
    struct rb_client_question question;
    struct rb_client_prospect prospect;
    struct rb_client_answer answer;

    if (!session->config->connect_back.check)
        return;
    if (why_not != NULL) {
        (void)fprintf(explanation->out, "claimed     nobody is asked about the client: %s\n",
                      why_not);
        return;
    }
    claim_question(session, NULL, &question);
    ip_sockaddr_set_port(&client, 0);
    question.client = (const struct sockaddr *)&client;
    rb_client_prospect_init(&prospect);
    rb_client_answer_init(&answer);
    if (rb_peek_client(explanation->verifier, &question, patience_until_ms(explanation), &prospect,
                       &answer) == RB_OK)
        tell_prospect(explanation, session, &prospect, &answer);
}

static void tell_transaction(const struct explanation *explanation, struct session *session)
{
    char recipient_key[RB_ADDRESS_MAX + 1] = "", shown[RB_ADDRESS_MAX + 1];
    const char *to = explanation->to;
    struct address recipient;
    const struct decision *decision;

    if (address_parse(to, session_argument_len(to), true, &recipient) == ADDRESS_OK)
        (void)!address_key(&recipient, recipient_key, sizeof recipient_key);
    (void)fprintf(explanation->out, "client      %s, HELO %s\n", session->client_text,
                  session->helo);
    (void)fprintf(explanation->out, "sender      <%s>\n", session->sender_text);
    if (session->message_size != 0)
        (void)fprintf(explanation->out, "size        %" PRIu64 " octets\n", session->message_size);
    text_printable(shown, sizeof shown, recipient_key, strlen(recipient_key));
    (void)fprintf(explanation->out, "recipient   <%s>\n",
                  shown[0] != '\0' ? shown : "not an address");
    tell_exemptions(explanation, session, recipient_key);
    tell_policies(explanation, session, recipient_key);
    decision = session_rcpt(session, to);
    (void)decide_collect(session, 0, NULL, NULL);
    tell_decisions(explanation, session, decision, &recipient);
    if (!explanation->wanted.is_any)
        tell_claim(explanation, session);
}

/* --- The request ---------------------------------------------------------- */

static bool read_answers(json_t *answers, struct explanation *explanation)
{
    static const char *const names[SUBJECTS] = {
        [OF_SENDER] = "sender", [OF_RECIPIENT] = "recipient"};

    for (size_t of = 0; of < SUBJECTS; of++) {
        json_t *answer = json_object_get(answers, names[of]);

        explanation->is_given[of] = answer != NULL;
        if (answer != NULL && !json_read_answer(answer, &explanation->given[of]))
            return false;
    }
    return true;
}

/* What is wrong with the request; NULL: nothing. Static. */
static const char *read_request(json_t *request, struct explanation *explanation)
{
    const char *client = json_string_value(json_object_get(request, "client"));

    explanation->helo = json_read_octets(json_object_get(request, "helo"));
    explanation->from = json_read_octets(json_object_get(request, "from"));
    explanation->to = json_read_octets(json_object_get(request, "to"));
    explanation->authenticated = json_is_true(json_object_get(request, "authenticated"));
    explanation->message_size = json_integer_value(json_object_get(request, "size"));
    if (client == NULL || !session_client_from_text(client, &explanation->client))
        return "client: not an IP address";
    if (explanation->helo == NULL || explanation->from == NULL || explanation->to == NULL)
        return "helo, from and to: not octets";
    if (explanation->message_size < 0)
        return "size: not a number of octets";
    if (!read_answers(json_object_get(request, "answers"), explanation))
        return "answers: not what was asked for";
    return NULL;
}

static json_t *refusal(const char *why)
{
    return json_pack("{s:b, s:s}", "ok", 0, "message", why);
}

static json_t *wanted_object(const struct explanation *explanation)
{
    const struct wanted *wanted = &explanation->wanted;

    return json_pack(
        "{s:s, s:o, s:o, s:I, s:b, s:i}", "of", wanted->of == OF_SENDER ? "sender" : "recipient",
        "address", json_octets(wanted->address != NULL ? wanted->address : ""), "relay",
        json_text(wanted->relay), "size", (json_int_t)wanted->message_size, "under_way",
        (int)wanted->under_way, "max_wait_ms", (int)explanation->config->max_wait_ms);
}

static json_t *explain_transaction(struct explanation *explanation)
{
    const struct session_world world = {
        .verifier = explanation->verifier, .answer = answer_question, .answer_arg = explanation};
    struct session session;
    enum rb_error error;

    session_init(&session, &world, explanation->config,
                 (const struct sockaddr *)&explanation->client);
    session_helo(&session, explanation->helo);
    error = session_mail(&session, explanation->from, explanation->authenticated);
    if (explanation->message_size != 0)
        session.message_size = (uint64_t)explanation->message_size;
    if (error == RB_OK)
        tell_transaction(explanation, &session);
    session_fini(&session);
    return error == RB_OK ? json_pack("{s:b}", "ok", 1) : refusal(rb_error_text(error));
}

/* Explains into a text. */
static json_t *explain_in_words(struct explanation *explanation)
{
    char *text = NULL;
    size_t size = 0;
    json_t *object;

    explanation->out = open_memstream(&text, &size);
    if (explanation->out == NULL)
        return NULL;
    object = explain_transaction(explanation);
    if (fclose(explanation->out) == 0 && json_is_true(json_object_get(object, "ok"))) {
        json_object_set_new(object, "text", json_text(text));
        if (explanation->wanted.is_any)
            json_object_set_new(object, "ask", wanted_object(explanation));
    }
    free(text);
    return object;
}

json_t *explain_object(struct rb_verifier *verifier, struct config *config, json_t *request)
{
    struct explanation *explanation = calloc(1, sizeof *explanation);
    const char *wrong;
    json_t *object;

    if (explanation == NULL)
        return NULL;
    explanation->verifier = verifier;
    explanation->config = config;
    wrong = read_request(request, explanation);
    object = wrong == NULL ? explain_in_words(explanation) : refusal(wrong);
    free(explanation->wanted.address);
    free(explanation->helo);
    free(explanation->from);
    free(explanation->to);
    free(explanation);
    return object;
}
