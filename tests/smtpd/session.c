/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session: see session.h. RFC 5321 (SMTP), 2920 (PIPELINING), 3207 (STARTTLS), 6531 (SMTPUTF8). The
 * order in which a command is judged: sequence, syntax, `at` rules, the host's limits, rules of its
 * stage, the usual answer.
 */
#include "config.h"

#include "session.h"

#include "path.h"

#include <string.h>
#include <strings.h>

#define TLS_NOISE 256 /* octets sent in place of a handshake */

/* How much of CRLF . CRLF was seen. */
enum dot { DOT_TEXT, DOT_CR, DOT_LINE, DOT_DOT, DOT_DOT_CR };

static void count(struct session *s, enum count what)
{
    s->stats->counts[what]++;
}

void session_init(struct session *s, const struct world *world, struct scenario *scn,
                  struct place *place, struct host_stats *stats)
{
    *s = (struct session){.world = world,
                          .scn = scenario_get(scn),
                          .place = place,
                          .conf = place->conf,
                          .stats = stats,
                          .command = STAGE_BANNER};
}

void session_fini(struct session *s)
{
    scenario_put(s->scn);
    s->scn = NULL;
}

/* --- Answers ----------------------------------------------------------- */

static unsigned success_code(enum stage stage)
{
    switch (stage) {
    case STAGE_BANNER:
    case STAGE_STARTTLS:
        return 220;
    case STAGE_DATA:
        return 354;
    case STAGE_QUIT:
        return 221;
    default:
        return 250;
    }
}

/* What is said with a code where the scenario gives no words. */
static const char *usual_text(enum stage stage, unsigned code)
{
    static const struct {
        enum stage stage;
        unsigned code;
        const char *text;
    } usual[] = {
        {STAGE_BANNER, 220, "%h ESMTP"},
        {STAGE_BANNER, 554, "%h ESMTP not accepting connections"},
        {STAGE_EHLO, 250, "%h"},
        {STAGE_HELO, 250, "%h"},
        {STAGE_STARTTLS, 220, "2.0.0 Ready to start TLS"},
        {STAGE_MAIL, 250, "2.1.0 Ok"},
        {STAGE_RCPT, 250, "2.1.5 Ok"},
        {STAGE_RCPT, 450, "4.2.0 <%a>: Recipient address rejected: Greylisted"},
        {STAGE_RCPT, 452, "4.5.3 Too many recipients"},
        {STAGE_RCPT, 550, "5.1.1 <%a>: Recipient address rejected: User unknown"},
        {STAGE_DATA, 354, "End data with <CR><LF>.<CR><LF>"},
        {STAGE_MESSAGE, 250, "2.0.0 Ok: queued"},
        {STAGE_QUIT, 221, "2.0.0 Bye"},
        {STAGE_VRFY, 252, "2.0.0 %a"},
    };
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
        if (usual[i].stage == stage && usual[i].code == code)
            return usual[i].text;
    if (code == 421)
        return "4.3.2 %h Service not available, closing transmission channel";
    return code < 400 ? "2.0.0 Ok" : code < 500 ? "4.3.0 Try again later" : "5.5.0 Refused";
}

/* Usual words without their enhanced code, for hosts and moments that have none (RFC 2034). */
static const char *without_enhanced(const char *text)
{
    if (text[0] < '2' || text[0] > '5' || text[1] != '.')
        return text;
    size_t len = 2 + strspn(text + 2, "0123456789.");
    return text[len] == ' ' ? text + len + 1 : text;
}

static struct play_reply usual_reply(const struct session *s, unsigned code, const char *text)
{
    if (!s->extended || !scenario_offers(s->conf, "ENHANCEDSTATUSCODES"))
        text = without_enhanced(text);
    return (struct play_reply){.code = code, .text = text, .len = strlen(text)};
}

static struct play_words words_of(const struct session *s)
{
    return (struct play_words){
        .address = s->address,
        .sender = s->sender,
        .host_name = s->conf->name,
        .host_ip = s->place->ip,
        .client_ip = s->client_ip,
        .helo = s->helo,
    };
}

