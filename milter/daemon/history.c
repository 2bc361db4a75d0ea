/* SPDX-License-Identifier: BSD-2-Clause */
/* history: a ring of decisions and a ring of minutes; see history.h. */
#include "config.h"

#include "daemon/history.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* A wait belongs to the first class whose bound it does not exceed; the last has none. */
static const int64_t bounds_ms[HISTORY_WAITS - 1] = {
    0,   1,   2,   5,    10,   20,   50,   100,  150,  200,  250,   300,
    400, 500, 750, 1000, 1500, 2000, 3000, 4000, 6000, 8000, 12000, 30000,
};

struct memory {
    struct history_decision decisions[HISTORY_DECISIONS]; /* number N stands at N % DECISIONS */
    struct history_minute minutes[HISTORY_MINUTES];       /* minute N at N % MINUTES */
    uint64_t last;                                        /* the latest decision's number */
    const struct rb_clock *clock;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct memory *memory; /* under the lock, and all of it */
static atomic_bool is_kept;   /* memory is not NULL: known without the lock */

const char *history_kind_name(enum history_kind kind)
{
    static const char *const names[HISTORY_KINDS] = {
        [HISTORY_VALID] = "valid",
        [HISTORY_INVALID] = "invalid",
        [HISTORY_UNKNOWN] = "unknown",
        [HISTORY_EXEMPT] = "exempt",
    };

    return (unsigned)kind < HISTORY_KINDS ? names[kind] : "?";
}

static enum history_kind kind_of(enum rb_reason reason)
{
    if (reason == RB_REASON_EXEMPT)
        return HISTORY_EXEMPT;
    switch (rb_reason_verdict(reason)) {
    case RB_VERDICT_VALID:
        return HISTORY_VALID;
    case RB_VERDICT_INVALID:
        return HISTORY_INVALID;
    case RB_VERDICT_UNKNOWN:
        break;
    }
    return HISTORY_UNKNOWN;
}

/* --- Beginning and ending --------------------------------------------------- */

/* Puts another memory into the place of the one there is, which becomes the caller's. */
static struct memory *exchange(struct memory *other)
{
    struct memory *before;

    pthread_mutex_lock(&lock);
    before = memory;
    memory = other;
    atomic_store(&is_kept, other != NULL);
    pthread_mutex_unlock(&lock);
    return before;
}

bool history_start(const struct rb_clock *clock)
{
    struct memory *made = calloc(1, sizeof *made);

    if (made != NULL)
        made->clock = clock != NULL ? clock : clock_system();
    free(exchange(made));
    return made != NULL;
}

void history_end(void)
{
    free(exchange(NULL));
}

bool history_is_kept(void)
{
    return atomic_load_explicit(&is_kept, memory_order_relaxed);
}

/* --- Being told ------------------------------------------------------------- */

static int64_t this_minute(void)
{
    return clock_wall_s(memory->clock) / 60;
}

/* The room of a minute, whose former owner was a day before. */
static struct history_minute *minute_room(int64_t minute)
{
    struct history_minute *room = &memory->minutes[minute % HISTORY_MINUTES];

