/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The log, as seen on stderr: one printable line for each call, whatever it is given.
 */
#include "config.h"

#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "base/log.h"

/* --- Catching stderr --- */

struct capture {
    int kept, sockets[2];
    char text[16384];
};

/* A datagram socket in stderr's place: each write(2) stays one datagram. */
static void capture_start(struct capture *capture)
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, capture->sockets), 0);
    capture->kept = dup(STDERR_FILENO);
    assert_true(capture->kept >= 0);
    assert_int_equal(dup2(capture->sockets[1], STDERR_FILENO), STDERR_FILENO);
}

static void capture_stop(struct capture *capture)
{
    assert_int_equal(dup2(capture->kept, STDERR_FILENO), STDERR_FILENO);
    close(capture->kept);
    close(capture->sockets[1]);
}

/* The next write; false when there is none. */
static bool capture_next(struct capture *capture)
{
    ssize_t len = recv(capture->sockets[0], capture->text, sizeof(capture->text) - 1, MSG_DONTWAIT);

    capture->text[len > 0 ? len : 0] = '\0';
    return len > 0;
}

static void capture_end(struct capture *capture)
{
    assert_false(capture_next(capture));
    close(capture->sockets[0]);
}

/* What follows "ringback-milter[PID]: " of the next line, without its newline. */
static const char *next_line(struct capture *capture)
{
    char prefix[64];
    size_t len = (size_t)snprintf(prefix, sizeof(prefix), "ringback-milter[%ld]: ", (long)getpid());
    char *end;

    assert_true(capture_next(capture));
    assert_int_equal(strncmp(capture->text, prefix, len), 0);
    end = strchr(capture->text, '\n');
    assert_non_null(end);
    assert_int_equal(end[1], '\0');
    *end = '\0';
    for (const char *c = capture->text; *c != '\0'; c++)
        assert_true(*c >= ' ' && *c < 0x7f);
    return capture->text + len;
}

/* --- Lines --- */

static void line_is_one_write_with_program_and_pid(void **state)
{
    struct capture capture;

    (void)state;
    log_open(true, LOG_MAIL, LOG_LEVEL_INFO);
    capture_start(&capture);
    log_line(LOG_LEVEL_INFO, "%s: %d", "listening", 8894);
    capture_stop(&capture);
    assert_string_equal(next_line(&capture), "listening: 8894");
    capture_end(&capture);
}

static void errors_and_warnings_say_so(void **state)
{
    struct capture capture;

    (void)state;
    log_open(true, LOG_MAIL, LOG_LEVEL_DEBUG);
    capture_start(&capture);
    log_line(LOG_LEVEL_ERROR, "one");
    log_line(LOG_LEVEL_WARNING, "two");
    log_line(LOG_LEVEL_DEBUG, "three");
    capture_stop(&capture);
    assert_string_equal(next_line(&capture), "error: one");
    assert_string_equal(next_line(&capture), "warning: two");
    assert_string_equal(next_line(&capture), "three");
    capture_end(&capture);
}

static void lines_beyond_the_level_are_not_written(void **state)
{
    (void)state;
    for (int wanted = LOG_LEVEL_ERROR; wanted <= LOG_LEVEL_DEBUG; wanted++) {
        struct capture capture;

        log_open(true, LOG_MAIL, LOG_LEVEL_INFO);
        log_set_level((enum log_level)wanted);
        capture_start(&capture);
        for (int level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_DEBUG; level++) {
            log_line((enum log_level)level, "line");
            assert_int_equal(log_wants((enum log_level)level), level <= wanted);
        }
        capture_stop(&capture);
        for (int level = LOG_LEVEL_ERROR; level <= wanted; level++)
            assert_non_null(strstr(next_line(&capture), "line"));
        capture_end(&capture);
    }
}

static void foreign_octets_cannot_break_a_line(void **state)
{
    struct capture capture;

    (void)state;
    log_open(true, LOG_MAIL, LOG_LEVEL_INFO);
    capture_start(&capture);
    log_line(LOG_LEVEL_INFO, "%s", "a\r\nb\tc\x1b[31md\x7f\xc3\xa4");
    capture_stop(&capture);
    assert_string_equal(next_line(&capture), "a??b?c?[31md???");
    capture_end(&capture);
}