/* The code a client will take the action for; 0: none. */
static unsigned code_of(enum stage stage, const struct action *action)
{
    if (action->kind == ACTION_REPLY)
        return action->code;
    if (action->kind == ACTION_HUGE)
        return success_code(stage);
    const char *text = action->text;
    if (action->kind != ACTION_RAW || action->text_len < 3 || strspn(text, "0123456789") != 3)
        return 0;
    return (unsigned)(text[0] - '0') * 100 + (unsigned)(text[1] - '0') * 10 +
           (unsigned)(text[2] - '0');
}

static void play_action(const struct session *s, struct play *play, enum stage stage,
                        const struct action *action)
{
    struct drip drip = {.ms = action->drip_ms, .piece = action->piece};
    if (action->drip_ms < 0)
        drip = (struct drip){.ms = s->conf->drip_ms, .piece = s->conf->drip_piece};
    struct play_words words = words_of(s);
    unsigned code = action->code != 0 ? action->code : success_code(stage);
    struct play_reply reply = usual_reply(s, code, usual_text(stage, code));
    if (action->text != NULL)
        reply = (struct play_reply){.code = code, .text = action->text, .len = action->text_len};
    switch (action->kind) {
    case ACTION_REPLY:
        play_reply(play, reply, &words, drip);
        break;
    case ACTION_RAW:
        play_send(play, action->text, action->text_len, drip);
        break;
    case ACTION_ENDLESS:
        play_endless(play, reply, &words, drip);
        break;
    case ACTION_GARBAGE:
        play_noise(play, action->size, drip);
        break;
    case ACTION_HUGE:
        play_huge(play, code, action->size);
        break;
    case ACTION_SILENT:
        play_step(play, STEP_SILENT);
        break;
    case ACTION_CLOSE:
        play_step(play, STEP_CLOSE);
        break;
    case ACTION_RESET:
        play_step(play, STEP_RESET);
        break;
    }
}

static void play_after(struct play *play, enum after after)
{
    if (after == AFTER_CLOSE)
        play_step(play, STEP_CLOSE);
    else if (after == AFTER_RESET)
        play_step(play, STEP_RESET);
    else if (after == AFTER_SILENT)
        play_step(play, STEP_SILENT);
}

static bool is_held(const struct session *s, enum stage stage)
{
    const struct hold *hold = &s->stats->hold;
    return hold->on && (hold->stage == STAGE_COUNT || hold->stage == stage) &&
           (hold->nth == 0 || hold->nth == s->nth[stage]);
}

/* Plays one answer with all that hangs on it; returns its code. */
static unsigned answer(struct session *s, struct play *play, enum stage stage,
                       const struct action *action)
{
    unsigned code = code_of(stage, action);
    int64_t wait_ms = action->delay_ms;
    if (stage == STAGE_BANNER)
        wait_ms += s->conf->banner_delay_ms;
    else
        wait_ms += s->conf->step_ms + (int64_t)s->conf->tarpit_ms * ++s->replies;
    play_wait(play, wait_ms);
    if (is_held(s, stage))
        play_step(play, STEP_HELD);
    play_step(play, STEP_MARK);
    play_action(s, play, stage, action);
    if (code >= 400)
        s->errors++;
    enum after after = action->after;
    if (after == AFTER_NOTHING && code >= 400)
        after = s->conf->on_error;
    if (after == AFTER_NOTHING && (code == 421 || (code != 0 && stage == STAGE_QUIT)))
        after = AFTER_CLOSE;
    play_after(play, after);
    return code;
}

static unsigned say(struct session *s, struct play *play, enum stage stage, unsigned code,
                    const char *text)
{
    struct play_reply reply = usual_reply(s, code, text);
    struct action action = {.kind = ACTION_REPLY,
                            .code = code,
                            .text = reply.text,
                            .text_len = reply.len,
                            .drip_ms = -1};
    return answer(s, play, stage, &action);
}

static unsigned out_of_order(struct session *s, struct play *play, const char *text)
{
    count(s, COUNT_ORDER);
    return say(s, play, s->command, 503, text);
}

static unsigned bad_syntax(struct session *s, struct play *play, unsigned code, const char *text)
{
    count(s, COUNT_SYNTAX);
    return say(s, play, s->command, code, text);
}

static const struct action *find(struct session *s, enum stage stage, bool at)
{
    return scenario_find(s->scn, s->place, stage, at, s->nth[stage], s->address, s->sender);
}

