/* SPDX-License-Identifier: BSD-2-Clause */
/* verifier_rig: see the header. It must not know what the tests are about. */
#include "config.h"

#include "verifier_rig.h"

#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/ip.h"
#include "check.h"

static const struct rb_verifier *opened; /* by whose clock rig_until tells the time */

/* --- The rig --------------------------------------------------------------- */

void rig_start_host(struct rig *rig, const struct fake_host_options *options)
{
    struct fake_host_options with_port = *options;

    if (rig->host != NULL) { /* another one takes its place */
        with_port.port = fake_host_port(rig->host);
        fake_host_stop(rig->host);
    }
    rig->host = fake_host_start(&with_port);
    rig->options.port = fake_host_port(rig->host);
}

static void set_options(struct rig *rig)
{
    rig->options.helo_name = "probe.example.net";
    rig->options.resolvers = &rig->resolver;
    rig->options.resolver_count = 1;
    rig->options.ip_version = RB_IP_V4;
    rig->options.max_workers = 8;
    rig->options.store = rig->store;
    rig->options.store_max_bytes = 16 << 20;
    rig->options.clock = &rig->clock.clock;
    rig->options.allowed_networks = &rig->loopback;
    rig->options.allowed_count = 1;
}

int rig_set_up(void **state, const struct rig_world *world)
{
    struct rig *rig = calloc(1, sizeof *rig);

    if (rig == NULL)
        return -1;
    *state = rig;
    (void)snprintf(rig->folder, sizeof rig->folder, "/tmp/verifier_rig.XXXXXX");
    if (mkdtemp(rig->folder) == NULL || rb_network_parse("127.0.0.0/8", &rig->loopback) != RB_OK)
        return -1;
    (void)snprintf(rig->path, sizeof rig->path, "%s/cache", rig->folder);
    (void)snprintf(rig->store, sizeof rig->store, "lmdb:%s", rig->path);
    fake_clock_init(&rig->clock);
    rig->dns = fake_dns_start(AF_INET, world->zone, world->zone_count);
    rig->resolver = fake_dns_server(rig->dns);
    rb_options_init(&rig->options);
    rig->options.idle_timeout_ms = 0; /* a session is over when there is nothing more to ask */
    rig_start_host(rig, world->host);
    set_options(rig);
    return 0;
}

void rig_remove_store(const char *folder)
{
    static const char *const files[] = {"data.mdb", "lock.mdb"};
    char path[128];

    for (size_t i = 0; i < COUNT(files); i++) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        (void)unlink(path);
    }
    (void)rmdir(folder);
}

int rig_tear_down(void **state)
{
    struct rig *rig = *state;

    rig_close(rig);
    fake_host_stop(rig->host);
    fake_dns_stop(rig->dns);
    rig_remove_store(rig->path);
    (void)unlink(rig->path);
    (void)rmdir(rig->folder);
    free(rig);
    return 0;
}

void rig_open(struct rig *rig)
{
    char detail[256];

    if (rb_verifier_open(&rig->options, &rig->verifier, detail, sizeof detail) != RB_OK)
        fail_msg("%s", detail);
    opened = rig->verifier;
}

void rig_close(struct rig *rig)
{
    assert_int_not_equal(rb_verifier_close(rig->verifier), RB_ERR_BUSY);
    rig->verifier = NULL;
}

void rig_reopen(struct rig *rig)
{
    rig_close(rig);
    rig_open(rig);
}

void rig_reload(struct rig *rig)
{
    assert_int_equal(rb_verifier_set_options(rig->verifier, &rig->options), RB_OK);
}

void rig_hold(struct rig *rig, bool held)
{
    rig->held = held;
    fake_host_hold(rig->host, held);
}

/* --- Questions ------------------------------------------------------------- */

struct rb_question rig_question(const char *text)
{
    return (struct rb_question){.address = text, .address_len = strlen(text)};
}

const struct sockaddr *rig_client(const char *ip)
{
    static struct sockaddr_storage address;

    assert_true(ip_sockaddr_parse(ip, &address));
    return (const struct sockaddr *)&address;
}

struct rb_question rig_question_from(const char *client, const char *text)
{
    struct rb_question question = rig_question(text);

    question.client = rig_client(client);
    question.helo = "client.example";
    return question;
}

struct rb_ticket *rig_put(struct rig *rig, const struct rb_question *question)
{
    struct rb_ticket *ticket = NULL;

    assert_int_equal(rb_ask(rig->verifier, question, &ticket), RB_OK);
    assert_non_null(ticket);
    return ticket;
}

struct rb_ticket *rig_ask(struct rig *rig, const char *text)
{
    const struct rb_question question = rig_question(text);

    return rig_put(rig, &question);
}

int64_t rig_until(int64_t ms)
{
    return rb_now_ms(opened) + ms;
}

void rig_assert_limit(const struct rb_answer *answer)
{
    const bool by_limit = answer->reason == RB_REASON_LIMITED || answer->reason == RB_REASON_BUSY;

    assert_int_equal(by_limit, answer->limit != RB_LIMIT_NONE);
    assert_int_equal(answer->reason == RB_REASON_BUSY, answer->limit == RB_LIMIT_QUEUE_FULL);
    if (by_limit)
        assert_string_equal(answer->rule, rb_limit_name(answer->limit));
}

