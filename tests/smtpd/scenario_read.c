/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scenario_read: the scenario file's directives, as README describes them. It refuses what it does
 * not know, with file and line, and keeps nothing of a file that it refused.
 */
#include "config.h"

#include "scenario.h"

#include "lexer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/ssl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FILE_SIZE_MAX (16U << 20)
#define HUGE_MAX (1U << 30)
#define GARBAGE_MAX (64U << 10)
#define DURATION_MAX_MS (24UL * 3600 * 1000)
#define COUNT_MAX 1000000

struct reader {
    struct scenario *scn;
    struct lexer lexer;
    const char *path;
    unsigned default_port;
    struct host_conf *defaults; /* `host *`, once it was read */
    char *error;
    size_t error_size;
};

/* Where a block's addresses come from: they are only registered when its port is known. */
struct span {
    struct sockaddr_storage first;
    unsigned count;
};

__attribute__((format(printf, 3, 4))) static bool refuse(struct reader *rd, unsigned line,
                                                         const char *format, ...)
{
    char what[SCENARIO_ERROR_SIZE / 2];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(what, sizeof what, format, args);
    va_end(args);
    (void)snprintf(rd->error, rd->error_size, "%s:%u: %s", rd->path, line, what);
    return false;
}

static bool no_memory(struct reader *rd, const struct statement *st)
{
    return refuse(rd, st->line, "out of memory");
}

/* --- Words ------------------------------------------------------------- */

static const struct token *peek(const struct statement *st)
{
    return st->at < st->count ? &st->tokens[st->at] : NULL;
}

static bool take_word(struct statement *st, const char *word)
{
    const struct token *token = peek(st);
    if (token == NULL || token->quoted || strcasecmp(token->text, word) != 0)
        return false;
    st->at++;
    return true;
}

static const struct token *take(struct reader *rd, struct statement *st, const char *what)
{
    const struct token *token = peek(st);
    if (token == NULL)
        (void)refuse(rd, st->line, "%s: %s is missing", st->tokens[0].text, what);
    else
        st->at++;
    return token;
}

/* A number and the unit behind it. */
static bool split_number(const char *text, unsigned long max, unsigned long *number,
                         const char **unit)
{
    if (*text < '0' || *text > '9')
        return false;
    char *end;
    errno = 0;
    *number = strtoul(text, &end, 10);
    *unit = end;
    return errno == 0 && *number <= max;
}

struct unit {
    const char *name;
    unsigned factor;
};

static bool take_measure(struct reader *rd, struct statement *st, const struct unit *units,
                         unsigned long max, const char *what, unsigned long *value)
{
    const struct token *token = take(rd, st, what);
    if (token == NULL)
        return false;
    unsigned long number;
    const char *unit;
    if (split_number(token->text, max, &number, &unit)) {
        for (; units->name != NULL; units++) {
            if (strcasecmp(units->name, unit) == 0 && number <= max / units->factor) {
                *value = number * units->factor;
                return true;
            }
        }
    }
    return refuse(rd, st->line, "%s: %s wanted, not \"%s\"", st->tokens[0].text, what, token->text);
}

