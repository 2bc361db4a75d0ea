/* SPDX-License-Identifier: BSD-2-Clause */
/* session_rig: see the header. It must not know what the tests are about. */
#include "config.h"

#include "session_rig.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "daemon/observer.h"
#include "daemon/service.h"
#include "session/reply.h"

enum { PATIENCE_MS = 120000 }; /* for what must come: far longer than it takes */

struct session_rig_calls session_rig_calls;

static void note_pause(unsigned ms)
{
    session_rig_calls.pauses++;
    session_rig_calls.paused_ms += ms;
}

static void note_wait(void)
{
    session_rig_calls.waits++;
}

/* --- The world ------------------------------------------------------------- */

static struct session_rig *current; /* set up last */

struct config *service_config(void)
{
    return config_get(current->session.config);
}

const struct session_world *service_world(void)
{
    return &current->world;
}

static void set_options(struct session_rig *rig)
{
    rb_options_init(&rig->options);
    rig->options.helo_name = "mx.example.net";
    rig->options.ip_version = RB_IP_V4;
    rig->options.port = fake_host_port(rig->host);
    rig->options.resolver_count = 1;
    rig->options.store = rig->cache_name;
    rig->options.store_max_bytes = 16 << 20;
    rig->options.allowed_networks = &rig->loopback;
    rig->options.allowed_count = 1;
    rig->options.spf_gate = RB_GATE_NO;
}

int session_rig_set_up(void **state, const struct session_rig_world *world)
{
    struct session_rig *rig = calloc(1, sizeof *rig);

    if (rig == NULL)
        return -1;
    *state = current = rig;
    (void)snprintf(rig->folder, sizeof rig->folder, "/tmp/session_rig.XXXXXX");
    if (mkdtemp(rig->folder) == NULL || rb_network_parse("127.0.0.0/8", &rig->loopback) != RB_OK)
        return -1;
    (void)snprintf(rig->cache, sizeof rig->cache, "%s/cache", rig->folder);
    (void)snprintf(rig->cache_name, sizeof rig->cache_name, "lmdb:%s", rig->cache);
    (void)snprintf(rig->config, sizeof rig->config, "%s/conf", rig->folder);
    rig->dns = fake_dns_start(AF_INET, world->zone, world->zone_count);
    rig->host = fake_host_start(world->host);
    session_rig_start_store(rig, world->store);
    set_options(rig);
    session_rig_calls = (struct session_rig_calls){0};
    return 0;
}

int session_rig_tear_down(void **state)
{
    static const char *const files[] = {"data.mdb", "lock.mdb"};
    struct session_rig *rig = *state;
    char path[128];

    if (rig->begun)
        session_fini(&rig->session);
    assert_int_not_equal(rb_verifier_close(rig->verifier), RB_ERR_BUSY);
    fake_host_stop(rig->host);
    fake_host_stop(rig->store);
    fake_dns_stop(rig->dns);
    for (size_t i = 0; i < COUNT(files); i++) {
        (void)snprintf(path, sizeof path, "%s/%s", rig->cache, files[i]);
        (void)unlink(path);
    }
    (void)unlink(rig->config);
    (void)rmdir(rig->cache);
    (void)rmdir(rig->folder);
    free(rig);
    return 0;
}

void session_rig_start_store(struct session_rig *rig, const struct fake_host_options *options)
{
    struct fake_host_options placed = *options;

    placed.ip = SESSION_RIG_STORE;
    fake_host_stop(rig->store);
    rig->store = fake_host_start(&placed);
}

static void open_verifier(struct session_rig *rig)
{
    const char *resolver = fake_dns_server(rig->dns);
    char detail[256];

    rig->options.resolvers = &resolver;
    if (rb_verifier_open(&rig->options, &rig->verifier, detail, sizeof detail) != RB_OK)
        fail_msg("%s", detail);
    rig->options.resolvers = NULL;
    rig->world = (struct session_world){.verifier = rig->verifier,
                                        .pause = note_pause,
                                        .before_wait = note_wait,
                                        .observer = &observer_of_sessions};
}

