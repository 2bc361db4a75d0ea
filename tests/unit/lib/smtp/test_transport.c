/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_transport: sockets, TLS and deadlines under a dialogue, against hosts on the loopback that
 * behave badly. Time-outs are short where one is awaited, and long where one would be a failure.
 */
#include "config.h"

#include "smtp/transport.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/un.h>
#include <unistd.h>

#include "check.h"
#include "fake_host.h"
#include "base/transcript.h"

enum { SHORT_MS = 60, LONG_MS = 30000, QUITE_LONG_MS = 600000, BACKLOG_MAX = 8 };

#define SCRIPT(...)                                                                                \
    (&(const struct fake_host_script){(const struct fake_host_step[]){__VA_ARGS__},                \
                                      sizeof((const struct fake_host_step[]){__VA_ARGS__}) /       \
                                          sizeof(struct fake_host_step)})

struct call {
    struct fake_host *host;
    struct transport_settings settings;
    struct transport transport;
    struct dialogue dialogue;
    struct sockaddr_storage address;
};

static const struct dialogue_question question = {.address = "user@d.example", .mail_from = ""};

/* --- Calling ----------------------------------------------------------------- */

static struct sockaddr_storage loopback(const char *ip, uint16_t port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_storage address = {0};

    assert_int_equal(inet_pton(AF_INET, ip, &in.sin_addr), 1);
    memcpy(&address, &in, sizeof in);
    return address;
}

static struct call *call_to(uint16_t port)
{
    struct call *call = calloc(1, sizeof *call);

    assert_non_null(call);
    call->settings = (struct transport_settings){
        .clock = clock_system(),
        .until = deadline_in(clock_system(), LONG_MS),
        .connect_timeout_ms = LONG_MS,
        .command_timeout_ms = LONG_MS,
        .cancel_fd = -1,
        .tls_context = tls_context_new(),
        .mx = "mx.example",
    };
    assert_non_null(call->settings.tls_context);
    call->address = loopback("127.0.0.1", port);
    dialogue_init(&call->dialogue, "we.example", true);
    return call;
}

static struct call *call_host(const struct fake_host_options *options)
{
    struct fake_host *host = fake_host_start(options);
    struct call *call = call_to(fake_host_port(host));

    call->host = host;
    return call;
}

static struct call *call_script(const struct fake_host_script *script)
{
    const struct fake_host_options options = {.scripts = script, .script_count = 1};

    return call_host(&options);
}

static enum wire_status connect_now(struct call *call)
{
    return transport_connect(&call->transport, &call->settings, &call->address);
}

static enum wire_status drive(struct call *call)
{
    assert_int_equal(connect_now(call), WIRE_OK);
    return transport_drive(&call->transport, &call->dialogue);
}

static enum wire_status ask(struct call *call)
{
    dialogue_ask(&call->dialogue, &question);
    return transport_drive(&call->transport, &call->dialogue);
}

static void end(struct call *call)
{
    transport_close(&call->transport);
    assert_int_equal(call->transport.wire.fd, -1);
    fake_host_stop(call->host);
    tls_context_free(call->settings.tls_context);
    free(call);
}

/* A socket of ours on a free port: bound, and listening where backlog is not negative. */
static int bound_socket(int backlog, uint16_t *port)
{
    struct sockaddr_storage address = loopback("127.0.0.1", 0);
    socklen_t len = sizeof(struct sockaddr_in);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    *port = ntohs(((const struct sockaddr_in *)&address)->sin_port);
    if (backlog >= 0)
        assert_int_equal(listen(fd, backlog), 0);
    return fd;
}

/* --- Connecting -------------------------------------------------------------- */

static void a_refused_connection_is_refused(void **state)
{
    (void)state;
    uint16_t port;
    int fd = bound_socket(-1, &port);
    struct call *call = call_to(port);

    assert_int_equal(connect_now(call), WIRE_REFUSED);
    assert_string_equal(call->transport.ip, "127.0.0.1");
    end(call);
    close(fd);
}

static void a_connection_that_nobody_takes_times_out(void **state)
{
    (void)state;
    uint16_t port;
    int fd = bound_socket(0, &port);
    int fill[BACKLOG_MAX];
    struct call *call = call_to(port);

    for (size_t i = 0; i < COUNT(fill); i++) {
        fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        assert_true(fill[i] >= 0);
        (void)!connect(fill[i], (const struct sockaddr *)&call->address,
                       sizeof(struct sockaddr_in));
    }
    call->settings.connect_timeout_ms = SHORT_MS;
    assert_int_equal(connect_now(call), WIRE_TIMEOUT);
    for (size_t i = 0; i < COUNT(fill); i++)
        close(fill[i]);
    end(call);
    close(fd);
}

static void an_address_that_is_not_ours_cannot_be_bound(void **state)
{
    (void)state;
    const struct sockaddr_storage not_ours = loopback("192.0.2.1", 0);
    struct call *call = call_host(&(const struct fake_host_options){0});

    call->settings.bind = &not_ours;
    assert_int_equal(connect_now(call), WIRE_NO_ROUTE);
    end(call);
}

