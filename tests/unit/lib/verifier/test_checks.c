/* SPDX-License-Identifier: BSD-2-Clause */
/* test_checks: who waits for which SPF check, and for which look-up; and that nothing is lost. */
#include "config.h"

#include "verifier/checks.h"

#include <arpa/nameser.h>
#include <stdio.h>

#include "check.h"
#include "dns_rig.h"

enum { MANY = 100 };

static struct spf_subject subject_of(const char *client, const char *domain, const char *local)
{
    struct sockaddr_storage address = dns_rig_address(client);
    const struct spf_question question = {.client = (const struct sockaddr *)&address,
                                          .helo = "mail.example.org",
                                          .local = local,
                                          .domain = domain};
    struct spf_subject subject;

    assert_true(spf_subject_set(&subject, &question));
    return subject;
}

static struct check *check_of(const struct spf_subject *subject, unsigned by, const char *wanted)
{
    struct check *check = check_new(subject, by);

    assert_non_null(check);
    check->wanted.type = ns_t_txt;
    (void)snprintf(check->wanted.name, sizeof check->wanted.name, "%s", wanted);
    return check;
}

/* The look-up that is to be made for it; NULL: it waits for one under way. */
static struct lookup *await(struct checks *checks, struct check *check)
{
    struct lookup *fresh;

    assert_int_equal(checks_await(checks, check, &fresh), RB_OK);
    if (fresh != NULL)
        assert_ptr_equal(lookup_of_entry(lookup_entry(fresh)), fresh);
    return fresh;
}

static struct lookup *list(struct checks *checks, struct check *check)
{
    assert_int_equal(checks_list(checks, check), RB_OK);
    return await(checks, check);
}

static void apply(struct checks *checks, struct check *check)
{
    struct applicant *applicant = calloc(1, sizeof *applicant);

    assert_non_null(applicant);
    checks_add_applicant(checks, check, applicant);
}

static void a_subject_is_a_copy_and_its_question_points_into_it(void **state)
{
    char domain[] = "d.example";
    struct spf_subject subject = subject_of("2001:db8::1", domain, "user");
    struct spf_question question;

    (void)state;
    memset(domain, 'x', sizeof domain - 1);
    question = spf_subject_question(&subject);
    assert_string_equal(question.domain, "d.example");
    assert_string_equal(question.local, "user");
    assert_string_equal(question.helo, "mail.example.org");
    assert_int_equal(question.client->sa_family, AF_INET6);
}

static void what_is_too_long_or_no_client_is_no_subject(void **state)
{
    struct sockaddr_storage address = dns_rig_address("192.0.2.1");
    struct sockaddr unknown = {.sa_family = AF_UNIX};
    struct spf_question question = {.client = (const struct sockaddr *)&address};
    struct spf_subject subject;
    char text[RB_DOMAIN_MAX + 2];

    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_true(spf_subject_set(&subject, &question));
    question.local = text;
    assert_false(spf_subject_set(&subject, &question));
    question.local = text + 1;
    assert_true(spf_subject_set(&subject, &question));
    question.helo = text; /* as long as a client likes */
    assert_true(spf_subject_set(&subject, &question));
    assert_int_equal(strlen(subject.helo), RB_DOMAIN_MAX);
    question.client = &unknown;
    assert_false(spf_subject_set(&subject, &question));
}

static void equal_checks_are_found(void **state)
{
    const struct spf_subject usual = subject_of("192.0.2.1", "d.example", "user");
    const struct spf_subject mapped = subject_of("::ffff:192.0.2.1", "d.example", "other");
    const struct spf_subject others[] = {subject_of("192.0.2.2", "d.example", "user"),
                                         subject_of("192.0.2.1", "e.example", "user")};
    struct checks checks = {.table = NULL};
    struct check *listed = check_of(&usual, 0, "d.example");
    struct check *check = check_of(&mapped, 0, "d.example");

    (void)state;
    assert_non_null(list(&checks, listed));
    assert_ptr_equal(checks_find(&checks, check), listed);
    check_free(check);
    for (size_t i = 0; i < COUNT(others); i++) {
        check = check_of(&others[i], 0, "d.example");
        assert_null(checks_find(&checks, check));
        check_free(check);
    }
    check = check_of(&usual, SPF_BY_SENDER | SPF_BY_HELO, "d.example");
    assert_null(checks_find(&checks, check)); /* a narrower one */
    check_free(check);
    checks_free(&checks);
}