enum { LONG_LINE = 3 * LOG_LINE_MAX };

static void long_lines_are_cut_at_the_ceiling(void **state)
{
    static const size_t lengths[] = {LOG_LINE_MAX - 1, LOG_LINE_MAX, LOG_LINE_MAX + 1, LONG_LINE};
    static char text[LONG_LINE + 1];

    (void)state;
    log_open(true, LOG_MAIL, LOG_LEVEL_INFO);
    for (size_t i = 0; i < COUNT(lengths); i++) {
        struct capture capture;
        const char *line;

        memset(text, 'x', lengths[i]);
        text[lengths[i]] = '\0';
        capture_start(&capture);
        log_line(LOG_LEVEL_INFO, "%s", text);
        capture_stop(&capture);
        line = next_line(&capture);
        if (lengths[i] <= LOG_LINE_MAX) {
            assert_string_equal(line, text);
        } else {
            assert_int_equal(strlen(line), LOG_LINE_MAX);
            assert_string_equal(line + LOG_LINE_MAX - 4, "x...");
        }
        capture_end(&capture);
    }
}

static void errno_stays_and_may_be_logged(void **state)
{
    struct capture capture;

    (void)state;
    log_open(true, LOG_MAIL, LOG_LEVEL_INFO);
    capture_start(&capture);
    errno = ENOENT;
    log_line(LOG_LEVEL_INFO, "cannot: %s", strerror(errno));
    assert_int_equal(errno, ENOENT);
    capture_stop(&capture);
    assert_string_equal(next_line(&capture), "cannot: No such file or directory");
    capture_end(&capture);
}

static void closed_stderr_is_survived(void **state)
{
    int kept = dup(STDERR_FILENO);

    (void)state;
    log_open(true, LOG_MAIL, LOG_LEVEL_INFO);
    close(STDERR_FILENO);
    errno = 0;
    log_line(LOG_LEVEL_INFO, "nobody hears this");
    assert_int_equal(errno, 0);
    assert_int_equal(dup2(kept, STDERR_FILENO), STDERR_FILENO);
    close(kept);
}

static void the_journal_gets_the_priority_and_adds_the_name_itself(void **state)
{
    struct capture capture;
    struct stat status;
    char stream[64];

    (void)state;
    capture_start(&capture);
    assert_int_equal(fstat(STDERR_FILENO, &status), 0);
    (void)snprintf(stream, sizeof stream, "%ju:%ju", (uintmax_t)status.st_dev,
                   (uintmax_t)status.st_ino);
    assert_int_equal(setenv("JOURNAL_STREAM", stream, 1), 0);
    log_open(true, LOG_MAIL, LOG_LEVEL_INFO);
    log_line(LOG_LEVEL_INFO, "in order");
    log_line(LOG_LEVEL_ERROR, "broken");
    assert_int_equal(setenv("JOURNAL_STREAM", "1:1", 1), 0); /* inherited; ours is another */
    log_open(true, LOG_MAIL, LOG_LEVEL_INFO);
    log_line(LOG_LEVEL_INFO, "elsewhere");
    capture_stop(&capture);
    assert_int_equal(unsetenv("JOURNAL_STREAM"), 0);
    assert_true(capture_next(&capture));
    assert_string_equal(capture.text, "<6>in order\n");
    assert_true(capture_next(&capture));
    assert_string_equal(capture.text, "<3>error: broken\n");
    assert_string_equal(next_line(&capture), "elsewhere");
    capture_end(&capture);
}

static void nothing_goes_to_stderr_when_syslog_is_used(void **state)
{
    struct capture capture;

    (void)state;
    log_open(false, LOG_LOCAL7, LOG_LEVEL_INFO);
    capture_start(&capture);
    log_line(LOG_LEVEL_DEBUG, "not at this level");
    log_line(LOG_LEVEL_INFO, "test_log: a line of the unit tests");
    capture_stop(&capture);
    capture_end(&capture);
    log_open(true, LOG_LOCAL7, LOG_LEVEL_INFO);
}

/* --- Names --- */

