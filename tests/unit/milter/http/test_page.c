/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_page: what the status page tells, and of whom: decisions that were made, all of them or those
 * that are asked for; warnings that there are; and nothing of a stranger's as markup. The world is
 * the session rig's.
 */
#include "config.h"

#include "http/page.h"

#include "check.h"

#include <stdio.h>

#include "daemon/history.h"
#include "daemon/service.h"
#include "http/assets.h"
#include "http/decisions.h"
#include "session_rig.h"

struct http_request {
    const char *address, *client, *verdict;
};

const char *http_argument(const struct http_request *request, const char *name)
{
    if (strcmp(name, "address") == 0)
        return request->address;
    if (strcmp(name, "client") == 0)
        return request->client;
    return strcmp(name, "verdict") == 0 ? request->verdict : NULL;
}

/* --- The service, beside what the rig has of it ----------------------------- */

static struct service_troubles troubles;
static bool config_changed;
static const char *identity_warning;

time_t service_started(void)
{
    return time(NULL) - 3 * 86400;
}

struct service_troubles service_troubles(void)
{
    return troubles;
}

bool service_config_changed(void)
{
    return config_changed;
}

bool service_identity(struct identity *found)
{
    found->count = identity_warning != NULL;
    if (identity_warning != NULL)
        (void)snprintf(found->warning[0], IDENTITY_WARNING_SIZE, "%s", identity_warning);
    return true;
}

static int set_up(void **state)
{
    static const struct fake_host_options silent = {.rcpt = "250 2.1.5 Ok"};
    static const struct session_rig_world world = {.host = &silent, .store = &silent};

    troubles = (struct service_troubles){.dns_is_silent = false};
    config_changed = false;
    identity_warning = NULL;
    if (session_rig_set_up(state, &world) != 0 || !history_start(NULL))
        return -1;
    session_rig_begin(*state, "hostname = \"mx.our.example\"\n");
    return 0;
}

static int tear_down(void **state)
{
    history_end();
    return session_rig_tear_down(state);
}

/* --- Decisions -------------------------------------------------------------- */

static char policy_name[] = "strict";
static const struct policy policy = {.name = policy_name};

static void decide(const char *address, const char *client, const char *helo, enum rb_reason reason,
                   const char *reply)
{
    struct session *session = calloc(1, sizeof *session);
    struct decision decision = {.policy = &policy,
                                .reason = reason,
                                .wanted = ACTION_REJECT,
                                .action = ACTION_REJECT,
                                .recipient = "me@our.example"};

    assert_non_null(session);
    (void)snprintf(session->sender_text, sizeof session->sender_text, "%s", address);
    (void)snprintf(session->client_text, sizeof session->client_text, "%s", client);
    (void)snprintf(session->helo, sizeof session->helo, "%s", helo);
    (void)snprintf(session->plain.answer.reply, sizeof session->plain.answer.reply, "%s", reply);
    (void)snprintf(session->plain.answer.rule, sizeof session->plain.answer.rule, "enhanced_5.1.1");
    session->plain.waited_ms = 143;
    history_note(session, &decision, "4Xyz12");
    history_decided(reason);
    history_waited(session->plain.waited_ms);
    free(session);
}

/* The page for a request; the caller's (free). */
static char *page(const char *address, const char *client, const char *verdict)
{
    const struct http_request request = {address, client, verdict};
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    assert_non_null(out);
    assert_int_equal(page_write(&request, out), 200);
    assert_int_equal(fclose(out), 0);
    return text;
}

/* Whether such a page has that text in it. */
static bool page_has(const char *text)
{
    char *written = page(NULL, NULL, NULL);
    const bool has = strstr(written, text) != NULL;

    free(written);
    return has;
}

static unsigned rows_of(const char *address, const char *client, const char *verdict)
{
    char *written = page(address, client, verdict);
    unsigned rows = 0;

    for (const char *at = written; (at = strstr(at, "<td role=\"cell\" class=\"when\">")) != NULL;
         at++)
        rows++;
    free(written);
    return rows;
}

/* --- Tests ------------------------------------------------------------------ */

static void before_the_first_mail_there_is_nothing_to_show(void **state)
{
    (void)state;
    assert_true(page_has("Nothing was decided in the last hour."));
    assert_true(page_has("Nothing has been decided yet."));
    assert_true(page_has("mx.our.example"));
    assert_true(page_has("version " PACKAGE_VERSION));
    assert_true(page_has("up 3&nbsp;days"));
    assert_int_equal(rows_of(NULL, NULL, NULL), 0);
}

static void a_decision_is_shown_with_all_that_led_to_it(void **state)
{
    static const char *const parts[] = {
        "href=\"/why?address=nobody@example.org\"",
        ">nobody@example.org<",
        ">me@our.example<",
        ">198.51.100.7<",
        ">mail.example.org<",
        "The mail host says that there is no such mailbox.",
        ">550 5.1.1 &lt;nobody@example.org&gt;: unknown<",
        ">enhanced_5.1.1<",
        ">strict<",
        ">4Xyz12<",
        "waited 143&nbsp;ms",
        "<span class=\"pill invalid\">invalid</span>",
        "<span class=\"action reject\">refused</span>",
        "In the last hour <b>1</b> decision: <b class=\"invalid\">1</b> invalid.",
    };

    (void)state;
    decide("nobody@example.org", "198.51.100.7", "mail.example.org", RB_REASON_NO_SUCH_USER,
           "550 5.1.1 <nobody@example.org>: unknown");
    for (size_t i = 0; i < COUNT(parts); i++)
        if (!page_has(parts[i]))
            fail_msg("the page has no %s", parts[i]);
}