/* What the scenario has for this stage, whatever the address. */
static const struct action *find_any(struct session *s, enum stage stage)
{
    const struct action *action = find(s, stage, true);
    return action != NULL ? action : find(s, stage, false);
}

static unsigned scripted_or(struct session *s, struct play *play, enum stage stage, unsigned code)
{
    const struct action *action = find_any(s, stage);
    if (action != NULL)
        return answer(s, play, stage, action);
    return say(s, play, stage, code, usual_text(stage, code));
}

/* --- State ------------------------------------------------------------- */

static void end_transaction(struct session *s)
{
    s->mail_tried = s->mail_ok = false;
    s->rcpt_tried = s->rcpt_ok = false;
    s->utf8 = false;
    s->sender[0] = '\0';
    s->params[0] = '\0';
}

static void copy_text(char *to, size_t size, const char *from)
{
    size_t len = strnlen(from, size - 1);
    memcpy(to, from, len);
    to[len] = '\0';
}

static void log_answer(const struct session *s, const char *rcpt, unsigned code)
{
    counters_log(s->world->counters, &(struct transaction){
                                         .host_ip = s->place->ip,
                                         .client_ip = s->client_ip,
                                         .client_port = s->client_port,
                                         .helo = s->helo,
                                         .tls = s->tls,
                                         .mail_from = s->sender,
                                         .mail_params = s->params,
                                         .rcpt = rcpt,
                                         .code = code,
                                     });
}

/* --- Commands ---------------------------------------------------------- */

static bool is_helo_name(const char *name)
{
    if (name[0] == '[')
        return strlen(name) > 2 && strcspn(name, "]") == strlen(name) - 1;
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-");
    return len > 0 && name[len] == '\0';
}

/* The usual answer to EHLO: our name and the keywords, STARTTLS only while there is no TLS yet. */
static unsigned say_keywords(struct session *s, struct play *play)
{
    struct buf text;
    buf_init(&text, 64U << 10);
    buf_str(&text, "%h");
    for (size_t i = 0; i < s->conf->keyword_count; i++)
        if (!s->tls || strcasecmp(s->conf->keywords[i], "STARTTLS") != 0)
            buf_printf(&text, "|%s", s->conf->keywords[i]);
    struct action action = {
        .kind = ACTION_REPLY, .code = 250, .text = text.data, .text_len = text.len, .drip_ms = -1};
    unsigned code = answer(s, play, STAGE_EHLO, &action);
    buf_free(&text);
    return code;
}

static void greet(struct session *s, struct play *play, const char *args, bool extended)
{
    enum stage stage = extended ? STAGE_EHLO : STAGE_HELO;
    if (!is_helo_name(args)) {
        (void)bad_syntax(s, play, 501, "5.5.4 Syntax: EHLO hostname");
        return;
    }
    copy_text(s->helo, sizeof s->helo, args);
    end_transaction(s);
    s->extended = false;
    s->pipelining = false;
    const struct action *action = find_any(s, stage);
    unsigned code = action != NULL ? answer(s, play, stage, action)
                    : extended     ? say_keywords(s, play)
                                   : say(s, play, stage, 250, usual_text(stage, 250));
    if (code / 100 != 2)
        return;
    s->greeted = true;
    s->extended = extended;
}

/* RFC 2033 section 4.1: to EHLO and HELO LMTP says 500. */
static bool is_other_protocol(struct session *s, struct play *play, bool lmtp)
{
    if (s->conf->lmtp == lmtp)
        return false;
    count(s, COUNT_ORDER);
    if (lmtp)
        (void)say(s, play, s->command, 502, "5.5.2 Error: command not recognized");
    else
        (void)say(s, play, s->command, 500, "5.5.1 this is LMTP: say LHLO");
    return true;
}

static void do_ehlo(struct session *s, struct play *play, const char *args)
{
    if (!is_other_protocol(s, play, false))
        greet(s, play, args, true);
}

static void do_lhlo(struct session *s, struct play *play, const char *args)
{
    if (!is_other_protocol(s, play, true))
        greet(s, play, args, true);
}

static void do_helo(struct session *s, struct play *play, const char *args)
{
    if (!is_other_protocol(s, play, false))
        greet(s, play, args, false);
}