static void the_source_address_is_bound(void **state)
{
    (void)state;
    const struct sockaddr_storage source = loopback("127.0.0.9", 0);
    struct call *call = call_host(&(const struct fake_host_options){0});
    struct sockaddr_in own;
    socklen_t len = sizeof own;
    char text[INET_ADDRSTRLEN];

    call->settings.bind = &source;
    assert_int_equal(drive(call), WIRE_OK);
    assert_int_equal(getsockname(call->transport.wire.fd, (struct sockaddr *)&own, &len), 0);
    assert_string_equal(inet_ntop(AF_INET, &own.sin_addr, text, sizeof text), "127.0.0.9");
    assert_string_equal(call->transport.source_ip, "127.0.0.9");
    end(call);
}

/* As many connections as there are ports go to each destination, and not to all together. */
static void the_port_of_a_bound_source_is_chosen_by_connect(void **state)
{
    (void)state;
    const struct sockaddr_storage source = loopback("127.0.0.9", 0);
    struct call *call = call_host(&(const struct fake_host_options){0});
    int late = 0;
    socklen_t len = sizeof late;

    call->settings.bind = &source;
    assert_int_equal(drive(call), WIRE_OK);
    assert_int_equal(
        getsockopt(call->transport.wire.fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &late, &len), 0);
    assert_int_equal(late, 1);
    end(call);
}

/* --- At a path --------------------------------------------------------------- */

/* A path that nobody else has, in a folder of its own. */
static const char *fresh_path(char folder[], char path[108])
{
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, 108, "%s/lmtp", folder);
    return path;
}

static struct sockaddr_storage at_path(const char *path)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct sockaddr_storage address = {0};

    assert_true((size_t)snprintf(un.sun_path, sizeof un.sun_path, "%s", path) < sizeof un.sun_path);
    memcpy(&address, &un, sizeof un);
    return address;
}

static struct call *call_path(const struct fake_host_options *options)
{
    struct call *call = call_host(options);

    call->address = at_path(options->path);
    call->dialogue.lmtp = true;
    return call;
}

static void a_host_at_a_path_is_spoken_to(void **state)
{
    (void)state;
    char folder[] = "/tmp/test_transport.XXXXXX", path[108];
    struct call *call = call_path(
        &(const struct fake_host_options){.path = fresh_path(folder, path), .pipelining = true});

    assert_int_equal(drive(call), WIRE_OK);
    assert_string_equal(call->transport.ip, "");
    assert_string_equal(call->transport.source_ip, "");
    assert_int_equal(ask(call), WIRE_OK);
    assert_int_equal(call->dialogue.answer.reason, RB_REASON_NO_SUCH_USER);
    transport_quit(&call->transport, &call->dialogue);
    assert_int_equal(fake_host_heard(call->host, "LHLO"), 1);
    assert_int_equal(fake_host_heard(call->host, "QUIT"), 1);
    end(call);
    assert_int_equal(rmdir(folder), 0);
}

static void tls_works_at_a_path_too(void **state)
{
    (void)state;
    char folder[] = "/tmp/test_transport.XXXXXX", path[108];
    struct call *call = call_path(
        &(const struct fake_host_options){.path = fresh_path(folder, path), .starttls = true});

    assert_int_equal(drive(call), WIRE_OK);
    assert_true(call->dialogue.tls);
    assert_int_equal(fake_host_heard(call->host, "LHLO"), 2);
    end(call);
    assert_int_equal(rmdir(folder), 0);
}

static void a_path_without_a_socket_is_refused(void **state)
{
    (void)state;
    struct call *call = call_to(0);

    call->address = at_path("/nonexistent/lmtp");
    assert_int_equal(connect_now(call), WIRE_REFUSED);
    transport_close(&call->transport);
    call->address = at_path("/dev/null");
    assert_int_equal(connect_now(call), WIRE_REFUSED);
    end(call);
}

/* What a mail store leaves behind that has died. */
static void a_socket_that_nobody_serves_is_refused(void **state)
{
    (void)state;
    char folder[] = "/tmp/test_transport.XXXXXX", path[108];
    struct call *call = call_to(0);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    call->address = at_path(fresh_path(folder, path));
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&call->address, sizeof(struct sockaddr_un)),
                     0);
    assert_int_equal(close(fd), 0);
    assert_int_equal(connect_now(call), WIRE_REFUSED);
    end(call);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
}

/* --- Being left ------------------------------------------------------------- */

static void a_host_that_closes_before_its_banner_is_closed(void **state)
{
    (void)state;
    struct call *call = call_script(SCRIPT({FAKE_HOST_CLOSE, NULL}));

    assert_int_equal(drive(call), WIRE_CLOSED);
    assert_int_equal(call->dialogue.need, DIALOGUE_NEED_PEER); /* it has not been told */
    end(call);
}