static bool take_duration(struct reader *rd, struct statement *st, int *ms)
{
    static const struct unit units[] = {
        {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {NULL, 0}};
    unsigned long value = 0;
    if (!take_measure(rd, st, units, DURATION_MAX_MS, "a time such as 50ms or 5s", &value))
        return false;
    *ms = (int)value;
    return true;
}

static bool take_size(struct reader *rd, struct statement *st, size_t max, size_t *size)
{
    static const struct unit units[] = {{"", 1}, {"kB", 1000}, {"MB", 1000000}, {NULL, 0}};
    unsigned long value = 0;
    if (!take_measure(rd, st, units, max, "a size such as 512 or 1MB", &value))
        return false;
    *size = value;
    return true;
}

static bool take_count(struct reader *rd, struct statement *st, unsigned max, unsigned *count)
{
    static const struct unit units[] = {{"", 1}, {NULL, 0}};
    unsigned long value = 0;
    if (!take_measure(rd, st, units, max, "a number", &value))
        return false;
    *count = (unsigned)value;
    return true;
}

/* --- Actions ----------------------------------------------------------- */

/* The three digits of a reply code in front of text; 0: none there. */
static unsigned leading_code(const char *text, size_t len)
{
    if (len < 3 || text[0] < '2' || text[0] > '5' || text[1] < '0' || text[1] > '9' ||
        text[2] < '0' || text[2] > '9')
        return 0;
    return (unsigned)(text[0] - '0') * 100 + (unsigned)(text[1] - '0') * 10 +
           (unsigned)(text[2] - '0');
}

static void split_reply(const struct token *token, struct action *action)
{
    action->code = leading_code(token->text, token->len);
    size_t skip = token->len > 3 && (token->text[3] == ' ' || token->text[3] == '-') ? 4 : 3;
    action->text = token->len > skip ? token->text + skip : "";
    action->text_len = token->len > skip ? token->len - skip : 0;
}

/* REPLY = CODE ["text"] / "CODE text" */
static bool take_reply(struct reader *rd, struct statement *st, struct action *action)
{
    const struct token *token = take(rd, st, "a reply");
    if (token == NULL)
        return false;
    size_t len = token->len;
    if (leading_code(token->text, len) == 0 ||
        (len > 3 && (!token->quoted || strchr(" -|", token->text[3]) == NULL)))
        return refuse(rd, st->line,
                      "%s: a reply wanted, such as 550 \"5.1.1 no such user\", not \"%s\"",
                      st->tokens[0].text, token->text);
    action->kind = ACTION_REPLY;
    action->text = NULL; /* the session's usual words for that code */
    if (token->quoted) {
        split_reply(token, action);
        return true;
    }
    action->code = leading_code(token->text, len);
    const struct token *text = peek(st);
    if (text != NULL && text->quoted) {
        action->text = text->text;
        action->text_len = text->len;
        st->at++;
    }
    return true;
}

static bool take_optional_reply(struct reader *rd, struct statement *st, unsigned code,
                                const char *text, struct action *action)
{
    if (peek(st) != NULL)
        return take_reply(rd, st, action);
    action->code = code;
    action->text = text;
    action->text_len = strlen(text);
    return true;
}

static bool take_after(struct reader *rd, struct statement *st, enum after *after)
{
    if (take_word(st, "close"))
        *after = AFTER_CLOSE;
    else if (take_word(st, "reset"))
        *after = AFTER_RESET;
    else if (take_word(st, "silent"))
        *after = AFTER_SILENT;
    else
        return refuse(rd, st->line, "%s: close, reset or silent wanted", st->tokens[0].text);
    return true;
}

static bool next_is_number(const struct statement *st)
{
    const struct token *token = peek(st);
    return token != NULL && !token->quoted && token->text[0] >= '0' && token->text[0] <= '9';
}

/* drip TIME [OCTETS] */
static bool take_drip(struct reader *rd, struct statement *st, int *ms, size_t *piece)
{
    *piece = 1;
    if (!take_duration(rd, st, ms))
        return false;
    if (next_is_number(st) && !take_size(rd, st, HUGE_MAX, piece))
        return false;
    return *piece > 0 || refuse(rd, st->line, "drip: a piece has at least one octet");
}

static bool take_options(struct reader *rd, struct statement *st, struct action *action)
{
    bool ok = true;
    while (ok && peek(st) != NULL) {
        if (take_word(st, "delay"))
            ok = take_duration(rd, st, &action->delay_ms);
        else if (take_word(st, "drip"))
            ok = take_drip(rd, st, &action->drip_ms, &action->piece);
        else if (take_word(st, "then"))
            ok = take_after(rd, st, &action->after);
        else if (take_word(st, "times"))
            ok = take_count(rd, st, COUNT_MAX, &action->times);
        else
            break;
    }
    return ok;
}

static bool take_raw(struct reader *rd, struct statement *st, struct action *action)
{
    const struct token *token = take(rd, st, "what to send");
    if (token == NULL)
        return false;
    action->text = token->text;
    action->text_len = token->len;
    return true;
}

/* The kinds that are no reply; *known says whether one stood there. */
static bool take_special(struct reader *rd, struct statement *st, struct action *action,
                         bool *known)
{
    static const struct {
        const char *word;
        enum action_kind kind;
    } specials[] = {
        {"raw", ACTION_RAW},     {"endless", ACTION_ENDLESS}, {"garbage", ACTION_GARBAGE},
        {"huge", ACTION_HUGE},   {"silent", ACTION_SILENT},   {"close", ACTION_CLOSE},
        {"reset", ACTION_RESET},
    };
    size_t i = 0;
    while (i < sizeof specials / sizeof *specials && !take_word(st, specials[i].word))
        i++;
    *known = i < sizeof specials / sizeof *specials;
    if (!*known)
        return true;
    action->kind = specials[i].kind;
    switch (action->kind) {
    case ACTION_RAW:
        return take_raw(rd, st, action);
    case ACTION_ENDLESS: {
        const struct token *token = peek(st);
        if (token == NULL || leading_code(token->text, token->len) == 0)
            return true;
        bool ok = take_reply(rd, st, action);
        action->kind = ACTION_ENDLESS;
        return ok;
    }
    case ACTION_GARBAGE:
        action->size = 512;
        return !next_is_number(st) || take_size(rd, st, GARBAGE_MAX, &action->size);
    case ACTION_HUGE:
        return take_size(rd, st, HUGE_MAX, &action->size);
    default:
        return true;
    }
}

static bool take_action(struct reader *rd, struct statement *st, struct action *action)
{
    bool known;
    *action = (struct action){.drip_ms = -1, .piece = 1, .id = rd->scn->action_ids++};
    if (!take_special(rd, st, action, &known))
        return false;
    return (known || take_reply(rd, st, action)) && take_options(rd, st, action);
}

/* --- Directives -------------------------------------------------------- */

typedef bool directive_fn(struct reader *rd, struct statement *st, struct host_conf *conf);

bool stage_parse(const char *word, enum stage *stage, unsigned *nth)
{
    size_t len = strcspn(word, "#");
    unsigned long number = 0;
    const char *unit = "";
    if (word[len] == '#' &&
        (!split_number(word + len + 1, COUNT_MAX, &number, &unit) || number == 0))
        return false;
    *nth = (unsigned)number;
    for (unsigned i = 0; *unit == '\0' && i < STAGE_COUNT; i++) {
        const char *name = stage_name((enum stage)i);
        if (strlen(name) == len && strncasecmp(word, name, len) == 0) {
            *stage = (enum stage)i;
            return true;
        }
    }
    return false;
}

static bool add_rule(struct reader *rd, struct statement *st, struct host_conf *conf,
                     struct rule made)
{
    struct rule *rule = scenario_alloc(rd->scn, sizeof *rule);
    if (rule == NULL)
        return no_memory(rd, st);
    *rule = made;
    *conf->rules_tail = rule;
    conf->rules_tail = &rule->next;
    return true;
}

/* at STAGE[#N] ACTION */
static bool directive_at(struct reader *rd, struct statement *st, struct host_conf *conf)
{
    struct rule rule = {.at = true};
    const struct token *token = take(rd, st, "a stage");
    if (token == NULL)
        return false;
    if (!stage_parse(token->text, &rule.stage, &rule.nth))
        return refuse(rd, st->line, "at: \"%s\" is no stage", token->text);
    return take_action(rd, st, &rule.action) && add_rule(rd, st, conf, rule);
}

/* STAGE[#N] [PATTERN [from PATTERN]] ACTION */
static bool directive_stage(struct reader *rd, struct statement *st, struct host_conf *conf,
                            enum stage stage, unsigned nth)
{
    struct rule rule = {.stage = stage, .nth = nth};
    if (stage == STAGE_MAIL || stage == STAGE_RCPT || stage == STAGE_OTHER) {
        const struct token *token = take(rd, st, "a pattern");
        if (token == NULL)
            return false;
        rule.pattern = token->text;
    }
    if (stage == STAGE_RCPT && take_word(st, "from")) {
        const struct token *token = take(rd, st, "a sender's pattern");
        if (token == NULL)
            return false;
        rule.from = token->text;
    }
    return take_action(rd, st, &rule.action) && add_rule(rd, st, conf, rule);
}

static bool directive_port(struct reader *rd, struct statement *st, struct host_conf *conf)
{
    return take_count(rd, st, 65535, &conf->port);
}

static bool directive_lmtp(struct reader *rd, struct statement *st, struct host_conf *conf)
{
    (void)rd;
    (void)st;
    conf->lmtp = true;
    return true;
}

static bool directive_refuse(struct reader *rd, struct statement *st, struct host_conf *conf)
{
    (void)rd;
    (void)st;
    conf->refuse = true;
    return true;
}

static bool directive_step(struct reader *rd, struct statement *st, struct host_conf *conf)
{
    return take_duration(rd, st, &conf->step_ms);
}

static bool directive_banner_delay(struct reader *rd, struct statement *st, struct host_conf *conf)
{
    return take_duration(rd, st, &conf->banner_delay_ms);
}

static bool directive_drip(struct reader *rd, struct statement *st, struct host_conf *conf)
{
    return take_drip(rd, st, &conf->drip_ms, &conf->drip_piece);
}

static bool directive_tarpit(struct reader *rd, struct statement *st, struct host_conf *conf)
{
    return take_duration(rd, st, &conf->tarpit_ms);
}

static bool directive_early(struct reader *rd, struct statement *st, struct host_conf *conf)
{
    const struct token *token = take(rd, st, "a text");
    if (token == NULL)
        return false;
    conf->early = token->text;
    conf->early_len = token->len;
    return true;
}

static void hide_keyword(struct host_conf *conf, const char *keyword)
{
    size_t len = strcspn(keyword, " ");
    size_t kept = 0;
    for (size_t i = 0; i < conf->keyword_count; i++) {
        const char *offered = conf->keywords[i];
        if (strcspn(offered, " ") != len || strncasecmp(offered, keyword, len) != 0)
            conf->keywords[kept++] = offered;
    }
    conf->keyword_count = kept;
}

/* A keyword that is there already is replaced, so that `offer "SIZE 1000"` does what it says. */
static bool offer_keyword(struct host_conf *conf, const char *keyword)
{
    hide_keyword(conf, keyword);
    if (conf->keyword_count == SCENARIO_KEYWORDS_MAX)
        return false;
    conf->keywords[conf->keyword_count++] = keyword;
    if (strcasecmp(keyword, "STARTTLS") == 0 && conf->starttls == STARTTLS_OFF)
        conf->starttls = STARTTLS_ON;
    return true;
}

static bool directive_offer(struct reader *rd, struct statement *st, struct host_conf *conf)
{
    for (; peek(st) != NULL; st->at++)
        if (!offer_keyword(conf, peek(st)->text))
            return refuse(rd, st->line, "more than %d keywords", SCENARIO_KEYWORDS_MAX);
    return true;
}

static bool directive_hide(struct reader *rd, struct statement *st, struct host_conf *conf)
{
    (void)rd;
    for (; peek(st) != NULL; st->at++)
        hide_keyword(conf, peek(st)->text);
    return true;
}

static bool directive_keywords(struct reader *rd, struct statement *st, struct host_conf *conf)
{
    conf->keyword_count = 0;
    return directive_offer(rd, st, conf);
}

static bool directive_starttls(struct reader *rd, struct statement *st, struct host_conf *conf)
{
    static const char *const modes[] = {
        [STARTTLS_OFF] = "off",         [STARTTLS_ON] = "on",     [STARTTLS_REFUSE] = "refuse",
        [STARTTLS_GARBAGE] = "garbage", [STARTTLS_DROP] = "drop", [STARTTLS_HANG] = "hang",
        [STARTTLS_INJECT] = "inject",
    };
    unsigned mode = 0;
    while (mode < sizeof modes / sizeof *modes && !take_word(st, modes[mode]))
        mode++;
    if (mode == sizeof modes / sizeof *modes)
        return refuse(rd, st->line,
                      "starttls: on, off, refuse, garbage, drop, hang or inject wanted");
    conf->starttls = (enum starttls)mode;
    conf->starttls_reply = (struct action){.drip_ms = -1, .piece = 1};
    if (conf->starttls == STARTTLS_OFF)
        hide_keyword(conf, "STARTTLS");
    else if (!offer_keyword(conf, "STARTTLS"))
        return refuse(rd, st->line, "more than %d keywords", SCENARIO_KEYWORDS_MAX);
    if (conf->starttls == STARTTLS_REFUSE)
        return take_optional_reply(rd, st, 454, "4.7.0 TLS not available due to local problem",
                                   &conf->starttls_reply);
    if (conf->starttls == STARTTLS_INJECT)
        return take_optional_reply(rd, st, 250, "2.0.0 injected", &conf->starttls_reply);
    return true;
}

static bool directive_tls_max(struct reader *rd, struct statement *st, struct host_conf *conf)
{
    static const struct {
        const char *word;
        int version;
    } versions[] = {{"1.0", TLS1_VERSION},
                    {"1.1", TLS1_1_VERSION},
                    {"1.2", TLS1_2_VERSION},
                    {"1.3", TLS1_3_VERSION}};
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
        if (take_word(st, versions[i].word)) {
            conf->tls_max = versions[i].version;
            return true;
        }
    }
    return refuse(rd, st->line, "tls_max: 1.0, 1.1, 1.2 or 1.3 wanted");
}