void session_rig_await_idle(const struct session_rig *rig)
{
    struct rb_stats stats = {.size = sizeof stats};

    for (int i = 0; i < PATIENCE_MS; i++) {
        rb_verifier_stats(rig->verifier, &stats);
        if (stats.running == 0 && stats.pending == 0) {
            (void)rb_verifier_flush(rig->verifier);
            return;
        }
        check_pause();
    }
    fail_msg("a callout does not end");
}

/* --- Sessions -------------------------------------------------------------- */

static void write_config(const struct session_rig *rig, const char *text)
{
    static const char mark[] = "@PORT";
    FILE *file = fopen(rig->config, "w");
    const char *at;

    assert_non_null(file);
    assert_true(fputs("hostname = mx.example.net\n", file) >= 0);
    for (; (at = strstr(text, mark)) != NULL; text = at + strlen(mark))
        assert_true(fprintf(file, "%.*s%u", (int)(at - text), text, fake_host_port(rig->store)) >
                    0);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

const struct sockaddr *session_rig_client(const char *ip)
{
    static struct sockaddr_storage storage;
    struct sockaddr_in *v4 = (struct sockaddr_in *)&storage;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&storage;

    memset(&storage, 0, sizeof storage);
    if (inet_pton(AF_INET, ip, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(4711);
    } else {
        assert_int_equal(inet_pton(AF_INET6, ip, &v6->sin6_addr), 1);
        v6->sin6_family = AF_INET6;
    }
    return (const struct sockaddr *)&storage;
}

void session_rig_begin_from(struct session_rig *rig, const struct sockaddr *from, const char *text)
{
    struct config *config = NULL;
    char error[CONFIG_ERROR_SIZE];

    write_config(rig, text);
    if (config_load(rig->config, &config, error, sizeof error) != RB_OK)
        fail_msg("%s", error);
    if (rig->verifier == NULL)
        open_verifier(rig);
    if (rig->begun)
        session_fini(&rig->session);
    session_init(&rig->session, &rig->world, config, from);
    config_put(config);
    rig->begun = true;
    session_rig_mail(rig, "<good@example.org>");
}

void session_rig_begin(struct session_rig *rig, const char *text)
{
    session_rig_begin_from(rig, session_rig_client(SESSION_RIG_CLIENT), text);
}

void session_rig_reload(struct session_rig *rig)
{
    const char *resolver = fake_dns_server(rig->dns);

    rig->options.resolvers = &resolver;
    assert_int_equal(rb_verifier_set_options(rig->verifier, &rig->options), RB_OK);
    rig->options.resolvers = NULL;
}

static void answer_by_gate(void *arg, const struct rb_question *question, enum decision_of of,
                           struct rb_answer *answer)
{
    struct session_rig_gate *gate = arg;
    const bool is_open = question->voucher != RB_VOUCHER_NOBODY;

    assert_int_equal(of, OF_SENDER);
    gate->asked[question->voucher]++;
    answer->voucher = question->voucher;
    answer->reason = is_open ? gate->open : gate->closed;
    answer->verdict = rb_reason_verdict(answer->reason);
    (void)snprintf(answer->reply, sizeof answer->reply, is_open ? "550 5.1.1 it said" : "");
    (void)snprintf(answer->rule, sizeof answer->rule, "%s", is_open ? "" : "spf_fail");
}

void session_rig_begin_behind_gate(struct session_rig *rig, struct session_rig_gate *gate,
                                   const char *text)
{
    session_rig_begin(rig, text);
    rig->world.answer = answer_by_gate;
    rig->world.answer_arg = gate;
}

void session_rig_mail(struct session_rig *rig, const char *argument)
{
    assert_int_equal(session_mail(&rig->session, argument, false), RB_OK);
}

size_t session_rig_decisions(const struct session *session)
{
    size_t count = 0;

    for (const struct decision *each = session->decisions; each != NULL; each = each->next)
        count++;
    return count;
}

void session_rig_is_told(const struct session_rig *rig, const struct decision *decision,
                         const char *code, const char *enhanced, const char *text)
{
    struct smtp_reply reply;

    reply_write(&rig->session, decision, decision->action, &reply);
    assert_string_equal(reply.code, code);
    assert_string_equal(reply.enhanced, enhanced);
    assert_string_equal(reply.text, text);
}