static void a_reset_connection_is_closed(void **state)
{
    (void)state;
    struct call *call = call_script(
        SCRIPT({FAKE_HOST_SAY, "220 hello"}, {FAKE_HOST_EXPECT, "EHLO"}, {FAKE_HOST_RESET, NULL}));

    assert_int_equal(drive(call), WIRE_CLOSED);
    end(call);
}

/* Whether it is seen before or after the connection is: what can be reset was there. */
static void a_connection_reset_at_once_was_one(void **state)
{
    (void)state;
    struct call *call = call_script(SCRIPT({FAKE_HOST_RESET, NULL}));

    assert_int_equal(drive(call), WIRE_CLOSED);
    end(call);
}

static void say_421_and(enum fake_host_act ending)
{
    struct call *call = call_script(SCRIPT({FAKE_HOST_SAY, "421 too busy"}, {ending, NULL}));

    assert_int_equal(drive(call), WIRE_OK);
    assert_int_equal(call->dialogue.need, DIALOGUE_OVER);
    assert_int_equal(call->dialogue.answer.code, 421);
    end(call);
}

static void a_reply_with_the_end_behind_it_is_heard(void **state)
{
    (void)state;
    say_421_and(FAKE_HOST_CLOSE);
    say_421_and(FAKE_HOST_RESET);
}

static volatile sig_atomic_t sigpipes;

static void count_sigpipe(int number)
{
    (void)number;
    sigpipes = sigpipes + 1;
}

/* A question on a connection whose loss has been noticed: there is nothing to write to. */
static enum wire_status ask_again(struct call *call)
{
    call->dialogue.need = DIALOGUE_NEED_QUESTION;
    call->dialogue.queued = 0;
    return ask(call);
}

static void a_host_that_has_gone_raises_no_sigpipe(void **state)
{
    (void)state;
    const struct sigaction counted = {.sa_handler = count_sigpipe};
    struct sigaction before;
    struct call *call = call_script(SCRIPT({FAKE_HOST_SAY, "220 hello"}, {FAKE_HOST_EXPECT, "EHLO"},
                                           {FAKE_HOST_SAY, "250 hello"}, {FAKE_HOST_EXPECT, "MAIL"},
                                           {FAKE_HOST_RESET, NULL}));

    assert_int_equal(sigaction(SIGPIPE, &counted, &before), 0);
    sigpipes = 0;
    assert_int_equal(drive(call), WIRE_OK);
    assert_int_equal(ask(call), WIRE_CLOSED);
    assert_int_equal(ask_again(call), WIRE_CLOSED);
    assert_int_equal(sigpipes, 0);
    assert_int_equal(sigaction(SIGPIPE, &before, NULL), 0);
    end(call);
}

/* --- Waiting ----------------------------------------------------------------- */

static void a_silent_host_times_out(void **state)
{
    (void)state;
    static const struct fake_host_step steps[][4] = {
        {{FAKE_HOST_SILENT, NULL}},
        {{FAKE_HOST_SAY, "220 hello"}, {FAKE_HOST_SILENT, NULL}},
        {{FAKE_HOST_SAY, "220 hello"},
         {FAKE_HOST_EXPECT, "EHLO"},
         {FAKE_HOST_RAW, "250-he"},
         {FAKE_HOST_SILENT, NULL}},
    };
    static const size_t lengths[] = {1, 2, 4};

    for (size_t i = 0; i < COUNT(steps); i++) {
        struct call *call = call_script(&(const struct fake_host_script){steps[i], lengths[i]});

        call->settings.command_timeout_ms = SHORT_MS;
        assert_int_equal(drive(call), WIRE_TIMEOUT);
        end(call);
    }
}

/* Each octet comes soon enough, the reply never. */
static void a_drip_ends_with_the_time_of_its_reply(void **state)
{
    (void)state;
    static const char *const drips[] = {"x", "220-x\r\n"};

    for (size_t i = 0; i < COUNT(drips); i++) {
        struct call *call =
            call_script(SCRIPT({FAKE_HOST_SAY, "220-wait"}, {FAKE_HOST_RAW, i == 0 ? "220-" : ""},
                               {FAKE_HOST_DRIP, drips[i]}));

        call->settings.command_timeout_ms = SHORT_MS;
        assert_int_equal(drive(call), WIRE_TIMEOUT);
        assert_int_equal(call->dialogue.replies, 0);
        end(call);
    }
}

static void the_deadline_over_all_ends_a_wait_too(void **state)
{
    (void)state;
    struct call *call = call_script(SCRIPT({FAKE_HOST_SILENT, NULL}));

    assert_int_equal(connect_now(call), WIRE_OK);
    call->transport.settings.until = deadline_in(clock_system(), SHORT_MS);
    assert_int_equal(transport_drive(&call->transport, &call->dialogue), WIRE_TIMEOUT);
    end(call);
}

