/* SPDX-License-Identifier: BSD-2-Clause */
/* test_login: what a client says it is, whether that is right, and how often it may guess. */
#include "config.h"

#include "http/login.h"

#include <openssl/evp.h>

#include "check.h"
#include "fake_clock.h"

static char alice[] = "alice", bob[] = "bob";
static char hash_of_alice[] = "$6$abcdefgh$LD3B9uQazUr5JO40TJP6MCHMIO4iy9k4k8wtwFKc/2c.J3/D5xE/"
                              "lc1u40jG/wrBUnUYu3FRVho1G9GJagdAs/"; /* secret word */
static char hash_of_bob[] = "$2b$04$ORSgCMvz5hEZul.HZRJ83eYGSWKoJcSLf18Vxz5.Re9VXMSdmUw/6";
static struct password users[] = {{alice, hash_of_alice}, {bob, hash_of_bob}};
static const struct password_list passwords = {.items = users, .count = 2};

static struct fake_clock fake;
static struct login_memory memory;
static struct login login;

static int set_up(void **state)
{
    (void)state;
    fake_clock_init(&fake);
    return login_memory_init(&memory, &fake.clock) ? 0 : -1;
}

static struct ip ip_number(unsigned number)
{
    const uint8_t v4[] = {192, 0, (uint8_t)(number >> 8), (uint8_t)number};

    return ip_from_v4(v4);
}

static enum login_verdict check_from(unsigned number, const char *user, const char *password)
{
    const struct ip ip = ip_number(number);
    struct login said = {.user = ""};

    strcpy(said.user, user);
    strcpy(said.password, password);
    return login_check(&memory, &passwords, &said, &ip);
}

/* --- What is said --------------------------------------------------------- */

static bool reads(const char *scheme, const char *pair, size_t len)
{
    char field[1200];
    size_t at = strlen(scheme);

    strcpy(field, scheme);
    (void)EVP_EncodeBlock((unsigned char *)field + at, (const unsigned char *)pair, (int)len);
    return login_read(field, &login);
}

static bool is_zeroed(void)
{
    static const struct login zero;

    return memcmp(&login, &zero, sizeof zero) == 0;
}

static void a_pair_is_read(void **state)
{
    (void)state;
    assert_true(login_read("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", &login)); /* RFC 7617 2 */
    assert_string_equal(login.user, "Aladdin");
    assert_string_equal(login.password, "open sesame");
    assert_true(reads("basic ", "a:b:c", 5));
    assert_string_equal(login.user, "a");
    assert_string_equal(login.password, "b:c");
    assert_true(reads("BASIC   ", ":", 1));
    assert_string_equal(login.user, "");
    assert_true(reads("Basic ", "test:123\xC2\xA3", 10)); /* RFC 7617 2.1 */
    assert_string_equal(login.password, "123\xC2\xA3");
}

static void what_is_no_pair_is_refused(void **state)
{
    static const char *const fields[] = {"",
                                         "Basic",
                                         "Basic ",
                                         "Bearer YTpi",
                                         "BasicYTpi",
                                         "Basic YTpi ",
                                         "Basic Y",
                                         "Basic YTp",
                                         "Basic YTpi=",
                                         "Basic ====",
                                         "Basic YTo===",
                                         "Basic =YTpi",
                                         "Basic YT\npi",
                                         "Basic YT pi",
                                         "Basic Y\xFFpi",
                                         "Basic YWI=",
                                         "Basic YTpi,YTpi",
                                         "Basic YTp-"};

    (void)state;
    for (size_t i = 0; i < COUNT(fields); i++) {
        memset(&login, 'x', sizeof login);
        if (login_read(fields[i], &login) || !is_zeroed())
            fail_msg("\"%s\" is taken", fields[i]);
    }
    assert_false(reads("Basic ", "a:b\0c", 5));
    assert_false(reads("Basic ", "a\nb:c", 5));
    assert_true(is_zeroed());
}

static void what_is_too_long_is_refused(void **state)
{
    char pair[PASSWORDS_USER_MAX + LOGIN_PASSWORD_MAX + 3];

    (void)state;
    memset(pair, 'a', sizeof pair);
    pair[PASSWORDS_USER_MAX] = ':';
    assert_true(reads("Basic ", pair, PASSWORDS_USER_MAX + 1 + LOGIN_PASSWORD_MAX));
    assert_int_equal(strlen(login.user), PASSWORDS_USER_MAX);
    assert_int_equal(strlen(login.password), LOGIN_PASSWORD_MAX);
    assert_false(reads("Basic ", pair, PASSWORDS_USER_MAX + 2 + LOGIN_PASSWORD_MAX));
    pair[PASSWORDS_USER_MAX] = 'a';
    pair[PASSWORDS_USER_MAX + 1] = ':';
    assert_false(reads("Basic ", pair, PASSWORDS_USER_MAX + 3));
}

/* --- Whether it is right -------------------------------------------------- */