/* The 220 is played; what comes behind it? */
static void play_handshake(struct session *s, struct play *play, enum starttls mode)
{
    struct play_words words = words_of(s);
    struct drip at_once = {.ms = 0};
    switch (mode) {
    case STARTTLS_GARBAGE:
        play_step(play, STEP_AWAIT_INPUT);
        play_noise(play, TLS_NOISE, at_once);
        play_step(play, STEP_CLOSE);
        break;
    case STARTTLS_DROP:
        play_step(play, STEP_CLOSE);
        break;
    case STARTTLS_HANG:
        play_step(play, STEP_SILENT);
        break;
    case STARTTLS_INJECT:
        play_reply(play,
                   (struct play_reply){.code = s->conf->starttls_reply.code,
                                       .text = s->conf->starttls_reply.text,
                                       .len = s->conf->starttls_reply.text_len},
                   &words, at_once);
        play_join(play);
        play_step(play, STEP_TLS);
        break;
    default:
        play_step(play, STEP_TLS);
        break;
    }
}

static void do_starttls(struct session *s, struct play *play, const char *args)
{
    if (s->tls || !s->extended) {
        (void)out_of_order(s, play, "5.5.1 STARTTLS: not now");
        return;
    }
    if (s->conf->starttls == STARTTLS_OFF || !scenario_offers(s->conf, "STARTTLS")) {
        count(s, COUNT_ORDER);
        (void)say(s, play, STAGE_STARTTLS, 502, "5.5.1 STARTTLS was not offered");
        return;
    }
    if (*args != '\0') {
        (void)bad_syntax(s, play, 501, "5.5.4 STARTTLS has no parameters");
        return;
    }
    const struct action *action = find_any(s, STAGE_STARTTLS);
    if (action == NULL && s->conf->starttls == STARTTLS_REFUSE)
        action = &s->conf->starttls_reply;
    unsigned code = action != NULL ? answer(s, play, STAGE_STARTTLS, action)
                                   : say(s, play, STAGE_STARTTLS, 220, "2.0.0 Ready to start TLS");
    if (code == 220)
        play_handshake(s, play, s->conf->starttls);
}

/* Is each parameter one of an extension that was offered? */
static bool are_params_offered(const struct session *s, const char *params)
{
    static const struct {
        const char *param;
        const char *keyword;
    } known[] = {
        {"SMTPUTF8", "SMTPUTF8"}, {"BODY=", "8BITMIME"}, {"SIZE=", "SIZE"}, {"RET=", "DSN"},
        {"ENVID=", "DSN"},        {"NOTIFY=", "DSN"},    {"ORCPT=", "DSN"}, {"AUTH=", "AUTH"},
    };
    for (; *params != '\0'; params += strspn(params, " ")) {
        size_t len = strcspn(params, " ");
        bool offered = false;
        for (size_t i = 0; i < sizeof known / sizeof *known && !offered; i++) {
            size_t name_len = strlen(known[i].param);
            bool whole = known[i].param[name_len - 1] == '=' ? len > name_len : len == name_len;
            offered = whole && strncasecmp(params, known[i].param, name_len) == 0 && s->extended &&
                      scenario_offers(s->conf, known[i].keyword);
        }
        if (!offered)
            return false;
        params += len;
    }
    return true;
}

static bool has_param(const char *params, const char *name)
{
    size_t name_len = strlen(name);
    for (; *params != '\0'; params += strspn(params, " ")) {
        size_t len = strcspn(params, " ");
        if (len == name_len && strncasecmp(params, name, len) == 0)
            return true;
        params += len;
    }
    return false;
}

static bool is_ascii(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text >= 0x80)
            return false;
    return true;
}

/* Takes the address and the parameters; false: it was refused, and the answer is played. */
static bool take_path(struct session *s, struct play *play, const char *args, const char *keyword,
                      const char **params)
{
    enum path_result result = path_parse(args, keyword, s->address, sizeof s->address, params);
    if (result == PATH_BAD) {
        s->address[0] = '\0';
        (void)bad_syntax(s, play, 501, "5.5.4 Syntax error in the path");
        return false;
    }
    if (result == PATH_SLOPPY)
        count(s, COUNT_SYNTAX);
    if (!are_params_offered(s, *params)) {
        (void)bad_syntax(s, play, 555, "5.5.4 Unsupported option");
        return false;
    }
    if (s->command == STAGE_MAIL)
        s->utf8 = has_param(*params, "SMTPUTF8");
    if (!s->utf8 && !is_ascii(s->address)) {
        (void)bad_syntax(s, play, 553, "5.6.7 Address not ASCII, and no SMTPUTF8");
        return false;
    }
    return true;
}