static bool directive_tls_required(struct reader *rd, struct statement *st, struct host_conf *conf)
{
    conf->tls_required = true;
    conf->tls_required_reply = (struct action){.drip_ms = -1, .piece = 1};
    return take_optional_reply(rd, st, 530, "5.7.0 Must issue a STARTTLS command first",
                               &conf->tls_required_reply);
}

/* greylist TIME REPLY [to PATTERN] [from PATTERN]; greylist off */
static bool directive_greylist(struct reader *rd, struct statement *st, struct host_conf *conf)
{
    conf->greylist_ms = -1;
    conf->greylist_to = "*";
    conf->greylist_from = "*";
    if (take_word(st, "off"))
        return true;
    if (!take_duration(rd, st, &conf->greylist_ms) || !take_action(rd, st, &conf->greylist_reply))
        return false;
    while (peek(st) != NULL) {
        const char **pattern = take_word(st, "to")     ? &conf->greylist_to
                               : take_word(st, "from") ? &conf->greylist_from
                                                       : NULL;
        if (pattern == NULL)
            return true;
        const struct token *token = take(rd, st, "a pattern");
        if (token == NULL)
            return false;
        *pattern = token->text;
    }
    return true;
}

static bool take_limit(struct reader *rd, struct statement *st, struct limit *limit)
{
    return take_count(rd, st, COUNT_MAX, &limit->max) && take_action(rd, st, &limit->action);
}

