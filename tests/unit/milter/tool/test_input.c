/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lists for `ringback verify -`: fed by a pipe whole, split at every octet, and an octet at a time.
 */
#include "config.h"

#include "check.h"

#include "tool/input.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { LINES_MAX = 8 };

struct rig {
    int read_end, write_end;
    struct input input;
};

static void open_rig(struct rig *rig)
{
    int ends[2];

    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    rig->read_end = ends[0];
    rig->write_end = ends[1];
    input_begin(&rig->input, rig->read_end);
}

static void feed(const struct rig *rig, const char *octets, size_t len)
{
    assert_int_equal(write(rig->write_end, octets, len), (ssize_t)len);
}

static void end(struct rig *rig)
{
    assert_int_equal(close(rig->write_end), 0);
}

static void close_rig(struct rig *rig)
{
    assert_int_equal(close(rig->read_end), 0);
}

struct row {
    const char *octets;
    size_t len;
    const char *lines[LINES_MAX]; /* up to a NULL */
};

#define ROW(text, ...)                                                                             \
    {                                                                                              \
        .octets = (text), .len = sizeof(text) - 1, .lines = { __VA_ARGS__ }                        \
    }

static const struct row rows[] = {
    ROW("", NULL),
    ROW("a@b\n", "a@b"),
    ROW("a@b", "a@b"),
    ROW("a@b\r\n", "a@b"),
    ROW("a@b\r", "a@b"),
    ROW("a@b\nc@d", "a@b", "c@d"),
    ROW("a@b\n\nc@d\n", "a@b", "", "c@d"),
    ROW("\n", ""),
    ROW(" \t\r\n", ""),
    ROW(" \t a@b \t \n", "a@b"),
    ROW("a b\n", "a b"),
    ROW("# a@b\n", "# a@b"),
    ROW("\xef\xbb\xbf"
        "a@b\nc@d\n",
        "a@b", "c@d"),
    ROW("\xef\xbb\xbf", ""),
    ROW("\xef\xbb", "\xef\xbb"),
    ROW("a@b\n\xef\xbb\xbfx@d\n", "a@b", "\xef\xbb\xbfx@d"),
    ROW("\n\xef\xbb\xbf"
        "a@b\n",
        "",
        "\xef\xbb\xbf"
        "a@b"),
};

/* Reads what there is, from line `*seen` of the row on. */
static enum input_state read_on(struct rig *rig, const struct row *row, size_t *seen)
{
    struct input_line line;
    enum input_state state;

    while ((state = input_next(&rig->input, &line)) == INPUT_LINE) {
        const char *wanted = row->lines[*seen];

        assert_non_null(wanted);
        assert_int_equal(line.len, strlen(wanted));
        assert_memory_equal(line.text, wanted, line.len);
        (*seen)++;
    }
    return state;
}

static void finish(struct rig *rig, const struct row *row, size_t seen)
{
    end(rig);
    assert_int_equal(read_on(rig, row, &seen), INPUT_END);
    assert_null(row->lines[seen]);
    assert_int_equal(rig->input.place.octets, row->len);
    close_rig(rig);
}

static void lines_are_the_same_however_they_come(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (size_t split = 0; split <= rows[i].len; split++) {
            struct rig rig;
            size_t seen = 0;

            open_rig(&rig);
            feed(&rig, rows[i].octets, split);
            assert_int_equal(read_on(&rig, &rows[i], &seen), INPUT_LATER);
            feed(&rig, rows[i].octets + split, rows[i].len - split);
            finish(&rig, &rows[i], seen);
        }
    }
}

static void an_octet_at_a_time_is_enough(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct rig rig;
        size_t seen = 0;

        open_rig(&rig);
        for (size_t at = 0; at < rows[i].len; at++) {
            feed(&rig, rows[i].octets + at, 1);
            assert_int_equal(read_on(&rig, &rows[i], &seen), INPUT_LATER);
        }
        finish(&rig, &rows[i], seen);
    }
}

