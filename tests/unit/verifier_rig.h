/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * verifier_rig: a verifier and the world around it: a store in a folder of its own, a scripted
 * name server, a scripted mail host, and a clock that is moved by hand. Whatever cannot be done
 * ends the test. One thread of the test uses a rig, but for what says otherwise.
 */
#ifndef RB_VERIFIER_RIG_H
#define RB_VERIFIER_RIG_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fake_clock.h"
#include "fake_dns.h"
#include "fake_host.h"
#include "ringback.h"

enum {
    RIG_PATIENCE_MS = 120000, /* for what must come: far longer than it takes */
    RIG_ASKERS_MAX = 200,
};

/* What is to be found in the world. All pointers must outlive the rig. */
struct rig_world {
    const struct fake_dns_row *zone;
    size_t zone_count;
    const struct fake_host_options *host; /* on 127.0.0.1 */
};

/* One thread that asks and waits. */
struct rig_asker {
    struct rig *rig;
    struct rb_question question;
    pthread_barrier_t *start, *asked;
    enum rb_error error, waited; /* of rb_ask, of rb_wait */
    struct rb_answer answer;
    pthread_t thread;
};

struct rig {
    char folder[64], path[80], store[96];
    struct fake_clock clock;
    struct fake_dns *dns;
    struct fake_host *host;
    bool held;
    const char *resolver;
    struct rb_network loopback;
    struct rb_options options; /* sensible ones; change what you like before rig_open */
    struct rb_verifier *verifier;
    pthread_barrier_t start, asked;
    struct rig_asker askers[RIG_ASKERS_MAX];
};

/*
 * For the set-up of a test: *state becomes the rig. The verifier is not opened yet. Returns 0,
 * or -1 where it cannot be had.
 */
int rig_set_up(void **state, const struct rig_world *world);

/* For the tear-down: closes, ends and removes everything. Returns 0. */
int rig_tear_down(void **state);

/* Removes a store's files, and its folder. */
void rig_remove_store(const char *folder);

/* Opens the verifier with the rig's options. */
void rig_open(struct rig *rig);

/* Closes it first: a restart. */
void rig_reopen(struct rig *rig);

/* Closes it, and nothing else. */
void rig_close(struct rig *rig);

/* New options for the running verifier: those of the rig. */
void rig_reload(struct rig *rig);

/* Another mail host takes the place of the one there was, at the same port. */
void rig_start_host(struct rig *rig, const struct fake_host_options *options);

/* While held, the mail host lets RCPT wait for its reply. */
void rig_hold(struct rig *rig, bool held);

/* A question with nothing but the address. */
struct rb_question rig_question(const char *text);

/* The address of a client. It lives until the next call: what is asked must have been copied. */
const struct sockaddr *rig_client(const char *ip);

/* A question of that client. */
struct rb_question rig_question_from(const char *client, const char *text);

/* Asks. The ticket is the caller's. Any thread. */
struct rb_ticket *rig_ask(struct rig *rig, const char *text);
struct rb_ticket *rig_put(struct rig *rig, const struct rb_question *question);

/* An answer of a limit has that limit, its reason and its rule; another has none. */
void rig_assert_limit(const struct rb_answer *answer);

/*
 * Waits, leaves, and tells the answer, or its reason alone. An answer without a transcript owns
 * nothing.
 */
struct rb_answer rig_answer(struct rb_ticket *ticket);
enum rb_reason rig_outcome(struct rb_ticket *ticket);

/* Asks, waits, leaves, and lets the session come to its end unless the host is held. */
void rig_verify(struct rig *rig, const struct rb_question *question, struct rb_answer *answer);

/* The moment that far away, for rb_wait. The verifier was opened last of all. */
int64_t rig_until(int64_t ms);
struct rb_answer rig_answer_for(struct rig *rig, const char *text);
enum rb_reason rig_reason_for(struct rig *rig, const char *text);
struct rb_answer rig_answer_from(struct rig *rig, const char *client, const char *text);

/* As rb_verifier_stats. Any thread. */
struct rb_stats rig_stats(struct rig *rig);

/*
 * Waits until no session is under way any more: an answer comes before its session has said
 * QUIT.
 */
void rig_await_idle(struct rig *rig);

/* Waits until so many sessions are under way and so many questions wait for one. */
void rig_await_sessions(struct rig *rig, uint64_t running, uint64_t pending);

/* Waits until that many callouts have ended so. */
void rig_await_callouts(struct rig *rig, enum rb_reason reason, uint64_t count);

/* Waits until that many retries are scheduled. */
void rig_await_retries(struct rig *rig, uint64_t count);

/* What the mail host has seen: connections, and RCPT commands. */
unsigned rig_connections(struct rig *rig);
unsigned rig_rcpts(struct rig *rig);

/*
 * Starts that many threads (RIG_ASKERS_MAX at most) that ask the questions in turn; all of them
 * have asked when this returns, and may be waiting. rig_join_askers waits for their end; what
 * they heard is in rig->askers, and the caller's.
 */
void rig_start_askers(struct rig *rig, unsigned count, const struct rb_question *questions,
                      size_t question_count);
void rig_join_askers(struct rig *rig, unsigned count);

#endif