static bool directive_max_rcpt(struct reader *rd, struct statement *st, struct host_conf *conf)
{
    return take_limit(rd, st, &conf->rcpts);
}

static bool directive_max_errors(struct reader *rd, struct statement *st, struct host_conf *conf)
{
    return take_limit(rd, st, &conf->errors);
}

static bool directive_max_connections(struct reader *rd, struct statement *st,
                                      struct host_conf *conf)
{
    return take_limit(rd, st, &conf->connections);
}

static bool directive_on_error(struct reader *rd, struct statement *st, struct host_conf *conf)
{
    if (take_word(st, "continue")) {
        conf->on_error = AFTER_NOTHING;
        return true;
    }
    return take_after(rd, st, &conf->on_error);
}

static const struct {
    const char *name;
    directive_fn *read;
} directives[] = {
    {"at", directive_at},
    {"banner_delay", directive_banner_delay},
    {"drip", directive_drip},
    {"early", directive_early},
    {"greylist", directive_greylist},
    {"hide", directive_hide},
    {"keywords", directive_keywords},
    {"lmtp", directive_lmtp},
    {"max_connections", directive_max_connections},
    {"max_errors", directive_max_errors},
    {"max_rcpt", directive_max_rcpt},
    {"offer", directive_offer},
    {"on_error", directive_on_error},
    {"port", directive_port},
    {"refuse", directive_refuse},
    {"starttls", directive_starttls},
    {"step", directive_step},
    {"tarpit", directive_tarpit},
    {"tls_max", directive_tls_max},
    {"tls_required", directive_tls_required},
};