struct rb_answer rig_answer(struct rb_ticket *ticket)
{
    struct rb_answer answer = {.size = 0};

    rb_answer_init(&answer);
    (void)rb_wait(ticket, rig_until(RIG_PATIENCE_MS), &answer);
    rb_ticket_free(ticket);
    assert_int_equal(answer.verdict, rb_reason_verdict(answer.reason));
    rig_assert_limit(&answer);
    return answer;
}

enum rb_reason rig_outcome(struct rb_ticket *ticket)
{
    struct rb_answer answer = rig_answer(ticket);
    const enum rb_reason reason = answer.reason;

    rb_answer_fini(&answer);
    return reason;
}

void rig_verify(struct rig *rig, const struct rb_question *question, struct rb_answer *answer)
{
    rb_answer_init(answer);
    assert_int_equal(rb_verify(rig->verifier, question, rig_until(RIG_PATIENCE_MS), answer), RB_OK);
    rig_assert_limit(answer);
    if (!rig->held)
        rig_await_idle(rig);
}

struct rb_answer rig_answer_for(struct rig *rig, const char *text)
{
    const struct rb_question question = rig_question(text);
    struct rb_answer answer = {.size = 0};

    rig_verify(rig, &question, &answer);
    return answer;
}

struct rb_answer rig_answer_from(struct rig *rig, const char *client, const char *text)
{
    const struct rb_question question = rig_question_from(client, text);
    struct rb_answer answer = {.size = 0};

    rig_verify(rig, &question, &answer);
    return answer;
}

enum rb_reason rig_reason_for(struct rig *rig, const char *text)
{
    return rig_answer_for(rig, text).reason;
}

/* --- What is going on ------------------------------------------------------ */

struct rb_stats rig_stats(struct rig *rig)
{
    struct rb_stats stats = {.size = sizeof stats};

    rb_verifier_stats(rig->verifier, &stats);
    return stats;
}

void rig_await_sessions(struct rig *rig, uint64_t running, uint64_t pending)
{
    struct rb_stats stats = rig_stats(rig);

    for (int i = 0; i < RIG_PATIENCE_MS; i++) {
        if (stats.running == running && stats.pending == pending)
            return;
        check_pause();
        stats = rig_stats(rig);
    }
    fail_msg("%u sessions with %u questions waiting, and not %u with %u", (unsigned)stats.running,
             (unsigned)stats.pending, (unsigned)running, (unsigned)pending);
}

void rig_await_idle(struct rig *rig)
{
    rig_await_sessions(rig, 0, 0);
}

void rig_await_callouts(struct rig *rig, enum rb_reason reason, uint64_t count)
{
    for (int i = 0; i < RIG_PATIENCE_MS; i++) {
        if (rig_stats(rig).callouts[reason] >= count)
            return;
        check_pause();
    }
    fail_msg("no callout has ended in %s", rb_reason_name(reason));
}

void rig_await_retries(struct rig *rig, uint64_t count)
{
    for (int i = 0; i < RIG_PATIENCE_MS && rig_stats(rig).retries_scheduled != count; i++)
        check_pause();
    assert_int_equal(rig_stats(rig).retries_scheduled, count);
}

unsigned rig_connections(struct rig *rig)
{
    return fake_host_connections(rig->host);
}

unsigned rig_rcpts(struct rig *rig)
{
    return fake_host_heard(rig->host, "RCPT");
}

/* --- Many at once ---------------------------------------------------------- */

static void *ask_and_wait(void *arg)
{
    struct rig_asker *asker = arg;
    struct rb_ticket *ticket = NULL;

    pthread_barrier_wait(asker->start);
    asker->error = rb_ask(asker->rig->verifier, &asker->question, &ticket);
    pthread_barrier_wait(asker->asked);
    if (asker->error != RB_OK)
        return NULL;
    asker->waited = rb_wait(ticket, rig_until(RIG_PATIENCE_MS), &asker->answer);
    rb_ticket_free(ticket);
    return NULL;
}

void rig_start_askers(struct rig *rig, unsigned count, const struct rb_question *questions,
                      size_t question_count)
{
    assert_in_range(count, 1, RIG_ASKERS_MAX);
    assert_int_equal(pthread_barrier_init(&rig->start, NULL, count), 0);
    assert_int_equal(pthread_barrier_init(&rig->asked, NULL, count + 1), 0);
    for (unsigned i = 0; i < count; i++) {
        struct rig_asker *asker = &rig->askers[i];

        *asker = (struct rig_asker){.rig = rig,
                                    .question = questions[i % question_count],
                                    .start = &rig->start,
                                    .asked = &rig->asked};
        assert_int_equal(pthread_create(&asker->thread, NULL, ask_and_wait, asker), 0);
    }
    pthread_barrier_wait(&rig->asked);
}

void rig_join_askers(struct rig *rig, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(pthread_join(rig->askers[i].thread, NULL), 0);
        assert_int_equal(rig->askers[i].error, RB_OK);
        assert_int_not_equal(rig->askers[i].waited, RB_ERR_NOT_YET);
    }
    assert_int_equal(pthread_barrier_destroy(&rig->start), 0);
    assert_int_equal(pthread_barrier_destroy(&rig->asked), 0);
}
