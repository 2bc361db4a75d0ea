/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_why: what /why tells of an address, by each way in which something can be known of it: its
 * mail host's word, a relay's, our own users' mail, its domain, others of its kind. The world is the
 * verifier rig's, with a clock that is moved by hand.
 */
#include "config.h"

#include "http/why.h"

#include "check.h"

#include <stdio.h>
#include <unistd.h>

#include "config/configuration.h"
#include "daemon/history.h"
#include "daemon/service.h"
#include "verifier_rig.h"

struct http_request {
    const char *address;
};

const char *http_argument(const struct http_request *request, const char *name)
{
    return strcmp(name, "address") == 0 ? request->address : NULL;
}

/* --- The world -------------------------------------------------------------- */

static const struct fake_dns_answer mx[] = {
    {.type = ns_t_mx, .preference = 10, .data = "mx.example.org"}};
static const struct fake_dns_answer address[] = {{.type = ns_t_a, .data = "127.0.0.1"}};

static const struct fake_dns_row zone[] = {
    {.name = "mx.example.org", .type = ns_t_a, .answers = address, .count = 1},
    {.name = "example.org", .type = ns_t_mx, .answers = mx, .count = 1},
};

static const struct fake_host_reply users[] = {
    {"user@example.org", "250 2.1.5 Ok"},
    {"later@example.org", "450 4.7.1 Greylisted, come again"},
    {"list-return-101-you=our.example@example.org", "250 2.1.5 Ok"},
    {"prvs=1234abcdef=user@example.org", "250 2.1.5 Ok"},
};

static const struct fake_host_options host = {.replies = users, .reply_count = COUNT(users)};

static struct config *config;
static struct session_world world;

struct config *service_config(void)
{
    return config_get(config);
}

const struct session_world *service_world(void)
{
    return &world;
}

time_t service_started(void)
{
    return time(NULL);
}

static void configure(const struct rig *f, const char *text)
{
    char path[96], error[CONFIG_ERROR_SIZE];
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/conf", f->folder);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    config_put(config);
    config = NULL;
    if (config_load(path, &config, error, sizeof error) != RB_OK)
        fail_msg("%s", error);
    (void)unlink(path);
}

static int set_up(void **state)
{
    static const struct rig_world rig_world = {
        .zone = zone, .zone_count = COUNT(zone), .host = &host};
    struct rig *f;

    if (rig_set_up(state, &rig_world) != 0 || !history_start(NULL))
        return -1;
    f = *state;
    f->options.greylist.retry = true;
    rig_open(f);
    world = (struct session_world){.verifier = f->verifier};
    configure(f, "hostname = mx.our.example\n");
    return 0;
}

static int tear_down(void **state)
{
    history_end();
    config_put(config);
    config = NULL;
    return rig_tear_down(state);
}

/* --- The page --------------------------------------------------------------- */

/* The page about an address; the caller's (free). */
static char *page(const char *text, unsigned status)
{
    const struct http_request request = {text};
    char *written = NULL;
    size_t size;
    FILE *out = open_memstream(&written, &size);

    assert_non_null(out);
    (void)rb_verifier_flush(world.verifier);
    assert_int_equal(why_write(&request, out), status);
    assert_int_equal(fclose(out), 0);
    return written;
}

static void tells(const char *text, unsigned status, const char *const *parts, size_t count)
{
    char *written = page(text, status);

    for (size_t i = 0; i < count; i++)
        if (strstr(written, parts[i]) == NULL)
            fail_msg("no %s in %s", parts[i], written);
    free(written);
}

