/* SPDX-License-Identifier: BSD-2-Clause */
/* window: see window.h. Must not read, nor write. */
#include "config.h"

#include "tool/window.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

enum { AGAIN_MS = 250 }; /* how often it is tried what a rate forbade */

static int64_t now_ms(void)
{
    return clock_monotonic_ms(clock_system());
}

static struct window_slot *slot_at(struct window *window, size_t index)
{
    return &window->slots[(window->first + index) % WINDOW_MAX];
}

/* --- Rates ----------------------------------------------------------------- */

/* Of what is behind the last "@", in lower case; never 0. */
static uint32_t domain_hash(const char *input, size_t len)
{
    const char *at = memrchr(input, '@', len), *end = input + len;
    uint32_t hash = 0x811c9dc5;

    for (const char *from = at != NULL ? at : input; from < end; from++)
        hash = (hash ^ (uint8_t)tolower((unsigned char)*from)) * 0x01000193;
    return hash != 0 ? hash : 1;
}

/*
 * The domain's place among those refused; where there is none, an empty one or, if need be,
 * another's.
 */
static uint32_t *refusal(struct window *window, uint32_t domain)
{
    for (uint32_t step = 0; step < WINDOW_STEPS; step++) {
        uint32_t *place = &window->refused[(domain + step) % WINDOW_DOMAINS];

        if (*place == domain || *place == 0)
            return place;
    }
    return &window->refused[domain % WINDOW_DOMAINS];
}

/*
 * The domain's place among those that wait for their mail host. Two may share one: then they wait
 * together, which does no harm.
 */
static struct window_pause *pause_of(struct window *window, uint32_t domain)
{
    return &window->pauses[domain % WINDOW_DOMAINS];
}

static bool may_ask(struct window *window, const struct window_slot *slot)
{
    /*
     * Two domains may be counted together: then they wait for each other now and then, which does
     * no harm.
     */
    return window->under_way < WINDOW_UNDER_WAY_MAX && !window->all_refused &&
           window->of_domain[slot->domain % WINDOW_DOMAINS] < WINDOW_OF_DOMAIN_MAX &&
           *refusal(window, slot->domain) != slot->domain &&
           now_ms() >= pause_of(window, slot->domain)->until_ms;
}

/* False: it was put off often enough; the answer stands. */
static bool put_off(struct window *window, uint32_t domain)
{
    struct window_pause *pause = pause_of(window, domain);
    const int64_t now = now_ms();

    if (now < pause->until_ms) /* asked with others, which have found out before */
        return true;
    if (pause->times == WINDOW_PAUSES_MAX)
        return false;
    pause->times++;
    pause->until_ms = now + window->pause_ms;
    return true;
}

/* True: a limit forbids it now, and later it is allowed. */
static bool note_refusal(struct window *window, const struct window_slot *slot,
                         const struct rb_answer *answer)
{
    switch (answer->limit) {
    case RB_LIMIT_GLOBAL_RATE:
        window->all_refused = true;
        return true;
    case RB_LIMIT_DOMAIN_RATE:
    case RB_LIMIT_HOST_SESSIONS:
        *refusal(window, slot->domain) = slot->domain;
        return true;
    case RB_LIMIT_HOST_PAUSED:
        return put_off(window, slot->domain);
    default:
        if (answer->reason != RB_REASON_LIMITED && !answer->cached)
            pause_of(window, slot->domain)->times = 0; /* its host answers */
        return false;
    }
}

static void forget_refusals(struct window *window)
{
    int64_t now = now_ms();

    if (now < window->again_ms)
        return;
    window->again_ms = now + AGAIN_MS;
    window->all_refused = false;
    memset(window->refused, 0, sizeof window->refused);
}

/* --- Asking and answers ---------------------------------------------------- */

/* The answer is there: it is kept as text, which is a tenth of what the ticket takes. */
static enum rb_error settle_slot(struct window *window, struct window_slot *slot)
{
    struct rb_answer answer;
    enum rb_error error = RB_OK;

    rb_answer_init(&answer);
    (void)rb_wait(slot->ticket, 0, &answer);
    if (note_refusal(window, slot, &answer)) {
        window->any_put_off = true;
    } else {
        slot->verdict = answer.verdict;
        slot->text = window->format(&answer, slot->input, slot->len, window->format_arg);
        error = slot->text != NULL ? RB_OK : RB_ERR_NOMEM;
    }
    rb_answer_fini(&answer);
    rb_ticket_free(slot->ticket);
    slot->ticket = NULL;
    window->under_way--;
    window->of_domain[slot->domain % WINDOW_DOMAINS]--;
    return error;
}

static enum rb_error ask_slot(struct window *window, struct window_slot *slot)
{
    struct rb_question question = window->question;
    enum rb_error error;

    if (!may_ask(window, slot)) {
        window->any_put_off = true;
        return RB_OK;
    }
    question.address = slot->input;
    question.address_len = slot->len;
    error = rb_ask(window->verifier, &question, &slot->ticket);
    if (error != RB_OK)
        return error;
    window->under_way++;
    window->of_domain[slot->domain % WINDOW_DOMAINS]++;
    return rb_ready(slot->ticket) ? settle_slot(window, slot) : RB_OK;
}

enum rb_error window_add(struct window *window, const char *input, size_t len,
                         const struct input_place *place)
{
    struct window_slot *slot = slot_at(window, window->used);

    *slot = (struct window_slot){.input = malloc(len + 1), .len = len};
    slot->domain = domain_hash(input, len);
    if (slot->input == NULL)
        return RB_ERR_NOMEM;
    memcpy(slot->input, input, len);
    slot->input[len] = '\0';
    if (place != NULL) {
        slot->is_listed = true;
        slot->place = *place;
    }
    window->used++;
    return ask_slot(window, slot);
}

enum rb_error window_look(struct window *window)
{
    bool again;

    forget_refusals(window);
    again = window->any_put_off && window->under_way < WINDOW_UNDER_WAY_MAX && !window->all_refused;
    if (again)
        window->any_put_off = false;
    for (size_t i = 0; i < window->used; i++) {
        struct window_slot *slot = slot_at(window, i);
        enum rb_error error = RB_OK;

        if (slot->ticket != NULL && rb_ready(slot->ticket))
            error = settle_slot(window, slot);
        else if (again && slot->ticket == NULL && slot->text == NULL)
            error = ask_slot(window, slot);
        if (error != RB_OK)
            return error;
    }
    return RB_OK;
}

const struct window_slot *window_oldest(const struct window *window)
{
    const struct window_slot *slot = &window->slots[window->first];

    return window->used > 0 && slot->text != NULL ? slot : NULL;
}

const struct window_slot *window_awaited(const struct window *window)
{
    const struct window_slot *slot = &window->slots[window->first];

    return window->used > 0 && slot->text == NULL ? slot : NULL;
}

void window_drop(struct window *window)
{
    struct window_slot *slot = &window->slots[window->first];

    rb_ticket_free(slot->ticket);
    free(slot->input);
    free(slot->text);
    *slot = (struct window_slot){0};
    window->first = (window->first + 1) % WINDOW_MAX;
    window->used--;
}

void window_fini(struct window *window)
{
    while (window->used > 0)
        window_drop(window);
}
