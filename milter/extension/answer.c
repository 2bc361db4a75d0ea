/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * answer: see answer.h. Owns: how often who has asked, and how many lines of the log that came to.
 * Lock: `lock`, never held while anything is looked up.
 */
#include "config.h"

#include "extension/answer.h"

#include <pthread.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/metrics.h"
#include "extension/ayttm.h"
#include "extension/peers.h"
#include "extension/sockets.h"
#include "extension/verbs.h"
#include "limits/rates.h"

enum {
    LOOK_MS = 500,       /* for the kernel to show its table */
    CLIENTS_MAX = 65536, /* that are remembered; IPv6 by /64 */
};

/* No client's keys. */
static const char all_key[] = "all", log_key[] = "log";

/* More answers than that are counted, but not written into the log. */
static const struct rb_rate log_rate = {.count = 10, .period_s = 1};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct rates *rates; /* lock; NULL: nobody has asked yet */

struct charge {
    const char *key;
    const struct rb_rate *rate;
};

/* Takes one of each, or none of any. */
static bool take(const struct charge *charges, size_t count)
{
    const int64_t now_ms = clock_monotonic_ms(clock_system());
    bool allowed;

    pthread_mutex_lock(&lock);
    if (rates == NULL)
        rates = rates_new(CLIENTS_MAX);
    allowed = rates != NULL;
    for (size_t i = 0; i < count && allowed; i++)
        allowed = rates_allow(rates, charges[i].key, charges[i].rate, now_ms);
    for (size_t i = 0; i < count && allowed; i++)
        (void)rates_take(rates, charges[i].key, charges[i].rate, now_ms);
    pthread_mutex_unlock(&lock);
    return allowed;
}

void answer_forget(void)
{
    pthread_mutex_lock(&lock);
    rates_free(rates);
    rates = NULL;
    pthread_mutex_unlock(&lock);
}

static bool is_within_rates(const struct session *session)
{
    const struct config *config = session->config;
    char key[RATES_CLIENT_KEY_SIZE];
    const struct charge charges[] = {{all_key, &config->limits.global_rate},
                                     {key, &config->limits.per_client_rate}};

    rates_client_key(envelope_client(session), key, sizeof key);
    return take(charges, sizeof charges / sizeof charges[0]);
}

/* --- The word --------------------------------------------------------------- */

struct asked {
    const struct session *session;
    struct ip asker;
    struct verbs_ayttm question;
    struct peers peers;
    bool limited; /* by a rate */
};

static bool is_of_peer(const struct asked *asked)
{
    for (size_t i = 0; i < asked->peers.count; i++)
        if (ip_is_same(&asked->peers.addresses[i], &asked->asker))
            return true;
    return false;
}

static enum verbs_word look(const struct asked *asked)
{
    const struct config *config = asked->session->config;
    const struct ayttm_settings settings = {
        .users = config->connect_back.answer_uids,
        .user_count = config->connect_back.answer_uid_count,
        .peers = asked->peers.addresses,
        .peer_count = asked->peers.count,
        .complete = config->connect_back.complete,
        .find = sockets_find,
        .find_timeout_ms = LOOK_MS,
    };
    const struct ayttm_answer answer = ayttm_answer(&settings, &asked->asker, &asked->question);
    enum verbs_word word = answer.word;

    if (answer.ask_peers)
        word = peers_ask(asked->session, &answer.to_peers, answer.word);
    /* Of other addresses peers tell us more than a stranger may know. */
    if (word == VERBS_MAYBE && answer.ask_peers &&
        !ip_is_same(&answer.to_peers.addr, &asked->asker))
        word = VERBS_UNKNOWN;
    return word;
}

static enum verbs_word find_word(struct asked *asked)
{
    peers_find(asked->session, &asked->peers);
    asked->limited = !is_of_peer(asked) && !is_within_rates(asked->session);
    if (asked->limited)
        return VERBS_UNKNOWN;
    if (asked->session->world->before_wait != NULL)
        asked->session->world->before_wait();
    return look(asked);
}

static void note(const struct asked *asked, enum verbs_word word)
{
    const struct charge line = {log_key, &log_rate};
    struct log_fields fields;

    metrics_answered(word);
    if (asked->limited)
        metrics_answer_limited();
    if (!log_wants(LOG_LEVEL_INFO) || !take(&line, 1))
        return;
    log_fields_init(&fields, "");
    log_field(&fields, "answer", verbs_verb_name(VERBS_AYTTM));
    log_field(&fields, "client", asked->session->client_text);
    log_field(&fields, "word", verbs_word_name(word));
    log_fieldf(&fields, "sport", "%u", asked->question.sport);
    log_fieldf(&fields, "dport", "%u", asked->question.dport);
    if (asked->limited)
        log_field(&fields, "rule", "rate");
    log_fields_write(LOG_LEVEL_INFO, &fields);
}

/* --- The reply -------------------------------------------------------------- */

bool answer_is_for(const struct session *session)
{
    struct ip ip;

    return session->config->connect_back.answer &&
           ip_from_sockaddr(envelope_client(session), &ip) && !ip_is_loopback(&ip);
}

bool answer_command(const struct session *session, bool *answered, const char *line,
                    struct smtp_reply *reply)
{
    struct asked asked = {.session = session};
    struct span args;
    enum verbs_word word;

    if (*answered || !session->config->connect_back.answer ||
        verbs_command_read(span_of(line), &args) != VERBS_AYTTM)
        return false;
    *answered = true;
    if (!ip_from_sockaddr(envelope_client(session), &asked.asker) ||
        !verbs_ayttm_read(args, &asked.question))
        return false;
    word = find_word(&asked);
    note(&asked, word);
    *reply = (struct smtp_reply){VERBS_REPLY_CODE, VERBS_REPLY_ENHANCED, ""};
    verbs_reply_write(VERBS_AYTTM, word, reply->text);
    return true;
}