static void a_flood_ends_at_a_ceiling(void **state)
{
    (void)state;
    char *flood = malloc(100001);
    struct call *call;

    assert_non_null(flood);
    memset(flood, 'x', 100000);
    flood[100000] = '\0';
    memcpy(flood, "220 ", 4);
    call = call_script(SCRIPT({FAKE_HOST_RAW, flood}, {FAKE_HOST_SILENT, NULL}));
    assert_int_equal(drive(call), WIRE_OK);
    assert_int_equal(call->dialogue.need, DIALOGUE_OVER);
    assert_int_equal(call->dialogue.answer.reason, RB_REASON_PROTOCOL_ERROR);
    end(call);
    free(flood);
}

static void a_cancelled_call_does_not_wait(void **state)
{
    (void)state;
    struct call *call = call_script(SCRIPT({FAKE_HOST_SILENT, NULL}));
    int wake[2];

    assert_int_equal(pipe(wake), 0);
    assert_int_equal(write(wake[1], "", 1), 1);
    call->settings.cancel_fd = wake[0];
    assert_int_equal(connect_now(call), WIRE_CANCELLED);
    end(call);
    close(wake[0]);
    close(wake[1]);
}

struct canceller {
    struct fake_host *host;
    int fd;
};

/* Cancels when the host has heard EHLO: the call is then waiting for the reply, or about to. */
static void *cancel_later(void *arg)
{
    const struct canceller *canceller = arg;
    bool waited = fake_host_wait(canceller->host, "EHLO", 1);

    return waited && write(canceller->fd, "", 1) == 1 ? arg : NULL;
}

static void cancelling_wakes_a_waiting_call(void **state)
{
    (void)state;
    struct call *call = call_script(
        SCRIPT({FAKE_HOST_SAY, "220 hello"}, {FAKE_HOST_EXPECT, "EHLO"}, {FAKE_HOST_SILENT, NULL}));
    struct canceller canceller = {.host = call->host};
    pthread_t thread;
    void *result;
    int wake[2];

    assert_int_equal(pipe(wake), 0);
    canceller.fd = wake[1];
    call->settings.cancel_fd = wake[0];
    assert_int_equal(pthread_create(&thread, NULL, cancel_later, &canceller), 0);
    assert_int_equal(drive(call), WIRE_CANCELLED);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_ptr_equal(result, &canceller);
    end(call);
    close(wake[0]);
    close(wake[1]);
}

/* --- TLS --------------------------------------------------------------------- */

static void tls_works_where_offered(void **state)
{
    (void)state;
    static const struct fake_host_reply replies[] = {{"user@d.example", "250 2.1.5 Ok"}};
    struct call *call = call_host(&(const struct fake_host_options){
        .starttls = true, .pipelining = true, .replies = replies, .reply_count = 1});

    assert_int_equal(drive(call), WIRE_OK);
    assert_int_equal(call->dialogue.need, DIALOGUE_NEED_QUESTION);
    assert_true(call->dialogue.tls);
    assert_string_equal(call->transport.tls_version, "TLSv1.3");
    assert_int_equal(fake_host_heard(call->host, "EHLO"), 2);
    assert_int_equal(ask(call), WIRE_OK);
    assert_int_equal(call->dialogue.answer.reason, RB_REASON_ACCEPTED);
    transport_quit(&call->transport, &call->dialogue);
    assert_int_equal(fake_host_heard(call->host, "QUIT"), 1);
    end(call);
}

static void in_clear_no_version_is_reported(void **state)
{
    (void)state;
    struct call *call = call_host(&(const struct fake_host_options){0});

    assert_int_equal(drive(call), WIRE_OK);
    assert_false(call->dialogue.tls);
    assert_string_equal(call->transport.tls_version, "");
    end(call);
}

/* RFC 6066 3: a host's name, and no address. */
static void only_a_host_name_is_sent_as_the_servers_name(void **state)
{
    (void)state;
    static const struct {
        const char *mx, *server_name;
    } cases[] = {
        {"mx.example", "mx.example"},
        {"MX_1.example-2.org", "MX_1.example-2.org"},
        {"1.example", "1.example"},
        {"localhost", "localhost"},
        {"127.0.0.1", ""},
        {"1", ""},
        {"::1", ""},
        {"2001:db8::1", ""},
        {"[127.0.0.1]", ""},
        {"unix:/run/lmtp", ""},
        {"mx.example:24", ""},
        {"", ""},
    };
    char name[64];

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct call *call = call_host(&(const struct fake_host_options){.starttls = true});

        call->settings.mx = cases[i].mx;
        assert_int_equal(drive(call), WIRE_OK);
        assert_true(call->dialogue.tls);
        fake_host_server_name(call->host, name, sizeof name);
        assert_string_equal(name, cases[i].server_name);
        end(call);
    }
}

static void garbage_in_the_handshake_is_a_failure_of_tls(void **state)
{
    (void)state;
    struct call *call =
        call_host(&(const struct fake_host_options){.starttls = true, .broken_tls = true});

    assert_int_equal(drive(call), WIRE_TLS_FAILED);
    end(call);
}