static void levels_have_names(void **state)
{
    enum log_level level = LOG_LEVEL_INFO;

    (void)state;
    for (int i = LOG_LEVEL_ERROR; i <= LOG_LEVEL_DEBUG; i++) {
        assert_true(log_level_from_name(log_level_name((enum log_level)i), &level));
        assert_int_equal(level, i);
    }
    assert_string_equal(log_level_name((enum log_level)9), "?");
    assert_false(log_level_from_name("loud", &level));
    assert_int_equal(level, LOG_LEVEL_DEBUG);
}

static void facilities_have_names(void **state)
{
    static const struct {
        const char *name;
        int facility;
    } cases[] = {{"mail", LOG_MAIL},         {"daemon", LOG_DAEMON}, {"local0", LOG_LOCAL0},
                 {"authpriv", LOG_AUTHPRIV}, {"news", LOG_NEWS},     {"local7", LOG_LOCAL7}};
    int facility = -1;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_true(log_facility_from_name(cases[i].name, &facility));
        assert_int_equal(facility, cases[i].facility);
    }
    assert_false(log_facility_from_name("kern", &facility));
    assert_false(log_facility_from_name("", &facility));
    assert_int_equal(facility, LOG_LOCAL7);
}

/* --- Fields --- */

static void line_of_the_contract_is_built(void **state)
{
    struct log_fields fields;

    (void)state;
    log_fields_init(&fields, "4Xyz12:");
    log_field(&fields, "verify", "sender");
    log_field(&fields, "address", "<u@example.org>");
    log_field(&fields, "mx", "mx1.example.org[192.0.2.26]");
    log_field(&fields, "reply", "550 5.1.1 unknown");
    log_fieldf(&fields, "waited", "%d.%03ds", 0, 143);
    assert_string_equal(fields.text, "4Xyz12: verify=sender address=<u@example.org> "
                                     "mx=mx1.example.org[192.0.2.26] reply=\"550 5.1.1 unknown\" "
                                     "waited=0.143s");
    assert_int_equal(fields.len, strlen(fields.text));
    assert_false(fields.cut);
}