/* `starttls 454 "..."` is a rule of the stage, `starttls garbage` a mode of the host. */
static bool is_stage_rule(const struct statement *st, enum stage stage)
{
    return stage != STAGE_STARTTLS ||
           (st->count > 1 && leading_code(st->tokens[1].text, st->tokens[1].len) != 0);
}

static bool read_directive(struct reader *rd, struct statement *st, struct host_conf *conf)
{
    const char *name = st->tokens[0].text;
    enum stage stage;
    unsigned nth;
    bool ok = false;
    bool known = false;
    st->at = 1;
    if (stage_parse(name, &stage, &nth) && is_stage_rule(st, stage)) {
        known = true;
        ok = directive_stage(rd, st, conf, stage, nth);
    }
    for (size_t i = 0; !known && i < sizeof directives / sizeof *directives; i++) {
        if (strcasecmp(name, directives[i].name) == 0) {
            known = true;
            ok = directives[i].read(rd, st, conf);
        }
    }
    if (!known)
        return refuse(rd, st->line, "unknown directive \"%s\"", name);
    if (ok && peek(st) != NULL)
        return refuse(rd, st->line, "%s: \"%s\" is not understood", name, peek(st)->text);
    return ok;
}

/* --- Addresses and blocks ---------------------------------------------- */