#define UP_TO_TLS                                                                                  \
    {FAKE_HOST_SAY, "220 hello"}, {FAKE_HOST_EXPECT, "EHLO"},                                      \
        {FAKE_HOST_SAY, "250-hello\r\n250 STARTTLS"}, {FAKE_HOST_EXPECT, "STARTTLS"},              \
    {                                                                                              \
        FAKE_HOST_SAY, "220 go"                                                                    \
    }

static void a_connection_lost_in_the_handshake_is_a_failure_of_tls(void **state)
{
    (void)state;
    static const enum fake_host_act endings[] = {FAKE_HOST_CLOSE, FAKE_HOST_RESET};

    for (size_t i = 0; i < COUNT(endings); i++) {
        struct call *call = call_script(SCRIPT(UP_TO_TLS, {endings[i], NULL}));

        assert_int_equal(drive(call), WIRE_TLS_FAILED);
        end(call);
    }
}

static void a_host_that_is_silent_in_the_handshake_is_a_failure_of_tls(void **state)
{
    (void)state;
    struct call *call = call_script(SCRIPT(UP_TO_TLS, {FAKE_HOST_SILENT, NULL}));

    call->settings.command_timeout_ms = 50 * SHORT_MS; /* the steps before need some of it */
    assert_int_equal(drive(call), WIRE_TLS_FAILED);
    end(call);
}

/* Of TLS 1.3: the host says so when our handshake is over. */
static void a_host_that_does_not_like_our_handshake_is_a_failure_of_tls(void **state)
{
    (void)state;
    struct call *call =
        call_host(&(const struct fake_host_options){.starttls = true, .wants_certificate = true});

    assert_int_equal(drive(call), WIRE_TLS_FAILED);
    end(call);
}

static void a_connection_lost_behind_the_handshake_is_closed(void **state)
{
    (void)state;
    static const enum fake_host_act endings[] = {FAKE_HOST_CLOSE, FAKE_HOST_RESET};

    for (size_t i = 0; i < COUNT(endings); i++) {
        struct call *call =
            call_script(SCRIPT(UP_TO_TLS, {FAKE_HOST_TLS, NULL}, {endings[i], NULL}));

        assert_int_equal(drive(call), WIRE_CLOSED);
        end(call);
    }
}

static void a_connection_lost_within_tls_is_closed(void **state)
{
    (void)state;
    static const enum fake_host_act endings[] = {FAKE_HOST_CLOSE, FAKE_HOST_RESET};

    for (size_t i = 0; i < COUNT(endings); i++) {
        struct call *call = call_script(
            SCRIPT(UP_TO_TLS, {FAKE_HOST_TLS, NULL}, {FAKE_HOST_EXPECT, "EHLO"},
                   {FAKE_HOST_SAY, "250 hello"}, {FAKE_HOST_EXPECT, "MAIL"}, {endings[i], NULL}));

        assert_int_equal(drive(call), WIRE_OK);
        assert_true(call->dialogue.tls);
        assert_int_equal(ask(call), WIRE_CLOSED);
        end(call);
    }
}

/* --- Floods ------------------------------------------------------------------ */

/*
 * A clock on which time passes by being looked at: a call that does not look has all the time in
 * the world, and one that does ends after so many looks. At one of them the call is cancelled.
 */
struct looks {
    struct rb_clock clock;
    int64_t count, cancel_at;
    int cancel_fd;
};

static int64_t look(void *arg)
{
    struct looks *looks = arg;

    if (++looks->count == looks->cancel_at)
        (void)!write(looks->cancel_fd, "", 1);
    return looks->count;
}

static int64_t no_wall(void *arg)
{
    (void)arg;
    return 0;
}

static void looks_init(struct looks *looks)
{
    *looks = (struct looks){.clock = {.monotonic_ms = look, .wall_s = no_wall, .arg = looks}};
}

#define WITHIN(tls)                                                                                \
    UP_TO_TLS, {tls, NULL},                                                                        \
    {                                                                                              \
        FAKE_HOST_EXPECT, "EHLO"                                                                   \
    }

static const struct fake_host_step tickets[] = {WITHIN(FAKE_HOST_TLS), {FAKE_HOST_TICKETS, NULL}};
static const struct fake_host_step key_updates[] = {WITHIN(FAKE_HOST_TLS),
                                                    {FAKE_HOST_KEY_UPDATES, NULL}};
static const struct fake_host_step renegotiations[] = {WITHIN(FAKE_HOST_TLS_1_2),
                                                       {FAKE_HOST_RENEGOTIATIONS, NULL}};
static const struct fake_host_step hello_requests[] = {UP_TO_TLS, {FAKE_HOST_HELLO_REQUESTS, NULL}};

static const struct {
    struct fake_host_script script;
    enum wire_status on_timeout;
} floods[] = {
    {{tickets, COUNT(tickets)}, WIRE_TIMEOUT},
    {{key_updates, COUNT(key_updates)}, WIRE_TIMEOUT},
    {{renegotiations, COUNT(renegotiations)}, WIRE_TIMEOUT},
    {{hello_requests, COUNT(hello_requests)}, WIRE_TLS_FAILED},
};