static void a_right_password_is_right_and_no_other(void **state)
{
    (void)state;
    assert_int_equal(check_from(1, "alice", "secret word"), LOGIN_RIGHT);
    assert_int_equal(check_from(2, "bob", "bcrypt"), LOGIN_RIGHT);
    assert_int_equal(check_from(3, "alice", "secret wor"), LOGIN_WRONG);
    assert_int_equal(check_from(4, "alice", "bcrypt"), LOGIN_WRONG);
    assert_int_equal(check_from(5, "bob", "secret word"), LOGIN_WRONG);
    assert_int_equal(check_from(6, "", ""), LOGIN_WRONG);
    assert_int_equal(check_from(7, "alice", hash_of_alice), LOGIN_WRONG);
}

static void a_user_that_is_not_there_has_nobodys_password(void **state)
{
    (void)state;
    assert_int_equal(check_from(1, "eve", "secret word"), LOGIN_WRONG); /* that of the first */
    assert_int_equal(check_from(1, "alice", "secret word"), LOGIN_RIGHT);
    assert_int_equal(check_from(1, "eve", "secret word"), LOGIN_WRONG);
}

static void without_users_nothing_is_right(void **state)
{
    const struct password_list nobody = {.count = 0};
    const struct login said = {.user = "alice"};
    const struct ip ip = ip_number(1);

    (void)state;
    assert_int_equal(login_check(&memory, &nobody, &said, &ip), LOGIN_WRONG);
}

static void who_is_known_is_so_by_his_hash(void **state)
{
    char other[sizeof hash_of_bob];
    struct password changed[] = {{alice, other}};
    const struct password_list after = {.items = changed, .count = 1};
    const struct login said = {.user = "alice", .password = "secret word"};
    const struct ip ip = ip_number(1);

    (void)state;
    strcpy(other, hash_of_bob);
    assert_int_equal(login_check(&memory, &passwords, &said, &ip), LOGIN_RIGHT);
    assert_int_equal(login_check(&memory, &after, &said, &ip), LOGIN_WRONG);
    assert_int_equal(login_check(&memory, &passwords, &said, &ip), LOGIN_RIGHT);
}

/* --- How often ------------------------------------------------------------ */

static void guesses_of_an_address_are_limited(void **state)
{
    (void)state;
    for (int i = 0; i < LOGIN_ADDRESS_BURST; i++)
        assert_int_equal(check_from(1, "bob", "x"), LOGIN_WRONG);
    assert_int_equal(check_from(1, "bob", "x"), LOGIN_LIMITED);
    assert_int_equal(check_from(1, "bob", "bcrypt"), LOGIN_LIMITED);
    assert_int_equal(check_from(2, "bob", "bcrypt"), LOGIN_RIGHT);
    assert_int_equal(check_from(1, "bob", "bcrypt"), LOGIN_RIGHT); /* known now, from anywhere */
    assert_int_equal(check_from(1, "bob", "x"), LOGIN_LIMITED);
    fake_clock_advance_s(&fake, LOGIN_ADDRESS_MS / 1000);
    assert_int_equal(check_from(1, "bob", "x"), LOGIN_WRONG);
    assert_int_equal(check_from(1, "bob", "x"), LOGIN_LIMITED);
}

static void a_pause_gives_no_more_than_the_burst(void **state)
{
    (void)state;
    assert_int_equal(check_from(1, "bob", "x"), LOGIN_WRONG);
    fake_clock_advance_s(&fake, 100000);
    for (int i = 0; i < LOGIN_ADDRESS_BURST; i++)
        assert_int_equal(check_from(1, "bob", "x"), LOGIN_WRONG);
    assert_int_equal(check_from(1, "bob", "x"), LOGIN_LIMITED);
}

static void guesses_of_all_are_limited(void **state)
{
    (void)state;
    for (unsigned i = 0; i < LOGIN_ALL_BURST; i++)
        assert_int_equal(check_from(i, "bob", "x"), LOGIN_WRONG);
    assert_int_equal(check_from(LOGIN_ALL_BURST, "bob", "x"), LOGIN_LIMITED);
    fake_clock_advance_s(&fake, 1);
    assert_int_equal(check_from(LOGIN_ALL_BURST, "bob", "bcrypt"), LOGIN_RIGHT);
}

static void addresses_without_number_are_limited_too(void **state)
{
    unsigned heard = 0;

    (void)state;
    for (unsigned i = 0; i < 3 * LOGIN_ADDRESSES_MAX; i++)
        heard += check_from(i, "bob", "x") == LOGIN_WRONG;
    assert_int_equal(heard, LOGIN_ALL_BURST);
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_pair_is_read),
        TEST(what_is_no_pair_is_refused),
        TEST(what_is_too_long_is_refused),
        TEST(a_right_password_is_right_and_no_other),
        TEST(a_user_that_is_not_there_has_nobodys_password),
        TEST(without_users_nothing_is_right),
        TEST(who_is_known_is_so_by_his_hash),
        TEST(guesses_of_an_address_are_limited),
        TEST(a_pause_gives_no_more_than_the_burst),
        TEST(guesses_of_all_are_limited),
        TEST(addresses_without_number_are_limited_too),
    };

    return cmocka_run_group_tests_name("login", tests, NULL, NULL);
}
