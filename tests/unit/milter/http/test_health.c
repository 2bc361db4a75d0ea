/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_health: /healthz is 200 while nothing is wrong; each trouble makes it 503, and is named.
 */
#include "config.h"

#include "http/health.h"

#include <stdio.h>

#include "check.h"
#include "daemon/service.h"

#define SOCKET "milter socket: the MTA is not served\n"
#define RESOLVER "resolver: no name server answers\n"
#define STORE "store: the cache cannot be opened\n"
#define WRITES "store: what is learned cannot be written\n"

static struct service_troubles troubles;
static bool is_served;

/* The service's. */
struct service_troubles service_troubles(void)
{
    return troubles;
}

static bool mta_is_served(void)
{
    return is_served;
}

static void check(bool served, struct service_troubles found, unsigned status, const char *said)
{
    char *written = NULL;
    size_t size;
    FILE *out = open_memstream(&written, &size);

    assert_non_null(out);
    is_served = served;
    troubles = found;
    assert_int_equal(health_write(NULL, out), status);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(written, said);
    free(written);
}

static void all_is_well_where_nothing_is_wrong(void **state)
{
    (void)state;
    check(true, (struct service_troubles){.dns_is_silent = false}, 200, "ok\n");
}

static void each_trouble_alone_makes_it_503(void **state)
{
    static const struct {
        bool served;
        struct service_troubles found;
        const char *said;
    } table[] = {
        {false, {.dns_is_silent = false}, SOCKET},
        {true, {.dns_is_silent = true}, RESOLVER},
        {true, {.store_is_lost = true}, STORE},
        {true, {.writes_are_lost = true}, WRITES},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(table); i++)
        check(table[i].served, table[i].found, 503, table[i].said);
}

static void every_trouble_has_a_line(void **state)
{
    (void)state;
    check(false, (struct service_troubles){true, true, true}, 503, SOCKET RESOLVER STORE WRITES);
}

static void a_trouble_that_is_over_is_forgotten(void **state)
{
    (void)state;
    check(false, (struct service_troubles){.dns_is_silent = true}, 503, SOCKET RESOLVER);
    check(true, (struct service_troubles){.dns_is_silent = false}, 200, "ok\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_is_well_where_nothing_is_wrong),
        cmocka_unit_test(each_trouble_alone_makes_it_503),
        cmocka_unit_test(every_trouble_has_a_line),
        cmocka_unit_test(a_trouble_that_is_over_is_forgotten),
    };

    health_init(mta_is_served);
    return cmocka_run_group_tests_name("health", tests, NULL, NULL);
}
