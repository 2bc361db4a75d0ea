/* SPDX-License-Identifier: BSD-2-Clause */
/* test_sockets_none: where there is no table of sockets, "unknown" is all that is ever said. */
#include "config.h"

#include "check.h"
#include "extension/ayttm.h"

static bool see(void *arg, const struct sockets_socket *socket)
{
    (void)arg;
    (void)socket;
    fail_msg("a socket");
    return false;
}

static void it_knows_nothing(void **state)
{
    const struct sockets_filter filter = {.dport = 25, .sport = 5000, .any_sport = true};

    (void)state;
    assert_false(sockets_find(&filter, 1000, see, NULL));
    assert_false(sockets_sees_owner(0));
}

static void nothing_is_denied(void **state)
{
    static const uid_t users[] = {0};
    const struct ayttm_settings settings = {
        .users = users, .user_count = 1, .complete = true, .find = sockets_find};
    const struct verbs_ayttm question = {.sport = 5000, .dport = 25};
    const struct ip asker = ip_from_v4(&(const uint32_t){0x01020304});

    (void)state;
    assert_int_equal(ayttm_answer(&settings, &asker, &question).word, VERBS_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_knows_nothing),
        cmocka_unit_test(nothing_is_denied),
    };

    return cmocka_run_group_tests_name("sockets_none", tests, NULL, NULL);
}