#define TELLS(text, status, ...)                                                                   \
    tells(text, status, (const char *const[]){__VA_ARGS__},                                        \
          sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

static void is_silent_about(const char *text, unsigned status, const char *part)
{
    char *written = page(text, status);

    if (strstr(written, part) != NULL)
        fail_msg("%s: %s in %s", text, part, written);
    free(written);
}

/* --- Tests ------------------------------------------------------------------ */

static void a_refused_address_has_all_that_led_to_it(void **state)
{
    rig_reason_for(*state, "nobody@example.org");
    TELLS("<nobody@Example.ORG>", 200,
          "nobody@example.org</bdi> is <span class=\"invalid\">invalid<", "What its mail host says",
          "550 5.1.1", "read by the rule", "mx.example.org", "127.0.0.1", "counts until",
          "for 3&nbsp;days more", "<strong><bdi dir=\"ltr\">default</bdi></strong>",
          "the mail is refused.", "cache delete", "-- nobody@example.org",
          "--client IP --helo NAME --from nobody@example.org --to RECIPIENT");
}

static void what_is_not_known_is_404_and_nobody_is_asked(void **state)
{
    TELLS("never-met@example.org", 404, "its mail host is asked when it next sends",
          "Nothing is kept about this address.", "Not among the last decisions.");
    is_silent_about("never-met@example.org", 404, "cache delete");
    assert_int_equal(rig_connections(*state), 0);
}

static void what_is_no_address_is_400(void **state)
{
    (void)state;
    TELLS("<script>", 400, "&lt;script&gt;", "bad_address");
    TELLS("a@b@\xFF\xE2\x80\xAE", 400, "\xEF\xBF\xBD", "U+202E");
    TELLS(NULL, 200, "Why was this sender refused?");
    TELLS("", 200, "Why was this sender refused?");
}

static void a_relay_has_a_record_of_its_own(void **state)
{
    struct rig *f = *state;
    struct rb_question question = rig_question("nobody@example.org");
    struct rb_answer answer;
    char relay[32];

    (void)snprintf(relay, sizeof relay, "127.0.0.1:%u", fake_host_port(f->host));
    question.relay = relay;
    rb_answer_init(&answer);
    rig_verify(f, &question, &answer);
    TELLS("nobody@example.org", 200, "What our mail store says: ", relay,
          "Nothing is known that would answer");
    rig_reason_for(f, "nobody@example.org");
    TELLS("nobody@example.org", 200, "What our mail store says: ", "What its mail host says",
          " is <span class=\"invalid\">");
}

static void a_correspondent_is_our_own_users(void **state)
{
    struct rig *f = *state;

    rb_note_correspondent(f->verifier, "friend@example.net", strlen("friend@example.net"));
    TELLS("friend@example.net", 200, " is <span class=\"valid\">", "What our own mail says",
          "One of our users has written to this address.");
    is_silent_about("friend@example.net", 200, "said by");
}

static void what_is_under_way_is_said(void **state)
{
    struct rig *f = *state;
    struct rb_ticket *ticket;

    rig_hold(f, true);
    ticket = rig_ask(f, "user@example.org");
    TELLS("user@example.org", 404, "It is being asked about at this moment.");
    rig_hold(f, false);
    assert_int_equal(rig_outcome(ticket), RB_REASON_ACCEPTED);
}

static void a_dead_domain_answers_for_all_its_addresses(void **state)
{
    rig_reason_for(*state, "one@gone.example");
    TELLS("two@gone.example", 200, " is <span class=\"invalid\">",
          "Nothing is kept about this address. What answers is the rule known_dead.",
          "Its domain, ", "The domain does not exist.", "it counts until");
}

static void a_catch_all_domain_answers_for_all_its_addresses(void **state)
{
    static const struct fake_host_options everybody = {.rcpt = "250 2.1.5 Ok"};

    rig_start_host(*state, &everybody);
    rig_reason_for(*state, "one@example.org");
    TELLS("two@example.org", 200, " is <span class=\"unknown\">", "the rule known_catch_all",
          "It accepts every address, so that its word says nothing.");
}

static void what_counts_no_more_is_said_so(void **state)
{
    struct rig *f = *state;

    rig_reason_for(f, "one@gone.example");
    fake_clock_advance_s(&f->clock, 400LL * 86400);
    TELLS("one@gone.example", 200, "Nothing is known that would answer", "it counts no more",
          "ago; it counts no more");
}

static void who_said_later_is_asked_again(void **state)
{
    rig_reason_for(*state, "later@example.org");
    rig_await_retries(*state, 1);
    TELLS("later@example.org", 200, " is <span class=\"unknown\">", "Its host said “later”",
          "It has been asked again not yet, and will be in ");
}

static void one_time_senders_are_known_by_their_kind(void **state)
{
    rig_reason_for(*state, "prvs=1234abcdef=user@example.org");
    TELLS("prvs=5678abcdef=user@example.org", 200, " is <span class=\"valid\">",
          "Nothing is kept about this address. What answers is the rule ");
    rig_reason_for(*state, "list-return-101-you=our.example@example.org");
    TELLS("list-return-102-me=our.example@example.org", 404, /* one of a list is not enough */
          "Nothing is known that would answer");
}

/* What an address, or a client, says of itself is one word of the command, and no markup. */
static void the_command_is_of_its_last_mail(void **state)
{
    static char policy_name[] = "default";
    static const struct policy policy = {.name = policy_name};
    struct session *session = calloc(1, sizeof *session);
    struct decision decision = {
        .policy = &policy, .reason = RB_REASON_NO_SUCH_USER, .recipient = "--json@our.example"};

    (void)state;
    assert_non_null(session);
    (void)strcpy(session->sender_text, "it'sme@example.org");
    (void)strcpy(session->client_text, "198.51.100.7");
    (void)strcpy(session->helo, "<b>`id`");
    history_note(session, &decision, "4Xyz12");
    free(session);
    TELLS("it'sme@example.org", 404,
          "--client 198.51.100.7 --helo &#39;&lt;b&gt;`id`&#39; --from "
          "&#39;it&#39;\\&#39;&#39;sme@example.org&#39; --to --json@our.example",
          "4Xyz12");
    is_silent_about("sme@example.org", 404, "198.51.100.7");
}

static void a_dry_run_is_said(void **state)
{
    configure(*state, "hostname = mx.our.example\ndry_run = yes\n");
    TELLS("user@example.org", 404, "This is a dry run");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_refused_address_has_all_that_led_to_it),
        TEST(what_is_not_known_is_404_and_nobody_is_asked),
        TEST(what_is_no_address_is_400),
        TEST(a_relay_has_a_record_of_its_own),
        TEST(a_correspondent_is_our_own_users),
        TEST(what_is_under_way_is_said),
        TEST(a_dead_domain_answers_for_all_its_addresses),
        TEST(a_catch_all_domain_answers_for_all_its_addresses),
        TEST(what_counts_no_more_is_said_so),
        TEST(who_said_later_is_asked_again),
        TEST(one_time_senders_are_known_by_their_kind),
        TEST(the_command_is_of_its_last_mail),
        TEST(a_dry_run_is_said),
    };

    return cmocka_run_group_tests_name("why", tests, NULL, NULL);
}