static void do_mail(struct session *s, struct play *play, const char *args)
{
    const char *params;
    if (!s->greeted || s->mail_ok) {
        (void)out_of_order(s, play, s->greeted ? "5.5.1 nested MAIL" : "5.5.1 send EHLO first");
        return;
    }
    end_transaction(s);
    s->mail_tried = true;
    if (!take_path(s, play, args, "FROM:", &params))
        return;
    copy_text(s->sender, sizeof s->sender, s->address);
    copy_text(s->params, sizeof s->params, params);
    const struct action *action = find(s, STAGE_MAIL, true);
    if (action == NULL && s->conf->tls_required && !s->tls)
        action = &s->conf->tls_required_reply;
    if (action == NULL)
        action = find(s, STAGE_MAIL, false);
    unsigned code = action != NULL ? answer(s, play, STAGE_MAIL, action)
                                   : say(s, play, STAGE_MAIL, 250, usual_text(STAGE_MAIL, 250));
    s->mail_ok = code / 100 == 2;
    if (!s->mail_ok)
        log_answer(s, NULL, code);
}

static bool is_grey(const struct session *s)
{
    const struct host_conf *conf = s->conf;
    if (conf->greylist_ms < 0 || !scenario_match(conf->greylist_to, s->address) ||
        !scenario_match(conf->greylist_from, s->sender))
        return false;
    return greylist_age_us(s->world->greylist, s->place->ip, s->client_ip, s->sender, s->address) <
           (int64_t)conf->greylist_ms * 1000;
}

static unsigned answer_rcpt(struct session *s, struct play *play)
{
    const struct action *action = find(s, STAGE_RCPT, true);
    if (action == NULL && s->conf->rcpts.max != 0 && s->nth[STAGE_RCPT] > s->conf->rcpts.max)
        action = &s->conf->rcpts.action;
    if (action == NULL && is_grey(s)) {
        count(s, COUNT_GREYLISTED);
        action = &s->conf->greylist_reply;
    }
    if (action == NULL)
        action = find(s, STAGE_RCPT, false);
    if (action != NULL)
        return answer(s, play, STAGE_RCPT, action);
    return say(s, play, STAGE_RCPT, 550, usual_text(STAGE_RCPT, 550));
}

static void do_rcpt(struct session *s, struct play *play, const char *args)
{
    const char *params;
    /* One that was sent together with a MAIL that is refused is no fault of the client. */
    if (!s->mail_ok && s->mail_tried && s->pipelining) {
        (void)say(s, play, STAGE_RCPT, 503, "5.5.1 need MAIL command");
        return;
    }
    if (!s->mail_ok) {
        (void)out_of_order(s, play, "5.5.1 need MAIL command");
        return;
    }
    s->rcpt_tried = true;
    if (!take_path(s, play, args, "TO:", &params))
        return;
    if (s->address[0] == '\0') {
        (void)bad_syntax(s, play, 501, "5.5.4 RCPT wants an address");
        return;
    }
    unsigned code = answer_rcpt(s, play);
    s->rcpt_ok = s->rcpt_ok || code / 100 == 2;
    if (code / 100 == 2)
        count(s, COUNT_RCPT_ACCEPTED);
    else if (code >= 400)
        count(s, COUNT_RCPT_REFUSED);
    log_answer(s, s->address, code);
}

static void do_data(struct session *s, struct play *play, const char *args)
{
    if (*args != '\0') {
        (void)bad_syntax(s, play, 501, "5.5.4 DATA has no parameters");
        return;
    }
    if (!s->mail_tried || !s->rcpt_tried) {
        (void)out_of_order(s, play, "5.5.1 need RCPT command");
        return;
    }
    if (!s->rcpt_ok) {
        (void)say(s, play, STAGE_DATA, 554, "5.5.1 no valid recipients");
        return;
    }
    if (scripted_or(s, play, STAGE_DATA, 354) != 354)
        return;
    s->in_content = true;
    s->content_counted = false;
    s->dot_state = DOT_LINE;
}