static void decisions_are_chosen_by_address_client_and_verdict(void **state)
{
    static const struct {
        const char *address, *client, *verdict;
        unsigned rows;
    } table[] = {
        {NULL, NULL, NULL, 3},
        {"", "", "", 3},
        {"anna@", NULL, NULL, 1},
        {"EXAMPLE.org", NULL, NULL, 2},
        {"me@our", NULL, NULL, 3}, /* the recipient */
        {NULL, "198.51.100.", NULL, 2},
        {NULL, "MAIL.example", NULL, 1}, /* the HELO name */
        {NULL, NULL, "invalid", 1},
        {NULL, NULL, "vali", 0},
        {NULL, NULL, "<b>", 0},
        {"example.org", "198.51.100.7", "unknown", 1},
        {"nobody-at-all", NULL, NULL, 0},
    };

    (void)state;
    decide("anna@example.net", "192.0.2.1", "mail.example.net", RB_REASON_ACCEPTED, "250 Ok");
    decide("bert@example.org", "198.51.100.7", "x", RB_REASON_GREYLISTED, "450 later");
    decide("cara@example.org", "198.51.100.8", "y", RB_REASON_NO_SUCH_USER, "550 no");
    for (size_t i = 0; i < COUNT(table); i++)
        assert_int_equal(rows_of(table[i].address, table[i].client, table[i].verdict),
                         table[i].rows);
}

static void what_was_asked_for_stands_in_the_form(void **state)
{
    char *written = page("a\"><script>", "\xE2\x80\xAE", "unknown");

    (void)state;
    assert_non_null(strstr(written, "value=\"a&quot;&gt;&lt;script&gt;\""));
    assert_non_null(strstr(written, "value=\"&#x202E;\""));
    assert_non_null(strstr(written, "<option value=\"unknown\" selected>"));
    free(written);
}

static void nothing_of_a_strangers_is_markup(void **state)
{
    char *written;

    (void)state;
    decide("<script>alert(1)</script>@example.org", "<b>", "\"><img src=x>", RB_REASON_REJECTED,
           "550 </q><style>*{}</style>\xE2\x80\xAE");
    identity_warning = "<i>name</i>";
    written = page("<u>", "<u>", "<u>");
    assert_null(strstr(written, "<u>"));
    free(written);
    written = page(NULL, NULL, NULL);
    assert_null(strstr(written, "<script>"));
    assert_null(strstr(written, "<img"));
    assert_null(strstr(written, "<style"));
    assert_null(strstr(written, "<i>"));
    assert_null(strstr(written, "\xE2\x80\xAE"));
    assert_non_null(strstr(written, "U+202E"));
    assert_non_null(strstr(written, "address=%3Cscript%3Ealert%281%29%3C%2Fscript%3E@example.org"));
    free(written);
}

static void what_is_wrong_is_said_first(void **state)
{
    (void)state;
    assert_false(page_has("class=\"warnings\""));
    troubles.dns_is_silent = troubles.store_is_lost = troubles.writes_are_lost = true;
    assert_true(page_has("None of them answers"));
    assert_true(page_has("Its store is lost"));
    assert_true(page_has("What is learned cannot be written."));
    config_changed = true;
    identity_warning = "198.51.100.25 has no name";
    assert_true(page_has("The file has been written since it was read."));
    assert_true(page_has("198.51.100.25 has no name"));
}

static void a_dry_run_is_said(void **state)
{
    struct session_rig *f = *state;

    assert_false(page_has("dry run"));
    session_rig_begin(f, "dry_run = yes\n");
    assert_true(page_has("dry run: nothing is refused"));
}

/* A policy (CSP) lets no script or style within the page run. */
static void nothing_stands_in_the_page_that_its_policy_forbids(void **state)
{
    static const char *const never[] = {
        " style=", "<style", " onclick=", "javascript:", "http://", "https://", "<base"};

    (void)state;
    decide("nobody@example.org", "198.51.100.7", "helo", RB_REASON_NO_SUCH_USER, "550 no");
    for (size_t i = 0; i < COUNT(never); i++)
        if (page_has(never[i]))
            fail_msg("the page has %s", never[i]);
}

static void the_assets_are_what_stands_in_the_tree(void **state)
{
    static const struct {
        http_resource_fn *write;
        const char *path;
    } table[] = {{assets_style, "/milter/http/style.css"},
                 {assets_script, "/milter/http/script.js"}};
    const char *root = getenv("RB_SRCDIR");

    (void)state;
    for (size_t i = 0; root != NULL && i < COUNT(table); i++) {
        char path[4096], *text = NULL, *wanted;
        size_t size, len;
        FILE *out = open_memstream(&text, &size), *file;

        (void)snprintf(path, sizeof path, "%s%s", root, table[i].path);
        file = fopen(path, "r");
        assert_non_null(file);
        assert_int_equal(table[i].write(NULL, out), 200);
        assert_int_equal(fclose(out), 0);
        wanted = malloc(size + 1);
        assert_non_null(wanted);
        len = fread(wanted, 1, size + 1, file);
        assert_int_equal(len, size);
        assert_memory_equal(text, wanted, size);
        free(wanted);
        free(text);
        (void)fclose(file);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(before_the_first_mail_there_is_nothing_to_show),
        TEST(a_decision_is_shown_with_all_that_led_to_it),
        TEST(decisions_are_chosen_by_address_client_and_verdict),
        TEST(what_was_asked_for_stands_in_the_form),
        TEST(nothing_of_a_strangers_is_markup),
        TEST(what_is_wrong_is_said_first),
        TEST(a_dry_run_is_said),
        TEST(nothing_stands_in_the_page_that_its_policy_forbids),
        TEST(the_assets_are_what_stands_in_the_tree),
    };

    return cmocka_run_group_tests_name("page", tests, NULL, NULL);
}