static bool parse_address(const char *text, struct sockaddr_storage *sa)
{
    struct sockaddr_in *in4 = (struct sockaddr_in *)sa;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)sa;
    memset(sa, 0, sizeof *sa);
    if (inet_pton(AF_INET, text, &in4->sin_addr) == 1)
        sa->ss_family = AF_INET;
    else if (inet_pton(AF_INET6, text, &in6->sin6_addr) == 1)
        sa->ss_family = AF_INET6;
    return sa->ss_family != AF_UNSPEC;
}

/* The last 32 bits of an address; ranges run over these only. */
static unsigned char *last_bits(struct sockaddr_storage *sa)
{
    if (sa->ss_family == AF_INET)
        return (unsigned char *)&((struct sockaddr_in *)sa)->sin_addr;
    return (unsigned char *)&((struct sockaddr_in6 *)sa)->sin6_addr + 12;
}

static uint32_t get_last(const struct sockaddr_storage *sa)
{
    struct sockaddr_storage copy = *sa;
    const unsigned char *p = last_bits(&copy);
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void set_last(struct sockaddr_storage *sa, uint32_t value)
{
    unsigned char *p = last_bits(sa);
    for (int i = 3; i >= 0; i--, value >>= 8)
        p[i] = (unsigned char)(value & 0xFF);
}

/* unix:/PATH. false without an error: it is something else. */
static bool parse_path(const char *text, struct span *span, const char **error)
{
    struct sockaddr_un *un = (struct sockaddr_un *)&span->first;
    if (strncmp(text, SCENARIO_UNIX, sizeof SCENARIO_UNIX - 1) != 0)
        return false;
    text += sizeof SCENARIO_UNIX - 1;
    size_t len = strlen(text);
    if (text[0] != '/' || len >= sizeof un->sun_path) {
        *error = "a path from / of at most 107 octets wanted";
        return false;
    }
    memset(&span->first, 0, sizeof span->first);
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, text, len);
    return true;
}

/* ADDRESS, ADDRESS-ADDRESS or unix:/PATH. false without an error: it is no address at all. */
static bool parse_span(const char *text, struct span *span, const char **error)
{
    char first[INET6_ADDRSTRLEN];
    size_t len = strcspn(text, "-");
    *error = NULL;
    span->count = 1;
    if (parse_path(text, span, error))
        return true;
    if (*error != NULL)
        return false;
    if (len >= sizeof first)
        return false;
    memcpy(first, text, len);
    first[len] = '\0';
    if (!parse_address(first, &span->first))
        return false;
    if (text[len] == '\0')
        return true;
    struct sockaddr_storage last;
    struct sockaddr_storage moved = span->first;
    if (!parse_address(text + len + 1, &last) || last.ss_family != moved.ss_family) {
        *error = "the end of the range is no address of the same family";
        return false;
    }
    set_last(&moved, get_last(&last));
    uint32_t more = get_last(&last) - get_last(&span->first);
    if (memcmp(&moved, &last, sizeof last) != 0 || get_last(&last) < get_last(&span->first) ||
        more >= SCENARIO_PLACES_MAX) {
        *error = "the range is backwards or too large";
        return false;
    }
    span->count = more + 1;
    return true;
}

