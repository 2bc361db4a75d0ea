/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_keys: keys of different things differ, each can be taken apart again, and none is cut.
 */
#include "config.h"

#include "cache/keys.h"

#include "check.h"

#include <string.h>

static void keys_tell_world_and_relays_apart(void **state)
{
    (void)state;
    char world[CACHE_KEY_MAX + 1], one[CACHE_KEY_MAX + 1], other[CACHE_KEY_MAX + 1];
    assert_int_equal(cache_address_key(NULL, "u@example.org", world), RB_OK);
    assert_int_equal(cache_address_key("in.example.org:25", "u@example.org", one), RB_OK);
    assert_int_equal(cache_address_key("in.example.org:26", "u@example.org", other), RB_OK);
    assert_string_equal(world, "su@example.org");
    assert_string_not_equal(one, other);
    assert_string_not_equal(one, world);
}

static void keys_of_facts_tell_domains_and_relays_apart(void **state)
{
    (void)state;
    static const struct {
        const char *relay, *domain;
    } table[] = {
        {NULL, "example.org"},
        {"mx:", "example.org"},
        {"in.example.org:25", "example.org"},
        {"in.example.org:26", "example.org"},
        {"in.example.org:25", "example.net"},
        {"a,lmtp:b:24,unix:/run/lmtp", "[192.0.2.1]"},
    };
    char keys[COUNT(table)][CACHE_KEY_MAX + 1];
    char domain[RB_DOMAIN_MAX + 1], relay[RELAY_NAME_MAX + 1];
    for (size_t i = 0; i < COUNT(table); i++) {
        assert_int_equal(cache_facts_key(table[i].relay, table[i].domain, keys[i]), RB_OK);
        assert_true(cache_split_facts_key(keys[i], domain, relay));
        assert_string_equal(domain, table[i].domain);
        assert_string_equal(relay, table[i].relay != NULL ? table[i].relay : "");
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(keys[i], keys[j]);
    }
    assert_string_equal(keys[0], "example.org"); /* as it was before there were relays */
}

static void a_relays_name_ends_at_the_first_blank(void **state)
{
    char key[CACHE_KEY_MAX + 1], relay[CACHE_KEY_MAX + 1];
    const char *address;
    (void)state;
    assert_int_equal(cache_address_key("in.example.org:25", "\"a b\"@d", key), RB_OK);
    assert_true(cache_split_address_key(key, relay, &address));
    assert_string_equal(relay, "in.example.org:25");
    assert_string_equal(address, "\"a b\"@d");
    assert_false(cache_split_address_key("rno-blank@d", relay, &address));
    assert_false(cache_split_address_key("xu@d", relay, &address));
    assert_false(cache_split_address_key("", relay, &address));
}

static void a_hosts_key_does_not_depend_on_its_spelling(void **state)
{
    static const struct {
        const char *text, *key; /* NULL: none */
    } hosts[] = {
        {"192.0.2.1", "192.0.2.1"},
        {"2001:DB8::1", "2001:db8::1"},
        {"2001:0db8:0:0:0:0:0:0001", "2001:db8::1"},
        {"::FFFF:192.0.2.1", "::ffff:192.0.2.1"},
        {"192.0.2.1#25", "192.0.2.1#25"},
        {"2001:DB8::1#65535", "2001:db8::1#65535"},
        {"unix:/run/store", "unix:/run/store"},
        {"unix:store", NULL},
        {"unix:", NULL},
        {"192.0.2.1#", NULL},
        {"192.0.2.1#0", NULL},
        {"192.0.2.1#025", NULL},
        {"192.0.2.1#65536", NULL},
        {"192.0.2.1#25x", NULL},
        {"192.0.2.1#123456", NULL},
        {"192.0.2", NULL},
        {"192.0.2.1 ", NULL},
        {"[2001:db8::1]", NULL},
        {"fe80::1%lo", NULL},
        {"mx.example.org", NULL},
        {"bla", NULL},
        {"", NULL},
    };
    char key[CACHE_KEY_MAX + 1];
    (void)state;
    for (size_t i = 0; i < COUNT(hosts); i++) {
        assert_int_equal(cache_host_key(hosts[i].text, key), hosts[i].key != NULL);
        if (hosts[i].key != NULL)
            assert_string_equal(key, hosts[i].key);
    }
}

static void onetime_keys_tell_their_kind(void **state)
{
    static const enum onetime_kind kinds[] = {ONETIME_BATV, ONETIME_SRS, ONETIME_VERP};
    char keys[COUNT(kinds)][CACHE_KEY_MAX + 1], key[CACHE_KEY_MAX + 1], text[CACHE_KEY_MAX + 1];
    const char *onetime;
    (void)state;
    for (size_t i = 0; i < COUNT(kinds); i++) {
        assert_int_equal(cache_onetime_key(kinds[i], "\x1a=u@d", keys[i]), RB_OK);
        assert_int_equal(cache_split_onetime_key(keys[i], &onetime), kinds[i]);
        assert_string_equal(onetime, "\x1a=u@d");
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(keys[i], keys[k]);
    }
    assert_int_equal(cache_onetime_key(ONETIME_NONE, "u@d", key), RB_ERR_ARGUMENT);
    assert_int_equal(cache_onetime_key((enum onetime_kind)99, "u@d", key), RB_ERR_ARGUMENT);
    assert_string_equal(key, "");
    memset(text, 'a', sizeof text);
    text[CACHE_KEY_MAX] = '\0';
    assert_int_equal(cache_onetime_key(ONETIME_SRS, text, key), RB_ERR_TOO_LONG);
    assert_int_equal(cache_onetime_key(ONETIME_SRS, text + 1, key), RB_OK);
    assert_int_equal(cache_split_onetime_key("xu@d", &onetime), ONETIME_NONE);
    assert_null(onetime);
    assert_int_equal(cache_split_onetime_key("", &onetime), ONETIME_NONE);
}

static void verbs_are_of_a_host_or_of_a_domains_hosts(void **state)
{
    (void)state;
    assert_true(cache_verb_key_is_of("mx.example", "mx.example"));
    assert_true(cache_verb_key_is_of("mx.example:2525", "mx.example"));
    assert_true(cache_verb_key_is_of("mx:mx.example", "mx.example"));
    assert_false(cache_verb_key_is_of("mx.example.org", "mx.example"));
    assert_false(cache_verb_key_is_of("a.mx.example", "mx.example"));
    assert_false(cache_verb_key_is_of("mx:mx.example.org", "mx.example"));
    assert_false(cache_verb_key_is_of("mx:mx.example:25", "mx.example"));
    assert_false(cache_verb_key_is_of("mx.exampl", "mx.example"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_tell_world_and_relays_apart),
        cmocka_unit_test(keys_of_facts_tell_domains_and_relays_apart),
        cmocka_unit_test(a_relays_name_ends_at_the_first_blank),
        cmocka_unit_test(a_hosts_key_does_not_depend_on_its_spelling),
        cmocka_unit_test(onetime_keys_tell_their_kind),
        cmocka_unit_test(verbs_are_of_a_host_or_of_a_domains_hosts),
    };
    return cmocka_run_group_tests_name("keys", tests, NULL, NULL);
}
