/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * peers: see peers.h. Owns: the addresses of the peers of one configuration, and which questions
 * are with them. Lock: `lock`, never held while anybody is asked.
 */
#include "config.h"

#include "extension/peers.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "extension/ayttm.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void about_to_wait(const struct session *session)
{
    if (session->world->before_wait != NULL)
        session->world->before_wait();
}

/* --- Where they are ---------------------------------------------------------- */

static struct peers known;      /* lock */
static struct config *known_of; /* lock; a reference; NULL: nobody was looked for yet */
static int64_t known_until_ms;  /* lock; monotonic */
static bool looking;            /* lock */

static int64_t now(void)
{
    return clock_monotonic_ms(clock_system());
}

/* Appends a peer's. False: it has none. */
static bool look_up(struct rb_verifier *verifier, const char *host, int64_t until_ms,
                    struct peers *peers)
{
    struct sockaddr_storage found[PEERS_ADDRESSES_MAX / CONFIG_PEERS_MAX];
    const size_t count =
        rb_host_addresses(verifier, host, until_ms, found, sizeof found / sizeof found[0]);

    for (size_t i = 0; i < count; i++)
        if (ip_from_sockaddr((const struct sockaddr *)&found[i], &peers->addresses[peers->count]))
            peers->count++;
    return count > 0;
}

/* Whether the caller is the one to look, as nobody does and what is known is old or another
 * configuration's; or else what is known. */
static bool begin_look(const struct session *session, struct peers *peers)
{
    bool is_due;

    pthread_mutex_lock(&lock);
    is_due = !looking && (known_of != session->config || now() >= known_until_ms);
    looking = looking || is_due;
    *peers = known;
    pthread_mutex_unlock(&lock);
    return is_due;
}

static void end_look(const struct session *session, const struct peers *peers, bool found_all)
{
    struct config *before;

    pthread_mutex_lock(&lock);
    before = known_of;
    known_of = config_get(session->config);
    known_until_ms = now() + (found_all ? PEERS_FRESH_MS : PEERS_RETRY_MS);
    known = *peers;
    looking = false;
    pthread_mutex_unlock(&lock);
    config_put(before);
}

void peers_find(const struct session *session, struct peers *peers)
{
    const struct text_list *hosts = &session->config->connect_back.peers;
    struct rb_verifier *verifier = session->world->verifier;
    bool found_all = true;
    int64_t until_ms;

    peers->count = 0;
    if (hosts->count == 0 || !begin_look(session, peers))
        return;
    about_to_wait(session);
    peers->count = 0;
    until_ms = rb_now_ms(verifier) + PEERS_LOOK_MS;
    for (size_t i = 0; i < hosts->count; i++)
        found_all = look_up(verifier, hosts->items[i], until_ms, peers) && found_all;
    end_look(session, peers, found_all);
}

void peers_forget(void)
{
    pthread_mutex_lock(&lock);
    config_put(known_of);
    known_of = NULL;
    known.count = 0;
    pthread_mutex_unlock(&lock);
}

/* --- Questions that are with them -------------------------------------------- */

static struct verbs_ayttm open_questions[PEERS_QUESTIONS_MAX]; /* lock; sport 0: a free place */

static bool is_same(const struct verbs_ayttm *a, const struct verbs_ayttm *b)
{
    return a->sport == b->sport && a->dport == b->dport && ip_is_same(&a->addr, &b->addr);
}

/* NULL: they are being asked it already, or too much. */
static struct verbs_ayttm *begin_asking(const struct verbs_ayttm *question)
{
    struct verbs_ayttm *place = NULL;
    bool is_open = false;

    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < PEERS_QUESTIONS_MAX; i++) {
        is_open = is_open || is_same(&open_questions[i], question);
        if (place == NULL && open_questions[i].sport == 0)
            place = &open_questions[i];
    }
    if (is_open)
        place = NULL;
    if (place != NULL)
        *place = *question;
    pthread_mutex_unlock(&lock);
    return place;
}

static void end_asking(struct verbs_ayttm *place)
{
    pthread_mutex_lock(&lock);
    place->sport = 0;
    pthread_mutex_unlock(&lock);
}

/* --- Asking ------------------------------------------------------------------ */

/* So long is one peer listened for before another is. */
enum { SLICE_MS = 20 };

struct round {
    size_t count, open;
    struct rb_ticket *tickets[CONFIG_PEERS_MAX]; /* NULL: it has said something, or never will */
    enum verbs_word words[CONFIG_PEERS_MAX];
};

static enum verbs_word word_of(enum rb_client_result result)
{
    switch (result) {
    case RB_CLIENT_CONFIRMED:
        return VERBS_YES;
    case RB_CLIENT_MAYBE:
        return VERBS_MAYBE;
    case RB_CLIENT_DENIED:
        return VERBS_NO;
    default:
        return VERBS_NONE;
    }
}

static void ask_all(const struct session *session, const struct verbs_ayttm *question,
                    struct round *round)
{
    const struct text_list *hosts = &session->config->connect_back.peers;
    struct sockaddr_storage client = session->client, reached = ip_to_sockaddr(&question->addr);
    struct rb_client_question asked;
    char host[RB_DOMAIN_MAX + 3];

    ip_sockaddr_set_port(&client, question->sport);
    ip_sockaddr_set_port(&reached, question->dport);
    rb_client_question_init(&asked);
    asked.client = (const struct sockaddr *)&client;
    asked.reached = (const struct sockaddr *)&reached;
    asked.host = host;
    asked.is_peer = true;
    for (size_t i = 0; i < hosts->count; i++) {
        (void)snprintf(host, sizeof host, strchr(hosts->items[i], ':') != NULL ? "[%s]" : "%s",
                       hosts->items[i]);
        if (rb_ask_client(session->world->verifier, &asked, &round->tickets[i]) == RB_OK)
            round->open++;
    }
    round->count = hosts->count;
}

static void hear(struct round *round, size_t i, int64_t until_ms)
{
    struct rb_client_answer answer;
    enum rb_error error;

    rb_client_answer_init(&answer);
    error = rb_wait_client(round->tickets[i], until_ms, &answer);
    if (error != RB_ERR_NOT_YET) {
        if (error == RB_OK)
            round->words[i] = word_of(answer.result);
        rb_ticket_free(round->tickets[i]);
        round->tickets[i] = NULL;
        round->open--;
    }
    rb_client_answer_fini(&answer);
}

static void hear_all(struct rb_verifier *verifier, struct round *round)
{
    const int64_t end_ms = rb_now_ms(verifier) + PEERS_MS;
    bool is_settled = false;

    while (round->open > 0 && !is_settled && rb_now_ms(verifier) < end_ms) {
        for (size_t i = 0; i < round->count && !is_settled; i++) {
            if (round->tickets[i] != NULL)
                hear(round, i, rb_now_ms(verifier) + SLICE_MS);
            is_settled = round->words[i] == VERBS_YES;
        }
    }
    for (size_t i = 0; i < round->count; i++)
        rb_ticket_free(round->tickets[i]);
}

enum verbs_word peers_ask(const struct session *session, const struct verbs_ayttm *question,
                          enum verbs_word own)
{
    struct verbs_ayttm *place = question->sport != 0 ? begin_asking(question) : NULL;
    struct round round = {.count = 0};

    if (place == NULL)
        return VERBS_UNKNOWN;
    about_to_wait(session);
    ask_all(session, question, &round);
    hear_all(session->world->verifier, &round);
    end_asking(place);
    return ayttm_conclude(own, round.words, round.count);
}