enum {
    FLOOD_LOOKS = 300, /* more than are needed up to the flood */
    ALARM_S = 120,     /* what never ends is ended by a signal */
};

/* Calls a host that floods us. The call ends while the host still sends. */
static void end_a_flood(const struct fake_host_script *script, struct looks *looks,
                        unsigned command_timeout_ms, int64_t total_ms, enum wire_status status)
{
    struct call *call = call_script(script);
    int little = FAKE_HOST_FLOOD_OCTETS / 32, wake[2];

    (void)alarm(ALARM_S);
    assert_int_equal(pipe(wake), 0);
    looks->cancel_fd = wake[1];
    call->settings.cancel_fd = wake[0];
    call->settings.clock = &looks->clock;
    call->settings.command_timeout_ms = command_timeout_ms;
    call->settings.until = deadline_in(&looks->clock, total_ms);
    assert_int_equal(connect_now(call), WIRE_OK);
    assert_int_equal(
        setsockopt(call->transport.wire.fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof little), 0);
    assert_int_equal(transport_drive(&call->transport, &call->dialogue), status);
    assert_true(fake_host_wait(call->host, "FLOOD", 1));
    transport_close(&call->transport);
    assert_int_equal(fake_host_floods(call->host), 0);
    end(call);
    (void)alarm(0);
    close(wake[0]);
    close(wake[1]);
}

static void a_flood_within_tls_ends_with_the_time_of_its_reply(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(floods); i++) {
        struct looks looks;

        looks_init(&looks);
        end_a_flood(&floods[i].script, &looks, FLOOD_LOOKS, LONG_MS, floods[i].on_timeout);
    }
}

static void a_flood_within_tls_ends_with_the_time_for_all(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(floods); i++) {
        struct looks looks;

        looks_init(&looks);
        end_a_flood(&floods[i].script, &looks, LONG_MS, FLOOD_LOOKS, floods[i].on_timeout);
    }
}

static void a_flood_within_tls_can_be_cancelled(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(floods); i++) {
        struct looks looks;

        looks_init(&looks);
        looks.cancel_at = FLOOD_LOOKS;
        end_a_flood(&floods[i].script, &looks, LONG_MS, LONG_MS, WIRE_CANCELLED);
    }
}

/* --- The transcript and the end ---------------------------------------------- */

struct line {
    char dir;
    const char *text;
};

static void has_lines(const struct rb_transcript *transcript, const struct line *lines,
                      size_t count)
{
    int64_t last_ms = 0;

    assert_int_equal(rb_transcript_count(transcript), count);
    for (size_t i = 0; i < count; i++) {
        struct rb_transcript_line line = rb_transcript_get(transcript, i);

        assert_int_equal(line.dir, lines[i].dir);
        assert_string_equal(line.text, lines[i].text);
        assert_string_equal(line.mx, "mx.example");
        assert_string_equal(line.ip, "127.0.0.1");
        assert_true(line.t_ms >= last_ms);
        last_ms = line.t_ms;
    }
}

static void the_transcript_has_all_lines_in_order(void **state)
{
    (void)state;
    static const struct line expected[] = {
        {'-', "connecting"},
        {'<', "220 fake.example"},
        {'>', "EHLO we.example"},
        {'<', "250-fake.example"},
        {'<', "250-PIPELINING"},
        {'<', "250-STARTTLS"},
        {'<', "250 HELP"},
        {'>', "STARTTLS"},
        {'<', "220 2.0.0 go ahead"},
        {'-', "TLSv1.3"},
        {'>', "EHLO we.example"},
        {'<', "250-fake.example"},
        {'<', "250-PIPELINING"},
        {'<', "250 HELP"},
        {'>', "MAIL FROM:<>"},
        {'>', "RCPT TO:<user@d.example>"},
        {'<', "250 2.1.0 Ok"},
        {'<', "550 5.1.1 User unknown"},
        {'>', "QUIT"},
        {'<', "221 2.0.0 Bye"},
    };
    struct rb_transcript *transcript = transcript_new();
    struct call *call =
        call_host(&(const struct fake_host_options){.starttls = true, .pipelining = true});

    assert_non_null(transcript);
    call->settings.transcript = transcript;
    call->settings.transcript_start_ms = clock_monotonic_ms(clock_system());
    assert_int_equal(drive(call), WIRE_OK);
    assert_int_equal(ask(call), WIRE_OK);
    transport_quit(&call->transport, &call->dialogue);
    has_lines(transcript, expected, COUNT(expected));
    transcript_free(transcript);
    end(call);
}