static void an_overlong_line_is_cut_and_counted_whole(void **state)
{
    static const size_t lengths[] = {INPUT_LINE_MAX - 1, INPUT_LINE_MAX,  INPUT_LINE_MAX + 1,
                                     INPUT_BLOCK,        INPUT_BLOCK + 1, (size_t)3 * INPUT_BLOCK};
    static char octets[3 * INPUT_BLOCK + 8];

    (void)state;
    for (size_t i = 0; i < COUNT(lengths); i++) {
        size_t kept = lengths[i] < INPUT_LINE_MAX ? lengths[i] : INPUT_LINE_MAX;
        struct input_line line;
        struct rig rig;

        memset(octets, 'a', lengths[i]);
        memcpy(octets + lengths[i], "\nb@c\n", sizeof "\nb@c\n");
        open_rig(&rig);
        feed(&rig, octets, lengths[i] + 5);
        assert_int_equal(input_next(&rig.input, &line), INPUT_LINE);
        assert_int_equal(line.len, kept);
        assert_int_equal(line.end.octets, lengths[i] + 1);
        assert_int_equal(input_next(&rig.input, &line), INPUT_LINE);
        assert_int_equal(line.len, 3);
        assert_int_equal(line.end.octets, lengths[i] + 5);
        end(&rig);
        assert_int_equal(input_next(&rig.input, &line), INPUT_END);
        close_rig(&rig);
    }
}

static void a_nul_is_an_octet_like_others(void **state)
{
    static const char octets[] = "a@b\0c\n";
    struct input_line line;
    struct rig rig;

    (void)state;
    open_rig(&rig);
    feed(&rig, octets, sizeof octets - 1);
    assert_int_equal(input_next(&rig.input, &line), INPUT_LINE);
    assert_int_equal(line.len, 5);
    assert_memory_equal(line.text, octets, 5);
    end(&rig);
    close_rig(&rig);
}

/* Where a line ends, a later run can begin: it sees the same checksum, and the lines behind it. */
static void a_later_run_goes_on_where_a_line_ended(void **state)
{
    static const char octets[] = "a@b\n\n# c\r\nd@e\nf@g";
    const size_t len = sizeof octets - 1;
    struct input_line line, again;
    struct rig first;
    unsigned tried = 0;

    (void)state;
    open_rig(&first);
    feed(&first, octets, len);
    end(&first);
    for (; input_next(&first.input, &line) == INPUT_LINE; tried++) {
        struct rig later;

        open_rig(&later);
        feed(&later, octets, len);
        end(&later);
        assert_int_equal(input_skip(&later.input, line.end.octets), INPUT_LINE);
        assert_int_equal(later.input.place.octets, line.end.octets);
        assert_true(later.input.place.check == line.end.check);
        if (line.end.octets < len)
            assert_int_equal(input_next(&later.input, &again), INPUT_LINE);
        else
            assert_int_equal(input_next(&later.input, &again), INPUT_END);
        close_rig(&later);
    }
    assert_int_equal(tried, 5);
    close_rig(&first);
}

static void another_list_has_another_checksum(void **state)
{
    struct rig rig;

    (void)state;
    open_rig(&rig);
    assert_true(rig.input.place.check == input_beginning.check);
    feed(&rig, "a@b\n", 4);
    assert_int_equal(input_skip(&rig.input, 4), INPUT_LINE);
    assert_true(rig.input.place.check == UINT64_C(0xd7529d8348b1c9e8)); /* of another program */
    end(&rig);
    close_rig(&rig);
}

static void a_list_that_is_too_short_is_told(void **state)
{
    struct rig rig;

    (void)state;
    open_rig(&rig);
    feed(&rig, "a@b\n", 4);
    assert_int_equal(input_skip(&rig.input, 5), INPUT_LATER); /* a pipe that does not wait */
    end(&rig);
    assert_int_equal(input_skip(&rig.input, 5), INPUT_END);
    close_rig(&rig);
}

static void what_cannot_be_read_is_an_error(void **state)
{
    struct input_line line;
    struct rig rig;

    (void)state;
    open_rig(&rig);
    input_begin(&rig.input, rig.write_end);
    assert_int_equal(input_skip(&rig.input, 1), INPUT_ERROR);
    assert_int_equal(errno, EBADF);
    input_begin(&rig.input, -2);
    assert_int_equal(input_skip(&rig.input, 1), INPUT_ERROR);
    end(&rig);
    close_rig(&rig);
    input_begin(&rig.input, rig.read_end); /* closed */
    assert_int_equal(input_next(&rig.input, &line), INPUT_ERROR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_the_same_however_they_come),
        cmocka_unit_test(an_octet_at_a_time_is_enough),
        cmocka_unit_test(an_overlong_line_is_cut_and_counted_whole),
        cmocka_unit_test(a_nul_is_an_octet_like_others),
        cmocka_unit_test(a_later_run_goes_on_where_a_line_ended),
        cmocka_unit_test(another_list_has_another_checksum),
        cmocka_unit_test(a_list_that_is_too_short_is_told),
        cmocka_unit_test(what_cannot_be_read_is_an_error),
    };

    return cmocka_run_group_tests_name("input", tests, NULL, NULL);
}