static void do_rset(struct session *s, struct play *play, const char *args)
{
    if (*args != '\0') {
        (void)bad_syntax(s, play, 501, "5.5.4 RSET has no parameters");
        return;
    }
    if (scripted_or(s, play, STAGE_RSET, 250) / 100 == 2)
        end_transaction(s);
}

static void do_quit(struct session *s, struct play *play, const char *args)
{
    if (*args != '\0') {
        (void)bad_syntax(s, play, 501, "5.5.4 QUIT has no parameters");
        return;
    }
    (void)scripted_or(s, play, STAGE_QUIT, 221);
}

static void do_noop(struct session *s, struct play *play, const char *args)
{
    (void)args;
    (void)scripted_or(s, play, STAGE_NOOP, 250);
}

static void do_vrfy(struct session *s, struct play *play, const char *args)
{
    copy_text(s->address, sizeof s->address, args);
    (void)scripted_or(s, play, STAGE_VRFY, 252);
}

static void do_other(struct session *s, struct play *play, const char *line)
{
    copy_text(s->address, sizeof s->address, line);
    const struct action *action = find_any(s, STAGE_OTHER);
    if (action != NULL)
        (void)answer(s, play, STAGE_OTHER, action);
    else
        (void)say(s, play, STAGE_OTHER, 502, "5.5.2 Error: command not recognized");
}

static const struct verb {
    const char *name;
    enum stage stage;
    enum count counted;
    void (*run)(struct session *s, struct play *play, const char *args);
} verbs[] = {
    {"EHLO", STAGE_EHLO, COUNT_EHLO, do_ehlo},
    {"HELO", STAGE_HELO, COUNT_HELO, do_helo},
    {"LHLO", STAGE_EHLO, COUNT_EHLO, do_lhlo},
    {"STARTTLS", STAGE_STARTTLS, COUNT_STARTTLS, do_starttls},
    {"MAIL", STAGE_MAIL, COUNT_MAIL, do_mail},
    {"RCPT", STAGE_RCPT, COUNT_RCPT, do_rcpt},
    {"RSET", STAGE_RSET, COUNT_RSET, do_rset},
    {"DATA", STAGE_DATA, COUNT_DATA, do_data},
    {"QUIT", STAGE_QUIT, COUNT_QUIT, do_quit},
    {"NOOP", STAGE_NOOP, COUNT_NOOP, do_noop},
    {"VRFY", STAGE_VRFY, COUNT_VRFY, do_vrfy},
};

static const struct verb *find_verb(const char *line)
{
    static const struct verb other = {"", STAGE_OTHER, COUNT_OTHER, do_other};
    size_t len = strcspn(line, " ");
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (strlen(verbs[i].name) == len && strncasecmp(line, verbs[i].name, len) == 0)
            return &verbs[i];
    return &other;
}

/* --- What the connection calls ----------------------------------------- */

void session_begin(struct session *s, struct play *play)
{
    const struct limit *limit = &s->conf->connections;
    const struct action *action = NULL;
    const char *usual = s->conf->lmtp ? "%h LMTP" : usual_text(STAGE_BANNER, 220);
    if (limit->max != 0 && s->stats->concurrent > limit->max) {
        count(s, COUNT_TURNED_AWAY);
        action = &limit->action;
    }
    s->nth[STAGE_BANNER]++;
    if (s->conf->early != NULL && action == NULL) {
        play_send(play, s->conf->early, s->conf->early_len, (struct drip){.ms = 0});
        play_send(play, "\r\n", 2, (struct drip){.ms = 0});
        play_join(play);
    }
    if (action == NULL)
        action = find_any(s, STAGE_BANNER);
    unsigned code = action != NULL ? answer(s, play, STAGE_BANNER, action)
                                   : say(s, play, STAGE_BANNER, 220, usual);
    s->refused = code >= 400;
    s->errors = 0;
}

/* What an extension adds to the length of MAIL: RFC 1870, 6152 and 6531. */
static size_t line_limit(const struct session *s, enum stage stage)
{
    size_t limit = COMMAND_LINE_MAX;
    if (stage != STAGE_MAIL || !s->extended)
        return limit;
    limit += scenario_offers(s->conf, "SIZE") ? 26 : 0;
    limit += scenario_offers(s->conf, "8BITMIME") ? 17 : 0;
    limit += scenario_offers(s->conf, "SMTPUTF8") ? 10 : 0;
    return limit;
}

