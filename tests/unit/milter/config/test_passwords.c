/* SPDX-License-Identifier: BSD-2-Clause */
/* test_passwords: the file of users and hashes. */
#include "config.h"

#include "config/passwords.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"

#define DIGEST                                                                                     \
    "LD3B9uQazUr5JO40TJP6MCHMIO4iy9k4k8wtwFKc/2c.J3/D5xE/lc1u40jG/wrBUnUYu3FRVho1G9GJagdAs/"
#define SHA512 "$6$abcdefgh$" DIGEST
#define YESCRYPT "$y$j75$OeaCf7lJFKKceoqVcRE5G/$831gxOL1AoVPjtfRnxTxICgzqucyoz/0cJkn5Jkjrn2"
#define BCRYPT "$2b$04$ORSgCMvz5hEZul.HZRJ83eYGSWKoJcSLf18Vxz5.Re9VXMSdmUw/6"
#define SHA256 "$5$abcdefgh$XgnwaFr2ZtUzMH7cVfs3qWBm/jmMtSNhGgBKqWq.Ab9"

static char path[] = "/tmp/ringback-passwords-XXXXXX";
static char said[512];
static struct password_list list;

static int set_up(void **state)
{
    int fd;

    (void)state;
    strcpy(path, "/tmp/ringback-passwords-XXXXXX");
    fd = mkstemp(path);
    if (fd < 0)
        return -1;
    return close(fd);
}

static int tear_down(void **state)
{
    (void)state;
    passwords_fini(&list);
    return unlink(path);
}

static bool reads_octets(const char *text, size_t len)
{
    struct fault fault = {.text = said, .size = sizeof said};
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
    said[0] = '\0';
    passwords_fini(&list);
    return passwords_read(path, &list, &fault);
}

static bool reads(const char *text)
{
    return reads_octets(text, strlen(text));
}

static void users_and_hashes_are_read(void **state)
{
    (void)state;
    assert_true(reads("# who may look\n\nalice:" SHA512 "\n   \nbob.b@x:" YESCRYPT
                      " \r\nc d:" BCRYPT "\ne:" SHA256));
    assert_int_equal(list.count, 4);
    assert_string_equal(list.items[0].user, "alice");
    assert_string_equal(list.items[0].hash, SHA512);
    assert_string_equal(list.items[1].user, "bob.b@x");
    assert_string_equal(list.items[1].hash, YESCRYPT);
    assert_string_equal(list.items[2].user, "c d");
    assert_string_equal(list.items[3].hash, SHA256);
}

static void assert_refused(const char *text, const char *wanted)
{
    char start[sizeof path];

    if (reads(text))
        fail_msg("\"%s\" is taken", text);
    assert_int_equal(list.count, 0);
    (void)snprintf(start, sizeof start, "%s", path);
    assert_memory_equal(said, start, strlen(start));
    if (strstr(said + strlen(start), wanted) != said + strlen(start))
        fail_msg("\"%s\": \"%s\", not \"%s\"", text, said, wanted);
    assert_null(strstr(said, "abcdefgh"));
}

static void what_is_wrong_is_said_with_its_line(void **state)
{
    static const char no_hash[] =
        ":1: what is behind the user is no hash that counts; one that "
        "\"mkpasswd -m yescrypt\" or \"openssl passwd -6\" prints would be "
        "right";

    (void)state;
    assert_refused("",
                   ": has no user in it: nobody could look; a line \"USER:HASH\" would be right");
    assert_refused("# a:b\n\n", ": has no user in it");
    assert_refused("a:" SHA512 "\nalice\n",
                   ":2: is no user with a password; \"USER:HASH\" would be right");
    assert_refused(":" SHA512, ":1: this is no name of a user; 1 to 64 printable characters");
    assert_refused("\xC3\xA9:" SHA512, ":1: this is no name of a user");
    assert_refused("a:" SHA512 "\n#\na:" YESCRYPT, ":3: this user is there already");
    assert_refused("a:abcdefgh", no_hash);
    assert_refused("a:", no_hash);
    assert_refused("a:*", no_hash);
    assert_refused("a:{SHA}abcdefgh", no_hash);
    assert_refused("a:$6$abcdefgh$", no_hash);
    assert_refused("a:$6$abcdefgh$tooshort", no_hash);
    assert_refused("a:$apr1$abcdefgh$" DIGEST, no_hash); /* of Apache alone */
    assert_refused("a:$1$abcdefgh$" DIGEST, no_hash);    /* MD5 */
    assert_refused("a:abJnggxhB/yWI", no_hash);          /* DES */
}

static void a_nul_is_no_text(void **state)
{
    static const char text[] = "a:" SHA512 "\0\n";

    (void)state;
    assert_false(reads_octets(text, sizeof text - 1));
    assert_non_null(strstr(said, "NUL"));
}

static void a_file_for_everybody_is_refused(void **state)
{
    (void)state;
    assert_int_equal(chmod(path, 0644), 0);
    assert_refused("a:" SHA512, ": everybody may read it (mode 0644); \"chmod o= ");
    assert_int_equal(chmod(path, 0640), 0);
    assert_true(reads("a:" SHA512));
}

static void a_file_that_is_not_there_is_said(void **state)
{
    struct fault fault = {.text = said, .size = sizeof said};

    (void)state;
    said[0] = '\0';
    assert_false(passwords_read("/nonexistent/x", &list, &fault));
    assert_string_equal(said, "/nonexistent/x: cannot be read: No such file or directory");
    assert_int_equal(fault.error, RB_ERR_SYSTEM);
}

static void there_is_a_ceiling_for_users(void **state)
{
    size_t size;
    char *text = NULL;
    FILE *out = open_memstream(&text, &size);

    (void)state;
    assert_non_null(out);
    for (int i = 0; i < PASSWORDS_MAX; i++)
        (void)fprintf(out, "user%d:%s\n", i, SHA512);
    assert_int_equal(fflush(out), 0);
    assert_true(reads(text));
    assert_int_equal(list.count, PASSWORDS_MAX);
    (void)fprintf(out, "one:%s\n", SHA512);
    assert_int_equal(fclose(out), 0);
    assert_false(reads(text));
    assert_non_null(strstr(said, ":1001: one user too many; up to 1000 would be right"));
    free(text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(users_and_hashes_are_read),
        TEST(what_is_wrong_is_said_with_its_line),
        TEST(a_nul_is_no_text),
        TEST(a_file_for_everybody_is_refused),
        TEST(a_file_that_is_not_there_is_said),
        TEST(there_is_a_ceiling_for_users),
    };

    return cmocka_run_group_tests_name("passwords", tests, NULL, NULL);
}
