/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_command: what an admin copies into a shell is one argument there, whatever a stranger put
 * into an address: a shell is asked.
 */
#include "config.h"

#include "http/command.h"

#include "check.h"

#include <stdio.h>

static char path[] = "/srv/it's here/ringback.conf";

static const char *command_for(struct command *command, const char *argument)
{
    static char none[] = "";
    const struct config config = {.path = none};

    command_begin(command, "cache delete", &config);
    command_add(command, "--");
    command_add_argument(command, argument);
    return command_text(command);
}

/* The last argument that a shell makes of it. */
static void shell_sees(const char *command, const char *argument)
{
    char script[COMMAND_SIZE + 100], seen[COMMAND_SIZE] = "";
    FILE *shell;

    (void)snprintf(script, sizeof script,
                   "ringback() { shift $(($# - 1)); printf '%%s' \"$1\"; }; %s", command);
    shell = popen(script, "r");
    assert_non_null(shell);
    seen[fread(seen, 1, sizeof seen - 1, shell)] = '\0';
    assert_int_equal(pclose(shell), 0);
    assert_string_equal(seen, argument);
}

static void what_is_plain_stays_as_it_is(void **state)
{
    struct command command;

    (void)state;
    assert_string_equal(command_for(&command, "user+tag@example.org"),
                        "ringback cache delete -- user+tag@example.org");
}

static void an_argument_is_one_for_a_shell(void **state)
{
    static const char *const arguments[] = {
        "user@example.org",
        "-rf@example.org",
        "'; rm -rf ~; '@example.org",
        "$(reboot)@example.org",
        "`id`@example.org",
        "a b@example.org",
        "\"a\\b\"@example.org",
        "*@example.org",
        "~root@example.org",
        "a&b|c;d<e>f@x.example",
        "!!@example.org",
        "#x@example.org",
        "{a,b}@example.org",
        "",
    };
    struct command command;

    (void)state;
    for (size_t i = 0; i < COUNT(arguments); i++) {
        const char *text = command_for(&command, arguments[i]);

        assert_non_null(text);
        shell_sees(text, arguments[i]);
    }
}

static void what_nobody_could_see_makes_no_command(void **state)
{
    struct command command;
    char *large = malloc(COMMAND_SIZE + 1);

    (void)state;
    assert_null(command_for(&command, "a\nreboot@example.org"));
    assert_null(command_for(&command, "a\x1b[8m@example.org"));
    assert_null(command_for(&command, "\xE2\x80\xAE@example.org"));
    assert_non_null(large);
    memset(large, 'x', COMMAND_SIZE);
    large[COMMAND_SIZE] = '\0';
    assert_null(command_for(&command, large));
    free(large);
}

static void a_file_that_the_tool_would_not_take_is_named(void **state)
{
    static char usual[] = SYSCONFDIR "/ringback/ringback.conf";
    struct config config = {.path = path};
    struct command command;

    (void)state;
    command_begin(&command, "cache get", &config);
    assert_string_equal(command_text(&command),
                        "ringback cache get -c '/srv/it'\\''s here/ringback.conf'");
    config.path = usual;
    command_begin(&command, "cache get", &config);
    assert_string_equal(command_text(&command), "ringback cache get");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_plain_stays_as_it_is),
        cmocka_unit_test(an_argument_is_one_for_a_shell),
        cmocka_unit_test(what_nobody_could_see_makes_no_command),
        cmocka_unit_test(a_file_that_the_tool_would_not_take_is_named),
    };

    return cmocka_run_group_tests_name("command", tests, NULL, NULL);
}