static bool has_controls(const char *line, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7F)
            return true;
    return false;
}

void session_line(struct session *s, struct play *play, char *line, size_t len, bool bare_lf)
{
    const struct verb *verb = find_verb(line);
    s->command = verb->stage;
    s->address[0] = '\0';
    count(s, verb->counted);
    s->nth[verb->stage]++;
    if (bare_lf)
        count(s, COUNT_BARE_LF);
    if (len + 2 > line_limit(s, verb->stage)) {
        count(s, COUNT_LONG_LINES);
        (void)say(s, play, s->command, 500, "5.5.2 Error: line too long");
    } else if (has_controls(line, len)) {
        (void)bad_syntax(s, play, 500, "5.5.2 Error: control characters in a command");
    } else if (s->refused && verb->stage != STAGE_QUIT) {
        (void)out_of_order(s, play, "5.5.1 no service here, send QUIT");
    } else if (s->conf->errors.max != 0 && s->errors >= s->conf->errors.max) {
        (void)answer(s, play, s->command, &s->conf->errors.action);
    } else {
        while (len > 0 && line[len - 1] == ' ')
            line[--len] = '\0';
        const char *args = line + (verb->run == do_other ? 0 : strcspn(line, " "));
        verb->run(s, play, args + (*args == ' ' ? 1 : 0));
    }
}

void session_too_long(struct session *s, struct play *play)
{
    s->command = STAGE_OTHER;
    count(s, COUNT_LONG_LINES);
    (void)say(s, play, STAGE_OTHER, 500, "5.5.2 Error: line too long");
}

/* One octet of content nearer to CRLF . CRLF; true: there it is. */
static bool feed_dot(struct session *s, char c)
{
    if (c == '\n' && s->dot_state == DOT_DOT_CR)
        return true;
    if (c == '\n' && s->dot_state != DOT_CR)
        count(s, COUNT_BARE_LF);
    if (c == '\n')
        s->dot_state = s->dot_state == DOT_CR ? DOT_LINE : DOT_TEXT;
    else if (c == '\r')
        s->dot_state = s->dot_state == DOT_DOT ? DOT_DOT_CR : DOT_CR;
    else
        s->dot_state = c == '.' && s->dot_state == DOT_LINE ? DOT_DOT : DOT_TEXT;
    return false;
}

size_t session_content(struct session *s, struct play *play, const char *octets, size_t len)
{
    if (len > 0 && !s->content_counted) {
        s->content_counted = true;
        count(s, COUNT_MESSAGES);
    }
    for (size_t i = 0; i < len; i++) {
        if (!feed_dot(s, octets[i]))
            continue;
        s->in_content = false;
        s->command = STAGE_MESSAGE;
        s->nth[STAGE_MESSAGE]++;
        (void)scripted_or(s, play, STAGE_MESSAGE, 250);
        end_transaction(s);
        return i + 1;
    }
    return len;
}

void session_reply_begins(struct session *s, size_t pending)
{
    bool may_go_on = s->command == STAGE_MAIL || s->command == STAGE_RCPT ||
                     s->command == STAGE_RSET || s->command == STAGE_MESSAGE;
    if (pending > 0 && s->command != STAGE_BANNER && !(may_go_on && s->pipelining))
        count(s, COUNT_PIPELINING);
    /* Only when the client has been told may it make use of it. */
    if (s->command == STAGE_EHLO && s->greeted && s->extended)
        s->pipelining = scenario_offers(s->conf, "PIPELINING");
}

void session_banner_sent(struct session *s)
{
    s->banner_sent = true;
}

void session_early(struct session *s)
{
    if (s->banner_sent || s->early)
        return;
    s->early = true;
    count(s, COUNT_EARLY_TALKERS);
}

void session_tls(struct session *s, bool done)
{
    count(s, done ? COUNT_TLS_DONE : COUNT_TLS_FAILED);
    if (!done)
        return;
    end_transaction(s);
    s->tls = true;
    s->greeted = false;
    s->extended = false;
    s->pipelining = false;
    s->helo[0] = '\0';
}