static void lines_go_to_the_transcript_that_is_set(void **state)
{
    (void)state;
    static const struct line first_lines[] = {{'-', "connecting"},      {'<', "220 fake.example"},
                                              {'>', "EHLO we.example"}, {'<', "250-fake.example"},
                                              {'<', "250 HELP"},        {'-', "a remark"}};
    static const struct line second_lines[] = {{'>', "MAIL FROM:<>"},
                                               {'<', "250 2.1.0 Ok"},
                                               {'>', "RCPT TO:<user@d.example>"},
                                               {'<', "550 5.1.1 User unknown"}};
    struct rb_transcript *first = transcript_new(), *second = transcript_new();
    struct call *call = call_host(&(const struct fake_host_options){0});
    int64_t start_ms = clock_monotonic_ms(clock_system());

    assert_non_null(first);
    assert_non_null(second);
    call->settings.transcript = first;
    call->settings.transcript_start_ms = start_ms;
    assert_int_equal(drive(call), WIRE_OK);
    transport_remark(&call->transport, "a remark");
    transport_transcript(&call->transport, second, start_ms);
    assert_int_equal(ask(call), WIRE_OK);
    transport_transcript(&call->transport, NULL, 0);
    transport_quit(&call->transport, &call->dialogue);
    has_lines(first, first_lines, COUNT(first_lines));
    has_lines(second, second_lines, COUNT(second_lines));
    transcript_free(first);
    transcript_free(second);
    end(call);
}

static void quit_is_said_and_heard(void **state)
{
    (void)state;
    struct call *call = call_host(&(const struct fake_host_options){0});

    assert_int_equal(drive(call), WIRE_OK);
    transport_quit(&call->transport, &call->dialogue);
    assert_int_equal(call->transport.wire.fd, -1);
    assert_int_equal(call->dialogue.need, DIALOGUE_OVER);
    assert_int_equal(fake_host_heard(call->host, "QUIT"), 1);
    end(call);
}

/* Were it to wait for the command's time-out, the runner would end the test. */
static void quit_does_not_wait_long_for_a_silent_host(void **state)
{
    (void)state;
    struct call *call = call_script(SCRIPT({FAKE_HOST_SAY, "220 hello"}, {FAKE_HOST_EXPECT, "EHLO"},
                                           {FAKE_HOST_SAY, "250 hello"}, {FAKE_HOST_EXPECT, "QUIT"},
                                           {FAKE_HOST_SILENT, NULL}));

    call->settings.command_timeout_ms = QUITE_LONG_MS;
    call->settings.until = deadline_in(clock_system(), QUITE_LONG_MS);
    assert_int_equal(drive(call), WIRE_OK);
    transport_quit(&call->transport, &call->dialogue);
    assert_int_equal(call->transport.wire.fd, -1);
    assert_int_equal(call->dialogue.need, DIALOGUE_NEED_PEER); /* nothing was heard */
    assert_true(fake_host_wait(call->host, "QUIT", 1));
    end(call);
}

static void quit_is_not_said_in_the_middle_of_something(void **state)
{
    (void)state;
    struct call *call = call_script(SCRIPT({FAKE_HOST_SAY, "220 hello"}, {FAKE_HOST_SILENT, NULL}));

    call->settings.command_timeout_ms = SHORT_MS;
    assert_int_equal(drive(call), WIRE_TIMEOUT);
    transport_quit(&call->transport, &call->dialogue);
    assert_int_equal(call->transport.wire.fd, -1);
    assert_int_equal(fake_host_heard(call->host, "QUIT"), 0);
    end(call);
}

/* Counted when the host has read to the end of what we said. */
static unsigned cut_off(struct call *call)
{
    while (fake_host_open(call->host) > 0)
        (void)poll(NULL, 0, 1);
    return fake_host_cut_off(call->host);
}

static void tls_ends_in_order(void **state)
{
    (void)state;
    struct call *call = call_host(&(const struct fake_host_options){.starttls = true});

    assert_int_equal(drive(call), WIRE_OK);
    assert_true(call->dialogue.tls);
    transport_quit(&call->transport, &call->dialogue);
    assert_int_equal(fake_host_heard(call->host, "QUIT"), 1);
    assert_int_equal(cut_off(call), 0);
    end(call);
}

static void tls_that_is_broken_off_is_seen_to_be(void **state)
{
    (void)state;
    struct call *call = call_host(&(const struct fake_host_options){.starttls = true});

    assert_int_equal(drive(call), WIRE_OK);
    transport_close(&call->transport);
    assert_int_equal(cut_off(call), 1);
    end(call);
}

static void quit_is_said_to_a_host_that_refuses_us(void **state)
{
    (void)state;
    struct call *call = call_script(SCRIPT({FAKE_HOST_SAY, "554 5.7.1 not you"},
                                           {FAKE_HOST_EXPECT, "QUIT"}, {FAKE_HOST_SAY, "221 bye"}));

    assert_int_equal(drive(call), WIRE_OK);
    assert_int_equal(call->dialogue.need, DIALOGUE_OVER);
    transport_quit(&call->transport, &call->dialogue);
    assert_int_equal(fake_host_heard(call->host, "QUIT"), 1);
    end(call);
}