static void name_path(struct place *place)
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)&place->sa;
    place->sa_len = sizeof *un;
    (void)snprintf(place->ip, sizeof place->ip, SCENARIO_UNIX "%s", un->sun_path);
    (void)snprintf(place->key, sizeof place->key, "%s", place->ip);
}

static void name_address(struct place *place, unsigned port)
{
    const void *raw;
    place->port = port;
    if (place->sa.ss_family == AF_INET) {
        struct sockaddr_in *in4 = (struct sockaddr_in *)&place->sa;
        in4->sin_port = htons((uint16_t)place->port);
        raw = &in4->sin_addr;
        place->sa_len = sizeof *in4;
    } else {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&place->sa;
        in6->sin6_port = htons((uint16_t)place->port);
        raw = &in6->sin6_addr;
        place->sa_len = sizeof *in6;
    }
    (void)inet_ntop(place->sa.ss_family, raw, place->ip, sizeof place->ip);
    (void)snprintf(place->key, sizeof place->key, "%s port %u", place->ip, place->port);
}

static struct place *make_place(struct reader *rd, const struct span *span, unsigned offset,
                                const struct host_conf *conf)
{
    struct place *place = scenario_alloc(rd->scn, sizeof *place);
    if (place == NULL)
        return NULL;
    place->sa = span->first;
    place->conf = conf;
    place->from_range = span->count > 1;
    if (place->sa.ss_family == AF_UNIX) {
        name_path(place);
        return place;
    }
    set_last(&place->sa, get_last(&span->first) + offset);
    name_address(place, conf->port != 0 ? conf->port : rd->default_port);
    return place;
}

/* An address named alone has precedence over one that a range names; otherwise twice is a mistake.
 */
/* NOLINTNEXTLINE(readability-function-size): most of it is within uthash's macro */
static bool add_place(struct reader *rd, const struct statement *st, struct place *place)
{
    struct scenario *scn = rd->scn;
    struct place *other = NULL;
    HASH_FIND_STR(scn->places, place->key, other);
    if (other != NULL && other->from_range == place->from_range)
        return refuse(rd, st->line, "%s is there twice", place->key);
    if (other != NULL && place->from_range)
        return true;
    if (other != NULL)
        HASH_DEL(scn->places, other);
    if (HASH_COUNT(scn->places) == SCENARIO_PLACES_MAX)
        return refuse(rd, st->line, "more than %d addresses", SCENARIO_PLACES_MAX);
    HASH_ADD_STR(scn->places, key, place);
    return place->hh.tbl != NULL || no_memory(rd, st);
}

static bool add_places(struct reader *rd, const struct statement *head,
                       const struct host_conf *conf)
{
    for (size_t i = 1; i < head->count; i++) {
        struct span span;
        const char *error;
        if (!parse_span(head->tokens[i].text, &span, &error))
            break; /* the name; read_head has looked at all of them */
        for (unsigned n = 0; n < span.count; n++) {
            struct place *place = make_place(rd, &span, n, conf);
            if (place == NULL)
                return no_memory(rd, head);
            if (!add_place(rd, head, place))
                return false;
        }
    }
    return true;
}

/* host ADDRESS... [NAME] {   or   host * [NAME] { */
static bool read_head(struct reader *rd, struct statement *st, struct host_conf *conf,
                      bool *defaults)
{
    if (st->count < 2 || strcmp(st->tokens[0].text, "host") != 0 || st->end != '{')
        return refuse(rd, st->line, "host ADDRESS... [NAME] { wanted");
    *defaults = strcmp(st->tokens[1].text, "*") == 0;
    if (*defaults && (rd->defaults != NULL || rd->scn->places != NULL))
        return refuse(rd, st->line, "host * stands once, and before the others");
    st->at = *defaults ? 2 : 1;
    for (; !*defaults && peek(st) != NULL; st->at++) {
        struct span span;
        const char *error;
        if (parse_span(peek(st)->text, &span, &error))
            continue;
        if (error != NULL || st->at == 1)
            return refuse(rd, st->line, "%s: %s", peek(st)->text,
                          error != NULL ? error : "no IPv4 or IPv6 address, no unix:/PATH");
        break;
    }
    if (peek(st) != NULL)
        conf->name = st->tokens[st->at++].text;
    return peek(st) == NULL || refuse(rd, st->line, "one name, behind the addresses");
}