static void values_are_quoted_where_they_must_be(void **state)
{
    static const struct {
        const char *value, *text;
    } cases[] = {
        {"", "k=\"\""},
        {NULL, "k=\"\""},
        {"a", "k=a"},
        {"a=b", "k=a=b"},
        {"a b", "k=\"a b\""},
        {"a\"b", "k=\"a\\\"b\""},
        {"a\\b", "k=\"a\\\\b\""},
        {"\"", "k=\"\\\"\""},
        {"a\nb", "k=\"a b\""},
        {"a\r\n\tb", "k=\"a b\""},
        {"a\x01\xff", "k=a??"},
        {"x\" action=accept y=\"", "k=\"x\\\" action=accept y=\\\"\""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct log_fields fields;

        log_fields_init(&fields, "");
        log_field(&fields, "k", cases[i].value);
        assert_string_equal(fields.text, cases[i].text);
    }
}

static void long_values_are_cut(void **state)
{
    struct log_fields fields;
    char value[LOG_VALUE_MAX + 2];

    (void)state;
    memset(value, 'x', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    log_fields_init(&fields, "");
    log_field(&fields, "k", value);
    assert_int_equal(fields.len, 2 + LOG_VALUE_MAX);
    assert_string_equal(fields.text + fields.len - 4, "x...");
    log_fields_init(&fields, "");
    log_fieldf(&fields, "k", "%s%s", value, value);
    assert_int_equal(fields.len, 2 + LOG_VALUE_MAX);
    assert_string_equal(fields.text + fields.len - 4, "x...");
    value[LOG_VALUE_MAX] = '\0';
    log_fields_init(&fields, "");
    log_field(&fields, "k", value);
    assert_string_equal(fields.text + 2, value);
}

static void fields_that_do_not_fit_are_left_out_and_marked(void **state)
{
    struct log_fields fields;
    char value[LOG_VALUE_MAX + 1];

    (void)state;
    memset(value, '"', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    log_fields_init(&fields, "id:");
    for (int i = 0; i < 10; i++)
        log_field(&fields, "k", value);
    log_field(&fields, "last", "x");
    assert_true(fields.cut);
    assert_true(fields.len <= LOG_LINE_MAX);
    assert_int_equal(fields.len, strlen(fields.text));
    assert_string_equal(fields.text + fields.len - 5, "\" ...");
    assert_null(strstr(fields.text, "last"));
}

static void every_length_fits_the_line(void **state)
{
    (void)state;
    for (size_t len = 0; len < 600; len++) {
        struct log_fields fields;
        char value[LOG_VALUE_MAX + 1];

        memset(value, 'x', len);
        value[len] = '\0';
        log_fields_init(&fields, "");
        for (int i = 0; i < 2000 && !fields.cut; i++)
            log_field(&fields, "k", value);
        assert_true(fields.cut);
        assert_true(fields.len <= LOG_LINE_MAX);
        assert_string_equal(fields.text + fields.len - 4, " ...");
    }
}

static void fields_are_written_as_a_line(void **state)
{
    struct capture capture;
    struct log_fields fields;

    (void)state;
    log_open(true, LOG_MAIL, LOG_LEVEL_INFO);
    log_fields_init(&fields, "");
    log_field(&fields, "a", "100%s");
    capture_start(&capture);
    log_fields_write(LOG_LEVEL_INFO, &fields);
    capture_stop(&capture);
    assert_string_equal(next_line(&capture), "a=100%s");
    capture_end(&capture);
}

/* --- Threads --- */

enum { THREADS = 4, LINES = 100 };

static void *log_lines(void *arg)
{
    for (int i = 0; i < LINES; i++) {
        log_line(LOG_LEVEL_INFO, "%s", (const char *)arg);
        log_set_level(LOG_LEVEL_INFO);
    }
    return NULL;
}

struct reader {
    int socket;
    size_t whole; /* lines of 255 equal letters behind the prefix */
};

static void *read_lines(void *arg)
{
    struct reader *reader = arg;
    char line[512];

    for (int i = 0; i < THREADS * LINES; i++) {
        ssize_t len = recv(reader->socket, line, sizeof(line), 0);

        if (len > 256 && line[len - 1] == '\n' && line[len - 2] == line[len - 256])
            reader->whole++;
    }
    return NULL;
}

static void lines_of_several_threads_stay_whole(void **state)
{
    static char texts[THREADS][256];
    pthread_t threads[THREADS], reading;
    struct capture capture;
    struct reader reader = {.whole = 0};

    (void)state;
    log_open(true, LOG_MAIL, LOG_LEVEL_INFO);
    capture_start(&capture);
    reader.socket = capture.sockets[0];
    assert_int_equal(pthread_create(&reading, NULL, read_lines, &reader), 0);
    for (int i = 0; i < THREADS; i++) {
        memset(texts[i], 'a' + i, sizeof(texts[i]) - 1);
        assert_int_equal(pthread_create(&threads[i], NULL, log_lines, texts[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(pthread_join(reading, NULL), 0);
    capture_stop(&capture);
    assert_int_equal(reader.whole, THREADS * LINES);
    capture_end(&capture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(line_is_one_write_with_program_and_pid),
        cmocka_unit_test(errors_and_warnings_say_so),
        cmocka_unit_test(lines_beyond_the_level_are_not_written),
        cmocka_unit_test(foreign_octets_cannot_break_a_line),
        cmocka_unit_test(long_lines_are_cut_at_the_ceiling),
        cmocka_unit_test(errno_stays_and_may_be_logged),
        cmocka_unit_test(closed_stderr_is_survived),
        cmocka_unit_test(the_journal_gets_the_priority_and_adds_the_name_itself),
        cmocka_unit_test(nothing_goes_to_stderr_when_syslog_is_used),
        cmocka_unit_test(levels_have_names),
        cmocka_unit_test(facilities_have_names),
        cmocka_unit_test(line_of_the_contract_is_built),
        cmocka_unit_test(values_are_quoted_where_they_must_be),
        cmocka_unit_test(long_values_are_cut),
        cmocka_unit_test(fields_that_do_not_fit_are_left_out_and_marked),
        cmocka_unit_test(every_length_fits_the_line),
        cmocka_unit_test(fields_are_written_as_a_line),
        cmocka_unit_test(lines_of_several_threads_stay_whole),
    };

    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