    if (room->minute != minute)
        *room = (struct history_minute){.minute = minute};
    return room;
}

void history_decided(enum rb_reason reason)
{
    if (!history_is_kept() || reason == RB_REASON_NONE)
        return;
    pthread_mutex_lock(&lock);
    if (memory != NULL)
        minute_room(this_minute())->decisions[kind_of(reason)]++;
    pthread_mutex_unlock(&lock);
}

static unsigned wait_class(int64_t waited_ms)
{
    unsigned class = 0;

    while (class < HISTORY_WAITS - 1 && waited_ms > bounds_ms[class])
        class ++;
    return class;
}

void history_waited(int64_t waited_ms)
{
    const unsigned class = wait_class(waited_ms);

    if (!history_is_kept())
        return;
    pthread_mutex_lock(&lock);
    if (memory != NULL)
        minute_room(this_minute())->waits[class]++;
    pthread_mutex_unlock(&lock);
}

static void keep_text(char *kept, size_t size, const char *text)
{
    const size_t len = strnlen(text, size);

    if (len < size) {
        memcpy(kept, text, len + 1);
        return;
    }
    memcpy(kept, text, size - 4);
    memcpy(kept + size - 4, "...", 4);
}

#define KEEP(field, text) keep_text(field, sizeof(field), text)

static void keep_session(struct history_decision *kept, const struct session *session)
{
    KEEP(kept->client, session->client_text[0] != '\0' ? session->client_text : "local");
    KEEP(kept->helo, session->helo);
    KEEP(kept->id, session->id);
}

/* What the host said that the client claims to be. */
static void keep_claim(struct history_decision *kept, const struct session *session,
                       const struct decision *decision)
{
    const struct rb_client_answer *answer = &session->claim->answer;

    kept->kind = HISTORY_UNKNOWN;
    kept->result = answer->result;
    kept->cached = answer->cached;
    kept->waited_ms = session->claim->waited_ms;
    KEEP(kept->address, session->helo);
    KEEP(kept->other, decision->recipient);
    KEEP(kept->mx, answer->host);
    KEEP(kept->ip, answer->ip);
    KEEP(kept->reply, answer->reply);
    KEEP(kept->rule, answer->rule);
    KEEP(kept->policy, decision->policy != NULL ? decision->policy->name : "");
}

static void keep_answer(struct history_decision *kept, const struct rb_answer *answer)
{
    kept->cached = answer->cached;
    kept->voucher = answer->voucher;
    KEEP(kept->mx, answer->mx);
    KEEP(kept->ip, answer->ip);
    KEEP(kept->reply, answer->reply);
    KEEP(kept->rule, answer->rule);
}

static void keep_decision(struct history_decision *kept, const struct session *session,
                          const struct decision *decision)
{
    kept->kind = kind_of(decision->reason);
    kept->reason = decision->reason;
    kept->exemption = decision->exemption;
    if (decision->exemption == EXEMPT_NOT) {
        keep_answer(kept, envelope_answer(session, decision));
        kept->waited_ms = envelope_waited_ms(session, decision);
    } else {
        KEEP(kept->rule, exemption_name(decision->exemption));
    }
    if (decision->of == OF_HEADER)
        kept->field = envelope_role(decision);
    KEEP(kept->address, envelope_address(session, decision));
    KEEP(kept->other, decision->of == OF_RECIPIENT ? session->sender_text : decision->recipient);
    KEEP(kept->policy, decision->policy->name);
}

/* Gives it its number, and a place in the ring. */
static void add(struct history_decision *decision)
{
    pthread_mutex_lock(&lock);
    if (memory != NULL) {
        decision->number = ++memory->last;
        decision->decided_s = clock_wall_s(memory->clock);
        memory->decisions[decision->number % HISTORY_DECISIONS] = *decision;
    }
    pthread_mutex_unlock(&lock);
}

void history_note(const struct session *session, const struct decision *decision,
                  const char *queue_id)
{
    struct history_decision kept;

    if (!history_is_kept())
        return;
    memset(&kept, 0, sizeof kept);
    kept.of = decision->of;
    kept.field = "";
    kept.action = decision->action;
    kept.wanted = decision->wanted;
    keep_session(&kept, session);
    KEEP(kept.queue_id, queue_id != NULL ? queue_id : "");
    if (decision->of == OF_CLIENT)
        keep_claim(&kept, session, decision);
    else
        keep_decision(&kept, session, decision);
    add(&kept);
}

/* --- Being asked ------------------------------------------------------------ */

static uint64_t last_number(void)
{
    uint64_t number;

    pthread_mutex_lock(&lock);
    number = memory != NULL ? memory->last : 0;
    pthread_mutex_unlock(&lock);
    return number;
}

/* False: it is kept no more. */
static bool copy_decision(uint64_t number, struct history_decision *copy)
{
    pthread_mutex_lock(&lock);
    if (memory != NULL)
        *copy = memory->decisions[number % HISTORY_DECISIONS];
    else
        copy->number = 0;
    pthread_mutex_unlock(&lock);
    return copy->number == number;
}

void history_walk(bool (*visit)(void *arg, const struct history_decision *decision), void *arg)
{
    struct history_decision copy;

    for (uint64_t number = last_number(); number > 0 && copy_decision(number, &copy); number--)
        if (!visit(arg, &copy))
            return;
}

void history_minute(unsigned ago, struct history_minute *minute)
{
    *minute = (struct history_minute){.minute = 0};
    pthread_mutex_lock(&lock);
    if (memory != NULL) {
        const int64_t number = this_minute() - ago;

        *minute = *(ago < HISTORY_MINUTES ? minute_room(number)
                                          : &(struct history_minute){.minute = number});
    }
    pthread_mutex_unlock(&lock);
}

void history_sum(unsigned minutes, struct history_sum *sum)
{
    *sum = (struct history_sum){.decisions = {0}};
    for (unsigned ago = 0; ago < minutes && ago < HISTORY_MINUTES; ago++) {
        struct history_minute minute;

        history_minute(ago, &minute);
        for (unsigned i = 0; i < HISTORY_KINDS; i++)
            sum->decisions[i] += minute.decisions[i];
        for (unsigned i = 0; i < HISTORY_WAITS; i++)
            sum->waits[i] += minute.waits[i];
    }
}

uint64_t history_wait_count(const struct history_sum *sum)
{
    uint64_t count = 0;

    for (unsigned i = 0; i < HISTORY_WAITS; i++)
        count += sum->waits[i];
    return count;
}

/* The moment within a class that so many of its waits are below. */
static int64_t within_class(unsigned class, uint64_t below, uint64_t count)
{
    const int64_t begin = class == 0 ? 0 : bounds_ms[class - 1];

    if (class == HISTORY_WAITS - 1)
        return begin;
    return begin + (int64_t)((double)(bounds_ms[class] - begin) * (double)below / (double)count);
}

int64_t history_quantile_ms(const struct history_sum *sum, unsigned permille)
{
    const uint64_t count = history_wait_count(sum);
    uint64_t wanted = (count * permille + 999) / 1000, before = 0;

    if (wanted == 0)
        wanted = 1;
    for (unsigned class = 0; class < HISTORY_WAITS; class ++) {
        if (before + sum->waits[class] >= wanted && sum->waits[class] > 0)
            return within_class(class, wanted - before, sum->waits[class]);
        before += sum->waits[class];
    }
    return -1;
}