static struct host_conf *new_conf(struct reader *rd)
{
    struct host_conf *conf = scenario_alloc(rd->scn, sizeof *conf);
    if (conf == NULL)
        return NULL;
    if (rd->defaults != NULL) {
        *conf = *rd->defaults;
        conf->fallback = rd->defaults;
    } else {
        *conf = (struct host_conf){
            .name = "mx.lab.example",
            .drip_piece = 1,
            .greylist_ms = -1,
            .keywords = {"PIPELINING", "SIZE 10240000", "8BITMIME", "ENHANCEDSTATUSCODES"},
            .keyword_count = 4,
        };
    }
    conf->rules = NULL;
    conf->rules_tail = &conf->rules;
    return conf;
}

static bool next_statement(struct reader *rd, struct statement *st)
{
    return lexer_next(&rd->lexer, st) || refuse(rd, rd->lexer.line, "%s", rd->lexer.error);
}

static bool read_block(struct reader *rd, struct statement *head)
{
    struct host_conf *conf = new_conf(rd);
    if (conf == NULL)
        return no_memory(rd, head);
    bool defaults = false;
    if (!read_head(rd, head, conf, &defaults))
        return false;
    struct statement st;
    do {
        if (!next_statement(rd, &st))
            return false;
        if (st.end == '{' || (st.end == '\0' && st.count == 0))
            return refuse(rd, st.line, "the host block of line %u is not closed", head->line);
        if (st.count > 0 && !read_directive(rd, &st, conf))
            return false;
    } while (st.count > 0);
    if (defaults) {
        rd->defaults = conf;
        return true;
    }
    return add_places(rd, head, conf);
}

static bool read_all(struct reader *rd)
{
    struct statement st;
    for (;;) {
        if (!next_statement(rd, &st))
            return false;
        if (st.count == 0 && st.end == '\0')
            return rd->scn->places != NULL || refuse(rd, st.line, "no host in it");
        if (!read_block(rd, &st))
            return false;
    }
}

/* The whole file, owned by the scenario. */
static const char *slurp(struct reader *rd, size_t *len)
{
    FILE *file = fopen(rd->path, "re");
    if (file == NULL) {
        (void)snprintf(rd->error, rd->error_size, "%s: %s", rd->path, strerror(errno));
        return NULL;
    }
    char *text = NULL;
    long size = fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
    if (size < 0 || (unsigned long)size > FILE_SIZE_MAX || fseek(file, 0, SEEK_SET) != 0) {
        (void)snprintf(rd->error, rd->error_size, "%s: no regular file, or too large", rd->path);
    } else {
        text = scenario_alloc(rd->scn, (size_t)size + 1);
        *len = text != NULL ? fread(text, 1, (size_t)size, file) : 0;
        if (text == NULL)
            (void)snprintf(rd->error, rd->error_size, "%s: out of memory", rd->path);
    }
    (void)fclose(file);
    return text;
}

struct scenario *scenario_read(const char *path, unsigned default_port, char *error,
                               size_t error_size)
{
    struct scenario *scn = calloc(1, sizeof *scn);
    if (scn == NULL) {
        (void)snprintf(error, error_size, "%s: out of memory", path);
        return NULL;
    }
    scn->refs = 1;
    struct reader rd = {.scn = scn,
                        .path = path,
                        .default_port = default_port,
                        .error = error,
                        .error_size = error_size};
    size_t len = 0;
    const char *text = slurp(&rd, &len);
    rd.lexer =
        (struct lexer){.scn = scn, .at = text, .end = text != NULL ? text + len : NULL, .line = 1};
    if (text == NULL || !read_all(&rd)) {
        scenario_put(scn);
        return NULL;
    }
    return scn;
}