static void equal_look_ups_are_one(void **state)
{
    static const char *const names[] = {"a.example", "b.example", "a.example",
                                        "c.example", "b.example", "a.example"};
    static const struct {
        const char *name;
        unsigned waiting;
    } lookups[] = {{"a.example", 3}, {"b.example", 2}, {"c.example", 1}};
    struct checks checks = {.table = NULL};
    struct lookup *made[COUNT(names)];
    size_t count = 0;

    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        char client[32];

        (void)snprintf(client, sizeof client, "192.0.2.%zu", i);
        const struct spf_subject subject = subject_of(client, "d.example", "user");
        made[count] = list(&checks, check_of(&subject, 0, names[i]));
        count += made[count] != NULL;
    }
    assert_int_equal(count, COUNT(lookups));
    for (size_t i = 0; i < COUNT(lookups); i++) {
        struct lookup *lookup = made[i];
        unsigned waiting = 0;

        assert_string_equal(lookup_of(lookup)->name, lookups[i].name);
        assert_int_equal(lookup_of(lookup)->type, ns_t_txt);
        for (struct check *check = checks_looked_up(&checks, lookup), *next; check != NULL;
             check = next) {
            next = check->next;
            checks_remove(&checks, check);
            check_free(check);
            waiting++;
        }
        assert_int_equal(waiting, lookups[i].waiting);
    }
    checks_free(&checks);
}

/* It is joined while it is being made, and not any more when it has been. */
static void a_look_up_is_joined_until_it_was_made(void **state)
{
    const struct spf_subject subjects[] = {subject_of("192.0.2.1", "d.example", "user"),
                                           subject_of("192.0.2.2", "d.example", "user"),
                                           subject_of("192.0.2.3", "d.example", "user")};
    struct checks checks = {.table = NULL};
    struct check *first = check_of(&subjects[0], 0, "d.example");
    struct check *second = check_of(&subjects[1], 0, "d.example");
    struct check *third = check_of(&subjects[2], 0, "d.example");
    struct lookup *lookup;

    (void)state;
    lookup = list(&checks, first);
    assert_non_null(lookup);
    assert_null(list(&checks, second));
    assert_ptr_equal(checks_looked_up(&checks, lookup), first);
    assert_ptr_equal(first->next, second);
    assert_null(second->next);
    assert_non_null(list(&checks, third));
    third->wanted.type = ns_t_a; /* another type is another look-up */
    first->wanted.type = ns_t_a;
    assert_non_null(await(&checks, first));
    checks_remove(&checks, second);
    check_free(second);
    checks_free(&checks); /* and with it what waits */
    assert_null(checks.table);
}

static void applicants_are_taken_in_turn_and_count_until_they_have_gone_on(void **state)
{
    const struct spf_subject subject = subject_of("192.0.2.1", "d.example", "user");
    struct checks checks = {.table = NULL};
    struct check *check = check_of(&subject, 0, "d.example");
    struct applicant *applicant;
    unsigned taken = 0;

    (void)state;
    assert_non_null(list(&checks, check));
    for (unsigned i = 0; i < MANY; i++)
        apply(&checks, check);
    assert_int_equal(checks.waiting, MANY);
    while ((applicant = check_take_applicant(check)) != NULL) {
        assert_int_equal(checks.waiting, MANY - taken);
        checks_forget(&checks, applicant);
        taken++;
    }
    assert_int_equal(taken, MANY);
    assert_int_equal(checks.waiting, 0);
    apply(&checks, check); /* goes with the check */
    checks_free(&checks);
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_subject_is_a_copy_and_its_question_points_into_it),
        TEST(what_is_too_long_or_no_client_is_no_subject),
        TEST(equal_checks_are_found),
        TEST(equal_look_ups_are_one),
        TEST(a_look_up_is_joined_until_it_was_made),
        TEST(applicants_are_taken_in_turn_and_count_until_they_have_gone_on),
    };

    return cmocka_run_group_tests_name("checks", tests, NULL, NULL);
}
