/* SPDX-License-Identifier: BSD-2-Clause */
/* history: a ring of decisions and a ring of minutes; see history.h. */
#include "config.h"

#include "daemon/history.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

static const int64_t WAIT_BOUNDS_MS[HISTORY_WAITS] = {
    0,   1,    2,    5,    10,   20,   50,   100,  200,   300,   400,   500,
    750, 1000, 1500, 2000, 3000, 4000, 6000, 8000, 12000, 20000, 30000, -1,
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
    const int64_t minute = clock_wall_s(memory->clock) / 60;

    return minute > 0 ? minute : 0;
}

/* The room of this minute, whose former owner was a day before. */
static struct history_minute *room_of_now(void)
{
    const int64_t minute = this_minute();
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
        room_of_now()->decisions[kind_of(reason)]++;
    pthread_mutex_unlock(&lock);
}

void history_waited(int64_t waited_ms)
{
    if (!history_is_kept())
        return;
    pthread_mutex_lock(&lock);
    if (memory != NULL)
        room_of_now()->waits[histogram_bucket(WAIT_BOUNDS_MS, waited_ms)]++;
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

/* Before a clock that says 1970 there was nothing: the minute is negative, and has no room. */
static struct history_minute look_at_minute(int64_t minute)
{
    const struct history_minute *room = &memory->minutes[minute > 0 ? minute % HISTORY_MINUTES : 0];

    return room->minute == minute ? *room : (struct history_minute){.minute = minute};
}

void history_minute(unsigned ago, struct history_minute *minute)
{
    *minute = (struct history_minute){.minute = 0};
    pthread_mutex_lock(&lock);
    if (memory != NULL) {
        const int64_t number = this_minute() - ago;

        *minute = ago < HISTORY_MINUTES ? look_at_minute(number)
                                        : (struct history_minute){.minute = number};
    }
    pthread_mutex_unlock(&lock);
}

static void add_minute(struct history_sum *sum, const struct history_minute *minute)
{
    for (unsigned i = 0; i < HISTORY_KINDS; i++)
        sum->decisions[i] += minute->decisions[i];
    for (unsigned i = 0; i < HISTORY_WAITS; i++) {
        sum->waits_ms.counts[i] += minute->waits[i];
        sum->waits_ms.total += minute->waits[i];
    }
}

void history_sum(unsigned minutes, struct history_sum *sum)
{
    struct history_minute minute;

    *sum = (struct history_sum){.waits_ms = {.bounds = WAIT_BOUNDS_MS, .buckets = HISTORY_WAITS}};
    for (unsigned ago = 0; ago < minutes && ago < HISTORY_MINUTES; ago++) {
        history_minute(ago, &minute);
        add_minute(sum, &minute);
    }
}