/* The host closes first: a connection that it still holds, it counts. */
static void the_end_of_the_host_is_waited_for(void **state)
{
    (void)state;
    struct call *call = call_script(
        SCRIPT({FAKE_HOST_SAY, "220 hello"}, {FAKE_HOST_EXPECT, "EHLO"},
               {FAKE_HOST_SAY, "250 hello"}, {FAKE_HOST_EXPECT, "QUIT"}, {FAKE_HOST_SAY, "221 bye"},
               {FAKE_HOST_SAY, "and something more"}, {FAKE_HOST_CLOSE, NULL}));

    assert_int_equal(drive(call), WIRE_OK);
    transport_quit(&call->transport, &call->dialogue);
    assert_int_equal(fake_host_heard(call->host, "QUIT"), 1);
    assert_int_equal(fake_host_surprises(call->host), 0);
    end(call);
}

/* The end of the program wakes a call that waits; its host hears QUIT all the same. */
static void quit_is_said_when_cancelled(void **state)
{
    (void)state;
    struct call *call = call_script(SCRIPT({FAKE_HOST_SAY, "220 hello"}, {FAKE_HOST_EXPECT, "EHLO"},
                                           {FAKE_HOST_SAY, "250-hello\r\n250 PIPELINING"},
                                           {FAKE_HOST_EXPECT, "MAIL"}, {FAKE_HOST_EXPECT, "RCPT"},
                                           {FAKE_HOST_EXPECT, "QUIT"}, {FAKE_HOST_SAY, "221 bye"}));
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    assert_int_equal(drive(call), WIRE_OK);
    call->transport.wire.cancel_fd = ends[0];
    assert_int_equal(write(ends[1], "!", 1), 1);
    assert_int_equal(ask(call), WIRE_CANCELLED);
    dialogue_break_off(&call->dialogue, RB_REASON_TIMEOUT, "cut_short");
    transport_quit(&call->transport, &call->dialogue);
    assert_true(fake_host_wait(call->host, "QUIT", 1));
    end(call);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refused_connection_is_refused),
        cmocka_unit_test(a_connection_that_nobody_takes_times_out),
        cmocka_unit_test(an_address_that_is_not_ours_cannot_be_bound),
        cmocka_unit_test(the_source_address_is_bound),
        cmocka_unit_test(the_port_of_a_bound_source_is_chosen_by_connect),
        cmocka_unit_test(a_host_at_a_path_is_spoken_to),
        cmocka_unit_test(tls_works_at_a_path_too),
        cmocka_unit_test(a_path_without_a_socket_is_refused),
        cmocka_unit_test(a_socket_that_nobody_serves_is_refused),
        cmocka_unit_test(a_host_that_closes_before_its_banner_is_closed),
        cmocka_unit_test(a_reset_connection_is_closed),
        cmocka_unit_test(a_connection_reset_at_once_was_one),
        cmocka_unit_test(a_reply_with_the_end_behind_it_is_heard),
        cmocka_unit_test(a_host_that_has_gone_raises_no_sigpipe),
        cmocka_unit_test(a_silent_host_times_out),
        cmocka_unit_test(a_drip_ends_with_the_time_of_its_reply),
        cmocka_unit_test(the_deadline_over_all_ends_a_wait_too),
        cmocka_unit_test(a_flood_ends_at_a_ceiling),
        cmocka_unit_test(a_cancelled_call_does_not_wait),
        cmocka_unit_test(cancelling_wakes_a_waiting_call),
        cmocka_unit_test(tls_works_where_offered),
        cmocka_unit_test(in_clear_no_version_is_reported),
        cmocka_unit_test(garbage_in_the_handshake_is_a_failure_of_tls),
        cmocka_unit_test(a_connection_lost_in_the_handshake_is_a_failure_of_tls),
        cmocka_unit_test(a_host_that_is_silent_in_the_handshake_is_a_failure_of_tls),
        cmocka_unit_test(a_host_that_does_not_like_our_handshake_is_a_failure_of_tls),
        cmocka_unit_test(a_connection_lost_behind_the_handshake_is_closed),
        cmocka_unit_test(a_connection_lost_within_tls_is_closed),
        cmocka_unit_test(only_a_host_name_is_sent_as_the_servers_name),
        cmocka_unit_test(a_flood_within_tls_ends_with_the_time_of_its_reply),
        cmocka_unit_test(a_flood_within_tls_ends_with_the_time_for_all),
        cmocka_unit_test(a_flood_within_tls_can_be_cancelled),
        cmocka_unit_test(the_transcript_has_all_lines_in_order),
        cmocka_unit_test(lines_go_to_the_transcript_that_is_set),
        cmocka_unit_test(quit_is_said_and_heard),
        cmocka_unit_test(quit_does_not_wait_long_for_a_silent_host),
        cmocka_unit_test(quit_is_not_said_in_the_middle_of_something),
        cmocka_unit_test(tls_ends_in_order),
        cmocka_unit_test(tls_that_is_broken_off_is_seen_to_be),
        cmocka_unit_test(quit_is_said_to_a_host_that_refuses_us),
        cmocka_unit_test(the_end_of_the_host_is_waited_for),
        cmocka_unit_test(quit_is_said_when_cancelled),
    };

    return cmocka_run_group_tests_name("transport", tests, NULL, NULL);
}
